"""CIDR ranges as integers: parsing, union, difference, and back to the fewest CIDRs."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING, Literal

from auditor.model.record import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Family = Literal[4, 6]

Interval = tuple[int, int]
"""First and last address, both included."""

_BITS: dict[Family, int] = {4: 32, 6: 128}


@record
class Cidr:
    """A CIDR range: first and last address as integers.

    `text` is its canonical spelling; `aligned` is False if the address that was written has bits set beyond
    the prefix (`10.1.2.3/8`; the range then is that of `10.0.0.0/8`).
    """

    family: Family
    first: int
    last: int
    prefix: int
    text: str
    aligned: bool


@lru_cache(maxsize=1 << 16)
def parse(text: str) -> Cidr | None:
    """The range that `text` spells, None if it spells none; an address without a prefix length is none."""
    address, slash, digits = text.partition("/")
    if not slash or len(digits) > 3 or not (digits.isascii() and digits.isdigit()):
        return None
    family: Family = 6 if ":" in address else 4
    bits = _BITS[family]
    prefix = int(digits)
    if prefix > bits:
        return None
    try:
        packed = inet_pton(AF_INET if family == 4 else AF_INET6, address)
    except (OSError, ValueError):  # ValueError: NUL characters and lone surrogates
        return None
    written = int.from_bytes(packed)
    hosts = (1 << (bits - prefix)) - 1
    first = written & ~hosts
    return Cidr(family, first, first | hosts, prefix, _spell(family, first, prefix), first == written)


def merge(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The union of intervals of one family, sorted, disjoint and not touching."""
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def subtract(interval: Interval, union: Sequence[Interval]) -> list[Interval]:
    """What of `interval` lies outside `union` (as `merge` returns it), sorted."""
    first, last = interval
    rest: list[Interval] = []
    # The interval before the insertion point may still reach into ours.
    for index in range(max(bisect_left(union, (first, first)) - 1, 0), len(union)):
        low, high = union[index]
        if low > last:
            break
        if high < first:
            continue
        if low > first:
            rest.append((first, low - 1))
        first = high + 1
        if first > last:
            return rest
    rest.append((first, last))
    return rest


def spell(family: Family, intervals: Iterable[Interval]) -> tuple[str, ...]:
    """The fewest CIDRs that make up the intervals exactly, in their order."""
    bits = _BITS[family]
    cidrs: list[str] = []
    for first, last in intervals:
        low = first
        while low <= last:
            # The largest aligned block at `low` that does not reach past `last`.
            size = (last - low + 1).bit_length() - 1
            if low:
                size = min(size, (low & -low).bit_length() - 1)
            cidrs.append(_spell(family, low, bits - size))
            low += 1 << size
    return tuple(cidrs)


def _spell(family: Family, first: int, prefix: int) -> str:
    packed = first.to_bytes(4 if family == 4 else 16)
    return f"{inet_ntop(AF_INET if family == 4 else AF_INET6, packed)}/{prefix}"
