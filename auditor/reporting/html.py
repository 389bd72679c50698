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
import math
import re
from collections import Counter
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from auditor import bundled
from auditor.engine.result import Verdict
from auditor.model.evidence import Evidence
from auditor.model.facts import ClusterFacts
from auditor.reporting import traffic

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
_OBSERVED_LIMIT = 4000
_LINE_LIMIT = 16_000
"""Bytes of one line of the details as they come; in a longer one each observed value is cut."""

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

# Characters that hide, reorder or break text: controls (but for tab and newline), surrogates, separators,
# zero-width and bidirectional formatting characters, tags, non-characters.
_INVISIBLE = (
    "\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff"
)
_ODD = re.compile(f"[\x00-\x08\x0b-\x1f{_INVISIBLE}]")
_ODD_IN_JSON = re.compile(f"[{_INVISIBLE}]")
# How orjson writes control characters other than tab and newline.
_ODD_ESCAPE = re.compile(r"\\[ubfr]")
_PLAIN = re.compile(r"[A-Za-z0-9._:/@-]{1,400}")
_CLUSTER_ID = re.compile(r'("path":"id","observed":)"([0-9a-f]{8})[0-9a-f]{56}"')
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


def shown(text: str) -> str:
    r"""The text with every invisible or reordering character written out, e.g. `\u202e`; newlines stay."""
    if text.isprintable():
        # Python counts some fillers and variation selectors as printable: only ASCII is surely harmless.
        return text if text.isascii() or not _ODD.search(text) else _ODD.sub(_escape, text)
    return _ODD.sub(_escape, text)


def _named(text: str) -> str:
    """A name that can be seen and clicked, even if it is empty or blank."""
    return text if text.strip() else f'"{text}"'


def _escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


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


class _Interned:
    """Strings or keys numbered in the order of their first appearance."""

    __slots__ = ("index", "items")

    def __init__(self, items: Iterable[str] = ()) -> None:
        self.items: list[str] = []
        self.index: dict[str, int] = {}
        for item in items:
            self(item)

    def __call__(self, item: str) -> int:
        number = self.index.get(item)
        if number is None:
            number = self.index[item] = len(self.items)
            self.items.append(item)
        return number


class _Lines(_Interned):
    """Templated JSON texts, each checked once for what must not be shown as it is."""

    __slots__ = ()

    def add(self, text: str, value: object) -> int:
        """The number of a text that is not among them yet, and is `value` as JSON."""
        if _shows(text):
            return self(text)
        # Without templates: so rare a text gains nothing from them.
        number = self(orjson.dumps(_presentable(value, 0)).decode())
        self.index[text] = number
        return number


def _subject_places(subject: str) -> tuple[tuple[str, str], ...]:
    return ((subject, _SUBJECT),) if len(subject) > 2 and _PLAIN.fullmatch(subject) else ()


def _templated(text: str, places: Iterable[tuple[str, str]]) -> str:
    for value, mark in places:
        text = text.replace(value, mark)
    return text


def _json(value: object) -> bytes:
    """The value as JSON on one line, without a raw control character; not yet safe to show: see `_shows`.

    What JSON or the browser would not carry whole (integers from 2**53 on, lone surrogates, deep nesting)
    becomes text, and so does each observed value of a long text.
    """
    try:
        text = orjson.dumps(value, None, orjson.OPT_STRICT_INTEGER)
    except TypeError:
        return orjson.dumps(_presentable(value, 0))
    return text if len(text) <= _LINE_LIMIT else orjson.dumps(_presentable(value, 0))


def _shows(text: str) -> bool:
    """Whether nothing in the JSON text hides: no control character but tab and newline, nothing invisible."""
    if "\\" in text and _ODD_ESCAPE.search(text):
        return False
    return (text.isascii() and "\x7f" not in text) or not _ODD_IN_JSON.search(text)


