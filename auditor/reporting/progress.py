"""How far a long scan is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 1.0
"""Seconds without a bar, so that a short scan shows none."""


class ProgressBar:
    """A bar on standard error with a phase for collecting, reading and judging; leaves nothing behind.

    Shows itself only on a terminal, and only once a second has passed.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._start = time.monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._phase = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def reading(self, count: int) -> None:
        """`count` bytes have been read."""
        self._show("reading", count / 1e6, None, "MB")

    def collecting(self, assets: int, pages: int, what: str) -> None:
        """`assets` in `pages` have come from the API, and `what` is being read."""
        seconds = max(time.monotonic() - self._start, 0.001)
        self._show(
            "collecting", assets, None, f"assets, {pages:,} pages, {assets / seconds:,.0f}/s  {what[:60]}"
        )

    def judging(self, count: int, total: int) -> None:
        """`count` of `total` clusters have been judged."""
        if count % 64 == 0 or count == total:
            self._show("judging", count, total, "clusters")

    def _show(self, phase: str, done: float, total: float | None, unit: str) -> None:
        if not self._enabled or time.monotonic() - self._start < _PATIENCE:
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:,.0f} {task.fields[unit]}", markup=False),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        if phase != self._phase:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(phase, total=total, unit=unit)
            self._phase = phase
        if self._task is not None:
            self._progress.update(self._task, completed=done, unit=unit)
