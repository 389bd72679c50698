"""What an audit found: verdicts, results, and the report that holds them all."""

from __future__ import annotations

import hashlib
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from auditor.model.record import record
from auditor.parallel import Later

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.engine.rule import Rule
    from auditor.engine.waivers import Waiver
    from auditor.model.declaration import Declaration
    from auditor.model.evidence import Evidence
    from auditor.model.extent import Extent
    from auditor.model.facts import ClusterFacts, Readiness
    from auditor.model.inventory import Gap


FINGERPRINT: Final = "gke-auditor/finding/v1"


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


@record
class ResourceRef:
    """The resource a result is about: full name as the inventory has it, asset type, project, location."""

    name: str
    type: str
    project: str
    location: str


@record
class Remediation:
    """What mends a failure: a text, and shell commands ready to paste (names filled in and quoted)."""

    text: str
    commands: tuple[str, ...]


@record
class Result:
    """One rule on one resource.

    `subject` is the part of the resource it is about (a node pool, a firewall rule), None for the whole.
    `reasons` say why an `unknown` could not be decided, each ending in what would settle it.
    `waiver` is the accepted risk that covers this failure, `baseline` how it compares with an earlier scan
    (`new`, `unchanged`, `absent`, None without one). `declarations` are the places in Terraform configuration
    or plans that declare what it is about: the resource first, then its part, then what it rests on.
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
    waiver: Waiver | None = None
    baseline: str | None = None
    declarations: tuple[Declaration, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The identity of what it is about over time, see `fingerprint`; few reports tell more than a few."""
        return fingerprint(self.rule, self.resource.name, self.subject)


def fingerprint(rule: str, resource: str, subject: str | None) -> str:
    """The identity of a finding over time, 64 hexadecimal digits: of rule, full resource name and subject."""
    text = f"{FINGERPRINT}\n{rule}\n{resource}\n{subject or ''}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@record
class Unsettled:
    """A finding of the baseline that this scan neither found again nor saw mended.

    `state` is why: `undecided` (the verdict is unknown now), `not_judged` (the cluster does not run now),
    `not_covered` (the resource is not in an inventory that need not hold it), `rule_changed`, `rule_gone`
    (the rule was not evaluated). `reason` says it in a sentence.
    """

    rule: str
    severity: Severity
    resource: ResourceRef
    subject: str | None
    message: str
    fingerprint: str
    state: str
    reason: str


@record
class Comparison:
    """What a report was compared with, and what `Result.baseline` cannot say.

    `place` is the file of the baseline; scope, times and digests are its own. `new`, `unchanged` and `absent`
    count the failures that are not waived. `worse` holds the fingerprints of unchanged findings that have
    become more severe, or whose waiver has lapsed.
    """

    place: str
    scope: str
    read_time: str | None
    digest: str
    tool_version: str
    rules_digest: str
    new: int
    unchanged: int
    absent: int
    worse: frozenset[str]
    unsettled: tuple[Unsettled, ...]
    rules_added: tuple[str, ...]
    rules_removed: tuple[str, ...]
    rules_changed: tuple[str, ...]


@record
class Point:
    """One recorded scan of a history, for a trend over time.

    `time` is the read time of the inventory (RFC 3339, UTC). `verdicts` and `readiness` count results and
    clusters, `severities` the findings; `opened`, `fixed` and `gone` count the findings that appeared,
    were mended, or went with their resource since the scan before it. `unsettled` counts open findings that
    the scan could not tell about.
    """

    time: str
    scope: str
    tool_version: str
    clusters: int
    gaps: int
    verdicts: Mapping[str, int]
    severities: Mapping[str, int]
    readiness: Mapping[str, int]
    opened: int
    fixed: int
    gone: int
    unsettled: int


@record
class ClusterReport:
    """A cluster as the report shows it: what it is, its facts, its readiness.

    `kept` is where its facts are; None if the inventory holds no data for the cluster.
    """

    resource: ResourceRef
    short_name: str
    status: str
    autopilot: bool
    dataplane_v2: bool
    folder: str
    kept: ClusterFacts | Later[ClusterFacts] | None
    readiness: Readiness
    declarations: tuple[Declaration, ...] = ()

    @property
    def facts(self) -> ClusterFacts | None:
        """Its facts; None if the inventory holds no data for the cluster."""
        return self.kept() if isinstance(self.kept, Later) else self.kept


@record
class WaiverNote:
    """Something to say about a waiver: it is `expired`, `malformed` or `unused`."""

    kind: str
    text: str
    waiver: Waiver | None


@record
class Report:
    """Every result of an audit, and the header that says what was read, with what, and when.

    `now` is the time that decided about waivers (RFC 3339, UTC), `read_time` the inventory's own.
    `results` are sorted by resource name, rule, subject. `rules` are the rules that were evaluated,
    `rule_digests` has what decides each one's verdicts, digested, by id. `extents` says by asset type where
    every asset was read. `comparison` is there with a baseline, `history` has the recorded scans up to this
    one, oldest first, if the scan is recorded.
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
    rule_digests: Mapping[str, str] = field(default_factory=dict)
    extents: Mapping[str, Extent] = field(default_factory=dict)
    comparison: Comparison | None = None
    history: tuple[Point, ...] = ()

    @property
    def findings(self) -> tuple[Result, ...]:
        """The failures that are not waived and still there."""
        return tuple(
            r
            for r in self.results
            if r.verdict is Verdict.FAIL and r.waiver is None and r.baseline != "absent"
        )
