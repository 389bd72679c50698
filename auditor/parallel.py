"""Work in several processes at once, where there are several cores and enough of it."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
from contextlib import closing, contextmanager
from dataclasses import fields, is_dataclass
from itertools import pairwise
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

T = TypeVar("T")

_MOST = 4
"""What processes bring back has to be taken in by one of them: more would hardly be faster."""


def pieces(items: Sequence[T], at_least: int) -> list[Sequence[T]]:
    """The items in order, cut into one piece for each process; none has fewer than `at_least` of them."""
    count = max(1, min(_cores(), _MOST, len(items) // at_least))
    bounds = [len(items) * number // count for number in range(count + 1)]
    return [items[low:high] for low, high in pairwise(bounds)]


def _cores() -> int:
    """How many processes can run at once: one where a process cannot be forked."""
    if not hasattr(os, "fork"):
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(work: Callable[[int], Iterable[T]], count: int) -> Iterator[Iterator[T]]:
    """Every item of `work(0)`, then of `work(1)` and so on up to `count`, each at work in its own process.

    `work` must neither read nor change what another call changes: a process sees everything as it was when
    the context began. `work(0)` is done here; so is any other whose process fails, whatever the reason, so
    that its errors are raised here too. Items are pickled one by one: what two of them share becomes two.
    Processes that are still at work when the context ends are killed.
    """
    children: list[_Child | None] = []
    try:
        children += [_fork(work, number) for number in range(1, count)]
        with closing(_items(work, children)) as items:
            yield items
    finally:
        for child in children:
            if child is not None:
                child.end()


def _items(work: Callable[[int], Iterable[T]], children: Sequence[_Child | None]) -> Generator[T, None, None]:
    yield from work(0)
    for number, child in enumerate(children, 1):
        if child is not None and child.succeeds():
            yield from child.items()
        else:
            yield from work(number)


class _Child:
    """A process at work, and the file that it writes its items to."""

    def __init__(self, pid: int, file: IO[bytes]) -> None:
        self._pid = pid
        self._file = file
        self._ended = False

    def succeeds(self) -> bool:
        """Wait for the process; whether it did all of its work."""
        _, status = os.waitpid(self._pid, 0)
        self._ended = True
        return os.waitstatus_to_exitcode(status) == 0

    def items(self) -> Iterator[Any]:
        """What it has written."""
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        while self._file.tell() < end:
            yield pickle.load(self._file)  # noqa: S301 - from a file without a name that only the child has

    def end(self) -> None:
        """Stop the process if it still runs, and give its file up."""
        if not self._ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._file.close()


def _fork(work: Callable[[int], Iterable[T]], number: int) -> _Child | None:
    """A process that does a piece of the work; None if there can be none."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
    except OSError:
        return None
    try:
        pid = os.fork()
    except OSError:
        file.close()
        return None
    if pid:
        return _Child(pid, file)
    # Nothing of the parent's may happen here a second time: no handler, no flush, no clean-up.
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for item in work(number):
            _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(item)
        file.flush()
        status = 0
    finally:
        os._exit(status)


class _Pickler(pickle.Pickler):
    """Pickles a dataclass as a call with its fields, which is fast also where it is frozen."""

    _getters: ClassVar[dict[type, Callable[[Any], tuple[Any, ...]] | None]] = {}

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind not in self._getters:
            self._getters[kind] = _fields_of(kind)
        get = self._getters[kind]
        return NotImplemented if get is None else (kind, get(value))


def _fields_of(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    if not is_dataclass(kind) or any(not one.init or one.kw_only for one in fields(kind)):
        return None
    names = [one.name for one in fields(kind)]
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return attrgetter(*names)
