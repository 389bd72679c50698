"""The report as SARIF 2.1.0 in two profiles: what GitHub code scanning takes, and everything.

GitHub shows each result as an open alert whatever its `kind`, `suppressions` or `baselineState`, rejects a
whole file for one result that it cannot place, and tells alerts apart by rule, path and fingerprint (GitHub
documentation, "SARIF support for code scanning"). So its profile holds failures alone, at a path that stays
the same as long as the resource does, and what is left out is named in a notification. It shows a related
location only where the message links to it (`[text](1)`), so that messages link to what decided.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from heapq import nsmallest
from itertools import chain
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson

from auditor.engine.result import Severity, Verdict
from auditor.facts.traffic import decider_text
from auditor.model.inventory import CLUSTER, NETWORK
from auditor.model.names import canonical, last
from auditor.model.traffic import Boxes
from auditor.reporting import markup
from auditor.reporting.encode import chunks, dumps, utf8
from auditor.reporting.report_json import EvidenceEncoder, comparison
from auditor.reporting.text import one_line, plural, shorten, visible

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from auditor.engine.result import Report, ResourceRef, Result
    from auditor.engine.rule import Example, Rule
    from auditor.model.facts import PodTraffic
    from auditor.model.traffic import Box, Decider
    from auditor.reporting.shards import Shard

Profile = Literal["github", "full"]

MAX_RESULTS = 25_000
"""Results that GitHub takes in one run; a file with more is rejected (GitHub, "SARIF results limits")."""

SHOWN_RESULTS = 5_000
"""Results of one run that GitHub shows."""

MAX_GZIP = 9_500_000
"""Bytes that the compressed file may have: GitHub rejects more than 10 MB."""

MAX_TEXT = 1_024
"""Characters of a description that GitHub keeps."""

MAX_NAME = 255
"""Characters of a rule's name that GitHub keeps."""

MAX_TAGS = 10
"""Tags of a rule that GitHub shows; it rejects more than 20."""

MAX_NOTIFICATIONS = 200
"""Notifications of one kind that are written one by one; then one says how many more there are."""

MAX_RELATED = 20
"""Related locations of one result; further assets are in its evidence."""

MAX_SHARDS = 20
"""Files that a report can be split into: GitHub takes at most 20 runs in one upload, into which
`upload-sarif` joins all files of a folder."""

_DEEPEST = 40
"""Levels of nesting of an observed value. The SARIF SDK reads 64 levels in all, Ruby's JSON 100."""

_LINKED_EVIDENCE = 3
"""Assets of the evidence that a message links to if it names none of them."""

_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
# The middle of each of GitHub's bands; where they meet is not documented.
_SCORE = {
    Severity.CRITICAL: 9.5,
    Severity.HIGH: 8.0,
    Severity.MEDIUM: 5.5,
    Severity.LOW: 2.5,
    Severity.INFO: 0.0,
}
_KIND = {
    Verdict.FAIL: "fail",
    Verdict.PASS: "pass",
    Verdict.NOT_APPLICABLE: "notApplicable",
    Verdict.UNKNOWN: "open",
}


class Text(TypedDict):
    """`message` and `multiformatMessageString`."""

    text: str
    markdown: NotRequired[str]


class Component(TypedDict):
    """A `toolComponentReference`."""

    name: str
    index: int


class Target(TypedDict):
    """A `reportingDescriptorReference` to a taxon."""

    id: str
    index: int
    toolComponent: Component


class Relationship(TypedDict):
    """A `reportingDescriptorRelationship`: the rule bears on a control of a benchmark."""

    target: Target
    kinds: list[str]


class Configuration(TypedDict):
    """A `reportingConfiguration`."""

    level: str
    rank: float


class Descriptor(TypedDict):
    """A `reportingDescriptor`: a rule, or a kind of notification."""

    id: str
    name: str
    shortDescription: Text
    fullDescription: Text
    help: Text
    helpUri: NotRequired[str]
    defaultConfiguration: NotRequired[Configuration]
    relationships: NotRequired[list[Relationship]]
    properties: NotRequired[dict[str, object]]


class DescriptorRef(TypedDict):
    """A `reportingDescriptorReference` by id and index."""

    id: str
    index: int


class Notification(TypedDict):
    """Something about the run and not about a resource."""

    level: Literal["note", "warning", "error"]
    descriptor: DescriptorRef
    associatedRule: NotRequired[DescriptorRef]
    message: Text


class Suppression(TypedDict):
    """A waiver in SARIF's words."""

    kind: Literal["external"]
    status: Literal["accepted"]
    justification: str


