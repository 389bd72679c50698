"""What an audit found: verdicts, results, and the report that holds them all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditor.model.record import quick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.engine.rule import Rule
    from auditor.engine.waivers import Waiver
    from auditor.model.evidence import Evidence
    from auditor.model.facts import ClusterFacts, Readiness
    from auditor.model.inventory import Gap


class Verdict(StrEnum):
    """The answer of one rule about one resource."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How bad a failure is; ordered by `rank`, critical first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for info up to 4 for critical."""
        return _RANK[self]


_RANK = {
    Severity.INFO: 0,
    Severity.LOW: 1,
    Severity.MEDIUM: 2,
    Severity.HIGH: 3,
    Severity.CRITICAL: 4,
}


@quick
@dataclass(frozen=True, slots=True)
class ResourceRef:
    """The resource a result is about: full name as the inventory has it, asset type, project, location."""

    name: str
    type: str
    project: str
    location: str


@quick
@dataclass(frozen=True, slots=True)
class Remediation:
    """What mends a failure: a text, and shell commands ready to paste (names filled in and quoted)."""

    text: str
    commands: tuple[str, ...]


@quick
@dataclass(frozen=True, slots=True)
class Result:
    """One rule on one resource.

    `subject` is the part of the resource it is about (a node pool, a firewall rule), None for the whole.
    `reasons` say why an `unknown` could not be decided, each ending in what would settle it.
    `waiver` is the accepted risk that covers this failure, `baseline` how it compares with an earlier scan
    (`new`, `unchanged`, `absent`, None without one).
    """

    rule: str
    verdict: Verdict
    severity: Severity
    resource: ResourceRef
    subject: str | None
    message: str
    evidence: tuple[Evidence, ...]
    reasons: tuple[str, ...]
    remediation: Remediation | None
    fingerprint: str
    waiver: Waiver | None = None
    baseline: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class ClusterReport:
    """A cluster as the report shows it: what it is, its facts, its readiness.

    `facts` is None if the inventory holds no data for the cluster.
    """

    resource: ResourceRef
    short_name: str
    status: str
    autopilot: bool
    dataplane_v2: bool
    folder: str
    facts: ClusterFacts | None
    readiness: Readiness


@quick
@dataclass(frozen=True, slots=True)
class WaiverNote:
    """Something to say about a waiver: it is `expired`, `malformed` or `unused`."""

    kind: str
    text: str
    waiver: Waiver | None


@quick
@dataclass(frozen=True, slots=True)
class Report:
    """Every result of an audit, and the header that says what was read, with what, and when.

    `now` is the time that decided about waivers (RFC 3339, UTC), `read_time` the inventory's own.
    `results` are sorted by resource name, rule, subject. `rules` are the rules that were evaluated.
    """

    tool_version: str
    rules_digest: str
    now: str
    sources: tuple[str, ...]
    scope: str
    read_time: str | None
    digest: str
    counts: Mapping[str, int]
    complete_by_word: bool
    gaps: tuple[Gap, ...]
    rules: tuple[Rule, ...]
    clusters: tuple[ClusterReport, ...]
    results: tuple[Result, ...]
    summary: Mapping[str, int]
    waiver_notes: tuple[WaiverNote, ...]

    @property
    def findings(self) -> tuple[Result, ...]:
        """The failures that are not waived and still there."""
        return tuple(
            r
            for r in self.results
            if r.verdict is Verdict.FAIL and r.waiver is None and r.baseline != "absent"
        )
