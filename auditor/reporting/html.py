"""One self-contained HTML page: readable without script, searchable with it, fetching nothing.

The page carries two compressed data blocks. The first, the list, is what the two lists and their filters
need; the second, the details, holds evidence, remedies and the facts of every cluster, and is unpacked after
the first draw. Text in both is templated: a control character stands for a name that belongs to the resource
(`_PLACES`), so that the same sentence about 20,000 clusters is stored once.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from array import array
from collections import Counter
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import orjson

from auditor import bundled, parallel
from auditor.engine.result import Verdict
from auditor.model.facts import ClusterFacts
from auditor.reporting import traffic
from auditor.reporting.lines import (
    Interned,
    Lines,
    Places,
    Sentences,
    Shared,
    is_plain,
    observation,
    place_of,
    presentable,
    shown,
    templated,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jinja2 import Template

    from auditor.engine.result import ClusterReport, Point, Report, ResourceRef, Result
    from auditor.engine.rule import Example, Rule
    from auditor.engine.waivers import Waiver
    from auditor.model.inventory import Gap

_STATIC_ROWS = 100
_STATIC_GAPS = 200
_STATIC_FOLDERS = 12
_STATIC_PROJECTS = 4
_FEW_FOLDERS = 4
_TREND = 40
_STATIC_WORST = 8
_WORST_OF_A_RULE = 2
_STATIC_REASONS = 60
_STATIC_SCOPES = 30
_FEWEST = 1_000
"""For so many resources a further process is worth its start."""

_SENTENCES_PER_RULE = 64
_SWITCH_RULE = "intranode-visibility-disabled"
_PLAIN_FACTS = tuple(
    field.name for field in dataclasses.fields(ClusterFacts) if field.name not in ("traffic", "readiness")
)
"""The facts that the page has field by field; of the firewall analysis it has a digest (`_traffic`), and the
readiness of a cluster is not among its facts there."""

_READ_FACTS = attrgetter(*_PLAIN_FACTS)
_REPAIR_NAME = re.compile(r"\ballow-pods-[a-z0-9-]*-([0-9a-f]{6})\b")

READINESS: Mapping[str, tuple[str, str]] = {
    "degraded": ("✕", "Visibility is on, and Pod traffic is being dropped."),
    "blocked": ("■", "Visibility is off, and turning it on would break Pod traffic."),
    "unknown": ("?", "Something that decides it could not be found out."),
    "unsupported": ("⊘", "The GKE version or a Windows node pool does not support visibility."),
    "ready": ("○", "Visibility is off, and it is safe to turn on."),
    "working": ("●", "Visibility is on, and nothing is known to be dropped."),
}
"""The states of a cluster, worst first: the shape and the meaning that the report shows for each."""

SEVERITY_MARKS: Mapping[str, str] = {"critical": "◆", "high": "▲", "medium": "■", "low": "▽", "info": "○"}

_LISTED = ("fail", "unknown", "waived", "fixed")
"""The verdicts whose results are listed one by one; `fixed` failed in the baseline and no longer does."""

_FAIL, _UNKNOWN, _WAIVED, _FIXED = range(4)

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(\.\d+)?Z")

# What each control character stands for. The script's `places()` is the other half.
_NAME, _PROJECT, _LOCATION, _SHORT, _SUBJECT, _HASH = "\x01", "\x02", "\x03", "\x04", "\x05", "\x06"
_REPAIRS = "\x07\x08\x0b\x0c"
_RANGES = "\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d"
_NETWORK, _HOST = "\x1e", "\x1f"


def render(report: Report) -> Iterator[bytes]:
    """The report as one HTML file, in chunks of UTF-8.

    The same report gives the same bytes. No name, label or message in it can run script, load anything or
    hide: controls, bidirectional marks and lone surrogates are written out as visible escapes.
    """
    from markupsafe import Markup

    page = _Page(report)
    listing, details = _pack(page.listing()), _pack(page.details())
    css = bundled.reports().joinpath("report.css").read_text("utf-8")
    script = bundled.reports().joinpath("report.js").read_text("utf-8")
    context = page.context()
    context.update(
        css=Markup(css),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        csp=_policy(css, script),
        listing=Markup(listing),  # noqa: S704 - base64
        details=Markup(details),  # noqa: S704 - base64
    )
    pending: list[str] = []
    size = 0
    for piece in _template().generate(context):
        pending.append(piece)
        size += len(piece)
        if size >= 1 << 16:
            yield "".join(pending).encode()
            pending, size = [], 0
    yield "".join(pending).encode()


def _named(text: str) -> str:
    """A name that can be seen and clicked, even if it is empty or blank."""
    return text if text.strip() else f'"{text}"'


def _policy(css: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; style-src 'sha256-{digest(css)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _pack(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: shown(value) if type(value) is str else value,
    )
    environment.filters["counted"] = _counted
    environment.filters["number"] = lambda number: f"{number:,}"
    environment.filters["instant"] = _instant
    environment.filters["quoted"] = _quoted
    environment.filters["named"] = _named
    return environment.from_string(bundled.reports().joinpath("report.html.j2").read_text("utf-8"))


def _counted(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _instant(text: str) -> str:
    """An RFC 3339 time in UTC to the minute; anything else as it is."""
    match = _INSTANT.fullmatch(text)
    return f"{match[1]} {match[2]} UTC" if match else text


def verdict_line(states: Mapping[str, int]) -> str:
    """The whole audit in one line, from the number of clusters in each readiness state."""
    total = sum(states.values())
    if not total:
        return "No cluster was found in what was read, so nothing can be said about any."
    count = {state: states.get(state, 0) for state in READINESS}
    said = []
    if number := count["degraded"]:
        said.append(f"{_counted(number, 'cluster')} {'is' if number == 1 else 'are'} losing Pod traffic now.")
    else:
        said.append("No cluster is known to be losing Pod traffic.")
    if number := count["blocked"]:
        said.append(f"{number:,} cannot be switched on yet.")
    if number := count["ready"]:
        said.append(f"{number:,} can." if count["blocked"] else f"{number:,} can be switched on today.")
    if number := count["unsupported"]:
        said.append(f"{number:,} {'does' if number == 1 else 'do'} not support it.")
    if number := count["unknown"]:
        said.append(f"{number:,} could not be decided.")
    if number := count["working"]:
        said.append(f"{number:,} {'works' if number == 1 else 'work'}.")
    return " ".join(said)


def _subject_places(subject: str) -> tuple[tuple[str, str], ...]:
    return ((subject, _SUBJECT),) if len(subject) > 2 and is_plain(subject) else ()


class _Share(NamedTuple):
    """What is said of some resources, in their order, as numbers of texts.

    `facts` has for each fact the line of every cluster, -1 where the inventory holds no data; `reasons` has
    the sentences of a cluster's readiness, `declared` the line of its declarations, by its number. `findings`
    and `messages` have the line and the sentence of every listed result.
    """

    facts: tuple[array[int], ...]
    reasons: list[list[int]]
    declared: dict[int, int]
    findings: array[int]
    messages: array[int]
    lines: list[str]
    sentences: list[str]


def _empty(listed: int = 0) -> _Share:
    """A share with room for so many listed results, else empty."""
    columns = tuple(array("q") for _ in (*_PLAIN_FACTS, "traffic"))
    none = array("q", [0]) * listed
    return _Share(columns, [], {}, none, none[:], [], [])


@dataclasses.dataclass(slots=True)
class _RuleCount:
    """How often a rule came to each verdict; failures by severity."""

    fails: Counter[str] = dataclasses.field(default_factory=Counter)
    passed: int = 0
    unknown: int = 0
    not_applicable: int = 0
    waived: int = 0

    @property
    def failed(self) -> int:
        return sum(self.fails.values())


class _Page:
    """The report, arranged once for the template and the two data blocks.

    `places` has for each resource what its texts are templated with, `names` its templated name, by number;
    `networks` has the names of a cluster's network, `own` what is a cluster's own.
    `undecided` has one example for each distinct text about an undecided result of a rule, with its key in
    `undecided_counts`.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        order = {state: number for number, state in enumerate(READINESS)}
        self.clusters = sorted(
            report.clusters, key=lambda c: (order.get(c.readiness.state, len(order)), c.resource.name)
        )
        self.states: Counter[str] = Counter(c.readiness.state for c in self.clusters)
        self.state_names = Interned(READINESS)
        self.rules = Interned(rule.id for rule in report.rules)
        self.rule_counts = [_RuleCount() for _ in report.rules]
        self.resources: dict[tuple[str, str], int] = {}
        self.refs: list[ResourceRef] = []
        self.shorts: list[str] = []
        self.places: list[tuple[tuple[str, str], ...]] = []
        self.names: list[int] = []
        self.name_texts = Interned()
        self.networks: list[tuple[tuple[str, str], ...]] = []
        self.own = [_own_places(cluster.facts) for cluster in self.clusters]
        self._plain: dict[str, bool] = {}
        for cluster, own in zip(self.clusters, self.own, strict=True):
            self.resources.setdefault((cluster.resource.type, cluster.resource.name), len(self.refs))
            self._add(cluster.resource, _named(cluster.short_name))
            facts = cluster.facts
            before = _network_places(facts.network.network, facts.network.project) if facts else ()
            self.networks.append(before)
            self.places[-1] = (*before, *self.places[-1], *own)
        self.strings = Interned([""])
        self.waivers: list[Waiver] = []
        self.waiver_index: dict[Waiver, int] = {}
        self.waiver_uses: Counter[int] = Counter()
        self.baselines: Counter[str] = Counter()
        self.undecided: list[tuple[tuple[int, Result, int, int], tuple[int, int]]] = []
        self.undecided_counts: Counter[tuple[int, int]] = Counter()
        self._sort_results()
        self.said = self._say()

    def _add(self, ref: ResourceRef, short: str) -> None:
        """One more resource, and what to replace in texts about it: its plain names, longest scope first."""
        self.refs.append(ref)
        self.shorts.append(short)
        project, location = ref.project, ref.location
        plain = self._plain
        for text in (project, location):
            if text not in plain:
                plain[text] = is_plain(text)
        parts = []
        if plain[project]:
            parts.append((project, _PROJECT))
        if plain[location]:
            parts.append((location, _LOCATION))
        if is_plain(short):
            parts.append((short, _SHORT))
        self.names.append(self.name_texts(templated(shown(ref.name), parts)))
        self.places.append(((ref.name, _NAME), *parts) if is_plain(ref.name) else tuple(parts))

    def _resource(self, ref: ResourceRef) -> int:
        number = self.resources.get((ref.type, ref.name))
        if number is None:
            number = self.resources[ref.type, ref.name] = len(self.refs)
            self._add(ref, _named(ref.name.rsplit("/", 1)[-1]))
        return number

    def _waiver(self, waiver: Waiver) -> int:
        number = self.waiver_index.get(waiver)
        if number is None:
            number = self.waiver_index[waiver] = len(self.waivers)
            self.waivers.append(waiver)
        return number

    def _sort_results(self) -> None:
        """Go over every result once: count it, note the rule's verdict on the resource, list what is no pass.

        `listed` holds (rank, result, resource, rule): failures first, worst first, then what is unknown,
        waived, fixed. `outcomes` numbers the distinct (verdict, sentence): 0 not judged, 1 to 3 the listed
        verdicts; `codes` has one such number for each resource and rule.
        """
        width = len(self.report.rules)
        codes: list[int] = [0] * (width * len(self.refs))
        outcomes = Interned(["", *_LISTED[:3]])
        self.outcome_pairs: list[tuple[str, int]] = [("", 0), ("fail", 0), ("unknown", 0), ("waived", 0)]
        known: dict[tuple[int, Verdict, str], int] = {}
        sentences: Counter[int] = Counter()
        listed: list[tuple[int, Result, int, int]] = []
        counts = self.rule_counts
        rule_index = self.rules.index
        last: ResourceRef | None = None
        resource = -1
        for result in self.report.results:
            ref = result.resource
            if ref is not last:
                resource, last = self._resource(ref), ref
            rule = rule_index.get(result.rule)
            if rule is None:  # a baseline may tell of rules that this scan did not evaluate
                rule = self.rules(result.rule)
                counts.append(_RuleCount())
            verdict = result.verdict
            count = counts[rule]
            if result.baseline is not None and verdict is Verdict.FAIL:
                self.baselines[result.baseline] += 1
            if verdict is Verdict.PASS or verdict is Verdict.NOT_APPLICABLE:
                if verdict is Verdict.PASS:
                    count.passed += 1
                else:
                    count.not_applicable += 1
                key = (rule, verdict, result.message)
                code = known.get(key)
                if code is None:
                    code = self._sentence(rule, verdict, result.message, outcomes, sentences)
                    known[key] = code
            elif verdict is Verdict.UNKNOWN:
                count.unknown += 1
                code = 2
                listed.append((_UNKNOWN, result, resource, rule))
            elif result.baseline == "absent":
                listed.append((_FIXED, result, resource, rule))
                continue
            elif result.waiver is not None:
                count.waived += 1
                code = 3
                self.waiver_uses[self._waiver(result.waiver)] += 1
                listed.append((_WAIVED, result, resource, rule))
            else:
                count.fails[result.severity] += 1
                code = 1
                listed.append((_FAIL, result, resource, rule))
            if rule >= width:
                continue
            at = resource * width + rule
            if at >= len(codes):
                codes.extend([0] * (at + width - len(codes)))
            held = codes[at]
            if not held or (code < 4 and (held > 3 or code < held)):
                codes[at] = code
        listed.sort(key=lambda row: (row[0] << 20) - (row[1].severity.rank << 16) + row[3])
        self.listed = listed
        codes.extend([0] * (width * len(self.refs) - len(codes)))
        self.codes = codes

    def _sentence(
        self,
        rule: int,
        verdict: Verdict,
        message: str,
        outcomes: Interned,
        sentences: Counter[int],
    ) -> int:
        """The number of a verdict with its sentence, or without it once a rule has said too many."""
        # As it is: other resources of which the same is said have other names.
        text = shown(message)
        key = f"{verdict}\0{text}"
        if key not in outcomes.index:
            if sentences[rule] >= _SENTENCES_PER_RULE:
                text, key = "", f"{verdict}\0"
            else:
                sentences[rule] += 1
        code = outcomes(key)
        if code == len(self.outcome_pairs):
            self.outcome_pairs.append((verdict, self.strings(text)))
        return code

    # The data blocks

    def _fingerprints(self) -> tuple[int, str]:
        """Every listed fingerprint, one after the other, and their common length.

        Many random digits are most of a large file, so beyond a few thousand only a prefix is kept that
        tells all of them apart.
        """
        whole = [shown(row[1].fingerprint) for row in self.listed]
        lengths = (64,) if len(whole) <= 4000 else (9, 10, 12, 16, 24, 64)
        for digits in lengths:
            cut = [text[:digits].ljust(digits) for text in whole]
            different = len(set(cut))
            if digits == 64 or different == len(whole) or different == len(set(whole)):
                break
        return digits, "".join(cut)

    def listing(self) -> bytes:
        """What the lists of findings and clusters show and filter by: columns of numbers into tables."""
        strings, sentences = self.strings, self.said.sentences
        projects, locations, folders = Interned(), Interned(), Interned()
        types, baselines = Interned(), Interned([""])
        resources = [
            (
                shown(short),
                projects(shown(ref.project)),
                locations(shown(ref.location)),
                name,
                types(shown(ref.type)),
            )
            for ref, short, name in zip(self.refs, self.shorts, self.names, strict=True)
        ]
        clusters = []
        for number, cluster in enumerate(self.clusters):
            facts = cluster.facts
            network = {mark: name for name, mark in self.networks[number]}
            clusters.append(
                (
                    self.state_names(cluster.readiness.state),
                    [strings(sentences[reason]) for reason in self.said.reasons[number]],
                    folders(shown(cluster.folder)),
                    strings(shown(cluster.status)),
                    strings(shown((facts and facts.versions.control_plane) or "")),
                    strings((facts and facts.visibility.state) or ""),
                    int(cluster.autopilot),
                    int(cluster.dataplane_v2),
                    strings(network.get(_NETWORK, "")),
                    strings(network.get(_HOST, "")),
                )
            )
        severities = list(SEVERITY_MARKS)
        rank: dict[str, int] = {severity: number for number, severity in enumerate(severities)}
        subjects, messages = [], []
        for (_, result, _, _), message in zip(self.listed, self.said.messages, strict=True):
            subjects.append(0 if result.subject is None else strings(shown(result.subject)))
            messages.append(strings(sentences[message]))
        findings: dict[str, Any] = {
            "state": [row[0] for row in self.listed],
            "severity": [rank[row[1].severity] for row in self.listed],
            "rule": [row[3] for row in self.listed],
            "resource": _differences([row[2] for row in self.listed]),
            "subject": subjects,
            "message": messages,
            "baseline": [0 if row[1].baseline is None else baselines(row[1].baseline) for row in self.listed],
            "waiver": [-1 if row[1].waiver is None else self._waiver(row[1].waiver) for row in self.listed],
        }
        findings["digits"], findings["fingerprint"] = self._fingerprints()
        rules = [
            {
                "id": rule.id,
                "title": shown(rule.title),
                "cost": shown(rule.remediation.cost or ""),
                "terraform": shown(rule.remediation.terraform or ""),
                "traffic": any(one.path.partition(".")[0] == "traffic" for one in rule.evidence),
            }
            for rule in self.report.rules
        ]
        rules += [
            {"id": shown(rule), "title": shown(rule), "cost": "", "terraform": "", "traffic": False}
            for rule in self.rules.items[len(rules) :]
        ]
        return orjson.dumps(
            {
                "verdicts": _LISTED,
                "severities": [[severity, SEVERITY_MARKS[severity]] for severity in severities],
                "states": [[shown(s), *READINESS.get(s, ("?", ""))] for s in self.state_names.items],
                "rules": rules,
                "judged": len(self.report.rules),
                "switch": self.rules.index.get(_SWITCH_RULE, -1),
                "waivers": [_waiver_row(waiver) for waiver in self.waivers],
                "projects": projects.items,
                "locations": locations.items,
                "folders": folders.items,
                "names": self.name_texts.items,
                "types": types.items,
                "baselines": baselines.items,
                "resources": _columns("short project location name type", resources),
                "clusters": _columns(
                    "state reasons folder status version visibility autopilot dataplane_v2 network host",
                    clusters,
                ),
                "findings": findings,
                "hash": [next((value for value, mark in one if mark == _HASH), "") for one in self.own],
                "ranges": [[value for value, mark in one if mark in _RANGES] for one in self.own],
                "repairs": {
                    str(number): ends
                    for number, one in enumerate(self.own)
                    if (ends := [value for value, mark in one if mark in _REPAIRS])
                },
                "strings": strings.items,
            }
        )

    def details(self) -> bytes:
        """What the page of a finding or cluster adds: a JSON header, then one templated JSON text a line."""
        # In the order in which they are named first, however many processes wrote them.
        lines = Interned()
        said = self.said
        final = [-1] * (len(said.lines) + 1)
        by_cluster = chain.from_iterable(zip(*said.facts, strict=True))
        for number in dict.fromkeys(chain(by_cluster, said.findings, said.declared.values())):
            if number >= 0:
                final[number] = lines(said.lines[number])
        findings = [final[number] for number in said.findings]
        self._count_undecided(findings)
        header = {
            "findings": findings,
            "facts": {
                name: [final[number] for number in column]
                for name, column in zip((*_PLAIN_FACTS, "traffic"), said.facts, strict=True)
            },
            "declared": {str(cluster): final[number] for cluster, number in said.declared.items()},
            "outcomes": self.outcome_pairs,
            "codes": self.codes,
        }
        return b"\n".join((orjson.dumps(header), *(line.encode() for line in lines.items)))

    def _say(self) -> _Share:
        """What is said of all resources, results in the order of `listed`."""
        affected = sum(one.facts is not None and _has_rows(one.facts) for one in self.clusters)
        limit = traffic.limits(affected)
        about: list[list[int]] = [[] for _ in self.refs]
        for number, row in enumerate(self.listed):
            about[row[2]].append(number)
        pieces = parallel.pieces(range(len(self.refs)), _FEWEST)
        said = _empty(len(self.listed))
        with parallel.processes(
            lambda piece: iter([self._share(pieces[piece], about, limit)]), len(pieces)
        ) as shares:
            for resources, share in zip(pieces, shares, strict=True):
                lines, sentences = len(said.lines), len(said.sentences)
                said.lines.extend(share.lines)
                said.sentences.extend(share.sentences)
                for column, more in zip(said.facts, share.facts, strict=True):
                    column.extend(n if n < 0 else lines + n for n in more)
                said.reasons.extend([sentences + n for n in row] for row in share.reasons)
                said.declared.update({cluster: lines + n for cluster, n in share.declared.items()})
                listed = chain.from_iterable(about[resource] for resource in resources)
                for number, line, sentence in zip(listed, share.findings, share.messages, strict=True):
                    said.findings[number] = lines + line
                    said.messages[number] = sentences + sentence
        return said

    def _share(
        self, resources: Sequence[int], about: Sequence[Sequence[int]], limit: traffic.Limits
    ) -> _Share:
        """What is said of some resources; `about` has the listed results about each, by number."""
        lines, sentences = Lines(len(_PLAIN_FACTS) + 1), Sentences()
        share = _empty()._replace(lines=lines.items, sentences=sentences.items)
        digest = traffic.Digester(limit).digest
        met: dict[int, Shared] = {}
        for resource in resources:
            places = Places.of(self.places[resource], (_NETWORK, _HOST))
            if resource < len(self.clusters):
                cluster = self.clusters[resource]
                facts = cluster.facts
                if facts is None:
                    found = [-1] * len(share.facts)
                else:
                    found = lines.facts((*_READ_FACTS(facts), digest(facts.traffic)), places)
                for column, line in zip(share.facts, found, strict=True):
                    column.append(line)
                share.reasons.append(sentences.about(cluster.readiness.reasons, places))
                if cluster.declarations:
                    (share.declared[resource],) = lines.others([cluster.declarations], places)
            if rows := [self.listed[number] for number in about[resource]]:
                share.findings.extend(_finding_lines(rows, lines, places, met))
                share.messages.extend(_message_numbers(rows, sentences, places))
        return share

    def _count_undecided(self, findings: Sequence[int]) -> None:
        """Tell the texts about undecided results of a rule apart by the lines of all findings."""
        for row, line in zip(self.listed, findings, strict=True):
            if row[0] == _UNKNOWN:
                key = (row[3], line)
                self.undecided_counts[key] += 1
                if self.undecided_counts[key] == 1:
                    self.undecided.append((row, key))

    # The part that needs no script

    def context(self) -> dict[str, Any]:
        """What the template reads."""
        report = self.report
        severities: Counter[str] = Counter()
        for count in self.rule_counts:
            severities.update(count.fails)
        verdicts = Counter(row[0] for row in self.listed)
        shown_rows = self.listed[:_STATIC_ROWS]
        return {
            "report": report,
            "verdict_line": verdict_line(self.states),
            "total": len(self.clusters),
            "fleet": _segments(self.states, len(self.clusters), self.state_names.items),
            "projects": len({cluster.resource.project for cluster in self.clusters}),
            "worst": self._worst(),
            "board": self._board(),
            "trend": _trend(report.history[-_TREND:]),
            "unsettled_limit": _STATIC_REASONS,
            "folders": self._folders(),
            "states": [(state, *READINESS[state]) for state in READINESS],
            "states_by_name": {state: shape for state, (shape, _) in READINESS.items()},
            "severities": [(name, mark, severities[name]) for name, mark in SEVERITY_MARKS.items()],
            "failed": verdicts[_FAIL],
            "unknown": verdicts[_UNKNOWN],
            "waived": verdicts[_WAIVED],
            "passed": sum(count.passed for count in self.rule_counts),
            "not_applicable": sum(count.not_applicable for count in self.rule_counts),
            "fixed": verdicts[_FIXED],
            "baselines": self.baselines,
            "gap_groups": _gap_groups(report.gaps),
            "gap_limit": _STATIC_GAPS,
            "scope_limit": _STATIC_SCOPES,
            "reasons": self._reasons(),
            "reason_limit": _STATIC_REASONS,
            "next_steps": self._next_steps(),
            "rules": [
                {"rule": rule, "count": count, "examples": _examples(rule)}
                for rule, count in zip(report.rules, self.rule_counts, strict=False)
            ],
            "findings": [self._static_finding(*row) for row in shown_rows],
            "listed": len(self.listed),
            "clusters": [self._static_cluster(cluster) for cluster in self.clusters[:_STATIC_ROWS]],
            "waivers": [
                (_waiver_row(waiver), self.waiver_uses[number]) for number, waiver in enumerate(self.waivers)
            ],
            "waiver_notes": [
                (note.kind, note.text, note.waiver and _waiver_row(note.waiver))
                for note in report.waiver_notes
            ],
        }

    def _board(self) -> list[dict[str, Any]]:
        groups: dict[str, list[ClusterReport]] = {state: [] for state in self.state_names.items}
        for cluster in self.clusters:
            group = groups.setdefault(cluster.readiness.state, [])
            if len(group) < 4:
                group.append(cluster)
        board = []
        for state, group in groups.items():
            shape, meaning = READINESS.get(state, ("?", ""))
            board.append(
                {
                    "state": state,
                    "shape": shape,
                    "meaning": meaning,
                    "count": self.states[state],
                    "examples": [self._static_cluster(cluster) for cluster in group[:3]],
                    "more": self.states[state] - min(3, len(group)),
                }
            )
        return board

    def _worst(self) -> list[dict[str, Any]]:
        """The worst failures: of equal severity, clusters that lose traffic now come first; few of a rule."""
        hurting = {n for n, cluster in enumerate(self.clusters) if cluster.readiness.state == "degraded"}
        taken: Counter[tuple[str, int, bool]] = Counter()
        found: list[tuple[int, bool, tuple[int, Result, int, int]]] = []
        for row in self.listed:
            state, result, resource, rule = row
            if state != _FAIL:
                break
            kind = (result.severity, rule, resource not in hurting)
            taken[kind] += 1
            if taken[kind] <= _WORST_OF_A_RULE:
                found.append((-result.severity.rank, kind[2], row))
        found.sort(key=lambda one: one[:2])
        return [self._static_finding(*row) for _, _, row in found[:_STATIC_WORST]]

    def _folders(self) -> dict[str, Any]:
        """Clusters by folder and state, each folder with its first projects; most trouble first.

        What is beyond the first of either is one row without a bar. Of many folders, those without trouble
        are not broken down.
        """
        table: dict[str, Counter[str]] = {}
        projects: dict[str, dict[str, Counter[str]]] = {}
        for cluster in self.clusters:
            folder, project, state = cluster.folder, cluster.resource.project, cluster.readiness.state
            table.setdefault(folder, Counter())[state] += 1
            projects.setdefault(folder, {}).setdefault(project, Counter())[state] += 1
        ordered = _most_trouble_first(table)
        widest = max((count.total() for _, count in ordered), default=1)

        def rows(
            kind: str, found: Sequence[tuple[str, Counter[str]]], most: int, folder: str = ""
        ) -> Iterator[dict[str, Any]]:
            for name, count in found[:most]:
                yield {
                    "kind": kind,
                    "name": name,
                    "folder": folder,
                    "counts": count,
                    "total": count.total(),
                    "segments": _segments(count, widest, self.state_names.items),
                }
                troubled = count["degraded"] or count["blocked"] or len(table) <= _FEW_FOLDERS
                if kind == "folder" and troubled and len(projects[name]) > 1:
                    yield from rows("project", _most_trouble_first(projects[name]), _STATIC_PROJECTS, name)
            if more := found[most:]:
                rest: Counter[str] = Counter()
                for _, count in more:
                    rest.update(count)
                name = _counted(len(more), f"other {kind}")
                yield {
                    "kind": f"other-{kind}",
                    "name": name,
                    "folder": folder,
                    "counts": rest,
                    "total": rest.total(),
                    "segments": [],
                }

        return {"rows": list(rows("folder", ordered, _STATIC_FOLDERS)), "number": len(table)}

    def _reasons(self) -> list[tuple[str, str, int]]:
        """Why results are unknown, over all resources: (rule, reason, how many), most frequent first."""
        tally: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], str] = {}
        for (_, result, resource, _), alike in self.undecided:
            for reason in result.reasons or ("No reason was given.",):
                text = templated(shown(reason), self.places[resource])
                key = (result.rule, templated(text, _subject_places(result.subject or "")))
                tally[key] += self.undecided_counts[alike]
                first.setdefault(key, reason)
        ordered = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
        return [(key[0], first[key], number) for key, number in ordered]

    def _next_steps(self) -> list[dict[str, Any]]:
        """What to type next: mend the worst failure, switch on what is ready, close the first gap."""
        steps: list[dict[str, Any]] = []
        states = [cluster.readiness.state for cluster in self.clusters]
        ready = {number for number, state in enumerate(states) if state == "ready"}
        switch = self.rules.index.get(_SWITCH_RULE, -1)
        # Turning visibility on is a step of its own, and only where it breaks nothing.
        mendable = (
            row
            for row in self.listed
            if row[0] == _FAIL and row[3] != switch and row[1].remediation and row[1].remediation.commands
        )
        worst = min(
            mendable,
            key=lambda row: (-row[1].severity.rank, row[2] >= len(states) or states[row[2]] != "degraded"),
            default=None,
        )
        if worst and (remedy := worst[1].remediation):
            where = self.shorts[worst[2]]
            steps.append(
                {
                    "title": f"Mend the worst first: {worst[1].rule} on {where}",
                    "text": remedy.text,
                    "commands": remedy.commands,
                    "link": f"#f={_quoted(worst[1].fingerprint)}",
                    "more": f"{where}: the finding and its evidence",
                }
            )
        commands = [
            command
            for state, result, resource, rule in self.listed
            if state == _FAIL and rule == switch and resource in ready and result.remediation
            for command in result.remediation.commands
        ]
        if commands:
            number = len(ready)
            steps.append(
                {
                    "title": f"Switch on what is ready: {_counted(number, 'cluster')}",
                    "text": "Nothing that these clusters rely on is denied or masqueraded. Start with one.",
                    "commands": commands[:2],
                    "link": "#view=clusters&readiness=ready",
                    "more": f"All {number:,} with their commands" if number > 1 else "The cluster",
                }
            )
        if self.report.gaps:
            gap = self.report.gaps[0]
            steps.append(
                {
                    "title": f"Close what was not read: {_counted(len(self.report.gaps), 'gap')}",
                    "text": f"{gap.scope}: {gap.reason}",
                    "commands": (gap.hint,) if gap.hint else (),
                    "link": "#gaps",
                    "more": "Everything that was not looked at",
                }
            )
        return steps

    def _static_cluster(self, cluster: ClusterReport) -> dict[str, Any]:
        ref, facts = cluster.resource, cluster.facts
        shape, _ = READINESS.get(cluster.readiness.state, ("?", ""))
        return {
            "name": _named(cluster.short_name),
            "project": ref.project,
            "location": ref.location,
            "state": cluster.readiness.state,
            "shape": shape,
            "version": (facts and facts.versions.control_plane) or "version unknown",
            "visibility": (facts and facts.visibility.state) or "unknown",
            "reasons": cluster.readiness.reasons,
            "link": f"#c={_quoted(ref.name)}",
        }

    def _static_finding(self, state: int, result: Result, resource: int, rule: int) -> dict[str, Any]:
        known = self.report.rules[rule] if rule < len(self.report.rules) else None
        return {
            "state": _LISTED[state],
            "severity": result.severity,
            "mark": SEVERITY_MARKS[result.severity],
            "rule": result.rule,
            "title": known.title if known else result.rule,
            "cost": known.remediation.cost if known else None,
            "name": self.shorts[resource],
            "result": result,
            "evidence": [observation(item) for item in result.evidence[:12]],
            "evidence_more": max(0, len(result.evidence) - 12),
            "waiver": result.waiver and _waiver_row(result.waiver),
            "not_yet": self._not_yet(resource) if result.rule == _SWITCH_RULE and state == _FAIL else None,
        }

    def _not_yet(self, resource: int) -> str | None:
        """Why visibility should not be turned on yet, although a rule finds fault with its being off."""
        if resource >= len(self.clusters) or self.clusters[resource].readiness.state == "ready":
            return None
        readiness = self.clusters[resource].readiness
        return f"Not yet: the cluster is {readiness.state}. {' '.join(readiness.reasons)}".strip()


