"""Reports on disk: each file is written whole or not at all, and all of them or none."""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from auditor import parallel
from auditor.errors import AuditorError
from auditor.reporting import FORMATS
from auditor.reporting.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from auditor.engine.result import Report
    from auditor.reporting.shards import Shard

    Render = Callable[[], Iterator[bytes]]
    """A file in pieces; a generator may return a remark for the user."""

STANDARD_OUTPUT = "-"

Incomplete = Literal["refuse", "skip", "write"]
"""What becomes of a SARIF file that lacks what could not be read: an error, no file, or a file anyhow."""

_LISTED = 3

_LARGE = 20_000
"""Of a report with so many results, several files are written at once."""

_YIELDING = 5
"""By how much the files that are written beside others come after them where there are not enough cores."""

_IN_SEVERAL = frozenset({"html"})
"""Formats that are rendered by several processes: not in a process that must end when this one does."""


class Written(NamedTuple):
    """A report that was written: where, how many bytes, and a remark for the user (may be empty).

    If it was `skipped`, there is no such file, and the remark says why.
    """

    path: str
    size: int
    remark: str
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a report goes: a file to be replaced, or (`file` None) something that can only be written to."""

    form: str
    render: Render
    path: str
    file: Path | None
    mode: int | None = None


class _Staged(NamedTuple):
    """A file to be replaced, and the open temporary file beside it that is to take its place."""

    target: _Target
    file: Path
    temporary: Path
    descriptor: int


def write_reports(
    report: Report,
    outputs: Sequence[tuple[str, str]],
    *,
    shards: int | None = None,
    incomplete: Incomplete | None = None,
) -> list[Written]:
    """Write the report as each (format, path), and return what was written.

    With `shards`, `sarif` becomes so many files: `report.sarif` is written as `report.shard-01.sarif` and so
    on. `incomplete` says what to do about a `sarif` file that a gap may concern; by default, a shard is
    refused and a whole report written. Where it is skipped, a file of its name is removed, since an old one
    would be uploaded in its place.

    Every report is rendered into a temporary file beside its target before the first target is replaced, so
    that a failure leaves all files as they were. Several files of a large report are rendered at once, as far
    as there are cores. Missing parent folders are created; an existing file keeps its permissions. Standard
    output (`-`), pipes and devices are written to last. A reader of a pipe that stops early is no error (its
    size is given as 0).

    Raises AuditorError, with the path, for an unknown format, a file that cannot be written, and one that is
    refused.
    """
    formats = {form: partial(render, report) for form, render in FORMATS.items()}
    targets: list[_Target] = []
    stale: list[_Target] = []
    written: dict[str, Written] = {}
    for form, path in outputs:
        if form == "sarif":
            parts = _for_code_scanning(report, path, shards, incomplete)
        else:
            parts = [(_target(formats, form, path), "")]
        for target, lacking in parts:
            (stale if lacking else targets).append(target)
            if lacking:
                written[target.path] = Written(target.path, 0, lacking, skipped=True)
    return _write(targets, stale, written, large=len(report.results) >= _LARGE)


def write_files(formats: Mapping[str, Render], outputs: Sequence[tuple[str, str]]) -> list[Written]:
    """As `write_reports` does, write what the functions of `formats`, by name, render."""
    return _write([_target(formats, form, path) for form, path in outputs], (), {}, large=False)


def _write(
    targets: Sequence[_Target], stale: Sequence[_Target], written: dict[str, Written], *, large: bool
) -> list[Written]:
    """Write the targets and remove the stale files, all or none of the files."""
    _distinct([*targets, *stale])
    with ExitStack() as unfinished:
        staged = [_stage(one, one.file, unfinished) for one in targets if one.file is not None]
        shares = _shares(staged) if large else [staged]
        with parallel.processes(partial(_fill_share, shares, os.getpid()), len(shares)) as filled:
            written.update((one.path, one) for one in filled)
        for one in staged:
            try:
                one.temporary.replace(one.file)
            except OSError as error:
                raise _cannot_write(one.target.path, error) from error
        for target in stale:
            if target.file is not None:
                try:
                    target.file.unlink(missing_ok=True)
                except OSError as error:
                    raise _cannot_write(target.path, error) from error
    for target in targets:
        if target.file is None:
            written[target.path] = _stream(target)
    return [written[target.path] for target in (*targets, *stale)]


def _for_code_scanning(
    report: Report, path: str, shards: int | None, incomplete: Incomplete | None
) -> list[tuple[_Target, str]]:
    """Where the report or its shards go, each with what it lacks if that is a reason to skip it.

    Raises AuditorError if one lacks something that is a reason to refuse it.
    """
    from auditor.reporting.shards import Shard

    if shards is None:
        found = [(Shard(1, 1, report), _target({"sarif": partial(FORMATS["sarif"], report)}, "sarif", path))]
        policy = incomplete or "write"
    else:
        found = list(_sharded(report, path, shards))
        policy = incomplete or "refuse"
    lacking = [shard for shard, _ in found if not shard.complete]
    if lacking and policy == "refuse":
        raise _refused(path, lacking)
    return [(target, shard.why_incomplete() if policy == "skip" else "") for shard, target in found]


def _sharded(report: Report, path: str, count: int) -> Iterator[tuple[Shard, _Target]]:
    """The parts of a report, each with the file it goes to.

    Raises AuditorError if the path is none that several files can be named after.
    """
    from auditor.reporting import sarif
    from auditor.reporting.shards import split

    if not re.search(r"[^/]\.sarif$", path) or path.endswith((".quality.sarif", ".csra.sarif")):
        raise AuditorError(
            "several files cannot be named after this one",
            hint="with --sarif-shards, let PATH be a file that ends in .sarif, e.g. sarif=out/report.sarif",
            place=path,
        )
    for shard in split(report, count):
        render = partial(sarif.render_github, report, shard=shard)
        target = _target({"sarif": render}, "sarif", f"{path.removesuffix('.sarif')}.{shard.name}.sarif")
        if target.file is None:
            raise AuditorError(
                "this is no ordinary file", hint="give another name in --output", place=target.path
            )
        yield shard, target


def _refused(path: str, lacking: Sequence[Shard]) -> AuditorError:
    count = lacking[0].of
    what = "the file" if count == 1 else f"{plural(len(lacking), 'shard')} of {count}"
    listed = "\n".join(
        f"  {'' if count == 1 else f'{shard.name}: '}{shard.why_incomplete()}" for shard in lacking[:_LISTED]
    )
    more = f"\n  and {plural(len(lacking) - _LISTED, 'more shard')}" if len(lacking) > _LISTED else ""
    return AuditorError(
        f"{what} would be incomplete, and GitHub would close the alerts that are missing as fixed; nothing "
        f"was written:\n{listed}{more}",
        hint="close the gaps; or leave out what is incomplete, so that its alerts stay as they are, with "
        "--sarif-incomplete skip; or write it all the same with --sarif-incomplete write",
        place=path,
    )


def _target(formats: Mapping[str, Render], form: str, path: str) -> _Target:
    if form not in formats:
        raise AuditorError(f"{form!r} is no format", hint=f"there are {', '.join(formats)}")
    if path == STANDARD_OUTPUT:
        return _Target(form, formats[form], path, None)
    try:
        # Through a symbolic link, the file that it points to is what is to be replaced.
        file = Path(os.path.realpath(path))
        status = file.stat() if path else None
    except FileNotFoundError:
        status = Path(path).stat() if Path(path).exists() else None  # /dev/stdout, when it is a pipe
        if status is None:
            return _Target(form, formats[form], path, file)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error
    if status is None or stat.S_ISDIR(status.st_mode):
        raise AuditorError(
            "it is a folder", hint="name a file in it, e.g. report.html, as the PATH of --output", place=path
        )
    if not stat.S_ISREG(status.st_mode):
        return _Target(form, formats[form], path, None)
    if not os.access(file, os.W_OK):
        raise _cannot_write(path, PermissionError(0, "the file is read-only"))
    return _Target(form, formats[form], path, file, stat.S_IMODE(status.st_mode))


def _distinct(targets: Sequence[_Target]) -> None:
    seen: dict[Path, str] = {}
    for target in targets:
        if target.file is None:
            continue
        if target.file in seen:
            raise AuditorError(
                f"is the same file as {seen[target.file]}",
                hint="each report needs a file of its own",
                place=target.path,
            )
        seen[target.file] = target.path


def _stage(target: _Target, file: Path, unfinished: ExitStack) -> _Staged:
    """An empty temporary file beside the target; `unfinished` removes it if it is still there."""
    temporary = file.with_name(f".{file.name[:80]}.{secrets.token_hex(6)}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile, whose files nobody else may read: a report has the permissions of an ordinary file.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        unfinished.callback(temporary.unlink, missing_ok=True)
        unfinished.callback(os.close, descriptor)
        if target.mode is not None:
            os.fchmod(descriptor, target.mode)
    except OSError as error:
        raise _cannot_write(target.path, error) from error
    return _Staged(target, file, temporary, descriptor)


def _shares(staged: Sequence[_Staged]) -> list[list[_Staged]]:
    """The files that each process is to fill, those of this process first."""
    count = parallel.useful(len(staged), 1)
    here = [one for one in staged if one.target.form in _IN_SEVERAL]
    others = [one for one in staged if one.target.form not in _IN_SEVERAL]
    if count == 1 or not others:
        return [list(staged)]
    if not here:
        return [others[number::count] for number in range(count)]
    count = min(count - 1, len(others))
    return [here, *(others[number::count] for number in range(count))]


def _fill_share(shares: Sequence[Sequence[_Staged]], leader: int, number: int) -> Iterator[Written]:
    """Fill the files of a share, in a process of its own if that can be; `leader` is the one that waits."""
    if os.getpid() != leader:
        # The leader has most to do, and the processes that help it with that: they go first.
        os.nice(_YIELDING)
    return map(_fill, shares[number])


def _fill(staged: _Staged) -> Written:
    """Render into the temporary file, which a process that failed may have filled in part."""
    try:
        os.ftruncate(staged.descriptor, 0)
        os.lseek(staged.descriptor, 0, os.SEEK_SET)
        with os.fdopen(os.dup(staged.descriptor), "wb") as stream:
            written = _render(staged.target, stream)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise _cannot_write(staged.target.path, error) from error
    return written


def _render(target: _Target, stream: BinaryIO) -> Written:
    size = 0
    parts = target.render()
    while True:
        try:
            chunk = next(parts)
        except StopIteration as end:
            return Written(target.path, size, end.value or "")
        stream.write(chunk)
        size += len(chunk)


def _stream(target: _Target) -> Written:
    """Write to something that cannot be replaced; the size is 0 if the reader stopped early."""
    try:
        if target.path == STANDARD_OUTPUT:
            sys.stdout.flush()
            written = _render(target, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return written
        with Path(target.path).open("wb") as stream:
            return _render(target, stream)
    except BrokenPipeError:
        if target.path == STANDARD_OUTPUT:
            # What is still buffered must not fail again when the interpreter closes the stream.
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, sys.stdout.fileno())
            os.close(devnull)
        return Written(target.path, 0, "")
    except OSError as error:
        raise _cannot_write(target.path, error) from error


def _cannot_write(path: str, error: OSError | ValueError) -> AuditorError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return AuditorError(
        f"cannot be written: {reason}",
        hint="check that the folder can be created, that you may write there, and that there is room",
        place=path or "''",
    )
