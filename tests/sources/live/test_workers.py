"""Work side by side: in order, a little ahead, and ended in good order."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sources.live.workers import each

if TYPE_CHECKING:
    from collections.abc import Iterator


def nothing() -> None:
    """Nothing needs to be stopped."""


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 6))
def test_results_come_in_the_order_of_the_items(items: list[int], at_once: int) -> None:
    def work(item: int) -> int:
        time.sleep(item / 10_000)
        return item * 2

    assert list(each(work, items, at_once, nothing)) == [(item, item * 2) for item in items]


def test_items_are_taken_only_a_little_ahead_of_their_use() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(1000):
            taken += 1
            yield item

    results = each(lambda item: item, items(), 3, nothing)
    for _ in range(10):
        next(results)
    assert taken <= 10 + 2 * 3
    results.close()  # type: ignore[attr-defined]  # a generator


def test_what_fails_ends_the_rest() -> None:
    stopped = threading.Event()
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 0:
            raise ValueError("no")
        stopped.wait(5)
        return item

    start = time.monotonic()
    with pytest.raises(ValueError, match="no"):
        list(each(work, range(100), 2, stopped.set))
    assert time.monotonic() - start < 4
    assert len(begun) < 10
