"""A limit on calls a minute that holds where it counts: at the server."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINUTE = 60.0


class StoppedError(Exception):
    """The collection was interrupted while a call was waiting."""


class Limiter:
    """At most `per_minute` calls reach the server in any 60 seconds.

    When a request reaches the server is not known here, only that it is before the answer. So a call's slot
    is free again a minute after the call has *ended*: then no delay on the way can crowd two minutes' calls
    into one. Calls may come in a burst, as long as their number in a minute stays within the limit.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = per_minute
        self._clock = clock
        self._changed = threading.Condition()
        self._running = 0
        self._ended: deque[float] = deque()
        self._stopped = False

    @contextmanager
    def slot(self) -> Iterator[float]:
        """Wait for a slot, and give it back at the end; the seconds waited. `StoppedError` after `stop`."""
        begun = self._clock()
        with self._changed:
            while True:
                if self._stopped:
                    raise StoppedError
                now = self._clock()
                while self._ended and now - self._ended[0] >= MINUTE:
                    self._ended.popleft()
                if self._running + len(self._ended) < self._limit:
                    break
                self._changed.wait(self._ended[0] + MINUTE - now if self._ended else None)
            self._running += 1
        try:
            yield self._clock() - begun
        finally:
            with self._changed:
                self._running -= 1
                self._ended.append(self._clock())
                self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody wait any longer, and nobody in."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
