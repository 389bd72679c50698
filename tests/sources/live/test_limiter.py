"""No more calls a minute than agreed, counted where it counts: at the server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sources.live import collect
from auditor.sources.live.limiter import Limiter, StoppedError
from tests.sources.live.organisation import ORGANIZATION, Snapshot, names, organisation

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sources.live.emulator import Emulator


def most_within(moments: list[float], period: float) -> int:
    """The most calls in any window of the period."""
    ordered = sorted(moments)
    return max(
        sum(1 for other in ordered[index:] if other - begin < period) for index, begin in enumerate(ordered)
    )


@pytest.mark.parametrize("rate", [3, 8])
def test_a_counting_server_never_sees_more(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    """The minute is a second here; some answers are slow, so that requests bunch up on the way."""
    from functools import partial

    monkeypatch.setattr(collect, "Limiter", partial(Limiter, period=1.0))
    emulator.page = 4
    emulator.faults.append(lambda one: time.sleep(0.3 if one.token == "4" else 0))
    options = collect.Options((ORGANIZATION,), rate=rate, cluster_api="never")
    collect.collect(options, tmp_path / "s", resume=False, progress=collect.Progress())
    moments = [one.time for one in emulator.of("ListAssets")]
    assert len(moments) > 2 * rate
    assert most_within(moments, 1.0) <= rate
    assert Snapshot(tmp_path / "s").names == names(organisation())


@given(
    rate=st.integers(1, 5),
    delays=st.lists(st.floats(0, 0.02), min_size=6, max_size=14),
    threads=st.integers(1, 4),
)
def test_arrivals_stay_within_the_rate_wherever_in_a_call_they_are(
    rate: int, delays: list[float], threads: int
) -> None:
    period = 0.03
    limiter = Limiter(rate, period=period)
    arrivals: list[float] = []
    left = list(delays)

    def work() -> None:
        while True:
            try:
                delay = left.pop()
            except IndexError:
                return
            with limiter.slot():
                time.sleep(delay)
                arrivals.append(time.monotonic())

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(arrivals) == len(delays)
    assert most_within(arrivals, period) <= rate


def test_it_is_not_slower_than_the_rate_allows() -> None:
    limiter = Limiter(50, period=10)
    begun = time.monotonic()
    for _ in range(50):
        with limiter.slot():
            pass
    assert time.monotonic() - begun < 1


def test_no_more_run_side_by_side_than_agreed() -> None:
    limiter = Limiter(100, at_once=2)
    running = most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with limiter.slot():
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == 2


def test_who_waits_when_it_is_stopped_is_let_go() -> None:
    limiter = Limiter(1)
    with limiter.slot():
        pass
    outcome: list[str] = []

    def work() -> None:
        try:
            with limiter.slot():
                outcome.append("in")
        except StoppedError:
            outcome.append("stopped")

    worker = threading.Thread(target=work)
    worker.start()
    limiter.stop()
    worker.join(5)
    assert outcome == ["stopped"]
