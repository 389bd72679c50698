"""The firewall analysis of one cluster, as short as a page shows it: rows of packets, one packet's path."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditor.model.addresses import parse_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.model.evidence import Json
    from auditor.model.facts import PodPackets, PodTraffic
    from auditor.model.traffic import Box, Decider, Direction, Repair, ScopeTraffic, Witness

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


def digest(traffic: PodTraffic, limit: Limits) -> Digest:
    """Both scopes, `any_node` None where it would say what `same_node` says."""
    same_node = _scope(traffic.same_node, limit)
    same_node["path"] = path(traffic.same_node.analysis)
    any_node = None
    if traffic.any_node is not traffic.same_node:
        any_node = _scope(traffic.any_node, limit)
        if all(same_node[key] == value for key, value in any_node.items()):
            any_node = None
    return {
        "same_node": same_node,
        "any_node": any_node,
        "unknowns": traffic.unknowns,
        "evidence": traffic.evidence,
    }


def _scope(packets: PodPackets, limit: Limits) -> Digest:
    """One scope: verdicts; of denied and undecided packets the first rows, and how many rows there are.

    Why packets are undecided is left out: the fact's own unknowns say it for both scopes.
    """
    found = packets.analysis
    return {
        "verdict": found.verdict,
        "by_protocol": dict(found.by_protocol),
        "denied": _rows(found.denied, limit.rows),
        "undecided": _rows(found.undecided, limit.rows),
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


_RowKey = tuple[
    "Direction",
    str,
    str,
    tuple[str, ...],
    tuple[str, ...],
    "Decider | None",
    "tuple[Decider, ...]",
    "str | None",
]


def _rows(boxes: Sequence[Box], most: int) -> Digest | None:
    """Boxes that differ in protocol and ports alone, together, in the order of their first appearance."""
    if not boxes:
        return None
    groups: dict[_RowKey, list[Box]] = {}
    for box in boxes:
        key = (
            box.direction,
            box.source,
            box.destination,
            box.source_pools,
            box.destination_pools,
            box.decided_by,
            box.candidates if box.decided_by is None else (),
            box.benign,
        )
        groups.setdefault(key, []).append(box)
    rows = [_row(group) for group, _ in zip(groups.values(), range(most), strict=False)]
    return {"rows": rows, "more": len(groups) - len(rows)}


def _row(boxes: Sequence[Box]) -> Digest:
    first = boxes[0]
    row: Digest = {
        "direction": first.direction,
        "source": first.source,
        "destination": first.destination,
        "source_pools": first.source_pools,
        "layer4": _layer4(boxes),
        "witness": _witness(first, first.witness),
    }
    if first.destination_pools != first.source_pools:
        row["destination_pools"] = first.destination_pools
    if first.decided_by is not None:
        row["by"] = first.decided_by
    else:
        row["candidates"] = first.candidates[:_MOST_CANDIDATES]
        row["more_candidates"] = max(0, len(first.candidates) - _MOST_CANDIDATES)
    if first.benign is not None:
        row["benign"] = first.benign
    return row


def _layer4(boxes: Iterable[Box]) -> list[Json]:
    """[protocols, their port ranges, how many ranges more]: protocols with the same ports together."""
    ports: dict[str, list[str]] = {}
    for box in boxes:
        found = ports.setdefault(box.protocol, [])
        if box.ports is not None:
            found.append(box.ports)
    groups: dict[tuple[str, ...], list[str]] = {}
    for protocol, ranges in ports.items():
        groups.setdefault(tuple(ranges), []).append(protocol)
    return [
        [" ".join(protocols), ", ".join(ranges[:_MOST_PORTS]), max(0, len(ranges) - _MOST_PORTS)]
        for ranges, protocols in groups.items()
    ]


def _witness(box: Box, witness: Witness | None) -> Json:
    """[source, destination, protocol, port, source pool, destination pool] of one packet of a box.

    An address is written as the number of characters to take off the end of its range's text, and what to put
    there, so that clusters which differ in their ranges alone have the same text.
    """
    if witness is None:
        return None
    return [
        *_beyond(box.source, witness.source),
        *_beyond(box.destination, witness.destination),
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


def path(scope: ScopeTraffic) -> Digest | None:
    """The way of one packet: the first that is denied and matters, else undecided, else harmlessly denied.

    None where no packet is. `egress` and `ingress` say what becomes of it there: `denied`, `undecided`,
    `allowed`, with the rule or the candidates where the analysis names them.
    """
    boxes = (
        *(box for box in scope.denied if box.benign is None),
        *scope.undecided,
        *(box for box in scope.denied if box.benign is not None),
    )
    if not boxes:
        return None
    kind = boxes[0].decided_by is None
    alike = [
        box
        for box in boxes
        if (box.decided_by is None) is kind and (box.benign is None) is (boxes[0].benign is None)
    ]
    box = next((one for one in alike if one.witness is not None), boxes[0])
    found: Digest = {
        "source": box.source,
        "destination": box.destination,
        "protocol": box.protocol,
        "ports": box.ports,
        "witness": _witness(box, box.witness),
        "benign": box.benign,
        box.direction: _side(box),
    }
    other: Direction = "ingress" if box.direction == "egress" else "egress"
    found[other] = _side(_holding(scope, other, box.witness)) if box.witness else None
    return found


def _side(box: Box | None) -> Digest:
    if box is None:
        return {"state": "allowed"}
    if box.decided_by is not None:
        return {"state": "denied", "by": box.decided_by}
    return {"state": "undecided", "candidates": box.candidates[:_MOST_CANDIDATES]}


def _holding(scope: ScopeTraffic, direction: Direction, packet: Witness) -> Box | None:
    """The box of a direction that holds the packet; None if none does, which means that it is allowed."""
    for box in (*scope.denied, *scope.undecided):
        if (
            box.direction == direction
            and box.protocol == packet.protocol
            and packet.source_pool in box.source_pools
            and packet.destination_pool in box.destination_pools
            and _within(packet.source, box.source)
            and _within(packet.destination, box.destination)
            and (box.ports is None or packet.port is None or _has(box.ports, packet.port))
        ):
            return box
    return None


def _within(address: str, range_: str) -> bool:
    """Whether the range holds the address; true if either cannot be read: nothing is called allowed then."""
    first, _, last = range_.partition("-")
    point, low, high = parse_range(address), parse_range(first), parse_range(last or first)
    if point is None or low is None or high is None:
        return True
    return low.family == point.family and low.low <= point.low <= high.high


def _has(ports: str, port: int) -> bool:
    low, _, high = ports.partition("-")
    return int(low) <= port <= int(high or low)