def _finding_lines(
    rows: Sequence[tuple[int, Result, int, int]], lines: Lines, places: Places, met: dict[int, Shared]
) -> Iterator[int]:
    """The line of each listed result about one resource: evidence, reasons, remedy and declarations.

    `met` has the reasons of those before, by identity: what is met a second time is likely to be met often.
    """
    values: list[object] = []
    subjects: list[tuple[tuple[str, str], ...]] = []
    # By identity: several rules rest on the same facts.
    known: dict[tuple[int, ...], int] = {}
    numbers: list[int] = []
    for state, result, _, _ in rows:
        remedy = None if state == _FIXED else result.remediation
        subject = result.subject
        reasons: tuple[str, ...] | Shared = result.reasons
        number = len(values)
        if subject is None:
            key = (id(result.evidence), id(reasons), id(remedy), id(result.declarations))
            number = known.setdefault(key, number)
            if number == len(values) and reasons:
                if id(reasons) in met:
                    reasons = met[id(reasons)]
                else:
                    met[id(reasons)] = Shared(reasons)
        numbers.append(number)
        if number == len(values):
            values.append((result.evidence, reasons, remedy, result.declarations))
            subjects.append(() if subject is None or len(subject) < 3 else place_of(subject, _SUBJECT))
    found = lines.others(values, places, subjects if any(subjects) else ())
    return (found[number] for number in numbers)


