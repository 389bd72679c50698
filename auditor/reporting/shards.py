"""A report in several parts, for a code scanning that shows only so many results of one upload.

A project is always in the same part, whatever else is in the report, so that its alerts stay where they are
from scan to scan as long as the number of parts stays the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditor.model.names import canonical, project_of
from auditor.reporting.text import plural

if TYPE_CHECKING:
    from auditor.engine.result import ClusterReport, Report, Result
    from auditor.model.inventory import Gap


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `of` parts of a report, `number` counting from 1.

    `report` has the results of the part's projects, and the gaps that may hide results of theirs: with any of
    them the part is incomplete, and what it lacks looks as if it had been mended.
    """

    number: int
    of: int
    report: Report

    @property
    def name(self) -> str:
        """`shard-NN`: part of the file's name and of the category."""
        return f"shard-{self.number:02}"

    @property
    def complete(self) -> bool:
        """Whether everything was read that the part's results depend on."""
        return not self.report.gaps

    def why_incomplete(self) -> str:
        """The first gap, and how many more there are; empty if there is none."""
        gaps = self.report.gaps
        if not gaps:
            return ""
        kind = f" ({gaps[0].asset_type})" if gaps[0].asset_type else ""
        more = f", and {plural(len(gaps) - 1, 'more gap')}" if len(gaps) > 1 else ""
        return f"{gaps[0].scope}{kind}: {gaps[0].reason}{more}"


def shard_number(project: str, count: int) -> int:
    """Which of `count` parts a project belongs to, from 1: its SHA-256, first 8 bytes, modulo `count`."""
    digest = hashlib.sha256(project.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % count + 1


def split(report: Report, count: int) -> tuple[Shard, ...]:
    """The report in `count` parts, also those that hold nothing: only an upload closes alerts."""
    numbers: dict[str, int] = {}

    def of(project: str) -> int:
        if project not in numbers:
            numbers[project] = shard_number(project, count)
        return numbers[project]

    results: list[list[Result]] = [[] for _ in range(count)]
    for result in report.results:
        results[of(result.resource.project) - 1].append(result)
    gaps: list[list[Gap]] = [[] for _ in range(count)]
    depending = _depending(report.clusters)
    for gap in report.gaps:
        projects = _concerned(gap, depending)
        for number in sorted({of(one) for one in projects}) if projects else range(1, count + 1):
            gaps[number - 1].append(gap)
    return tuple(
        Shard(number, count, replace(report, results=tuple(found), gaps=tuple(lacking)))
        for number, (found, lacking) in enumerate(zip(results, gaps, strict=True), 1)
    )


def _depending(clusters: tuple[ClusterReport, ...]) -> dict[str, set[str]]:
    """For each project, those with clusters in its networks; under "" those whose network is not known."""
    found: dict[str, set[str]] = {}
    for cluster in clusters:
        network = cluster.facts.network.project if cluster.facts is not None else None
        found.setdefault(network or "", set()).add(cluster.resource.project)
    return found


def _concerned(gap: Gap, depending: dict[str, set[str]]) -> set[str]:
    """The projects whose results the gap may hide; empty if that may be any project.

    A gap in a project is one of every cluster in its networks too, wherever that cluster is (Shared VPC), and
    of the clusters whose network nobody knows.
    """
    project = project_of(canonical(gap.scope))
    if not project or project.isdigit():
        return set()
    return {project, *depending.get(project, ()), *depending.get("", ())}
