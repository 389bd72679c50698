"""When a call is made again, and when not."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.rpc import error_details_pb2

from auditor.sources.live import retry
from auditor.sources.live.limiter import Limiter, StoppedError
from auditor.sources.live.retry import Caller, CallError

if TYPE_CHECKING:
    from collections.abc import Callable

api: Any = exceptions


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now


class Waiting(threading.Event):
    """An event whose waits take no time but that of the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._clock.pauses.append(timeout)
        self._clock.now += timeout
        return self.is_set()


def caller(clock: Clock) -> Caller:
    return Caller(Limiter(1000), Waiting(clock), clock=clock)


def failing(
    clock: Clock, *errors: Exception, seconds: float = 0.0
) -> tuple[Callable[[float], str], list[float]]:
    """An attempt that fails with each error in turn, the last one for ever, and the times of its calls."""
    calls: list[float] = []
    left = list(errors)

    def attempt(timeout: float) -> str:
        calls.append(clock.now)
        clock.now += min(seconds, timeout)
        raise left.pop(0) if len(left) > 1 else left[0]

    return attempt, calls


FOREVER: Exception = api.ServiceUnavailable("gone")


def test_it_gives_up_two_minutes_after_the_first_attempt() -> None:
    clock = Clock()
    attempt, calls = failing(clock, FOREVER)
    with pytest.raises(CallError) as caught:
        caller(clock)(attempt)
    assert caught.value.code == "UNAVAILABLE"
    assert not caught.value.lasting
    assert 60 < calls[-1] - calls[0] <= 120
    assert len(calls) > 6


def test_a_server_that_never_answers_is_waited_for_two_minutes_in_all() -> None:
    clock = Clock()
    attempt, calls = failing(clock, FOREVER, seconds=1e9)
    begun = clock.now
    with pytest.raises(CallError):
        caller(clock)(attempt)
    assert clock.now - begun <= 121
    assert len(calls) == 2


def test_the_first_pause_is_short_and_they_grow() -> None:
    clock = Clock()
    with pytest.raises(CallError):
        caller(clock)(failing(clock, FOREVER)[0])
    assert clock.pauses[0] <= 0.2
    assert clock.pauses[5] > clock.pauses[0] * 4
    assert max(clock.pauses) <= 30


def test_pauses_differ_from_run_to_run() -> None:
    seen = set()
    for _ in range(5):
        clock = Clock()
        with pytest.raises(CallError):
            caller(clock)(failing(clock, FOREVER)[0])
        seen.add(tuple(clock.pauses))
    assert len(seen) == 5


def retry_info(seconds: int, nanos: int = 0) -> error_details_pb2.RetryInfo:
    info = error_details_pb2.RetryInfo()
    info.retry_delay.seconds, info.retry_delay.nanos = seconds, nanos
    return info


@pytest.mark.parametrize("nanos", [0, 500_000_000])
def test_the_server_says_how_long_to_wait(nanos: int) -> None:
    clock = Clock()
    error = api.ResourceExhausted("quota", details=[retry_info(17, nanos)])
    attempt, calls = failing(clock, error, FOREVER)

    def once(timeout: float) -> str:
        return "answer" if len(calls) == 1 else attempt(timeout)

    assert caller(clock)(once) == "answer"
    assert clock.now - calls[0] >= 17 + nanos / 1e9


def test_a_trailer_alone_says_it_too() -> None:
    class Response:
        def trailing_metadata(self) -> list[tuple[str, bytes]]:
            return [("google.rpc.retryinfo-bin", retry_info(9).SerializeToString())]

    assert retry.retry_after(api.ResourceExhausted("quota", response=Response())) >= 9


def test_more_patience_than_there_is_ends_it_at_once() -> None:
    clock = Clock()
    error = api.ResourceExhausted("quota", details=[retry_info(121)])
    attempt, calls = failing(clock, error, FOREVER)
    with pytest.raises(CallError):
        caller(clock)(attempt)
    assert len(calls) == 1
    assert clock.pauses == []


@pytest.mark.parametrize(
    "error",
    [
        api.PermissionDenied("no"),
        api.InvalidArgument("no"),
        api.Unauthenticated("no"),
        api.NotFound("no"),
        api.MethodNotImplemented("no"),
    ],
)
def test_what_will_not_pass_is_asked_once(error: Exception) -> None:
    clock = Clock()
    attempt, calls = failing(clock, error, FOREVER)
    with pytest.raises(CallError) as caught:
        caller(clock)(attempt)
    assert caught.value.lasting
    assert len(calls) == 1


def test_an_interruption_ends_the_waiting() -> None:
    stopping = threading.Event()
    call = Caller(Limiter(10), stopping)
    outcome: list[BaseException] = []

    def attempt(_: float) -> None:
        raise api.ResourceExhausted("quota", details=[retry_info(60)])

    def work() -> None:
        try:
            call(attempt)
        except StoppedError as error:
            outcome.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.1)
    stopping.set()
    worker.join(5)
    assert outcome