def _message_numbers(
    rows: Sequence[tuple[int, Result, int, int]], sentences: Sentences, places: Places
) -> list[int]:
    """The sentence of each listed result about one resource."""
    # What cannot be decided is said in the same words of many resources.
    undecided = [state == _UNKNOWN and result.subject is None for state, result, _, _ in rows]
    common = tuple(row[1].message for row, is_common in zip(rows, undecided, strict=True) if is_common)
    numbers = iter(sentences.about(common, places))
    return [
        next(numbers)
        if is_common
        else sentences.one(result.message, places, _subject_places(result.subject or ""))
        for (_, result, _, _), is_common in zip(rows, undecided, strict=True)
    ]


def _quoted(text: str) -> str:
    """Text as part of a URL fragment, in the form in which the page knows it."""
    return quote(shown(text), safe="")


def _columns(names: str, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """The table turned on its side: for each name the values of that column."""
    columns = zip(*rows, strict=True) if rows else [()] * len(names.split())
    return dict(zip(names.split(), columns, strict=True))


def _differences(numbers: Sequence[int]) -> list[int]:
    """Each number less the one before it, which compresses where they mostly grow."""
    return [number - before for number, before in zip(numbers, (0, *numbers), strict=False)]


def _waiver_row(waiver: Waiver) -> dict[str, str]:
    return {
        "rule": shown(str(waiver.rule)),
        "resource": shown(str(waiver.resource)),
        "subject": shown(str(waiver.subject or "")),
        "reason": shown(str(waiver.reason)),
        "owner": shown(str(waiver.owner)),
        "expires": shown(str(waiver.expires)),
    }


def _has_rows(facts: ClusterFacts) -> bool:
    found = facts.traffic.any_node.analysis
    return bool(found.denied or found.undecided)


@lru_cache(maxsize=4096)
def _network_places(network: str | None, project: str | None) -> tuple[tuple[str, str], ...]:
    """A cluster's network, whose reference holds the name of its project and so comes before it, and that."""
    named = ((network, _NETWORK), (project, _HOST))
    return tuple((name, mark) for name, mark in named if name and is_plain(name))


def _own_places(facts: ClusterFacts | None) -> tuple[tuple[str, str], ...]:
    """What is a cluster's own: its Pod ranges, the hash in its nodes' tag, the ends of its repairs' names."""
    if facts is None:
        return ()
    own = [
        (item.cidr, mark)
        for item, mark in zip(facts.pods.ranges, _RANGES, strict=False)
        if is_plain(item.cidr)
    ]
    classes = facts.node_classes.classes
    if classes and (hashed := classes[0].cluster_hash) and is_plain(hashed):
        own.append((hashed, _HASH))
    changes = (*facts.traffic.same_node.repairs, *facts.traffic.any_node.repairs)
    if changes:
        ends = dict.fromkeys(end for change in changes for end in _REPAIR_NAME.findall(change.command))
        own.extend(zip(ends, _REPAIRS, strict=False))
    return tuple(own)


def _trend(history: Sequence[Point]) -> dict[str, Any] | None:
    """Recorded scans as columns of findings by severity, oldest first; None where there is no trend yet."""
    if len(history) < 2:
        return None
    tallest = max(1, *(sum(point.severities.values()) for point in history))
    step = 1000 / len(history)
    columns = []
    for number, point in enumerate(history):
        base, parts = 0, []
        for severity in reversed(tuple(SEVERITY_MARKS)):
            if count := point.severities.get(severity, 0):
                top = base + count
                low, high = round(120 * base / tallest), round(120 * top / tallest)
                parts.append({"severity": severity, "y": 120 - high, "height": max(high - low, 1)})
                base = top
        columns.append(
            {"point": point, "x": round(number * step), "width": max(round(step) - 3, 2), "parts": parts}
        )
    return {"columns": columns, "first": history[0], "last": history[-1]}


def _most_trouble_first(table: Mapping[str, Counter[str]]) -> list[tuple[str, Counter[str]]]:
    return sorted(
        table.items(),
        key=lambda item: (-item[1]["degraded"], -item[1]["blocked"], -item[1].total(), item[0]),
    )


def _segments(count: Counter[str], widest: int, states: Sequence[str]) -> list[dict[str, Any]]:
    """The parts of one bar, in thousandths of the widest bar's length."""
    segments, at = [], 0
    before = 0
    for state in states:
        if count[state]:
            before += count[state]
            end = round(1000 * before / widest)
            segments.append({"state": state, "x": at, "width": max(end - at, 2), "count": count[state]})
            at = end
    return segments


def _gap_groups(gaps: Iterable[Gap]) -> list[dict[str, Any]]:
    """Gaps that differ in their scope alone, together, in the order of their first appearance."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for gap in gaps:
        groups.setdefault((gap.asset_type or "", gap.reason, gap.hint), []).append(gap.scope)
    return [
        {"asset_type": kind, "reason": reason, "hint": hint, "scopes": scopes}
        for (kind, reason, hint), scopes in groups.items()
    ]


def _examples(rule: Rule) -> list[tuple[str, str, str]]:
    """Every example of a rule: verdict, name, and what it states, as JSON."""
    groups: tuple[tuple[str, Sequence[Example]], ...] = (
        ("fail", rule.examples.fail),
        ("pass", rule.examples.pass_),
        ("unknown", rule.examples.unknown),
        ("not applicable", rule.examples.not_applicable),
    )
    return [
        (
            verdict,
            example.name,
            json.dumps(
                presentable(example.model_dump(exclude_unset=True, exclude={"name"})),
                indent=2,
                ensure_ascii=False,
            ),
        )
        for verdict, examples in groups
        for example in examples
    ]
