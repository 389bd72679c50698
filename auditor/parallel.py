"""Work in several processes at once, where there are several cores and enough of it."""

from __future__ import annotations

import io
import os
import pickle
import signal
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import fields, is_dataclass
from itertools import islice, pairwise
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

T = TypeVar("T")

_MOST = 4
"""What processes bring back has to be taken in by one of them: more would hardly be faster."""

_LENGTH = 8
_PAUSE = 0.002
"""Seconds between two looks at what a process has written."""
_HANDING_OVER, _TAKING_IN = 0.22, 0.10
"""What it takes to hand a piece's items over, and to take them in here, against the work on it (measured)."""


def pieces(items: Sequence[T], at_least: int) -> list[Sequence[T]]:
    """The items in order, cut into one piece for each process, which has about `at_least` of them.

    The first is for this process, which hands nothing over but takes in what the others do: all shall be done
    at the same time.
    """
    count = useful(len(items), at_least)
    first = (1 + _HANDING_OVER - _TAKING_IN * (count - 1)) if count > 1 else 1
    ends = [first + number for number in range(count)]
    bounds = [0, *(round(len(items) * end / ends[-1]) for end in ends)]
    return [items[low:high] for low, high in pairwise(bounds)]


def useful(items: int, at_least: int) -> int:
    """How many processes are of use for so many items, if each shall have about `at_least` of them."""
    return max(1, min(_cores(), _MOST, items // at_least))


def _cores() -> int:
    """How many processes can run at once: one where a process cannot be forked."""
    if not hasattr(os, "fork"):
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Urn:
    """The numbers from 0 up to a count, `MOST` of them at most; each is drawn once, by whichever process.

    So every process does as much as it is able to, whatever the work on a number takes. Use it as a context,
    which must not end before the processes do.
    """

    MOST = 2_000
    _WIDTH = 2

    def __init__(self, count: int) -> None:
        # A pipe hands its bytes to one reader alone, and its end to all. It holds a page in any case.
        self._read, write = os.pipe()
        os.write(write, b"".join(number.to_bytes(self._WIDTH, "little") for number in range(count)))
        os.close(write)

    def __iter__(self) -> Iterator[int]:
        while drawn := os.read(self._read, self._WIDTH):
            yield int.from_bytes(drawn, "little")

    def __enter__(self) -> Urn:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._read)


@contextmanager
def processes(work: Callable[[int], Iterable[T]], count: int) -> Iterator[Iterator[T]]:
    """Every item of `work(0)`, then of `work(1)` and so on up to `count`, each at work in its own process.

    `work` must neither read nor change what another call changes: a process sees everything as it was when
    the context began. It must yield the same items when it is called again: `work(0)` is done here, and so is
    what is left of any other whose process fails, whatever the reason, so that its errors are raised here
    too (what it drew from an urn it cannot do again: look what is missing). Items are pickled one by one:
    what two of them share becomes two. They are taken in while their process is still at work. Processes that
    are at work when the context ends are killed.
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
        taken = 0
        if child is not None:
            for item in child.items():
                taken += 1
                yield item
        if child is None or not child.succeeded:
            yield from islice(work(number), taken, None)


class _Child:
    """A process at work, and the file that it writes its items to, each after its length in eight bytes.

    `succeeded` says whether all of them were taken in.
    """

    def __init__(self, pid: int, file: IO[bytes]) -> None:
        self._pid = pid
        self._file = file
        self._ended = False
        self.succeeded = False

    def items(self) -> Iterator[Any]:
        """What it writes, until it says that this was all, or ends."""
        file, at = self._file.fileno(), 0
        while True:
            # Looked at first: when it has ended, all that it wrote is there.
            ended = self._has_ended()
            size = os.fstat(file).st_size
            while size - at >= _LENGTH:
                start = at + _LENGTH
                length = int.from_bytes(os.pread(file, _LENGTH, at), "little")
                end = start + length
                if not length:
                    self.succeeded = True
                    return
                if end > size:
                    break
                at = end
                yield pickle.loads(os.pread(file, end - start, start))  # noqa: S301 - from our own process
            if ended:
                return
            time.sleep(_PAUSE)

    def _has_ended(self, wait: int = os.WNOHANG) -> bool:
        if not self._ended:
            try:
                self._ended = os.waitpid(self._pid, wait)[0] != 0
            except ChildProcessError:  # whoever started the program has it ignore the end of its processes
                self._ended = True
        return self._ended

    def end(self) -> None:
        """Stop the process if it still runs, and give its file up."""
        if not self._has_ended():
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._has_ended(wait=0)
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
            data = _pickled(item)
            file.write(len(data).to_bytes(_LENGTH, "little"))
            file.write(data)
            file.flush()
        file.write(bytes(_LENGTH))
        file.flush()
        status = 0
    finally:
        os._exit(status)


class Together(Generic[T]):
    """Values that a process hands over together: as they were pickled, until one of them is asked for."""

    __slots__ = ("_data", "_values")

    def __init__(self, values: list[T] | None, data: bytes = b"") -> None:
        self._values = values
        self._data = data

    def __getitem__(self, number: int) -> T:
        if self._values is None:
            self._values = pickle.loads(self._data)  # noqa: S301 - from our own process
            self._data = b""
        return self._values[number]

    def __reduce__(self) -> tuple[Any, ...]:
        return Together, (None, self._data if self._values is None else _pickled(self._values))


class Later(Generic[T]):
    """One of such values: calling it gives it. Two are equal if their values are."""

    __slots__ = ("_number", "_together")

    def __init__(self, together: Together[T], number: int) -> None:
        self._together = together
        self._number = number

    def __call__(self) -> T:
        """The value itself."""
        return self._together[self._number]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Later) and self() == other()

    def __hash__(self) -> int:
        return hash(self())

    def __reduce__(self) -> tuple[Any, ...]:
        return Later, (self._together, self._number)


def _pickled(value: object) -> bytes:
    data = io.BytesIO()
    _Pickler(data, pickle.HIGHEST_PROTOCOL).dump(value)
    return data.getvalue()


class _Pickler(pickle.Pickler):
    """Pickles dataclasses and named tuples as calls with their fields, faster than pickle does by itself."""

    _getters: ClassVar[dict[type, Callable[[Any], tuple[Any, ...]] | None]] = {}

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind not in self._getters:
            self._getters[kind] = _fields_of(kind)
        get = self._getters[kind]
        return NotImplemented if get is None else (kind, get(value))


def _fields_of(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple
    if not is_dataclass(kind) or any(not one.init or one.kw_only for one in fields(kind)):
        return None
    names = [one.name for one in fields(kind)]
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return attrgetter(*names)
