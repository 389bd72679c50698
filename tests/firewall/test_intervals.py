"""Sets of ranges against sets of numbers, in a universe small enough to look at each."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from auditor.firewall.intervals import Span, aligned, clip, meet, union

TOP = 40
spans = st.lists(
    st.tuples(st.integers(0, TOP), st.integers(0, TOP)).map(lambda p: (min(p), max(p))), max_size=6
)


def members(found: list[Span] | tuple[Span, ...]) -> set[int]:
    return {number for low, high in found for number in range(low, high + 1)}


@given(spans)
def test_a_union_has_the_same_numbers_in_sorted_ranges_that_do_not_touch(found: list[Span]) -> None:
    result = union(found)
    assert members(result) == members(found)
    assert all(first[1] + 1 < second[0] for first, second in pairwise(result))


@given(spans, st.integers(0, TOP), st.integers(0, TOP))
def test_clipping_keeps_what_lies_within(found: list[Span], one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    assert members(clip(union(found), low, high)) == members(found) & set(range(low, high + 1))


@given(spans, spans)
def test_two_sets_meet_if_they_share_a_number(one: list[Span], other: list[Span]) -> None:
    assert meet(union(one), union(other)) == bool(members(one) & members(other))


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_range_falls_into_few_aligned_powers_of_two(one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    parts = list(aligned(low, high))
    assert [number for a, b in parts for number in range(a, b + 1)] == list(range(low, high + 1))
    for first, last in parts:
        size = last - first + 1
        assert size & (size - 1) == 0
        assert first % size == 0
    assert len(parts) <= 2 * (high - low + 1).bit_length()


def test_the_whole_address_space_is_one_part() -> None:
    assert list(aligned(0, 2**32 - 1)) == [(0, 2**32 - 1)]
