"""Protocols and destination ports: the universe of Pod packets, and what a rule covers of it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from auditor.firewall.intervals import Spans, clip, union

if TYPE_CHECKING:
    from auditor.model.addresses import Family
    from auditor.model.network import Layer4
    from auditor.model.traffic import Protocol

# What GKE's own `gke-<cluster>-<hash>-all` rule opens (GKE documentation, "Automatically created firewall
# rules"). Port 0 is not a destination. A protocol without ports has the one "port" 0 here.
SLOTS = 6
UNIVERSE: tuple[Spans, ...] = (((1, 65535),),) * 3 + (((0, 0),),) * 3
NAMES: dict[Family, tuple[Protocol, ...]] = {
    4: ("tcp", "udp", "sctp", "icmp", "esp", "ah"),
    6: ("tcp", "udp", "sctp", "icmpv6", "esp", "ah"),
}
_NUMBERS: dict[Family, tuple[int, ...]] = {4: (6, 17, 132, 1, 50, 51), 6: (6, 17, 132, 58, 50, 51)}
WITH_PORTS = 3
"""The slots below this one have ports."""


class Coverage:
    """What a rule covers of the universe of one IP version: ranges of ports for each protocol.

    Equal coverages are one object, whose `number` can stand for it.
    """

    __slots__ = ("full", "number", "slots")

    def __init__(self, number: int, slots: tuple[Spans, ...]) -> None:
        self.number = number
        self.slots = slots
        self.full = slots == UNIVERSE


_known: dict[tuple[Spans, ...], Coverage] = {}
_numbered: list[Coverage] = []


def _interned(slots: tuple[Spans, ...]) -> Coverage:
    found = _known.get(slots)
    if found is None:
        found = _known[slots] = Coverage(len(_numbered), slots)
        _numbered.append(found)
    return found


FULL = _interned(UNIVERSE)


def numbered(number: int) -> Coverage:
    """The coverage of that number."""
    return _numbered[number]


class Coverages:
    """What lists of protocols and ports cover of the universe of one IP version; None if nothing of it.

    Equal lists are usually one object, so that answers are kept by identity: hashing a list costs more.
    """

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[int, Family], tuple[tuple[Layer4, ...], Coverage | None]] = {}

    def of(self, layer4: tuple[Layer4, ...], family: Family) -> Coverage | None:
        """The part of the universe that the list covers."""
        key = (id(layer4), family)
        found = self._found.get(key)
        if found is None:
            # The list is kept, so that its identity stays its own.
            found = self._found[key] = (layer4, _coverage(layer4, family))
        return found[1]


@lru_cache(maxsize=1 << 14)
def _coverage(layer4: tuple[Layer4, ...], family: Family) -> Coverage | None:
    slots: list[Spans] = []
    for slot, number in enumerate(_NUMBERS[family]):
        spans: list[tuple[int, int]] = []
        for entry in layer4:
            if entry.protocol is None or entry.protocol == number:
                spans.extend(entry.ports if slot < WITH_PORTS and entry.ports else UNIVERSE[slot])
        slots.append(tuple(clip(union(spans), *UNIVERSE[slot][0])))
    return _interned(tuple(slots)) if any(slots) else None