class SarifResult(TypedDict):
    """A `result`; the fragments are encoded once for all results that share them."""

    ruleId: str
    ruleIndex: NotRequired[int]
    kind: str
    level: str
    rank: NotRequired[float]
    message: Text
    locations: orjson.Fragment
    relatedLocations: NotRequired[list[orjson.Fragment]]
    partialFingerprints: dict[str, str]
    baselineState: NotRequired[str]
    suppressions: NotRequired[list[Suppression]]
    hostedViewerUri: NotRequired[str]
    properties: orjson.Fragment


class _Notice(TypedDict):
    name: str
    short: str
    full: str
    help: str


_NOTICES: dict[str, _Notice] = {
    "coverage-gap": {
        "name": "CoverageGap",
        "short": "Part of what was to be audited could not be read.",
        "full": (
            "Something was missing from the input or could not be read. Clusters and networks that it "
            "concerns were not judged, or only in part: no result there does not mean that all is well."
        ),
        "help": "Do what the notification says, then scan again.",
    },
    "undecided": {
        "name": "NotDecidedEverywhere",
        "short": "A rule could not be decided for some resources.",
        "full": (
            "A fact that the rule depends on is missing. This is neither a pass nor a failure, and it is "
            "not a result in this file."
        ),
        "help": "Supply what the notification names, then scan again.",
    },
    "results-left-out": {
        "name": "ResultsLeftOut",
        "short": "Results of the audit are not in this file.",
        "full": (
            "The file holds what GitHub code scanning accepts and shows rightly: failures of at least low "
            "severity that are not waived, the worst first, within GitHub's limits."
        ),
        "help": "Write another format (html, json, ndjson or sarif-full) to see every result.",
    },
    "waiver-note": {
        "name": "WaiverNote",
        "short": "A waiver is expired, malformed or unused.",
        "full": "An expired or malformed waiver waives nothing; an unused one matches no failure.",
        "help": "Renew, mend or remove the entry in the waivers file.",
    },
    "completeness-asserted": {
        "name": "CompletenessAsserted",
        "short": "The results rest on the word that the input is complete.",
        "full": "With --complete, an asset type that does not occur in the input is taken to have no assets.",
        "help": "Scan a snapshot made by `gke-auditor collect`, which states what was read.",
    },
    "nothing-judged": {
        "name": "NothingJudged",
        "short": "Nothing could be judged.",
        "full": (
            "No rule was applied to any resource although something was to be read. To take this for a clean "
            "result would close alerts that are still true."
        ),
        "help": "Close the gaps that the other notifications name, then scan again.",
    },
}
_NOTICE_INDEX = {id_: index for index, id_ in enumerate(_NOTICES)}


class _Framework(TypedDict):
    name: str
    organization: NotRequired[str]
    title: str


_FRAMEWORKS: dict[str, _Framework] = {
    "cis-gke": {
        "name": "CIS-GKE",
        "organization": "Center for Internet Security",
        "title": "CIS Google Kubernetes Engine Benchmark.",
    },
    "nist-800-53": {
        "name": "NIST-800-53",
        "organization": "National Institute of Standards and Technology",
        "title": "Security and Privacy Controls for Information Systems and Organizations.",
    },
}


def render_github(report: Report, shard: Shard | None = None) -> Generator[bytes, None, str]:
    """For GitHub code scanning: failures neither waived nor info, within every limit of an upload.

    With `shard`, the part of the report that belongs to it, under a category of its own. Returns a remark for
    whoever ran the scan: how many results there are, and what of them GitHub will not show.
    """
    tally = _Tally()
    yield from chunks(_run(report if shard is None else shard.report, "github", tally, shard))
    return tally.remark()


def render_full(report: Report) -> Iterator[bytes]:
    """Every result with its kind, and waivers as suppressions."""
    return chunks(_run(report, "full", _Tally()))


