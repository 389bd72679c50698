"""What a short account of a report says: counts, and the failures in the order in which they matter."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from auditor.engine.result import Severity, Verdict
from auditor.reporting.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.engine.result import Comparison, Report, Result

READINESS: dict[str, str] = {
    "degraded": "visibility is on and Pod traffic is being dropped or not seen",
    "blocked": "turning visibility on would break something",
    "ready": "visibility is off and safe to turn on",
    "working": "visibility is on and works",
    "unsupported": "the version or a node pool does not support visibility",
    "unknown": "a fact that decides is missing",
}
"""Every readiness, in the order in which a reader wants them, and what it means."""


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """How often each verdict of one rule occurs.

    `failed` counts the findings by severity; `waived` failures stand apart.
    """

    rule: str
    failed: Mapping[Severity, int]
    waived: int
    unknown: int
    passed: int
    not_applicable: int

    @property
    def worst(self) -> int:
        """The rank of the worst finding, -1 if there is none."""
        return max((severity.rank for severity, count in self.failed.items() if count), default=-1)


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a report.

    `readiness` has every state of `READINESS` that occurs, in that order, then any other; `rules` has one
    entry for each rule, those with the worst findings first; `worst` are the findings, worst first. `since`
    counts failures by how they compare with the baseline, and is empty without one.
    """

    readiness: Mapping[str, int]
    rules: tuple[RuleCounts, ...]
    worst: tuple[Result, ...]
    unknown: tuple[Result, ...]
    since: Mapping[str, int]


def summarise(report: Report) -> Summary:
    """Count what a report holds."""
    states: Counter[str] = Counter(cluster.readiness.state for cluster in report.clusters)
    ordered = [state for state in READINESS if state in states]
    ordered += sorted(state for state in states if state not in READINESS)
    counts: Counter[tuple[str, Verdict]] = Counter(map(attrgetter("rule", "verdict"), report.results))
    failed: Counter[tuple[str, Severity]] = Counter()
    waived: Counter[str] = Counter()
    since: Counter[str] = Counter()
    worst: list[Result] = []
    for result in report.results:
        if result.verdict is not Verdict.FAIL:
            continue
        if result.waiver is not None:
            waived[result.rule] += 1
            continue
        if result.baseline is not None:
            since[result.baseline] += 1
        if result.baseline != "absent":
            failed[result.rule, result.severity] += 1
            worst.append(result)
    unknown = [result for result in report.results if result.verdict is Verdict.UNKNOWN]
    # An audit gives every result a rule of the report; a result of any other would still be counted.
    ids = dict.fromkeys([rule.id for rule in report.rules] + [result.rule for result in (*worst, *unknown)])
    rules = [
        RuleCounts(
            id_,
            {severity: failed[id_, severity] for severity in Severity},
            waived[id_],
            counts[id_, Verdict.UNKNOWN],
            counts[id_, Verdict.PASS],
            counts[id_, Verdict.NOT_APPLICABLE],
        )
        for id_ in ids
    ]
    rules.sort(key=lambda r: (-r.worst, -sum(r.failed.values()), -r.unknown, r.rule))
    worst.sort(key=lambda r: -r.severity.rank)
    return Summary(
        {state: states[state] for state in ordered}, tuple(rules), tuple(worst), tuple(unknown), since
    )


def scope_line(report: Report) -> str:
    """What was audited, as of when, and how much: one line."""
    clusters = len(report.clusters)
    projects = len({cluster.resource.project for cluster in report.clusters})
    return " · ".join(
        (
            report.scope,
            f"inventory of {report.read_time}" if report.read_time else "inventory of unknown age",
            f"{plural(clusters, 'cluster')} in {plural(projects, 'project')}",
        )
    )


def verdict_line(report: Report) -> str:
    """The outcome in a sentence; it never sounds clean where something was not read or decided."""
    counts = report.summary
    failed, unknown, waived = counts.get("fail", 0), counts.get("unknown", 0), counts.get("waived", 0)
    said = [plural(failed, "finding") if failed else "No finding"]
    if unknown:
        said.append(f"{unknown:,} undecided")
    if waived:
        said.append(f"{waived:,} waived")
    line = ", ".join(said)
    if report.gaps:
        line += f"; {plural(len(report.gaps), 'gap')} in what was read"
    if not report.clusters:
        line += "; no cluster was found"
    return line + "."


def baseline_line(summary: Summary, comparison: Comparison | None = None) -> str | None:
    """How the failures compare with the baseline, and what cannot be told; None without one."""
    if not summary.since and comparison is None:
        return None
    new, unchanged, gone = (summary.since.get(word, 0) for word in ("new", "unchanged", "absent"))
    line = f"Since the baseline: {new:,} new, {unchanged:,} unchanged, {gone:,} gone"
    if comparison is None:
        return line + "."
    states = Counter(one.state for one in comparison.unsettled)
    told = [f"{states[state]:,} {words}" for state, words in UNSETTLED.items() if states[state]]
    if told:
        line += f"; not taken for fixed: {', '.join(told)}"
    return line + "."


UNSETTLED: dict[str, str] = {
    "undecided": "undecided now",
    "not_judged": "in clusters that do not run now",
    "not_covered": "outside this inventory",
    "rule_changed": "of rules that have changed",
    "rule_gone": "of rules not evaluated now",
}
"""The states of a finding that is neither there nor settled, and what a count of them is of."""
