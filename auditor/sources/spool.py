"""Bytes kept out of memory: a few megabytes of it, then an unlinked temporary file."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import IO

from auditor.errors import SourceError

MEMORY = 8 << 20
"""How many bytes stay in memory before any goes to a file."""


_APART = 1 << 48
"""How far apart the offsets of spools are that are joined."""


class Spool:
    """An append-only store; `append` returns the offset to `read` from.

    The file has no name and ends with the process. `SourceError` if it cannot be written.
    """

    __slots__ = ("__weakref__", "_base", "_close", "_file", "_joined", "_limit", "_size", "_start", "_tail")

    def __init__(self, limit: int = MEMORY) -> None:
        self._limit = limit
        self._base = 0
        self._joined: list[Spool] = []
        self._tail = bytearray()
        self._start = 0
        self._size = 0
        self._file: IO[bytes] | None = None

    def append(self, data: bytes) -> int:
        """Keep `data`; its offset."""
        offset = self._base + self._size
        self._tail += data
        self._size += len(data)
        if len(self._tail) > self._limit:
            self._flush()
        return offset

    def read(self, offset: int, length: int) -> bytes:
        """The `length` bytes that were appended at `offset`."""
        if offset >= _APART:
            return self._joined[offset // _APART - 1].read(offset % _APART, length)
        if offset >= self._start:
            begin = offset - self._start
            return bytes(self._tail[begin : begin + length])
        if self._file is None:
            raise IndexError(offset)
        return os.pread(self._file.fileno(), length, offset)

    def beside(self) -> Spool:
        """A spool that another process can fill: what it returns are offsets of this one."""
        other = Spool(self._limit)
        self._joined.append(other)
        other._base = _APART * len(self._joined)
        other._open()
        return other

    def restart(self) -> None:
        """Forget everything, whoever wrote it."""
        file = self._open()
        file.seek(0)
        file.truncate()
        self._start = self._size = 0
        self._tail = bytearray()

    def flush(self) -> int:
        """Leave nothing in memory; how many bytes there are."""
        self._flush()
        return self._size

    def written(self, size: int) -> None:
        """Take note that another process has written so many bytes."""
        self._start = self._size = size
        self._tail = bytearray()

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the spool
            self._close = weakref.finalize(self, self._file.close)
        return self._file

    def _flush(self) -> None:
        left = memoryview(self._tail)
        try:
            file = self._open()
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            raise SourceError(
                f"the inventory needs a temporary file, and it cannot be written: {error.strerror}",
                hint="make room there, or set TMPDIR to a folder with room",
                place=tempfile.gettempdir(),
            ) from error
        self._start = self._size
        self._tail = bytearray()
