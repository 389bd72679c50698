"""A large file of assets, one a line, read in parts by several processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor import parallel
from auditor.sources import files
from auditor.sources.builder import Builder
from auditor.sources.recognise import Recogniser, WholeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FEWEST = 32 << 20
"""For so many bytes a further process is worth its start."""

STRETCH = 16
"""After about so many megabytes a process hands over what it has found."""


def read(
    file: files.Input, recogniser: Recogniser, progress: Callable[[int], None] | None = None
) -> int | None:
    """Read a file as `files.read` does, with the same outcome; None if it has to be read whole.

    Raises `SourceError` like `files.read`.
    """
    size = files.size(file)
    pieces = parallel.pieces(range(size), FEWEST)
    if len(pieces) == 1:
        return None
    parts = files.parts(file, [*(piece[0] for piece in pieces), size])
    if len(parts) < 2:
        return None
    spool = recogniser.builder.spool
    spools = [spool, *(spool.beside() for _ in parts[1:])]

    def work(number: int) -> Iterator[dict[str, Any]]:
        own = spools[number]
        if number:
            own.restart()
        part = Recogniser(file.label, Builder(spool=own), recogniser.strict, part=True)
        pauses = files.read_part(file, parts[number], part, None if number else progress)
        for count, _ in enumerate(pauses, 1):
            if count % STRETCH == 0:
                yield from part.builder.shares()
        yield from part.builder.shares()
        yield {"seen": part.seen(), "written": own.flush() if number else None, "number": number}

    taken: list[dict[str, Any]] = []
    try:
        with parallel.processes(work, len(parts)) as shares:
            taken = list(shares)
    except WholeError:
        return None
    for share in taken:
        if "seen" not in share:
            recogniser.builder.absorb(share)
            continue
        recogniser.also_seen(*share["seen"])
        if share["written"] is not None:
            spools[share["number"]].written(share["written"])
    return size
