"""How the results of a scan compare with those of an earlier one."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from auditor.engine.evaluate import RUNNING
from auditor.engine.result import Comparison, Result, Unsettled, Verdict
from auditor.model.names import canonical, last, project_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.engine.result import Report, ResourceRef, Severity
    from auditor.model.extent import Extent

# What a scan says of one rule about one resource; of several results, the greatest counts.
NOT_EVALUATED: Final = 0
PASSED: Final = 1
INAPPLICABLE: Final = 2
PARTS: Final = 3
FAILED: Final = 4
UNDECIDED: Final = 5
NOT_JUDGED: Final = 6

SETTLED: Final = frozenset(("fixed", "inapplicable", "gone"))
"""The fates of a finding that is no more; all others leave it open."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A failure in an earlier report."""

    rule: str
    severity: Severity
    resource: ResourceRef
    subject: str | None
    message: str
    fingerprint: str
    waived: bool


@dataclass(frozen=True, slots=True)
class Previous:
    """An earlier report, as far as a comparison needs it.

    `place` is the file it was read from. `rule_digests` is empty if the report does not have them.
    `findings` are its failures, those it called absent left out, and those it left unsettled.
    """

    place: str
    scope: str
    read_time: str | None
    digest: str
    tool_version: str
    rules_digest: str
    rules: frozenset[str]
    rule_digests: Mapping[str, str]
    findings: tuple[Finding, ...]


class Fate(NamedTuple):
    """What became of a finding that was not found again; `reason` is a sentence."""

    state: str
    reason: str


def key_of(ref: ResourceRef, numbers: Mapping[str, str]) -> str:
    """What tells a resource from all others in any report: its name by project ID, `zones/` as `locations/`.

    `numbers` maps project numbers to IDs.
    """
    key = canonical(ref.name)
    project = project_of(key)
    wanted = ref.project or project
    wanted = numbers.get(wanted, wanted)
    return key if wanted == project else f"projects/{wanted}{key[9 + len(project) :]}"


@dataclass(slots=True)
class Judged:
    """What a scan decided about which resource: enough to tell what became of a finding of another scan.

    `rules` are the ids of the rules evaluated, `digests` what decides each one's verdicts (may be empty),
    `codes` for each resource a code by rule, `undecided` the parts of resources that were not decided.
    """

    scope: str
    rules: tuple[str, ...]
    digests: Mapping[str, str]
    rules_digest: str
    extents: Mapping[str, Extent]
    codes: dict[str, bytearray] = field(default_factory=dict)
    undecided: set[tuple[str, str, str]] = field(default_factory=set)
    _index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._index = {rule: number for number, rule in enumerate(self.rules)}

    def resource(self, key: str) -> bytearray:
        """The codes of a resource, which is there from now on."""
        found = self.codes.get(key)
        if found is None:
            found = self.codes[key] = bytearray(len(self.rules))
        return found

    def add(self, key: str, rule: str, verdict: str, subject: str | None, *, running: bool = True) -> None:
        """Take in a result; `running` is whether the resource was in a state to be judged."""
        number = self._index.get(rule)
        if number is None:
            return
        codes = self.resource(key)
        if verdict == "pass":
            code = PASSED
        elif verdict == "not_applicable":
            code = INAPPLICABLE if running else NOT_JUDGED
        elif subject is None:
            code = FAILED if verdict == "fail" else UNDECIDED
        else:
            code = PARTS
            if verdict == "unknown":
                self.undecided.add((rule, key, subject))
        codes[number] = max(code, codes[number])

    def is_idle(self, key: str, rule: str) -> bool:
        """Whether a rule does not apply to a resource because that is not in a state to be judged."""
        return self.codes[key][self._index[rule]] == NOT_JUDGED

    def fate(
        self, finding: Finding, key: str, rule: str, scope: str, digests: Mapping[str, str], rules_digest: str
    ) -> Fate:
        """What became of a finding that this scan does not have.

        `rule` is the id that the rule has now; `scope`, `digests` and `rules_digest` are those of the scan
        that had the finding.
        """
        number = self._index.get(rule)
        if number is None:
            return Fate("rule_gone", f"The rule {rule} was not evaluated.")
        codes = self.codes.get(key)
        if codes is None:
            ref = finding.resource
            extent = self.extents.get(ref.type)
            project = project_of(key) or ref.project
            if extent is None or not extent.covers(project, scope):
                return Fate(
                    "not_covered",
                    f"{last(ref.name)} is not in this inventory, which need not hold everything of project "
                    f"{project}.",
                )
            return Fate("gone", f"{last(ref.name)} does not exist any more.")
        code = codes[number]
        if code == NOT_EVALUATED:
            return Fate("rule_gone", f"The rule {rule} was not evaluated for {last(finding.resource.name)}.")
        if code == NOT_JUDGED:
            return Fate("not_judged", f"{last(finding.resource.name)} does not run now, and was not judged.")
        subject = finding.subject
        hidden = code == FAILED and subject is not None
        if code == UNDECIDED or hidden or (subject is not None and (rule, key, subject) in self.undecided):
            return Fate("undecided", "It cannot be told any more whether this holds.")
        if self.changed(rule, finding.rule, digests, rules_digest):
            return Fate("rule_changed", f"The rule {rule} decides otherwise now than it did then.")
        if code == INAPPLICABLE:
            return Fate("inapplicable", "The rule does not apply any more.")
        return Fate(
            "fixed", "The rule passes now." if subject is None else "This part passes now, or is gone."
        )

    def changed(self, rule: str, then: str, digests: Mapping[str, str], rules_digest: str) -> bool:
        """Whether a rule, called `then` in the other scan, decides otherwise than there, or may do so."""
        now, before = self.digests.get(rule), digests.get(then)
        if now is None or before is None:
            return self.rules_digest != rules_digest
        return now != before


