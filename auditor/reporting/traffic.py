"""The firewall analysis of one cluster, as short as a page shows it: rows of packets, one packet's path."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditor.model.addresses import range_text
from auditor.model.traffic import Boxes, witness_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.model.evidence import Json
    from auditor.model.facts import PodPackets, PodTraffic
    from auditor.model.traffic import Area, Box, Direction, Repair, Row, Witness

    Digest = dict[str, object]
    """JSON, but for dataclasses of the model in it."""

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
        # By identity, which is enough to meet a tuple again that clusters share, and needs no hash of it.
        self._known: dict[int, tuple[tuple[Row, ...], list[_Alike]]] = {}

    def digest(self, traffic: PodTraffic) -> Digest:
        """Both scopes, `any_node` None where it would say what `same_node` says."""
        lines = self._lines(traffic.same_node)
        same_node = self._scope(traffic.same_node, lines)
        same_node["path"] = _path(*lines)
        any_node = None
        if traffic.any_node is not traffic.same_node:
            others = self._lines(traffic.any_node)
            any_node = self._scope(traffic.any_node, others)
            # Rows that are left out of both may differ all the same.
            whole = max(map(len, (*lines, *others))) <= self._limit.rows
            if whole and all(same_node[key] == value for key, value in any_node.items()):
                any_node = None
        return {
            "same_node": same_node,
            "any_node": any_node,
            "unknowns": traffic.unknowns,
            "evidence": traffic.evidence,
        }

    def _lines(self, packets: PodPackets) -> tuple[list[_Line], list[_Line]]:
        """The denied and the undecided packets, each in the order of their boxes."""
        found = packets.analysis
        return self._sorted(found.denied), self._sorted(found.undecided)

    def _sorted(self, boxes: Sequence[Box]) -> list[_Line]:
        if not boxes:
            return []
        if not isinstance(boxes, Boxes):
            raise TypeError("the boxes of an analysis come as Boxes")
        lines = [_Line(area, alike) for area in boxes.areas for alike in self._alike(area.rows)]
        if len(lines) > 1:
            lines.sort(key=lambda line: Boxes.place(line.area, line.alike.rows[0]))
        return lines

    def _alike(self, rows: tuple[Row, ...]) -> list[_Alike]:
        known = self._known.get(id(rows))
        if known is None:
            groups: dict[object, list[Row]] = {}
            for row in sorted(rows, key=lambda row: (row.slot, row.ports or (0, 0))):
                key = (row.decided_by, row.candidates if row.decided_by is None else (), row.benign)
                groups.setdefault(key, []).append(row)
            known = self._known[id(rows)] = (
                rows,
                [_Alike(group, _parts(group)) for group in groups.values()],
            )
        return known[1]

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


def _repair(repair: Repair) -> Digest:
    """A repair; what is too long to be shown is None: half a command would be worse than none."""
    return {
        "text": repair.text,
        "owner": repair.owner,
        "command": repair.command if len(repair.command) <= _MOST_TEXT else None,
        "terraform": repair.terraform if len(repair.terraform) <= _MOST_TEXT else None,
    }


def _parts(rows: Sequence[Row]) -> Digest:
    first = rows[0]
    parts: Digest = {"layer4": _layer4(rows)}
    if first.decided_by is not None:
        parts["by"] = first.decided_by
    else:
        parts["candidates"] = first.candidates[:_MOST_CANDIDATES]
        parts["more_candidates"] = max(0, len(first.candidates) - _MOST_CANDIDATES)
    if first.benign is not None:
        parts["benign"] = first.benign
    return parts


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
    source, destination = _ranges(area)
    row: Digest = {
        "direction": area.direction,
        "source": source,
        "destination": destination,
        "source_pools": area.source_pools,
        **alike.parts,
        "witness": _witness(source, destination, witness_of(area, alike.rows[0])),
    }
    if area.destination_pools != area.source_pools:
        row["destination_pools"] = area.destination_pools
    return row


def _ranges(area: Area) -> tuple[str, str]:
    source = range_text(area.family, *area.source)
    return source, source if area.source == area.destination else range_text(area.family, *area.destination)


def _witness(source: str, destination: str, witness: Witness | None) -> Json:
    """[source, destination, protocol, port, source pool, destination pool] of one packet.

    An address is written as the number of characters to take off the end of its range's text, and what to put
    there, so that clusters which differ in their ranges alone have the same text.
    """
    if witness is None:
        return None
    return [
        *_beyond(source, witness.source),
        *_beyond(destination, witness.destination),
        witness.protocol,
        witness.port,
        witness.source_pool,
        witness.destination_pool,
    ]


def _beyond(text: str, address: str) -> tuple[int, str]:
    shared = 0
    for one, other in zip(text, address, strict=False):
        if one != other:
            break
        shared += 1
    return len(text) - shared, address[shared:]


def _path(denied: Sequence[_Line], undecided: Sequence[_Line]) -> Digest | None:
    """The way of one packet: the first that is denied and matters, else undecided, else harmlessly denied.

    None where no packet is. `egress` and `ingress` say what becomes of it there: `denied`, `undecided`,
    `allowed`, with the rule or the candidates where the analysis names them.
    """
    harmful = [line for line in denied if line.alike.rows[0].benign is None]
    lines = harmful or undecided or denied
    if not lines:
        return None
    seen = ((line, row) for line in lines for row in line.alike.rows)
    line, row = next(
        (one for one in seen if witness_of(one[0].area, one[1])), (lines[0], lines[0].alike.rows[0])
    )
    area, packet = line.area, witness_of(line.area, row)
    source, destination = _ranges(area)
    other: Direction = "ingress" if area.direction == "egress" else "egress"
    return {
        "source": source,
        "destination": destination,
        "protocol": row.protocol,
        "ports": None if row.ports is None else _ports(row.ports),
        "witness": _witness(source, destination, packet),
        "benign": row.benign,
        area.direction: _side(row),
        other: _side(_holding((*denied, *undecided), other, row, area, packet)) if packet else None,
    }


def _side(row: Row | None) -> Digest:
    if row is None:
        return {"state": "allowed"}
    if row.decided_by is not None:
        return {"state": "denied", "by": row.decided_by}
    return {"state": "undecided", "candidates": row.candidates[:_MOST_CANDIDATES]}


def _holding(
    lines: Iterable[_Line], direction: Direction, of: Row, beside: Area, packet: Witness
) -> Row | None:
    """The row of a direction that holds the packet of another; None if none does: then it is allowed."""
    pair = beside.pair()
    if pair is None:
        return None
    for area, alike in lines:
        if (
            area.direction != direction
            or area.family != beside.family
            or packet.source_pool not in area.source_pools
            or packet.destination_pool not in area.destination_pools
            or not area.source[0] <= pair[0] <= area.source[1]
            or not area.destination[0] <= pair[1] <= area.destination[1]
        ):
            continue
        for row in alike.rows:
            if row.protocol == of.protocol and (
                row.ports is None or packet.port is None or row.ports[0] <= packet.port <= row.ports[1]
            ):
                return row
    return None
