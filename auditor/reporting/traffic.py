"""The firewall analysis of one cluster, as short as a page shows it: rows of packets, one packet's path."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from auditor.model.addresses import address_text, range_text
from auditor.model.traffic import Area, Boxes
from auditor.reporting.lines import Shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.model.addresses import Family
    from auditor.model.evidence import Json
    from auditor.model.facts import PodPackets, PodTraffic
    from auditor.model.traffic import Box, Direction, Repair, Row

    Digest = dict[str, object]
    """JSON, but for dataclasses of the model and shared values in it."""

_MOST_PORTS = 24
_MOST_CANDIDATES = 8
_MOST_DECIDERS = 12
_MOST_TEXT = 6000


class Limits(NamedTuple):
    """How many rows of each set, and how many repairs, are kept."""

    rows: int
    repairs: int


def limits(affected: int) -> Limits:
    """What a page of a few megabytes has room for if so many clusters have packets that are not allowed."""
    if not affected:
        return Limits(50, 10)
    return Limits(max(4, min(50, 60_000 // affected)), max(2, min(10, 12_000 // affected)))


class _Alike(NamedTuple):
    # Rows of an area that differ in protocol and ports alone; `parts` is what they have in a digest.
    rows: list[Row]
    parts: Digest


class _Line(NamedTuple):
    area: Area
    alike: _Alike


class Digester:
    """Makes digests; what many clusters have in common is worked out once."""

    def __init__(self, limit: Limits) -> None:
        self._limit = limit
        # By identity, which is enough to meet again what clusters have in common, and needs no hash of it.
        # The report keeps all of it alive.
        self._known: dict[int, list[_Alike]] = {}
        self._equal: dict[tuple[object, ...], list[_Alike]] = {}
        self._shared: dict[int, Shared] = {}
        self._values: dict[object, Shared] = {}

    def digest(self, traffic: PodTraffic) -> Digest:
        """Both scopes, `any_node` None where it would say what `same_node` says."""
        lines = self._lines(traffic.same_node)
        same_node = self._scope(traffic.same_node, lines)
        same_node["path"] = self._path(*lines)
        any_node = None
        if traffic.any_node is not traffic.same_node:
            # Rows that are left out of both may differ all the same.
            whole = max(map(len, lines)) <= self._limit.rows
            if not (whole and _look_alike(traffic.same_node, traffic.any_node)):
                others = self._lines(traffic.any_node)
                any_node = self._scope(traffic.any_node, others)
                whole = whole and max(map(len, others)) <= self._limit.rows
                if whole and all(same_node[key] == value for key, value in any_node.items()):
                    any_node = None
        return {
            "same_node": same_node,
            "any_node": any_node,
            "unknowns": self._share(traffic.unknowns) if traffic.unknowns else (),
            "evidence": traffic.evidence,
        }

    def _share(self, value: tuple[object, ...], most: int | None = None) -> Shared:
        """The first `most` of some objects; equal ones are one, so that digests are equal that have them."""
        found = self._shared.get(id(value))
        if found is None:
            first = value[:most]
            found = self._shared[id(value)] = self._values.setdefault(first, Shared(first))
        return found

    def _lines(self, packets: PodPackets) -> tuple[list[_Line], list[_Line]]:
        """The denied and the undecided packets, each in the order of their boxes."""
        found = packets.analysis
        return self._sorted(found.denied), self._sorted(found.undecided)

    def _sorted(self, boxes: Sequence[Box]) -> list[_Line]:
        if type(boxes) is not Boxes:
            if boxes:
                raise TypeError("the boxes of an analysis come as Boxes")
            return []
        lines = [_Line(area, alike) for area in boxes.areas for alike in self._alike(area.rows)]
        if len(lines) > 1:
            lines.sort(key=lambda line: Boxes.place(line.area, line.alike.rows[0]))
        return lines

    def _alike(self, rows: tuple[Row, ...]) -> list[_Alike]:
        known = self._known.get(id(rows))
        if known is None:
            key = tuple(
                [
                    (slot, protocol, ports, id(decider), id(candidates), benign)
                    for slot, protocol, ports, decider, candidates, benign in rows
                ]
            )
            if key not in self._equal:
                self._equal[key] = self._grouped(rows)
            known = self._known[id(rows)] = self._equal[key]
        return known

    def _grouped(self, rows: Iterable[Row]) -> list[_Alike]:
        groups: dict[object, list[Row]] = {}
        for row in sorted(rows, key=lambda row: (row.slot, row.ports or (0, 0))):
            what = (row.decided_by, row.candidates if row.decided_by is None else (), row.benign)
            groups.setdefault(what, []).append(row)
        return [_Alike(group, self._parts(group)) for group in groups.values()]

    def _parts(self, rows: Sequence[Row]) -> Digest:
        first = rows[0]
        parts: Digest = {"layer4": _layer4(rows)}
        if first.decided_by is not None:
            parts["by"] = first.decided_by
        else:
            parts["candidates"] = self._share(first.candidates, _MOST_CANDIDATES)
            parts["more_candidates"] = max(0, len(first.candidates) - _MOST_CANDIDATES)
        if first.benign is not None:
            parts["benign"] = first.benign
        return parts

    def _scope(self, packets: PodPackets, lines: tuple[list[_Line], list[_Line]]) -> Digest:
        """One scope: verdicts; of denied and undecided packets the first rows, and how many rows there are.

        Why packets are undecided is left out: the fact's own unknowns say it for both scopes.
        """
        found, limit = packets.analysis, self._limit
        return {
            "verdict": found.verdict,
            "by_protocol": dict(found.by_protocol),
            "denied": _first(lines[0], limit.rows),
            "undecided": _first(lines[1], limit.rows),
            "deciders": found.deciders[:_MOST_DECIDERS],
            "more_deciders": max(0, len(found.deciders) - _MOST_DECIDERS),
            "repairs": [_repair(one) for one in packets.repairs[: limit.repairs]],
            "more_repairs": max(0, len(packets.repairs) - limit.repairs),
        }

    def _path(self, denied: Sequence[_Line], undecided: Sequence[_Line]) -> Digest | None:
        """The way of one packet: the first denied that matters, else undecided, else harmless.

        None where there is none. `egress` and `ingress` say what becomes of it there: `denied`, `undecided`,
        `allowed`, with the rule or the candidates where the analysis names them.
        """
        harmful = [line for line in denied if line.alike.rows[0].benign is None]
        lines = harmful or undecided or denied
        if not lines:
            return None
        line = next((one for one in lines if _ends(one.area).pair is not None), lines[0])
        area, row = line.area, line.alike.rows[0]
        ends = _ends(area)
        other: Direction = "ingress" if area.direction == "egress" else "egress"
        return {
            "source": ends.source,
            "destination": ends.destination,
            "protocol": row.protocol,
            "ports": None if row.ports is None else _ports(row.ports),
            "witness": _witness(area, row, ends),
            "benign": row.benign,
            area.direction: self._side(row),
            other: None
            if ends.pair is None
            else self._side(_holding((*denied, *undecided), other, row, area, ends.pair)),
        }

    def _side(self, row: Row | None) -> Digest:
        if row is None:
            return {"state": "allowed"}
        if row.decided_by is not None:
            return {"state": "denied", "by": row.decided_by}
        return {"state": "undecided", "candidates": self._share(row.candidates, _MOST_CANDIDATES)}


def _look_alike(one: PodPackets, other: PodPackets) -> bool:
    """Whether two scopes are plainly the same in a digest; if not, they may be so all the same."""
    first, second = one.analysis, other.analysis
    return (
        first.verdict == second.verdict
        and first.by_protocol == second.by_protocol
        and first.deciders == second.deciders
        and one.repairs == other.repairs
        and _cover_alike(first.denied, second.denied)
        and _cover_alike(first.undecided, second.undecided)
    )


def _cover_alike(some: Sequence[Box], others: Sequence[Box]) -> bool:
    if type(some) is not Boxes or type(others) is not Boxes:
        return not some and not others
    return len(some.areas) == len(others.areas) and all(
        one.rows is other.rows and one[:6] == other[:6] and _ends(one) == _ends(other)
        for one, other in zip(some.areas, others.areas, strict=True)
    )


def _repair(repair: Repair) -> Digest:
    """A repair; what is too long to be shown is None: half a command would be worse than none."""
    return {
        "text": repair.text,
        "owner": repair.owner,
        "command": repair.command if len(repair.command) <= _MOST_TEXT else None,
        "terraform": repair.terraform if len(repair.terraform) <= _MOST_TEXT else None,
    }


def _layer4(rows: Iterable[Row]) -> list[Json]:
    """[protocols, their port ranges, how many ranges more]: protocols with the same ports together."""
    ports: dict[str, list[str]] = {}
    for row in rows:
        found = ports.setdefault(row.protocol, [])
        if row.ports is not None:
            found.append(_ports(row.ports))
    groups: dict[tuple[str, ...], list[str]] = {}
    for protocol, ranges in ports.items():
        groups.setdefault(tuple(ranges), []).append(protocol)
    return [
        [" ".join(protocols), ", ".join(ranges[:_MOST_PORTS]), max(0, len(ranges) - _MOST_PORTS)]
        for ranges, protocols in groups.items()
    ]


def _ports(ports: tuple[int, int]) -> str:
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"


def _first(lines: Sequence[_Line], most: int) -> Digest | None:
    if not lines:
        return None
    return {"rows": [_row(line) for line in lines[:most]], "more": max(0, len(lines) - most)}


def _row(line: _Line) -> Digest:
    area, alike = line
    ends = _ends(area)
    row: Digest = {
        "direction": area.direction,
        "source": ends.source,
        "destination": ends.destination,
        "source_pools": area.source_pools,
        **alike.parts,
        "witness": _witness(area, alike.rows[0], ends),
    }
    if area.destination_pools != area.source_pools:
        row["destination_pools"] = area.destination_pools
    return row


class _Ends(NamedTuple):
    # The ranges of an area as text, two addresses in them between which packets go, and these as in a
    # witness; None if there are none.
    source: str
    destination: str
    pair: tuple[int, int] | None
    witness: tuple[int, str, int, str] | None


def _ends(area: Area) -> _Ends:
    return _between(area.family, area.source, area.destination, area.shift)


@lru_cache(maxsize=4096)
def _between(
    family: Family, source: tuple[int, int], destination: tuple[int, int], shift: int | None
) -> _Ends:
    of_source = range_text(family, *source)
    of_destination = of_source if source == destination else range_text(family, *destination)
    pair = Area("egress", family, source, destination, (), (), shift, ()).pair()
    if pair is None:
        return _Ends(of_source, of_destination, None, None)
    sender = _beyond(of_source, address_text(family, pair[0]))
    receiver = _beyond(of_destination, address_text(family, pair[1]))
    return _Ends(of_source, of_destination, pair, (*sender, *receiver))


def _witness(area: Area, row: Row, ends: _Ends) -> Json:
    """[source, destination, protocol, port, source pool, destination pool] of one packet.

    An address is written as the number of characters to take off the end of its range's text, and what to put
    there, so that clusters which differ in their ranges alone have the same text.
    """
    if ends.witness is None:
        return None
    port = None if row.ports is None else row.ports[0]
    return [*ends.witness, row.protocol, port, area.source_pools[0], area.destination_pools[0]]


def _beyond(text: str, address: str) -> tuple[int, str]:
    shared = 0
    for one, other in zip(text, address, strict=False):
        if one != other:
            break
        shared += 1
    return len(text) - shared, address[shared:]


def _holding(
    lines: Iterable[_Line], direction: Direction, of: Row, beside: Area, pair: tuple[int, int]
) -> Row | None:
    """The row of a direction that holds the packet of another; None if none does: then it is allowed."""
    port = None if of.ports is None else of.ports[0]
    for area, alike in lines:
        if (
            area.direction != direction
            or area.family != beside.family
            or beside.source_pools[0] not in area.source_pools
            or beside.destination_pools[0] not in area.destination_pools
            or not area.source[0] <= pair[0] <= area.source[1]
            or not area.destination[0] <= pair[1] <= area.destination[1]
        ):
            continue
        for row in alike.rows:
            if row.protocol == of.protocol and (
                row.ports is None or port is None or row.ports[0] <= port <= row.ports[1]
            ):
                return row
    return None
