"""A limit on calls a minute that holds where it counts: at the server."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = 60.0


class StoppedError(Exception):
    """The collection was interrupted while a call was waiting."""


class Limiter:
    """At most `per_minute` calls reach the server in any 60 seconds.

    When a request reaches the server is not known here, only that it is before the answer. So a call's slot
    is free again a minute after the call has *ended*: then no delay on the way can crowd two minutes' calls
    into one. Calls may come in a burst, as long as their number in a minute stays within the limit. At most
    `at_once` run side by side. (`period` is the minute, in seconds.)
    """

    def __init__(self, per_minute: int, at_once: int = 64, period: float = MINUTE) -> None:
        self._limit = per_minute
        self._at_once = at_once
        self._period = period
        self._changed = threading.Condition()
        self._running = 0
        self._ended: deque[float] = deque()
        self._stopped = False

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait for a slot, and give it back at the end; the seconds waited. `StoppedError` after `stop`."""
        begun = time.monotonic()
        with self._changed:
            while True:
                if self._stopped:
                    raise StoppedError
                now = time.monotonic()
                while self._ended and now - self._ended[0] >= self._period:
                    self._ended.popleft()
                full = self._running + len(self._ended) >= self._limit
                if not full and self._running < self._at_once:
                    break
                self._changed.wait(self._ended[0] + self._period - now if full and self._ended else None)
            self._running += 1
        try:
            yield time.monotonic() - begun
        finally:
            with self._changed:
                self._running -= 1
                self._ended.append(time.monotonic())
                self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody wait any longer, and nobody in."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