def compare(report: Report, previous: Previous, numbers: Mapping[str, str]) -> Report:
    """The report with its failures compared with those of an earlier one.

    Each failure is `new` or `unchanged`. A finding that is no more (mended, not applicable any more, or gone
    with its resource) becomes a failing result that is `absent`. One that this scan cannot tell about is
    in `Report.comparison.unsettled`. Findings are matched by rule (its former names included), resource (by
    project ID or number, `zones/` or `locations/`) and subject. `numbers` maps project numbers to IDs.
    """
    ids = {rule.id for rule in report.rules}
    names = {alias: rule.id for rule in report.rules for alias in rule.aliases if alias not in ids}
    then: dict[str, dict[tuple[str, str | None], Finding]] = {}
    by_fingerprint: dict[str, tuple[dict[tuple[str, str | None], Finding], tuple[str, str | None]]] = {}
    for finding in previous.findings:
        of_resource = then.setdefault(key_of(finding.resource, numbers), {})
        part = (names.get(finding.rule, finding.rule), finding.subject)
        if of_resource.setdefault(part, finding) is finding:
            # A name that a format could not write as it is leads nowhere, the fingerprint still does.
            by_fingerprint[finding.fingerprint] = (of_resource, part)
    idle = stopped(report)
    judged = Judged(
        previous.scope,
        tuple(rule.id for rule in report.rules),
        report.rule_digests,
        report.rules_digest,
        report.extents,
    )
    results: list[Result] = []
    worse: set[str] = set()
    counts = {"new": 0, "unchanged": 0}
    ref: ResourceRef | None = None
    key, known = "", None
    for result in report.results:
        if result.resource is not ref:
            ref = result.resource
            key = key_of(ref, numbers)
            known = then.get(key)
        if known is not None:
            running = ref.name not in idle
            judged.add(key, result.rule, result.verdict.value, result.subject, running=running)
        if result.verdict is not Verdict.FAIL:
            results.append(result)
            continue
        was = known.pop((result.rule, result.subject), None) if known else None
        if was is None and result.fingerprint in by_fingerprint:
            bucket, part = by_fingerprint[result.fingerprint]
            was = bucket.pop(part, None)
        if was is None:
            state = "new"
        else:
            state = "unchanged"
            lapsed = was.waived and result.waiver is None
            if lapsed or result.severity.rank > was.severity.rank:
                worse.add(result.fingerprint)
        if result.waiver is None:
            counts[state] += 1
        results.append(replace(result, baseline=state))
    for cluster in report.clusters:
        # Also one that no rule was evaluated for is there.
        if (key := key_of(cluster.resource, numbers)) in then:
            judged.resource(key)
    absent: list[Result] = []
    unsettled: list[Unsettled] = []
    for key, known in then.items():
        for (rule, _), finding in known.items():
            fate = judged.fate(
                finding, key, rule, previous.scope, previous.rule_digests, previous.rules_digest
            )
            if fate.state in SETTLED:
                absent.append(_absent(finding, rule, fate))
            else:
                unsettled.append(_unsettled(finding, fate))
    before = {names.get(rule, rule): rule for rule in sorted(previous.rules)}
    return replace(
        report,
        results=_merged(results, absent),
        comparison=Comparison(
            place=previous.place,
            scope=previous.scope,
            read_time=previous.read_time,
            digest=previous.digest,
            tool_version=previous.tool_version,
            rules_digest=previous.rules_digest,
            new=counts["new"],
            unchanged=counts["unchanged"],
            absent=len(absent),
            worse=frozenset(worse),
            unsettled=tuple(sorted(unsettled, key=_order)),
            rules_added=tuple(sorted(ids - set(before))),
            rules_removed=tuple(sorted(set(before) - ids)),
            rules_changed=tuple(
                sorted(
                    rule
                    for rule in ids & set(before)
                    if judged.changed(rule, before[rule], previous.rule_digests, previous.rules_digest)
                )
            ),
        ),
    )


def stopped(report: Report) -> frozenset[str]:
    """The names of the clusters that were not in a state to be judged."""
    return frozenset(one.resource.name for one in report.clusters if one.status and one.status not in RUNNING)


def _absent(finding: Finding, rule: str, fate: Fate) -> Result:
    return Result(
        rule, Verdict.FAIL, finding.severity, finding.resource, finding.subject, finding.message,
        (), (fate.reason,), None, None, "absent",
    )  # fmt: skip


def _unsettled(finding: Finding, fate: Fate) -> Unsettled:
    return Unsettled(
        finding.rule, finding.severity, finding.resource, finding.subject, finding.message,
        finding.fingerprint, fate.state, fate.reason,
    )  # fmt: skip


def _order(one: Result | Unsettled) -> tuple[str, str, str]:
    return (one.resource.name, one.rule, one.subject or "")


def _merged(results: list[Result], absent: Iterable[Result]) -> tuple[Result, ...]:
    """The results, in order, with the absent ones among them."""
    merged: list[Result] = []
    start = 0
    for one in sorted(absent, key=_order):
        end = bisect_right(results, _order(one), lo=start, key=_order)
        merged += results[start:end]
        merged.append(one)
        start = end
    merged += results[start:]
    return tuple(merged)
