"""Sets of integers as sorted, disjoint, inclusive ranges."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""First and last number, both included."""

Spans = tuple[Span, ...]


def union(spans: Iterable[Span]) -> Spans:
    """The same numbers as sorted ranges that neither overlap nor touch."""
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            if high > found[-1][1]:
                found[-1] = (found[-1][0], high)
        else:
            found.append((low, high))
    return tuple(found)


def clip(spans: Spans, low: int, high: int) -> list[Span]:
    """The part of a set of ranges, as `union` returns it, within `low` to `high`."""
    first = bisect_left(spans, (low, low))
    if first and spans[first - 1][1] >= low:
        first -= 1
    found: list[Span] = []
    for start, end in spans[first:]:
        if start > high:
            break
        found.append((max(start, low), min(end, high)))
    return found


def meet(one: Spans, other: Spans) -> bool:
    """Whether two sets, as `union` returns them, have a number in common."""
    mine, theirs = 0, 0
    while mine < len(one) and theirs < len(other):
        if one[mine][1] < other[theirs][0]:
            mine += 1
        elif other[theirs][1] < one[mine][0]:
            theirs += 1
        else:
            return True
    return False


def aligned(low: int, high: int) -> Iterator[Span]:
    """The fewest ranges of a power of two of aligned numbers (as CIDRs are) that make up `low` to `high`."""
    while low <= high:
        size = low & -low if low else 1 << (high + 1).bit_length()
        while low + size - 1 > high:
            size >>= 1
        yield low, low + size - 1
        low += size
