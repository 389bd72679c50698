"""What changed between two reports: verdicts, readiness, and the packets that the firewalls treat otherwise.

Verdicts are compared by rule (former names included), resource and subject. A change has an `effect`:

- `worse`: a finding that was not there, is more severe, or lost its waiver; a readiness that is worse;
  packets newly denied;
- `better`: the reverse;
- `undecided`: something that was known and cannot be told any more, or a finding that nobody saw mended;
- `same`: a change that is neither good nor bad.

Packets are compared as sets, exactly: pools count by name, on one node by name and size of the node block.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import orjson

from auditor.engine.baseline import Finding, Judged, key_of
from auditor.engine.evaluate import RUNNING
from auditor.engine.result import ResourceRef, Severity
from auditor.errors import AuditorError
from auditor.firewall.boxes import Packets, disjoint, intersect, on_one_node, subtract
from auditor.model.addresses import BITS, address_text, parse_range, range_text
from auditor.model.inventory import CLUSTER
from auditor.model.names import project_of
from auditor.reporting import previous

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from auditor.firewall.intervals import Span
    from auditor.model.addresses import Family

Effect = Literal["worse", "better", "undecided", "same"]
Object = dict[str, Any]

_VERDICTS: Final = ("pass", "fail", "not_applicable", "unknown")
SCOPES: Final = ("same_node", "any_node")
EFFECTS: Final[tuple[Effect, ...]] = ("worse", "undecided", "better", "same")
_BADNESS: Final = {"working": 0, "ready": 0, "unsupported": 1, "blocked": 2, "degraded": 3}
_VERSIONS: Final[dict[Family, str]] = {4: "ipv4", 6: "ipv6"}
_HEAD_KEYS: Final = ("name", "project", "location", "short_name", "status")
_HEAD: Final = re.compile(
    rb"\{" + b",".join(b'"' + key.encode() + rb'":("(?:[^"\\]|\\.)*")' for key in _HEAD_KEYS) + b","
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a report says of a rule, a resource and a subject.

    `verdict` is a verdict, or why there is none: `none` (the resource or the rule was not there), or the
    state of a finding that was not found again (`gone`, `not_covered`, `not_judged`, `rule_gone`).
    `severity` is there for failures.
    """

    verdict: str
    severity: str | None = None
    waived: bool = False


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict that is another one now. `message` is what the finding says or said, or why it is unknown."""

    rule: str
    resource: ResourceRef
    subject: str | None
    before: Standing
    after: Standing
    effect: Effect
    rule_changed: bool
    message: str


@dataclass(frozen=True, slots=True)
class ReadinessChange:
    """A cluster whose readiness is another one now; None where the cluster is not in that report."""

    resource: ResourceRef
    before: str | None
    after: str | None
    effect: Effect
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PacketChange:
    """Packets that are treated otherwise now: a box as in the report, and what became of them before.

    `was` is `allowed`, `undecided`, `denied`, or `new`: the sender's or the receiver's addresses were no
    Pods' then. `decided_by` is the rule that denies them, of packets newly permitted the one that did.
    """

    direction: str
    source: str
    destination: str
    protocol: str
    ports: str | None
    source_pools: tuple[str, ...]
    destination_pools: tuple[str, ...]
    was: str
    decided_by: Object | None
    witness: Object | None
    benign: str | None


@dataclass(frozen=True, slots=True)
class TrafficChange:
    """What changed for the packets of one scope (`same_node`, `any_node`) of a cluster.

    The verdicts are as in the report. `reasons` say what could not be compared.
    """

    resource: ResourceRef
    scope: str
    before: str
    after: str
    newly_denied: tuple[PacketChange, ...]
    newly_permitted: tuple[PacketChange, ...]
    newly_undecided: tuple[PacketChange, ...]
    effect: Effect
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two reports."""

    source: str
    form: str
    scope: str
    read_time: str | None
    digest: str
    tool_version: str
    rules_digest: str
    gaps: int
    summary: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that changed. `clusters_compared` is False if a report holds results alone.

    `appeared` are clusters that are in the new report alone; of those in the old one alone, `disappeared` are
    gone for certain, `uncovered` are not in an inventory that need not hold them.
    """

    old: Side
    new: Side
    rules_added: tuple[str, ...]
    rules_removed: tuple[str, ...]
    rules_changed: tuple[str, ...]
    appeared: tuple[ResourceRef, ...]
    disappeared: tuple[ResourceRef, ...]
    uncovered: tuple[ResourceRef, ...]
    verdicts: tuple[VerdictChange, ...]
    readiness: tuple[ReadinessChange, ...]
    traffic: tuple[TrafficChange, ...]
    clusters_compared: bool

    @property
    def effects(self) -> Counter[str]:
        """How many changes there are of each effect."""
        found: Counter[str] = Counter()
        found.update(one.effect for one in self.verdicts)
        found.update(one.effect for one in self.readiness)
        found.update(one.effect for one in self.traffic)
        if self.uncovered:
            found["undecided"] += len(self.uncovered)
        return found


class _Outcome(NamedTuple):
    verdict: str
    severity: str
    waived: bool
    message: str


@dataclass(slots=True)
class _Loaded:
    # One report: results by resource, rule and subject; clusters by key, as a digest of their JSON.
    side: Side
    judged: Judged
    refs: dict[str, ResourceRef] = field(default_factory=dict)
    results: dict[str, dict[str, dict[str | None, _Outcome]]] = field(default_factory=dict)
    clusters: dict[str, bytes] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


def compare(old: str, new: str) -> Diff:
    """What changed from the report in one file to that in another.

    Raises AuditorError, with the file and the remedy, for a file that is no report that can be compared.
    """
    with previous.opened(old) as first, previous.opened(new) as second:
        then, now = _load(first), _load(second)
        whole = first.has_clusters and second.has_clusters
        # Clusters of which every word is the same have nothing to tell, and are not decoded.
        differing = {key for key, text in now.clusters.items() if then.clusters.get(key) != text}
        before = _decoded(first, differing) if whole else {}
        after = _decoded(second, differing) if whole else {}
    appeared, disappeared, uncovered = _resources(then, now)
    rules = _rules(then, now)
    return Diff(
        old=then.side,
        new=now.side,
        **rules,
        appeared=appeared,
        disappeared=disappeared,
        uncovered=uncovered,
        verdicts=tuple(sorted(_verdicts(then, now, frozenset(rules["rules_changed"])), key=_verdict_order)),
        readiness=tuple(_readiness(before, after, new)),
        traffic=tuple(
            change
            for key in sorted(before)
            for scope in SCOPES
            if (change := _traffic(before[key], after[key], scope, new)) is not None
        ),
        clusters_compared=whole,
    )


# --- reading --------------------------------------------------------------------------------------------


def _load(report: previous.Report) -> _Loaded:
    head = report.header
    inventory, tool = head["inventory"], head["tool"]
    gaps = inventory.get("gaps")
    rules = tuple(rule["id"] for rule in head["rules"])
    counts: Counter[str] = Counter()
    found = _Loaded(
        Side(
            source=report.place,
            form=report.form,
            scope=inventory["scope"],
            read_time=inventory["read_time"],
            digest=inventory["digest"],
            tool_version=tool["version"],
            rules_digest=tool["rules_digest"],
            gaps=len(gaps) if isinstance(gaps, list) else 0,
            summary=counts,
        ),
        Judged(
            inventory["scope"],
            rules,
            previous.rule_digests(head),
            tool["rules_digest"],
            previous.extents(head),
        ),
    )
    for rule in head["rules"]:
        for alias in rule.get("aliases", ()):
            if alias not in rules:
                found.aliases[alias] = rule["id"]
    refs: dict[str, ResourceRef] = {}
    keys: dict[str, str] = {}
    stopped: set[str] = set()
    for is_result, value in report.entries():
        if not is_result:
            _take_cluster(found, value, report.place, stopped)
            continue
        entry = cast("Object", value)
        if entry.get("baseline") == "absent":
            continue
        one = previous.finding(entry, refs, report.place)
        ref, rule, subject, waived = one.resource, one.rule, one.subject, one.waived
        verdict = entry.get("verdict")
        if verdict not in _VERDICTS:
            raise _damaged(report.place, f"a result has the verdict {str(verdict)[:80]!r}")
        key = keys.get(ref.name)
        if key is None:
            key = keys[ref.name] = key_of(ref, {})
            found.refs.setdefault(key, ref)
        text = one.message if verdict == "fail" else ""
        if verdict == "unknown":
            text = next(iter(_texts(entry.get("reasons"))), one.message)
        outcome = _Outcome(verdict, one.severity.value, waived, text)
        of_rule = found.results.setdefault(key, {}).setdefault(rule, {})
        of_rule[subject] = outcome
        found.judged.add(key, rule, verdict, subject, running=key not in stopped)
        counts["waived" if waived and verdict == "fail" else verdict] += 1
    if not report.has_clusters:
        _guess_idle(found)
    return found


def _guess_idle(found: _Loaded) -> None:
    """Take clusters to which no rule applies for such that do not run: results alone do not tell."""
    for key, of_rule in found.results.items():
        if found.refs[key].type == CLUSTER and all(
            outcome.verdict == "not_applicable" for parts in of_rule.values() for outcome in parts.values()
        ):
            for rule in of_rule:
                found.judged.add(key, rule, "not_applicable", None, running=False)


def _take_cluster(found: _Loaded, value: bytes | Object, place: str, stopped: set[str]) -> None:
    """Note a cluster; of one that is JSON text, no more than its head is decoded."""
    given = _head(value, place)
    text = value if isinstance(value, bytes) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    ref = _ref(given, place)
    key = key_of(ref, {})
    found.refs[key] = ref
    found.clusters[key] = blake2b(text, digest_size=16).digest()
    status = given.get("status")
    if isinstance(status, str) and status and status not in RUNNING:
        stopped.add(key)


def _head(value: bytes | Object, place: str) -> Object:
    """Name, place and status of a cluster, or all of it."""
    if not isinstance(value, bytes):
        return value
    head = _HEAD.match(value)
    if head is None:
        return _object(value, place)
    return dict(zip(_HEAD_KEYS, map(orjson.loads, head.groups()), strict=True))


def _decoded(report: previous.Report, keys: set[str]) -> dict[str, Object]:
    """The clusters with these keys."""
    found: dict[str, Object] = {}
    for value in report.clusters() if keys else ():
        key = key_of(_ref(_head(value, report.place), report.place), {})
        if key in keys:
            found[key] = _object(value, report.place) if isinstance(value, bytes) else value
    return found


def _object(text: bytes, place: str) -> Object:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _damaged(place, f"a cluster is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise _damaged(place, "a cluster is no object")
    return value


def _damaged(place: str, why: str) -> AuditorError:
    return AuditorError(
        f"is damaged: {why}", hint="write it again with `gke-auditor scan … --output json=PATH`", place=place
    )


def _ref(cluster: Object, place: str) -> ResourceRef:
    name, project, location = (cluster.get(key) for key in ("name", "project", "location"))
    if not (isinstance(name, str) and isinstance(project, str) and isinstance(location, str)):
        raise _damaged(place, "a cluster lacks name, project or location")
    return ResourceRef(name, CLUSTER, project, location)


# --- rules and resources --------------------------------------------------------------------------------


def _rules(then: _Loaded, now: _Loaded) -> dict[str, tuple[str, ...]]:
    before = {now.aliases.get(rule, rule): rule for rule in then.judged.rules}
    ids = set(now.judged.rules)
    return {
        "rules_added": tuple(sorted(ids - set(before))),
        "rules_removed": tuple(sorted(set(before) - ids)),
        "rules_changed": tuple(
            sorted(
                rule
                for rule in ids & set(before)
                if now.judged.changed(rule, before[rule], then.judged.digests, then.judged.rules_digest)
            )
        ),
    }


_Resources = tuple[tuple[ResourceRef, ...], tuple[ResourceRef, ...], tuple[ResourceRef, ...]]


def _resources(then: _Loaded, now: _Loaded) -> _Resources:
    """Clusters that appeared, that are gone, and that are not covered any more."""
    old, new = ({key: ref for key, ref in one.refs.items() if ref.type == CLUSTER} for one in (then, now))
    gone: list[ResourceRef] = []
    uncovered: list[ResourceRef] = []
    extent = now.judged.extents.get(CLUSTER)
    for key in sorted(set(old) - set(new)):
        covered = extent is not None and extent.covers(project_of(key), then.side.scope)
        (gone if covered else uncovered).append(old[key])
    return tuple(new[key] for key in sorted(set(new) - set(old))), tuple(gone), tuple(uncovered)


# --- verdicts -------------------------------------------------------------------------------------------


def _verdict_order(one: VerdictChange) -> tuple[int, int, str, str, str]:
    severity = one.after.severity or one.before.severity
    rank = Severity(severity).rank if severity else 0
    return (EFFECTS.index(one.effect), -rank, one.resource.name, one.rule, one.subject or "")


def _verdicts(then: _Loaded, now: _Loaded, changed: frozenset[str]) -> Iterator[VerdictChange]:
    renamed = {rule: now.aliases.get(rule, rule) for rule in then.judged.rules}
    for key in then.results.keys() | now.results.keys():
        old = {renamed.get(rule, rule): parts for rule, parts in then.results.get(key, {}).items()}
        new = now.results.get(key, {})
        if old == new:
            continue
        ref = now.refs.get(key) or then.refs[key]
        for rule in old.keys() | new.keys():
            before, after = old.get(rule, {}), new.get(rule, {})
            if before == after:
                continue
            for subject in before.keys() | after.keys():
                if subject is None and ((before and None not in before) or (after and None not in after)):
                    # One of them speaks of parts, which are compared with what the other says of the whole.
                    continue
                found = _change(then, now, key, ref, rule, subject, before, after, changed=rule in changed)
                if found is not None:
                    yield found


def _change(
    then: _Loaded,
    now: _Loaded,
    key: str,
    ref: ResourceRef,
    rule: str,
    subject: str | None,
    before: Mapping[str | None, _Outcome],
    after: Mapping[str | None, _Outcome],
    *,
    changed: bool,
) -> VerdictChange | None:
    """What changed about one part of a resource, None if that tells nobody anything."""
    was, standing = _standing(before, subject), _standing(after, subject)
    if not after:
        # Not in the new report at all: what became of it is what became of a finding of it.
        if was.verdict not in ("fail", "unknown"):
            return None
        severity = Severity(was.severity or "info")
        finding = Finding(rule, severity, ref, subject, "", "", was.waived)
        standing = Standing(now.judged.fate(finding, key, rule, then.side.scope, {}, "").state)
    elif standing.verdict == "not_applicable" and now.judged.is_idle(key, rule):
        standing = Standing("not_judged")
    if was == standing:
        return None
    if was.verdict == "none" and standing.verdict in ("pass", "not_applicable"):
        return None
    told = after.get(subject) or after.get(None)
    if told is None or not told.message:
        told = before.get(subject) or before.get(None)
    return VerdictChange(
        rule=rule,
        resource=ref,
        subject=subject,
        before=was,
        after=standing,
        effect=_effect(was, standing, changed=changed),
        rule_changed=changed,
        message=told.message if told is not None else "",
    )


def _standing(parts: Mapping[str | None, _Outcome], subject: str | None) -> Standing:
    """What the results of a rule about a resource say of a part of it."""
    if not parts:
        return Standing("none")
    found = parts.get(subject)
    if found is None:
        found = parts.get(None)
        if found is None:
            # Other parts are told of, this one is not: nothing is wrong with it.
            return Standing("pass")
        if found.verdict == "fail":
            # A failure of the whole hides what its parts are.
            return Standing("unknown")
    if found.verdict == "fail":
        return Standing("fail", found.severity, found.waived)
    return Standing(found.verdict)


def _effect(before: Standing, after: Standing, *, changed: bool) -> Effect:
    if after.verdict == "fail":
        if after.waived:
            return "better" if before.verdict == "fail" and not before.waived else "same"
        if before.verdict != "fail" or before.waived:
            return "worse"
        rise = _rank(after) - _rank(before)
        return "worse" if rise > 0 else "better" if rise < 0 else "same"
    if after.verdict == "gone":
        return "better" if before.verdict == "fail" else "same"
    if after.verdict in ("pass", "not_applicable"):
        if before.verdict == "fail":
            return "undecided" if changed else "better"
        return "better" if before.verdict == "unknown" else "same"
    # It cannot be told now.
    return "same" if before.verdict == "unknown" else "undecided"


def _rank(standing: Standing) -> int:
    return Severity(standing.severity).rank if standing.severity else 0


# --- readiness ------------------------------------------------------------------------------------------


def _readiness(
    before: Mapping[str, Object], after: Mapping[str, Object], place: str
) -> Iterator[ReadinessChange]:
    """The clusters of the new report whose readiness is another one; one that is gone is told of as such."""
    for key in sorted(after):
        new = after[key]
        was = str(before[key].get("readiness")) if key in before else None
        state = str(new.get("readiness"))
        if was != state:
            reasons = tuple(_texts(new.get("readiness_reasons")))
            yield ReadinessChange(_ref(new, place), was, state, _readiness_effect(was, state), reasons)


def _readiness_effect(before: str | None, after: str) -> Effect:
    now = _BADNESS.get(after)
    if now is None:
        return "same" if before is None else "undecided"
    then = 0 if before is None else _BADNESS.get(before)
    if then is None:
        return "worse" if now else "better"
    return "worse" if now > then else "better" if now < then else "same"


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


# --- packets --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Pools:
    # Pools as bits, shared by both reports; on one node a pool with blocks of another size is another pool.
    bits: dict[tuple[str, int | None], int] = field(default_factory=dict)

    def mask(self, name: str, shift: int | None) -> int:
        return 1 << self.bits.setdefault((name, shift), len(self.bits))

    def spelled(self, mask: int) -> tuple[str, ...]:
        return tuple(sorted({name for (name, _), bit in self.bits.items() if mask >> bit & 1}))

    def shift(self, mask: int) -> int | None:
        return next(shift for (_, shift), bit in self.bits.items() if mask >> bit & 1)


@dataclass(slots=True)
class _Traffic:
    # One scope of one report: boxes with what they came from, and the Pods that there are, by address range.
    verdict: str
    by_protocol: Mapping[str, str]
    denied: list[tuple[Packets, Object]]
    undecided: list[tuple[Packets, Object]]
    universe: dict[Family, list[tuple[Span, int]]]
    known: bool

    def tells(self, protocol: str) -> bool:
        """Whether the boxes say everything of the protocol that is not allowed."""
        if not self.known or protocol not in self.by_protocol:
            return False
        if self.by_protocol[protocol] != "unknown":
            return True
        return any(packets.protocol == protocol for packets, _ in self.undecided)


def _traffic(old: Object, new: Object, scope: str, place: str) -> TrafficChange | None:
    """What changed for the packets of one scope; None if nothing did."""
    pools = _Pools()
    try:
        then, now = (_read(one, scope, pools) for one in (old, new))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(
            place, f"the traffic of cluster {new.get('name')} is not as a report has it"
        ) from error
    one_node = scope == "same_node"
    denied_then, denied_now = _boxes(then.denied), _boxes(now.denied)
    open_then, open_now = _boxes(then.undecided), _boxes(now.undecided)
    denied: list[PacketChange] = []
    undecided: list[PacketChange] = []
    permitted: list[PacketChange] = []
    for packets, box in now.denied:
        fresh = subtract([packets], denied_then)
        for was, pieces in _before(fresh, "undecided", open_then, then):
            denied += _told(pieces, was, box, pools, one_node=one_node)
    for packets, box in now.undecided:
        fresh = subtract([packets], denied_now)
        # What was denied one way and undecided the other was denied.
        still = subtract(intersect(fresh, open_then), denied_then)
        for was, pieces in _before(subtract(fresh, still), "denied", denied_then, then):
            if was != "undecided":
                undecided += _told(pieces, was, box, pools, one_node=one_node)
    for was, boxes, outweighed in (("denied", then.denied, []), ("undecided", then.undecided, denied_then)):
        for packets, box in boxes:
            if now.tells(packets.protocol):
                left = subtract(subtract(subtract([packets], denied_now), open_now), outweighed)
                # Nothing is permitted to Pods that are not there any more.
                permitted += _told(_among(left, now.universe), was, box, pools, one_node=one_node)
    if not (denied or undecided or permitted or then.verdict != now.verdict):
        return None
    return TrafficChange(
        resource=_ref(new, place),
        scope=scope,
        before=then.verdict,
        after=now.verdict,
        newly_denied=_joined(denied) if one_node else tuple(denied),
        newly_permitted=_joined(permitted) if one_node else tuple(permitted),
        newly_undecided=_joined(undecided) if one_node else tuple(undecided),
        effect=_traffic_effect(then.verdict, now.verdict, denied, permitted, undecided),
        reasons=tuple(_texts(new["traffic"][scope].get("reasons"))),
    )


def _joined(changes: Iterable[PacketChange]) -> tuple[PacketChange, ...]:
    """Packets on one node that differ in their pool alone, as one: it means the pairs within each pool."""
    found: dict[bytes, PacketChange] = {}
    for one in changes:
        packets = (one.direction, one.source, one.destination, one.protocol, one.ports)
        key = orjson.dumps([packets, one.was, one.decided_by, one.benign])
        first = found.get(key)
        pools = one.source_pools if first is None else tuple(sorted({*first.source_pools, *one.source_pools}))
        found[key] = replace(first or one, source_pools=pools, destination_pools=pools)
    return tuple(found.values())


def _traffic_effect(
    before: str,
    after: str,
    denied: Sequence[PacketChange],
    permitted: Sequence[PacketChange],
    undecided: Sequence[PacketChange],
) -> Effect:
    if any(one.benign is None for one in denied):
        return "worse"
    if undecided or (after == "unknown" and before != "unknown"):
        return "undecided"
    return "better" if permitted or (before == "unknown" and after == "allowed") else "same"


def _read(cluster: Object, scope: str, pools: _Pools) -> _Traffic:
    given = cluster["traffic"][scope]
    one_node = scope == "same_node"
    shifts: dict[tuple[str, Family], int | None] = {}
    universe: dict[Family, dict[Span, int]] = {4: {}, 6: {}}
    for pool in cluster["pools"] or ():
        blocks = pool["node_block"] or {}
        for family, version in _VERSIONS.items():
            prefix = blocks.get(version) if one_node else None
            shift = BITS[family] - prefix if isinstance(prefix, int) else None
            if shift is not None and not 0 <= shift <= BITS[family]:
                raise ValueError(pool)
            shifts[pool["name"], family] = shift
        for text in pool["pod_ranges"] or ():
            family, span = _span(text)
            sides = universe[family]
            sides[span] = sides.get(span, 0) | pools.mask(pool["name"], shifts[pool["name"], family])

    def read(box: Object) -> Iterator[tuple[Packets, Object]]:
        family, source = _span(box["source"])
        other, destination = _span(box["destination"])
        if family != other:
            raise ValueError(box)
        if not isinstance(box["decided_by"], dict | None) or not isinstance(box["protocol"], str):
            raise TypeError(box)
        low, _, high = (box["ports"] or "0").partition("-")
        ports = (int(low), int(high or low))
        from_pools, to_pools = set(box["source_pools"]), set(box["destination_pools"])

        def mask(names: Iterable[str]) -> int:
            found = 0
            for name in names:
                found |= pools.mask(name, shifts.get((name, family)))
            return found

        # On one node both ends are in one pool.
        pairs = (
            [((name,), (name,)) for name in sorted(from_pools & to_pools)]
            if one_node
            else [(sorted(from_pools), sorted(to_pools))]
        )
        if not from_pools or not to_pools or ports[0] > ports[1]:
            raise ValueError(box)
        for senders, receivers in pairs:
            sides = (mask(senders), mask(receivers))
            yield Packets(family, box["protocol"], source, destination, ports, *sides), box

    return _Traffic(
        verdict=str(given["verdict"]),
        by_protocol=dict(given["by_protocol"]),
        denied=[one for box in given["denied"] for one in read(box)],
        undecided=[one for box in given["undecided"] for one in read(box)],
        universe={family: list(sides.items()) for family, sides in universe.items()},
        known=cluster["pools"] is not None,
    )


def _span(text: str) -> tuple[Family, Span]:
    low, dash, high = text.partition("-")
    first = parse_range(low)
    last = parse_range(high) if dash else first
    if first is None or last is None or first.family != last.family or first.low > last.high:
        raise ValueError(text)
    return first.family, (first.low, last.high)


def _boxes(found: Iterable[tuple[Packets, Object]]) -> list[Packets]:
    return [packets for packets, _ in found]


def _among(boxes: Iterable[Packets], universe: Mapping[Family, Sequence[tuple[Span, int]]]) -> list[Packets]:
    """The packets that go from a Pod's address to a Pod's address."""
    found: list[Packets] = []
    for box in boxes:
        sides = universe[box.family]
        for (low, high), senders in sides:
            source = (max(low, box.source[0]), min(high, box.source[1]))
            from_pools = senders & box.from_pools
            if source[0] > source[1] or not from_pools:
                continue
            for (first, last), receivers in sides:
                destination = (max(first, box.destination[0]), min(last, box.destination[1]))
                to_pools = receivers & box.to_pools
                if destination[0] <= destination[1] and to_pools:
                    found.append(
                        box._replace(
                            source=source, destination=destination, from_pools=from_pools, to_pools=to_pools
                        )
                    )
    return disjoint(found)


def _before(
    fresh: list[Packets], state: str, boxes: list[Packets], then: _Traffic
) -> Iterator[tuple[str, list[Packets]]]:
    """Packets of one protocol that are treated otherwise now, by what became of them before."""
    if found := intersect(fresh, boxes):
        yield state, found
        fresh = subtract(fresh, boxes)
    if not fresh:
        return
    if not then.known:
        yield "undecided", fresh
        return
    old = _among(fresh, then.universe)
    if old:
        yield "allowed" if then.tells(fresh[0].protocol) else "undecided", old
    if new := subtract(fresh, old):
        yield "new", new


def _told(
    boxes: Iterable[Packets], was: str, given: Object, pools: _Pools, *, one_node: bool
) -> Iterator[PacketChange]:
    """The boxes as the report prints them."""
    for box in boxes:
        shift = pools.shift(box.from_pools) if one_node else None
        if shift is not None and not on_one_node([box], shift):
            continue
        ports = None
        if given["ports"] is not None:
            low, high = box.ports
            ports = str(low) if low == high else f"{low}-{high}"
        yield PacketChange(
            direction=given["direction"],
            source=range_text(box.family, *box.source),
            destination=range_text(box.family, *box.destination),
            protocol=box.protocol,
            ports=ports,
            source_pools=pools.spelled(box.from_pools),
            destination_pools=pools.spelled(box.to_pools),
            was=was,
            decided_by=given["decided_by"],
            witness=_witness(box, pools, shift, has_port=ports is not None),
            benign=given.get("benign"),
        )


def _witness(box: Packets, pools: _Pools, shift: int | None, *, has_port: bool) -> Object | None:
    """One packet of the box between two addresses, None if there is none."""
    low, high = box.source
    first, last = box.destination
    if shift is not None:
        block = max(low >> shift, first >> shift)
        start, end = block << shift, ((block + 1) << shift) - 1
        low, first, high, last = max(low, start), max(first, start), min(high, end), min(last, end)
    if low == first:
        if first < last:
            first += 1
        elif low < high:
            low += 1
        else:
            return None
    return {
        "source": address_text(box.family, low),
        "destination": address_text(box.family, first),
        "protocol": box.protocol,
        "port": box.ports[0] if has_port else None,
        "source_pool": pools.spelled(box.from_pools)[0],
        "destination_pool": pools.spelled(box.to_pools)[0],
    }