def _presentable(value: object, depth: int) -> object:
    if isinstance(value, str):
        return shown(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        if -(2**53) < value < 2**53:
            return value
        return str(value) if value.bit_length() < 10_000 else f"{value:#x}"
    if depth > 60:
        return "… nested deeper than this page shows"
    if isinstance(value, dict):
        return {shown(str(key)): _presentable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_presentable(item, depth + 1) for item in value]
    if isinstance(value, Evidence):
        return _presentable(_observation(value), depth)
    if dataclasses.is_dataclass(value):
        return {
            field.name: _presentable(getattr(value, field.name), depth + 1)
            for field in dataclasses.fields(value)
        }
    return shown(str(value))


def _observed(value: object) -> str:
    """An observed value as JSON text, so that no number loses digits on its way through the browser."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = orjson.dumps(_presentable(value, 0)).decode()
    if len(text) > _OBSERVED_LIMIT:
        return f"{text[:_OBSERVED_LIMIT]} … cut; {len(text):,} characters in all"
    return text


def _observation(item: Evidence) -> tuple[str, str, str, str | None]:
    """Asset, path, observed and expected value, these two as JSON text."""
    expected = None if item.expected is None else _observed(item.expected)
    return item.asset, item.path, _observed(item.observed), expected


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

    `places` has for each resource what its texts are templated with, `own` what of it is a cluster's own.
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
        self.state_names = _Interned(READINESS)
        self.rules = _Interned(rule.id for rule in report.rules)
        self.rule_counts = [_RuleCount() for _ in report.rules]
        self.resources: dict[tuple[str, str], int] = {}
        self.refs: list[ResourceRef] = []
        self.shorts: list[str] = []
        self.places: list[tuple[tuple[str, str], ...]] = []
        self.own = [_own_places(cluster.facts) for cluster in self.clusters]
        self._plain: dict[str, bool] = {}
        for cluster, own in zip(self.clusters, self.own, strict=True):
            self.resources.setdefault((cluster.resource.type, cluster.resource.name), len(self.refs))
            self._add(cluster.resource, _named(cluster.short_name))
            # A network's reference holds the name of its project, and so comes before it.
            before = tuple(place for place in own if place[1] in (_NETWORK, _HOST))
            self.places[-1] = before + self.places[-1] + own[len(before) :]
        self.strings = _Interned([""])
        self.waivers: list[Waiver] = []
        self.waiver_index: dict[Waiver, int] = {}
        self.waiver_uses: Counter[int] = Counter()
        self.baselines: Counter[str] = Counter()
        self.undecided: list[tuple[tuple[int, Result, int, int], tuple[int, int]]] = []
        self.undecided_counts: Counter[tuple[int, int]] = Counter()
        self._sort_results()

    def _add(self, ref: ResourceRef, short: str) -> None:
        """One more resource, and what to replace in texts about it: its plain names, longest scope first."""
        self.refs.append(ref)
        self.shorts.append(short)
        project, location = ref.project, ref.location
        plain = self._plain
        for text in (project, location):
            if text not in plain:
                plain[text] = _PLAIN.fullmatch(text) is not None
        places = []
        if _PLAIN.fullmatch(ref.name):
            places.append((ref.name, _NAME))
        if plain[project]:
            places.append((project, _PROJECT))
        if plain[location]:
            places.append((location, _LOCATION))
        if _PLAIN.fullmatch(short):
            places.append((short, _SHORT))
        self.places.append(tuple(places))

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
        outcomes = _Interned(["", *_LISTED[:3]])
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
        outcomes: _Interned,
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
            if digits == 64 or len(set(cut)) == len(set(whole)):
                break
        return digits, "".join(cut)

    def listing(self) -> bytes:
        """What the lists of findings and clusters show and filter by: columns of numbers into tables."""
        strings = self.strings
        projects, locations, folders, names = _Interned(), _Interned(), _Interned(), _Interned()
        types, baselines = _Interned(), _Interned([""])
        resources = []
        for number, ref in enumerate(self.refs):
            places = tuple(
                place for place in self.places[number] if place[1] in (_PROJECT, _LOCATION, _SHORT)
            )
            resources.append(
                (
                    shown(self.shorts[number]),
                    projects(shown(ref.project)),
                    locations(shown(ref.location)),
                    names(_templated(shown(ref.name), places)),
                    types(shown(ref.type)),
                )
            )
        clusters = []
        for number, cluster in enumerate(self.clusters):
            places, facts, readiness = self.places[number], cluster.facts, cluster.readiness
            own = {mark: value for value, mark in self.own[number]}
            clusters.append(
                (
                    self.state_names(readiness.state),
                    [strings(_templated(shown(reason), places)) for reason in readiness.reasons],
                    folders(shown(cluster.folder)),
                    strings(shown(cluster.status)),
                    strings(shown((facts and facts.versions.control_plane) or "")),
                    strings((facts and facts.visibility.state) or ""),
                    int(cluster.autopilot),
                    int(cluster.dataplane_v2),
                    *(strings(own.get(mark, "")) for mark in (_NETWORK, _HOST)),
                )
            )
        severities = list(SEVERITY_MARKS)
        rank: dict[str, int] = {severity: number for number, severity in enumerate(severities)}
        rows = [
            (
                state,
                rank[result.severity],
                rule,
                resource,
                0 if result.subject is None else strings(shown(result.subject)),
                strings(self._message(result, resource)),
                0 if result.baseline is None else baselines(result.baseline),
                -1 if result.waiver is None else self._waiver(result.waiver),
            )
            for state, result, resource, rule in self.listed
        ]
        findings = _columns("state severity rule resource subject message baseline waiver", rows)
        findings["resource"] = _differences(findings["resource"])
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
                "names": names.items,
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

    def _message(self, result: Result, resource: int) -> str:
        text = shown(result.message)
        for plain, mark in self.places[resource]:
            text = text.replace(plain, mark)
        return text if result.subject is None else _templated(text, _subject_places(result.subject))

    def details(self) -> bytes:
        """What the page of a finding or cluster adds: a JSON header, then one templated JSON text a line."""
        lines = _Lines()
        columns = self._fact_lines(lines)
        header = {
            "findings": self._finding_lines(lines),
            "facts": dict(zip((*_PLAIN_FACTS, "traffic"), columns, strict=True)),
            "declared": self._declared_lines(lines),
            "outcomes": self.outcome_pairs,
            "codes": self.codes,
        }
        return b"\n".join((orjson.dumps(header), *(line.encode() for line in lines.items)))

    def _finding_lines(self, lines: _Lines) -> list[int]:
        """The line of every listed result: its evidence, reasons, remedy and declarations."""
        found = []
        index, all_places = lines.index, self.places
        subjects: dict[str, tuple[tuple[str, str], ...]] = {}
        undecided: Counter[tuple[int, int]] = Counter()
        for row in self.listed:
            state, result, resource, rule = row
            remedy = None if state == _FIXED else result.remediation
            value = (result.evidence, result.reasons, remedy, result.declarations)
            text = _json(value).decode()
            for plain, mark in all_places[resource]:
                text = text.replace(plain, mark)
            subject = result.subject
            if subject is not None:
                places = subjects.get(subject)
                if places is None:
                    places = subjects[subject] = _subject_places(subject)
                text = _templated(text, places)
            number = index.get(text)
            if number is None:
                number = lines.add(text, value)
            found.append(number)
            if state == _UNKNOWN:
                key = (rule, number)
                undecided[key] += 1
                if undecided[key] == 1:
                    self.undecided.append((row, key))
        self.undecided_counts = undecided
        return found

    def _declared_lines(self, lines: _Lines) -> dict[str, int]:
        """The line of the declarations of every cluster that has some."""
        found = {}
        for number, cluster in enumerate(self.clusters):
            if cluster.declarations:
                text = _templated(_json(cluster.declarations).decode(), self.places[number])
                held = lines.index.get(text)
                found[str(number)] = lines.add(text, cluster.declarations) if held is None else held
        return found

    def _fact_lines(self, lines: _Lines) -> list[list[int]]:
        """For each fact the line of every cluster; -1 where the inventory holds no data."""
        columns: list[list[int]] = [[] for _ in (*_PLAIN_FACTS, "traffic")]
        index, dumps, strict = lines.index, orjson.dumps, orjson.OPT_STRICT_INTEGER
        every = [cluster.facts for cluster in self.clusters]
        limit = traffic.limits(sum(facts is not None and _has_rows(facts) for facts in every))
        digest = traffic.Digester(limit).digest
        for facts, places in zip(every, self.places, strict=False):
            if facts is None:
                for column in columns:
                    column.append(-1)
                continue
            values: tuple[object, ...] = (*_READ_FACTS(facts), digest(facts.traffic))
            # One pass over all facts of a cluster: JSON has no raw newline, so the lines come apart again.
            try:
                dumped = [dumps(value, None, strict) for value in values]
            except TypeError:
                dumped = [_json(value) for value in values]
            text = b"\n".join(dumped).decode()
            if len(text) > _LINE_LIMIT:
                # The digest of the traffic, which comes last, has no long values to cut.
                plain = zip(values[:-1], dumped, strict=False)
                dumped[:-1] = [one if len(one) <= _LINE_LIMIT else _json(value) for value, one in plain]
                text = b"\n".join(dumped).decode()
            # Of a cluster's id, 64 random digits, the page keeps the eight that GKE's names have.
            text = _CLUSTER_ID.sub(r'\1"\2…"', text, count=1)
            for own, mark in places:
                text = text.replace(own, mark)
            for column, line, value in zip(columns, text.split("\n"), values, strict=True):
                number = index.get(line)
                if number is None:
                    number = lines.add(line, value)
                column.append(number)
        return columns

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
                text = _templated(shown(reason), self.places[resource])
                key = (result.rule, _templated(text, _subject_places(result.subject or "")))
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
            "evidence": [_observation(item) for item in result.evidence[:12]],
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


def _own_places(facts: ClusterFacts | None) -> tuple[tuple[str, str], ...]:
    """What is a cluster's own.

    Its network and that one's project, which come first; its Pod ranges, the hash in its nodes' tag, the ends
    of its repairs' names.
    """
    if facts is None:
        return ()
    own = [
        (text, mark)
        for text, mark in ((facts.network.network, _NETWORK), (facts.network.project, _HOST))
        if text and _PLAIN.fullmatch(text)
    ]
    own += [
        (item.cidr, mark)
        for item, mark in zip(facts.pods.ranges, _RANGES, strict=False)
        if _PLAIN.fullmatch(item.cidr)
    ]
    classes = facts.node_classes.classes
    if classes and (hashed := classes[0].cluster_hash) and _PLAIN.fullmatch(hashed):
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
                _presentable(example.model_dump(exclude_unset=True, exclude={"name"}), 0),
                indent=2,
                ensure_ascii=False,
            ),
        )
        for verdict, examples in groups
        for example in examples
    ]
