"""Sets of packets as boxes, and their exact differences.

A box is a product: addresses that send x addresses that receive x destination ports x pools that send x pools
that receive, of one protocol and one IP version. Pools are bits of a mask. A set is a list of boxes, which
may overlap.

Packets on one node are the pairs of a box that share a node block. That is an intersection with a fixed set,
so that the difference of boxes is the difference of what they stand for: pieces in which no pair shares a
block stand for nothing, and are dropped.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.firewall.intervals import Span
    from auditor.model.addresses import Family


class Packets(NamedTuple):
    """One box; spans are inclusive. Protocols without ports have the one port 0."""

    family: Family
    protocol: str
    source: Span
    destination: Span
    ports: Span
    from_pools: int
    to_pools: int


def subtract(boxes: Iterable[Packets], others: Iterable[Packets]) -> list[Packets]:
    """The packets of `boxes` that are in none of `others`.

    Boxes stay in order and apart from each other as they were; what is left of each is disjoint.
    """
    removed = _by_protocol(others)
    left: list[Packets] = []
    for box in boxes:
        known, carving = removed.get(box[:2], _NOTHING)
        if box in known:
            continue
        pieces = [box]
        for other in carving:
            pieces = [rest for piece in pieces for rest in _carved(piece, other)]
            if not pieces:
                break
        left += pieces
    return left


def intersect(boxes: Iterable[Packets], others: Iterable[Packets]) -> list[Packets]:
    """The packets of `boxes` that are in any of `others`; disjoint for each of `boxes`."""
    kept = _by_protocol(others)
    found: list[Packets] = []
    for box in boxes:
        known, carving = kept.get(box[:2], _NOTHING)
        if box in known:
            found.append(box)
            continue
        rest = [box]
        for other in carving:
            outside: list[Packets] = []
            for piece in rest:
                shared = _meet(piece, other)
                if shared is None:
                    outside.append(piece)
                else:
                    found.append(shared)
                    outside += _carved(piece, other)
            rest = outside
    return found


def disjoint(boxes: Iterable[Packets]) -> list[Packets]:
    """The same packets as boxes that do not overlap; of overlapping boxes the first keeps its packets."""
    found: list[Packets] = []
    by_protocol: dict[tuple[Family, str], list[Packets]] = defaultdict(list)
    for box in boxes:
        before = by_protocol[box[:2]]
        pieces = subtract([box], before)
        before += pieces
        found += pieces
    return found


def on_one_node(boxes: Iterable[Packets], shift: int) -> list[Packets]:
    """The boxes in which some sender and some receiver share a node block of 2^`shift` addresses."""
    return [
        box
        for box in boxes
        if box.source[0] >> shift <= box.destination[1] >> shift
        and box.destination[0] >> shift <= box.source[1] >> shift
    ]


_Removed = tuple[frozenset[Packets], list[Packets]]
_NOTHING: _Removed = (frozenset(), [])


def _by_protocol(boxes: Iterable[Packets]) -> dict[tuple[Family, str], _Removed]:
    grouped: dict[tuple[Family, str], list[Packets]] = defaultdict(list)
    for box in boxes:
        grouped[box[:2]].append(box)
    return {key: (frozenset(group), group) for key, group in grouped.items()}


def _meet(box: Packets, other: Packets) -> Packets | None:
    """What two boxes of one protocol share."""
    source = (max(box.source[0], other.source[0]), min(box.source[1], other.source[1]))
    destination = (
        max(box.destination[0], other.destination[0]),
        min(box.destination[1], other.destination[1]),
    )
    ports = (max(box.ports[0], other.ports[0]), min(box.ports[1], other.ports[1]))
    from_pools, to_pools = box.from_pools & other.from_pools, box.to_pools & other.to_pools
    if source[0] > source[1] or destination[0] > destination[1] or ports[0] > ports[1]:
        return None
    if not from_pools or not to_pools:
        return None
    return Packets(box.family, box.protocol, source, destination, ports, from_pools, to_pools)


def _carved(box: Packets, other: Packets) -> list[Packets]:
    """What is left of a box outside another of its protocol, in disjoint pieces."""
    shared = _meet(box, other)
    if shared is None:
        return [box]
    pieces: list[Packets] = []
    rest = box
    if other_pools := rest.from_pools & ~shared.from_pools:
        pieces.append(rest._replace(from_pools=other_pools))
        rest = rest._replace(from_pools=shared.from_pools)
    if other_pools := rest.to_pools & ~shared.to_pools:
        pieces.append(rest._replace(to_pools=other_pools))
        rest = rest._replace(to_pools=shared.to_pools)
    for low, high in _outside(rest.source, shared.source):
        pieces.append(rest._replace(source=(low, high)))
    rest = rest._replace(source=shared.source)
    for low, high in _outside(rest.destination, shared.destination):
        pieces.append(rest._replace(destination=(low, high)))
    rest = rest._replace(destination=shared.destination)
    pieces += [rest._replace(ports=span) for span in _outside(rest.ports, shared.ports)]
    return pieces


def _outside(whole: Span, part: Span) -> list[Span]:
    """What of a span lies before and after a part of it."""
    found = []
    if whole[0] < part[0]:
        found.append((whole[0], part[0] - 1))
    if part[1] < whole[1]:
        found.append((part[1] + 1, whole[1]))
    return found
