"""Reports on disk: each file is written whole or not at all, and all of them or none."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from auditor.errors import AuditorError
from auditor.reporting import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.engine.result import Report

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a report goes: a file to be replaced, or (`file` None) something that can only be written to."""

    form: str
    path: str
    file: Path | None
    mode: int | None = None


def write_reports(report: Report, outputs: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    """Write the report as each (format, path), and return each path with its size in bytes.

    Every report is rendered into a temporary file beside its target before the first target is replaced, so
    that a failure leaves all files as they were. Missing parent folders are created; an existing file keeps
    its permissions. Standard output (`-`), pipes and devices are written to last. A reader of a pipe that
    stops early is no error (its size is given as 0).

    Raises AuditorError, with the path, if a format is unknown or a file cannot be written.
    """
    targets = [_target(form, path) for form, path in outputs]
    _distinct(targets)
    sizes: dict[str, int] = {}
    with ExitStack() as unfinished:
        staged: list[tuple[_Target, Path, Path]] = []
        for target in targets:
            if target.file is not None:
                temporary, sizes[target.path] = _stage(report, target, target.file, unfinished)
                staged.append((target, target.file, temporary))
        for target, file, temporary in staged:
            try:
                temporary.replace(file)
            except OSError as error:
                raise _cannot_write(target.path, error) from error
    for target in targets:
        if target.file is None:
            sizes[target.path] = _stream(report, target)
    return [(target.path, sizes[target.path]) for target in targets]


def _target(form: str, path: str) -> _Target:
    if form not in FORMATS:
        raise AuditorError(f"{form!r} is no format", hint=f"there are {', '.join(FORMATS)}")
    if path == STANDARD_OUTPUT:
        return _Target(form, path, None)
    try:
        # Through a symbolic link, the file that it points to is what is to be replaced.
        file = Path(os.path.realpath(path))
        status = file.stat() if path else None
    except FileNotFoundError:
        status = Path(path).stat() if Path(path).exists() else None  # /dev/stdout, when it is a pipe
        if status is None:
            return _Target(form, path, file)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error
    if status is None or stat.S_ISDIR(status.st_mode):
        raise AuditorError(
            "it is a folder", hint="name a file in it, e.g. report.html, as the PATH of --output", place=path
        )
    if not stat.S_ISREG(status.st_mode):
        return _Target(form, path, None)
    if not os.access(file, os.W_OK):
        raise _cannot_write(path, PermissionError(0, "the file is read-only"))
    return _Target(form, path, file, stat.S_IMODE(status.st_mode))


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


def _stage(report: Report, target: _Target, file: Path, unfinished: ExitStack) -> tuple[Path, int]:
    """Render into a temporary file beside the target; `unfinished` removes it if it is still there."""
    temporary = file.with_name(f".{file.name[:80]}.{secrets.token_hex(6)}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile, whose files nobody else may read: a report has the permissions of an ordinary file.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        unfinished.callback(temporary.unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb") as stream:
            if target.mode is not None:
                os.fchmod(descriptor, target.mode)
            size = _render(report, target.form, stream)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise _cannot_write(target.path, error) from error
    return temporary, size


def _render(report: Report, form: str, stream: BinaryIO) -> int:
    size = 0
    for chunk in FORMATS[form](report):
        stream.write(chunk)
        size += len(chunk)
    return size


def _stream(report: Report, target: _Target) -> int:
    """Write to something that cannot be replaced: the size, 0 if the reader stopped early."""
    try:
        if target.path == STANDARD_OUTPUT:
            sys.stdout.flush()
            size = _render(report, target.form, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return size
        with Path(target.path).open("wb") as stream:
            return _render(report, target.form, stream)
    except BrokenPipeError:
        if target.path == STANDARD_OUTPUT:
            # What is still buffered must not fail again when the interpreter closes the stream.
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, sys.stdout.fileno())
            os.close(devnull)
        return 0
    except OSError as error:
        raise _cannot_write(target.path, error) from error


def _cannot_write(path: str, error: OSError | ValueError) -> AuditorError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return AuditorError(
        f"cannot be written: {reason}",
        hint="check that the folder can be created, that you may write there, and that there is room",
        place=path or "''",
    )
