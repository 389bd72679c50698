"""Calls that are made again: which failures pass, how long to wait, and when to give up."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from auditor.sources.live.limiter import Limiter, StoppedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

Answer = TypeVar("Answer")

BOUND = 120.0
"""Seconds after the first attempt within which a call is made again."""

ATTEMPT = 60.0
"""Seconds that one attempt may take."""

_FIRST, _LONGEST = 0.2, 30.0

PASSING = frozenset(
    (
        "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED",
        # What gRPC makes of a connection that is cut in the middle of an answer.
        "UNKNOWN", "ABORTED", "CANCELLED",
    )
)  # fmt: skip
"""The status codes of failures that may pass."""


class CallError(Exception):
    """A call that failed for good.

    `code` is gRPC's name of the status, `message` the server's, `reason` that of its `ErrorInfo` (such as
    SERVICE_DISABLED), `service` and `consumer` what that says about whose API it is. `lasting` is False for a
    failure of a passing kind, which was tried again to the end.
    """

    def __init__(
        self, code: str, message: str, *, reason: str = "", service: str = "", consumer: str = ""
    ) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.reason = reason
        self.service = service
        self.consumer = consumer

    @property
    def lasting(self) -> bool:
        """Whether another attempt would have failed too."""
        return self.code not in PASSING


@dataclass(slots=True)
class Caller:
    """Makes calls to one API: within its rate, again when they fail in passing, at most `bound` seconds.

    `answered` tells whether any call has succeeded so far.
    """

    limiter: Limiter
    stopping: threading.Event
    bound: float = BOUND
    clock: Callable[[], float] = time.monotonic
    answered: bool = False
    _random: random.Random = field(default_factory=random.Random)

    def __call__(self, attempt: Callable[[float], Answer]) -> Answer:
        """The answer of `attempt`, which is told how many seconds it may take.

        Raises `CallError` if it fails for good, `StoppedError` when the collection is interrupted. Time spent
        waiting for the rate limit does not count.
        """
        from google.api_core.exceptions import GoogleAPICallError

        begun: float | None = None
        tries = 0
        while True:
            with self.limiter.slot() as waited:
                now = self.clock()
                begun = now if begun is None else begun + waited
                try:
                    answer = attempt(max(1.0, min(ATTEMPT, begun + self.bound - now)))
                except GoogleAPICallError as error:
                    failure, cause = error_of(error), error
                else:
                    self.answered = True
                    return answer
            if self.stopping.is_set():
                raise StoppedError
            pause = max(self._random.uniform(0.5, 1) * min(_LONGEST, _FIRST * 2.0**tries), retry_after(cause))
            tries += 1
            if failure.lasting or self.clock() + pause - begun > self.bound:
                raise failure from cause
            if self.stopping.wait(pause):
                raise StoppedError


def error_of(error: Any) -> CallError:
    """A `GoogleAPICallError` as a `CallError`."""
    status = error.grpc_status_code
    code = status.name if status is not None else str(error.code or "UNKNOWN")
    for one in error.details or ():
        if getattr(getattr(one, "DESCRIPTOR", None), "full_name", "") == "google.rpc.ErrorInfo":
            told = dict(one.metadata)
            return CallError(
                code,
                error.message or "",
                reason=one.reason,
                service=told.get("service", ""),
                consumer=told.get("consumer", ""),
            )
    return CallError(code, error.message or "")


def retry_after(error: Any) -> float:
    """How many seconds the server asks to wait (`google.rpc.RetryInfo`); 0 if it does not say."""
    for one in error.details or ():
        if getattr(getattr(one, "DESCRIPTOR", None), "full_name", "") == "google.rpc.RetryInfo":
            return _seconds(one)
    # Without a status in detail the message may come as a trailer of its own.
    trailers = getattr(error.response, "trailing_metadata", None)
    for key, value in (trailers() if callable(trailers) else None) or ():
        if key == "google.rpc.retryinfo-bin":
            from google.protobuf.message import DecodeError
            from google.rpc import error_details_pb2

            try:
                return _seconds(error_details_pb2.RetryInfo.FromString(value))
            except DecodeError:
                return 0.0
    return 0.0


def _seconds(info: Any) -> float:
    # A timer may go off a moment early; the server shall not see it.
    return max(0.0, float(info.retry_delay.seconds) + float(info.retry_delay.nanos) / 1e9) + 0.01