@dataclass(slots=True)
class _Tally:
    """How many results of a profile were written, and how many did not fit."""

    written: int = 0
    cut: int = 0

    def remark(self) -> str:
        found = plural(self.written + self.cut, "result")
        # A hash spreads projects unevenly, so that each file is meant to be four fifths full.
        shards = min(max(2, -(-(self.written + self.cut) // (SHOWN_RESULTS * 4 // 5))), MAX_SHARDS)
        if self.cut:
            return (
                f"{found}, of which the mildest {self.cut:,} are left out, since GitHub rejects a file with "
                f"all; write several with --sarif-shards {shards}"
            )
        if self.written > SHOWN_RESULTS:
            return f"{found}, of which GitHub shows {SHOWN_RESULTS:,}; try --sarif-shards {shards}"
        return found


def _run(report: Report, profile: Profile, tally: _Tally, shard: Shard | None = None) -> Iterator[bytes]:
    taxonomies = _Taxonomies(report.rules)
    head = {
        "tool": {
            "driver": {
                "name": "gke-auditor",
                "semanticVersion": report.tool_version,
                "rules": [_descriptor(rule, taxonomies) for rule in report.rules],
                **({"supportedTaxonomies": taxonomies.references} if taxonomies.references else {}),
                "notifications": [_notice(id_) for id_ in _NOTICES],
            }
        },
        **({"taxonomies": taxonomies.components} if taxonomies.components else {}),
        "automationDetails": {
            "id": _automation_id(report, shard),
            **(
                {"guid": _guid(report.digest, report.rules_digest, report.read_time)}
                if profile == "full"
                else {}
            ),
        },
        **_baseline_guid(report, profile),
        "originalUriBaseIds": {
            "%SRCROOT%": {
                "description": {"text": "The root of the repository that this file is uploaded to."}
            }
        },
        "columnKind": "utf16CodeUnits",
        "properties": _properties(report, profile, shard),
    }
    start = (
        b'{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":['
        + dumps(head)[:-1]
        + b',"results":['
    )
    yield start
    selection = _Selection(report.results) if profile == "full" else _for_github(report)
    encoder = _ResultEncoder(report, profile)
    room = _Room(start)
    separator = b"\n"
    for result in selection.results:
        encoded = encoder.encode(result)
        if profile == "github" and (tally.written == MAX_RESULTS or not room.takes(encoded)):
            break
        yield separator
        yield encoded
        separator = b",\n"
        tally.written += 1
    tally.cut = len(selection.results) - tally.written
    # What happened to the results is known only now, and the order of members has no meaning in JSON.
    yield b'],"invocations":['
    yield dumps(_invocation(report, profile, selection, tally, shard))
    yield b"]}]}\n"


def _guid(digest: str, rules_digest: str, read_time: str | None) -> str:
    """The identity of a run: of the same inventory, judged by the same rules, it is the same."""
    return str(uuid5(NAMESPACE_URL, f"gke-auditor/run/v1\n{digest}\n{rules_digest}\n{read_time or ''}"))


def _baseline_guid(report: Report, profile: Profile) -> dict[str, str]:
    then = report.comparison
    if profile != "full" or then is None:
        return {}
    return {"baselineGuid": _guid(then.digest, then.rules_digest, then.read_time)}


def _properties(report: Report, profile: Profile, shard: Shard | None) -> dict[str, object]:
    properties: dict[str, object] = {
        "profile": profile,
        "inventoryDigest": report.digest,
        "rulesDigest": report.rules_digest,
        "readTime": report.read_time,
        **({"shard": shard.number, "shards": shard.of} if shard else {}),
    }
    if profile == "github":
        return properties
    # What a later scan needs to take this file as its baseline, and what this one says of its own.
    return properties | {
        "scope": report.scope,
        **({"ruleDigests": dict(report.rule_digests)} if report.rule_digests else {}),
        **({"baseline": comparison(report.comparison)} if report.comparison is not None else {}),
    }


class _Room:
    """Whether the file, compressed, stays below GitHub's limit with another result in it."""

    def __init__(self, start: bytes) -> None:
        self._compressor = zlib.compressobj(1)
        self._used = len(self._compressor.compress(start))
        self._pending = len(start)

    def takes(self, encoded: bytes) -> bool:
        # The compressor holds back what it has not finished with: that part counts uncompressed.
        if self._used + self._pending + len(encoded) > MAX_GZIP:
            self._used += len(self._compressor.flush(zlib.Z_SYNC_FLUSH))
            self._pending = 0
            if self._used + len(encoded) > MAX_GZIP:
                return False
        emitted = len(self._compressor.compress(encoded))
        self._used += emitted
        self._pending = len(encoded) if emitted else self._pending + len(encoded)
        return True


@dataclass(frozen=True, slots=True)
class _Selection:
    """The results of a profile, and how many of the others there are.

    `undecided` are the unknown results that stand in notifications instead.
    """

    results: Sequence[Result]
    undecided: tuple[Result, ...] = ()
    info: int = 0
    waived: int = 0


def _for_github(report: Report) -> _Selection:
    """The findings that GitHub is to show, worst first, so that its limits cut off the mildest."""
    kept: list[Result] = []
    undecided: list[Result] = []
    info = waived = 0
    for result in report.results:
        verdict = result.verdict
        if verdict is Verdict.UNKNOWN:
            undecided.append(result)
        elif verdict is not Verdict.FAIL:
            continue
        elif result.waiver is not None:
            waived += 1
        elif result.baseline == "absent":
            continue
        elif result.severity is Severity.INFO:
            info += 1
        else:
            kept.append(result)
    kept.sort(key=lambda r: -r.severity.rank)
    return _Selection(kept, tuple(undecided), info, waived)


# --- rules ----------------------------------------------------------------------------------------------


def _descriptor(rule: Rule, taxonomies: _Taxonomies) -> Descriptor:
    controls = [f"compliance/{key}-{number}" for key, numbers in rule.controls.items() for number in numbers]
    tags = dict.fromkeys(one_line(tag) for tag in ("security", "gke", "network", *controls, *rule.tags))
    descriptor: Descriptor = {
        "id": rule.id,
        "name": shorten("".join(word.capitalize() for word in rule.id.split("-")), MAX_NAME),
        "shortDescription": {"text": shorten(_sentence(one_line(rule.title)), MAX_TEXT)},
        "fullDescription": {"text": shorten(_sentence(visible(rule.description)), MAX_TEXT)},
        "help": {"text": _help_text(rule), "markdown": _help_markdown(rule)},
        "defaultConfiguration": {"level": _LEVEL[rule.severity], "rank": _SCORE[rule.severity] * 10},
        "properties": {
            "tags": list(tags)[:MAX_TAGS],
            "precision": "very-high",
            "security-severity": str(_SCORE[rule.severity]),
        },
    }
    if rule.references:
        descriptor["helpUri"] = _url(rule.references[0].url)
    if rule.controls:
        descriptor["relationships"] = taxonomies.relationships(rule)
    return descriptor


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


def _help_text(rule: Rule) -> str:
    fix = rule.remediation
    return "\n\n".join(
        (
            _sentence(visible(rule.description)),
            f"Fix: {_sentence(visible(fix.text))}",
            *(f"  {visible(command)}" for command in fix.commands),
            *((f"Cost: {_sentence(visible(fix.cost))}",) if fix.cost else ()),
        )
    )


def _help_markdown(rule: Rule) -> str:
    fix = rule.remediation
    blocks = [markup.prose(rule.description), f"**Fix**: {markup.prose(fix.text)}"]
    blocks += [markup.fence(command, "sh") for command in fix.commands]
    if fix.terraform:
        blocks += ["**Terraform**", markup.fence(fix.terraform, "hcl")]
    if fix.cost:
        blocks.append(f"**Cost**: {markup.prose(fix.cost)}")
    blocks += _examples("Fails", rule.examples.fail)
    blocks += _examples("Passes", rule.examples.pass_)
    if rule.controls:
        listed = ", ".join(
            markup.code(f"{key} {number}") for key, numbers in rule.controls.items() for number in numbers
        )
        blocks.append(f"**Controls**: {listed}")
    if rule.references:
        blocks.append("\n".join(f"- [{markup.escape(r.title)}]({_url(r.url)})" for r in rule.references))
    return "\n\n".join(blocks)


def _url(url: str) -> str:
    """A URL with everything encoded that is not allowed in one or would end a Markdown link."""
    encoded = quote(url, safe="%:/?#@!$&*+,;=", errors="backslashreplace")
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", encoded)


def _examples(verb: str, examples: tuple[Example, ...]) -> Iterator[str]:
    """The first example of a verdict, and the names of the others."""
    first, *others = examples
    yield f"**{verb}**: {markup.escape(first.name)}"
    if first.cluster:
        yield markup.fence(_indented({"cluster": first.cluster}), "json")
    if others:
        yield f"Also: {'; '.join(markup.escape(example.name) for example in others)}"


def _indented(value: object) -> str:
    # Through text once, so that what JSON cannot say is gone before it is laid out.
    return orjson.dumps(orjson.loads(dumps(value)), option=orjson.OPT_INDENT_2).decode()


class _Taxonomies:
    """The benchmarks that the rules' controls belong to, with an index for every control."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        controls: dict[str, dict[str, int]] = {}
        for rule in rules:
            for key, numbers in rule.controls.items():
                known = controls.setdefault(key, {})
                for number in numbers:
                    known.setdefault(number, len(known))
        self._controls = controls
        self._names = {
            key: _FRAMEWORKS[key]["name"] if key in _FRAMEWORKS else one_line(key) for key in controls
        }
        self._indexes = {key: index for index, key in enumerate(controls)}
        self.components = [self._component(key) for key in controls]
        self.references: list[Component] = [
            {"name": self._names[key], "index": index} for key, index in self._indexes.items()
        ]

    def _component(self, key: str) -> dict[str, object]:
        known = _FRAMEWORKS.get(key)
        organization = known.get("organization") if known else None
        return {
            "name": self._names[key],
            **({"organization": organization} if organization else {}),
            "shortDescription": {"text": known["title"] if known else _sentence(one_line(key))},
            "isComprehensive": False,
            "taxa": [{"id": utf8(number)} for number in self._controls[key]],
        }

    def relationships(self, rule: Rule) -> list[Relationship]:
        """How a rule relates to the controls it names."""
        return [
            {
                "target": {
                    "id": utf8(number),
                    "index": self._controls[key][number],
                    "toolComponent": {"name": self._names[key], "index": self._indexes[key]},
                },
                "kinds": ["relevant"],
            }
            for key, numbers in rule.controls.items()
            for number in dict.fromkeys(numbers)
        ]


# --- results --------------------------------------------------------------------------------------------


class _ResultEncoder:
    """Results as SARIF; what results about one resource share is encoded once."""

    def __init__(self, report: Report, profile: Profile) -> None:
        self._indexes = {rule.id: index for index, rule in enumerate(report.rules)}
        self._full = profile == "full"
        self._clusters = report.clusters
        self._evidence = EvidenceEncoder(_DEEPEST)
        self._ref: ResourceRef | None = None
        self._locations = orjson.Fragment(b"[]")
        self._viewer: str | None = None
        self._place = ""

    def encode(self, result: Result) -> bytes:
        ref = result.resource
        if ref is not self._ref:
            self._ref = ref
            self._locations = orjson.Fragment(b"[%b]" % _location(ref))
            self._viewer = _viewer(ref)
            self._place = _place(ref)
        failed = result.verdict is Verdict.FAIL
        related = self._related(result)
        encoded: SarifResult = {
            "ruleId": result.rule,
            "kind": _KIND[result.verdict],
            # A kind other than fail has no severity (SARIF 2.1.0, 3.27.10 and 3.27.25).
            "level": _LEVEL[result.severity] if failed else "none",
            "message": {"text": _message(result, self._place, related)},
            "locations": self._locations,
            "partialFingerprints": {
                "primaryLocationLineHash": f"{result.fingerprint[:16]}:1",
                "gkeAuditorFinding/v1": result.fingerprint,
            },
            "properties": orjson.Fragment(
                b'{"asset.type":%b,"subject":%b,"evidence":[%b]}'
                % (dumps(ref.type), dumps(result.subject), self._evidence.encode(ref, result.evidence))
            ),
        }
        index = self._indexes.get(result.rule)
        if index is not None:
            encoded["ruleIndex"] = index
        if failed:
            encoded["rank"] = _SCORE[result.severity] * 10
        if related:
            encoded["relatedLocations"] = [
                orjson.Fragment(_encoded(one, number)) for number, one in enumerate(related, 1)
            ]
        if self._viewer:
            encoded["hostedViewerUri"] = self._viewer
        if self._full:
            # Either every result of a run states its suppressions or none does (SARIF 2.1.0, 3.27.23).
            encoded["suppressions"] = _suppressions(result)
            if result.baseline:
                encoded["baselineState"] = result.baseline
        return orjson.dumps(encoded)

    def _related(self, result: Result) -> list[_Related]:
        """Where to look besides the resource, what decided first; the position is the location's id."""
        found = [*_declared(result), *self._deciding(result)]
        known = {one.uri for one in found}
        found += (one for one in _read_from(result) if one.uri not in known)
        return found[:MAX_RELATED]

    def _deciding(self, result: Result) -> Iterator[_Related]:
        """The firewall rules that the result's message names as those that decide packets."""
        if result.verdict is not Verdict.FAIL or "rule" not in result.message:
            return
        traffic = self._traffic.get(result.resource.name)
        if traffic is None:
            return
        scopes = (traffic.same_node.analysis, traffic.any_node.analysis)
        deciders = [one for scope in scopes for one in _denying(scope.denied)]
        deciders += (one for scope in scopes for one in scope.deciders)
        # First by identity: most are met many times, and hashing one takes long.
        for decider in dict.fromkeys({id(one): one for one in deciders}.values()):
            if decider.asset is not None:
                text = decider_text(decider)
                if text in result.message:
                    boxes = chain.from_iterable(scope.denied for scope in scopes)
                    yield _Related.of_asset(decider.asset, text, text, _example(boxes, decider))

    @cached_property
    def _traffic(self) -> dict[str, PodTraffic]:
        return {one.resource.name: one.facts.traffic for one in self._clusters if one.facts is not None}


@dataclass(frozen=True, slots=True)
class _Related:
    """A related location: where it is, the resource there, and what it is in a few words.

    `linked` is the text by which a message names it, empty if messages do not. `example` is a sentence for
    the message about what was decided there. `lines` are those of a block of Terraform that declares the
    resource, or may if that is not `certain`.
    """

    uri: str
    resource: str
    label: str
    linked: str = ""
    example: str = ""
    lines: tuple[int, int] | None = None
    certain: bool = True

    @staticmethod
    def of_asset(asset: str, label: str, linked: str = "", example: str = "") -> _Related:
        """An asset at the path that stays the same as long as the asset does."""
        return _Related(_uri_of_asset(asset), asset, label, linked, example)


def _denying(denied: Sequence[Box]) -> Iterator[Decider]:
    """The rule that decides each box, where one does, without making the boxes."""
    if isinstance(denied, Boxes):
        return (decider for _, decider in denied.deciders())
    return (box.decided_by for box in denied if box.decided_by is not None)


def _declared(result: Result) -> Iterator[_Related]:
    """The blocks of Terraform configuration that declare the resource, or its part.

    A path outside of the repository, as far as that can be seen, is no location of the file.
    """
    name = result.resource.name
    for one in result.declarations:
        parts = one.file.split("/")
        if not one.file or one.file.startswith("/") or ".." in parts or ":" in parts[0]:
            continue
        own = one.asset.startswith(name) or (result.subject is not None and last(one.asset) == result.subject)
        if own:
            yield _Related(
                "/".join(_segment(part) for part in parts if part not in ("", ".")),
                one.asset,
                one.address,
                lines=(one.start_line, one.end_line),
                certain=one.certainty != "candidate",
            )


def _example(boxes: Iterable[Box], decider: Decider) -> str:
    """A packet that the rule denies, for `gke-auditor trace`; empty if there is none."""
    for box in boxes:
        witness = box.witness
        if box.decided_by == decider and box.benign is None and witness is not None:
            port = "" if witness.port is None else f" port {witness.port}"
            return (
                f"For example, {box.direction} of {witness.protocol}{port} from {witness.source} "
                f"(pool {witness.source_pool}) to {witness.destination} (pool {witness.destination_pool})."
            )
    return ""


def _read_from(result: Result) -> Iterator[_Related]:
    """The assets that the evidence was read from: a firewall rule, a subnetwork, a ConfigMap."""
    own = result.resource.name
    if all(e.asset == own for e in result.evidence):
        return
    assets = dict.fromkeys(e.asset for e in result.evidence if e.asset != own and e.asset.startswith("//"))
    names = Counter(map(last, assets))
    for asset in assets:
        name = last(asset)
        subject = name == result.subject and names[name] == 1
        yield _Related.of_asset(asset, f"{_kind_of(asset)} {name}", name if subject else "")


_KINDS = {
    "firewalls": "firewall rule",
    "firewallPolicies": "firewall policy",
    "subnetworks": "subnetwork",
    "networks": "network",
    "clusters": "cluster",
    "nodePools": "node pool",
    "configmaps": "ConfigMap",
    "daemonsets": "DaemonSet",
    "egressnatpolicies": "EgressNATPolicy",
}


def _kind_of(asset: str) -> str:
    collection = asset.rpartition("/")[0].rpartition("/")[2]
    return _KINDS.get(collection, collection)


def _suppressions(result: Result) -> list[Suppression]:
    waiver = result.waiver
    if waiver is None:
        return []
    return [
        {
            "kind": "external",
            "status": "accepted",
            "justification": visible(
                f"{waiver.reason} (accepted by {waiver.owner} until {waiver.expires.isoformat()})"
            ),
        }
    ]


def _message(result: Result, place: str, related: Sequence[_Related]) -> str:
    """What was found, where, observed against expected, and the fix: GitHub shows no file beside it."""
    failed = result.verdict is Verdict.FAIL
    found, linked = _with_links(_sentence(_quoted(result.message)), related)
    parts = [place]
    if result.subject is not None and result.subject not in result.message:
        parts.append(f"It concerns {result.subject}.")
    if failed:
        parts += [one.example for one in related if one.example][:1]
        parts += [
            f"Observed {e.path} = {_value(e.observed)}; expected {_value(e.expected)}."
            for e in result.evidence
            if e.expected is not None
        ][:3]
        if result.remediation is not None:
            parts.append(f"Fix: {_sentence(result.remediation.text)}")
    parts += [_sentence(reason) for reason in result.reasons]
    commands = result.remediation.commands if failed and result.remediation else ()
    rest = _quoted("\n".join((" ".join(parts), *commands)))
    numbered = list(enumerate(related, 1))
    blocks = [(number, one) for number, one in numbered if one.lines is not None]
    if failed and len(related) > len(blocks) and not linked:
        # GitHub shows a related location only by way of a link.
        sources = [pair for pair in numbered if pair[1].lines is None][:_LINKED_EVIDENCE]
        found += f" Read from {', '.join(_link(_quoted(one.label), number) for number, one in sources)}."
    if blocks:
        links = ", ".join(_link("in Terraform", number) for number, _ in blocks)
        verb = "Declared" if all(one.certain for _, one in blocks) else "May be declared"
        found += f" {verb} {links}."
    return f"{found} {rest}"


def _with_links(text: str, related: Sequence[_Related]) -> tuple[str, bool]:
    """The text with the names of related locations as links to them, and whether there is any."""
    numbers: dict[str, int] = {}
    for number, one in enumerate(related, 1):
        if name := _quoted(one.linked):
            numbers.setdefault(name, number)
    if not numbers:
        return text, False
    # The longest first: one name may be the beginning of another.
    names = "|".join(map(re.escape, sorted(numbers, key=lambda name: (-len(name), name))))
    done: set[str] = set()

    def link(match: re.Match[str]) -> str:
        name = match[0]
        if name in done:
            return name
        done.add(name)
        return _link(name, numbers[name])

    return re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", link, text), bool(done)


def _link(text: str, number: int) -> str:
    """A link to a related location; brackets would end its text early (SARIF 2.1.0, 3.11.6)."""
    return f"[{text.translate(_NO_BRACKETS)}]({number})"


_NO_BRACKETS = str.maketrans({"[": "(", "]": ")", "\\": "/", "\n": " "})


def _quoted(text: str) -> str:
    """Text of others in a message: it does not steer the screen, and nothing in it is a link."""
    return _unlinked(visible(text))


def _unlinked(text: str) -> str:
    """Text in which `[label](target)` is no link (SARIF 2.1.0, 3.11.6)."""
    return text.replace("](", "] (")


def _value(value: object) -> str:
    return shorten(dumps(value).decode(), 200)


def _place(ref: ResourceRef) -> str:
    kind = last(ref.type) or "Resource"
    where = f"project {ref.project}" if ref.project else "an unknown project"
    return f"{kind} {last(ref.name)} of {where}{f', {ref.location}' if ref.location else ''}."


@lru_cache(maxsize=4096)
def _segment(text: str) -> str:
    """One segment of a path: percent-encoded, never empty, never one that a reader resolves away."""
    if not text.strip("."):
        return f"_{text}"
    return quote(text, safe="", errors="backslashreplace")


@lru_cache(maxsize=4096)
def _uri_of_asset(asset: str) -> str:
    parts = [p for p in canonical(asset).split("/") if p not in _COLLECTION_OF_SCOPE]
    return f"gcp/{'/'.join(map(_segment, parts))}.json"


def _uri(ref: ResourceRef) -> str:
    """A path that stays the same as long as the resource does: `gcp/P/L/clusters/C.json`."""
    parts = canonical(ref.name).split("/")
    collection = parts[-2] if len(parts) > 1 else last(ref.type)
    place = ref.location or "global"
    segments = (_segment(part) for part in (ref.project, place, collection))
    return f"gcp/{'/'.join(segments)}/{quote(parts[-1], safe='', errors='backslashreplace') or '_'}.json"


def _logical(name: str) -> dict[str, object]:
    return {
        "name": visible(last(name)) or "_",
        "fullyQualifiedName": visible(name) or "_",
        "kind": "resource",
    }


def _physical(uri: str, lines: tuple[int, int] = (1, 1)) -> dict[str, object]:
    # A block ends with its closing brace.
    end = 1 if lines == (1, 1) else 2
    return {
        "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": lines[0], "startColumn": 1, "endLine": lines[1], "endColumn": end},
    }


def _location(ref: ResourceRef) -> bytes:
    return orjson.dumps({"physicalLocation": _physical(_uri(ref)), "logicalLocations": [_logical(ref.name)]})


@lru_cache(maxsize=4096)
def _encoded(related: _Related, number: int) -> bytes:
    return orjson.dumps(
        {
            "id": number,
            "physicalLocation": _physical(related.uri, related.lines or (1, 1)),
            "logicalLocations": [_logical(related.resource)],
            "message": {"text": _unlinked(one_line(related.label)) or "_"},
        }
    )


_COLLECTION_OF_SCOPE = frozenset({"projects", "locations", "regions", "zones"})


def _viewer(ref: ResourceRef) -> str | None:
    """The page of the resource in the Cloud Console."""
    name, project, location = (
        quote(text, safe="", errors="backslashreplace")
        for text in (last(ref.name), ref.project, ref.location)
    )
    if not name or not project:
        return None
    if ref.type == CLUSTER:
        page = f"kubernetes/clusters/details/{location}/{name}/details"
    elif ref.type == NETWORK:
        page = f"networking/networks/details/{name}"
    else:
        return None
    return f"https://console.cloud.google.com/{page}?project={project}"


# --- the run --------------------------------------------------------------------------------------------


def _automation_id(report: Report, shard: Shard | None) -> str:
    """`gke-auditor/SCOPE[/shard-NN]/TIME`: GitHub takes what stands before the last slash as the category."""
    scope = _dashed(report.scope)[:200] or "scope"
    part = f"/{shard.name}" if shard else ""
    return f"gke-auditor/{scope}{part}/{_dashed(report.read_time or report.now) or 'time'}"


def _dashed(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")


def _notice(id_: str) -> Descriptor:
    notice = _NOTICES[id_]
    return {
        "id": id_,
        "name": notice["name"],
        "shortDescription": {"text": notice["short"]},
        "fullDescription": {"text": notice["full"]},
        "help": {"text": notice["help"]},
    }


def _notification(id_: str, level: Literal["note", "warning", "error"], text: str) -> Notification:
    return {
        "level": level,
        "descriptor": {"id": id_, "index": _NOTICE_INDEX[id_]},
        "message": {"text": _unlinked(visible(text))},
    }


def _invocation(
    report: Report, profile: Profile, selection: _Selection, tally: _Tally, shard: Shard | None
) -> dict[str, object]:
    # An empty shard is no sign that nothing was judged: its projects may just have no cluster.
    nothing_judged = bool(report.gaps) and not report.results and shard is None
    gaps = [
        f"{gap.scope}{f' ({gap.asset_type})' if gap.asset_type else ''}: "
        f"{_sentence(gap.reason)} {_sentence(gap.hint)}"
        for gap in report.gaps
    ]
    notes = [f"{note.kind}: {_sentence(note.text)}" for note in report.waiver_notes]
    if profile == "github":
        gaps, notes = _capped(gaps), _capped(notes)
    notifications = [_notification("coverage-gap", "warning", text) for text in gaps]
    if nothing_judged:
        notifications.append(
            _notification(
                "nothing-judged", "error", "No rule was applied to any resource, and there are gaps."
            )
        )
    notifications += _undecided(report, selection)
    notifications += _left_out(selection, profile, tally)
    if report.complete_by_word:
        notifications.append(
            _notification(
                "completeness-asserted",
                "note",
                "Asset types absent from the input were taken to have no assets, because of --complete.",
            )
        )
    invocation: dict[str, object] = {
        "executionSuccessful": not nothing_judged,
        "toolExecutionNotifications": notifications,
    }
    if notes:
        invocation["toolConfigurationNotifications"] = [
            _notification("waiver-note", "warning", text) for text in notes
        ]
    return invocation


def _capped(texts: list[str]) -> list[str]:
    """The texts, few and short enough that they always fit into the file."""
    shown = [shorten(text, MAX_TEXT) for text in texts[:MAX_NOTIFICATIONS]]
    if len(texts) > MAX_NOTIFICATIONS:
        shown.append(
            f"{len(texts) - MAX_NOTIFICATIONS:,} more of this kind: the json report lists all of them."
        )
    return shown


def _undecided(report: Report, selection: _Selection) -> Iterator[Notification]:
    """One notification for each rule that some resource left undecided."""
    by_rule: dict[str, list[Result]] = defaultdict(list)
    for result in selection.undecided:
        by_rule[result.rule].append(result)
    indexes = {rule.id: index for index, rule in enumerate(report.rules)}
    short = cache(last)
    for rule, results in sorted(by_rule.items()):
        names = list(dict.fromkeys([short(r.resource.name) for r in results]))
        reasons = Counter(reason for r in results for reason in r.reasons)
        worst = nsmallest(3, reasons, key=lambda reason: (-reasons[reason], reason))
        listed = ", ".join(shorten(name, 100) for name in names[:5])
        text = (
            f"{rule} could not be decided for {plural(len(names), 'resource')}: {listed}"
            f"{f' and {len(names) - 5:,} more' if len(names) > 5 else ''}. "
            f"{' '.join(_sentence(shorten(reason, 300)) for reason in worst)}"
            f"{f' There are {len(reasons) - 3:,} more reasons.' if len(reasons) > 3 else ''}"
        )
        notification = _notification("undecided", "warning", text)
        if rule in indexes:
            notification["associatedRule"] = {"id": rule, "index": indexes[rule]}
        yield notification


def _left_out(selection: _Selection, profile: Profile, tally: _Tally) -> Iterator[Notification]:
    """What of the audit's failures is not in the file, and why."""
    if tally.cut:
        yield _notification(
            "results-left-out",
            "warning",
            f"{plural(tally.cut, 'finding')} left out, the mildest: GitHub takes at most {MAX_RESULTS:,} "
            f"results and 10 MB in one file, and {tally.written:,} are in this one. Write several files with "
            "--sarif-shards.",
        )
    if profile == "github" and tally.written > SHOWN_RESULTS:
        yield _notification(
            "results-left-out",
            "note",
            f"GitHub shows {SHOWN_RESULTS:,} results of a file; this one has {tally.written:,}, the worst "
            "first. Write several files with --sarif-shards to see all.",
        )
    if selection.info:
        yield _notification(
            "results-left-out",
            "note",
            f"{plural(selection.info, 'finding')} of severity info left out: GitHub has no such level.",
        )
    if selection.waived:
        yield _notification(
            "results-left-out",
            "note",
            f"{plural(selection.waived, 'waived failure')} left out: GitHub would show them as open alerts.",
        )
