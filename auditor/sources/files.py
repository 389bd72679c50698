"""Files as streams of JSON values: found, decompressed and cut, one value at a time.

Memory holds one value, never the text of a file: lines are read one by one, and a top-level array is cut into
its elements as it is read. Only a single top-level object (a page of an API answer) is held whole.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import stat
import sys
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import orjson

from auditor.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from auditor.model.evidence import Json

WINDOW = 1 << 20
"""How many bytes are read at once, and between two reports of progress."""

LONGEST = 256 << 20
"""The longest line or element that is read; no asset comes near it."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_STEP = 4096  # a block of four bytes can stand for 128 KiB: little goes in, so that little comes out
_MAGIC = 32
"""How far into a file a null byte still says that it is no text (UTF-16 without a mark included)."""

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SPACE = " \t\r\n"
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_WORD = re.compile(r'[^,"{}\[\]]+(?=[,\]])')
_LOOK_AHEAD = 40
_NAMED = re.compile(rb'^\s*\{\s*"(?:name"\s*:\s*"//|asset_?[tT]ype")')
_YAML_DEPTH = 200
_YAML_SIZE = 64 << 20
_DOWNLOAD_AGAIN = "read it from its source again; a download or an upload was cut short"


class UnusableError(SourceError):
    """The file is none that this program reads. Beside others in a folder, that is a gap and no error."""


class UnknownKindError(UnusableError):
    """The file can be parsed and holds nothing of a known kind. Beside other sources that is a gap too."""


class EmptyFileError(UnusableError):
    """The file is empty: it is not known what it should have held."""


class BrokenFileError(UnusableError):
    """The file's text breaks off, or makes no sense from somewhere on: what follows is not known."""


class Sink(Protocol):
    """What is told about the values of one file; a `number` counts from 1."""

    def line(self, number: int, value: Json, raw: bytes) -> None:
        """The value on a line of its own, with the line's bytes as they stand in the file."""

    def document(self, number: int, value: Json) -> None:
        """A top-level value that begins on the line (a JSON object over many lines, a YAML document)."""

    def array(self) -> None:
        """The top-level array begins."""

    def element(self, number: int, value: Json) -> None:
        """An element of the top-level array."""

    def end_of_array(self) -> None:
        """The top-level array is complete."""

    def malformed(self, number: int, line: int, why: str, raw: bytes) -> None:
        """A line, document or element that cannot be parsed, and the line it begins on."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read. `label` names it to the user, `path` is None for standard input.

    `explicit` is False for a file that was found in a folder.
    """

    label: str
    path: str | None
    explicit: bool


def find(source: str) -> tuple[list[Input], list[tuple[str, str]]]:
    """The files of a SOURCE in a fixed order, and what was passed over in a folder: (path, why).

    A folder is searched to its leaves; hidden files are not part of an export and are left out. Raises
    `SourceError` if there is nothing to read.
    """
    if source == "-":
        return [Input("standard input", None, explicit=True)], []
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116 - a SOURCE stays the text the user gave
    except (OSError, ValueError) as error:
        raise _cannot_open(source, error) from error
    if not stat.S_ISDIR(mode):
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise SourceError(
                "is neither a file nor a folder",
                hint="give a file, a folder, or `-` for standard input",
                place=source,
            )
        return [Input(source, source, explicit=True)], []
    found: list[Input] = []
    passed: list[tuple[str, str]] = []
    _walk(source, found, passed, set())
    if not found:
        raise SourceError(
            "is a folder without files",
            hint="give the folder that holds the export's files, or a file",
            place=source,
        )
    return found, passed


def _walk(
    folder: str, found: list[Input], passed: list[tuple[str, str]], above: set[tuple[int, int]]
) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        status = os.stat(folder)  # noqa: PTH116
    except OSError as error:
        raise _cannot_open(folder, error) from error
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        passed.append((folder, "is a link to a folder above it"))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            _walk(entry.path, found, passed, above | {identity})
        elif entry.is_file():
            found.append(Input(entry.path, entry.path, explicit=False))
        else:
            passed.append((entry.path, "is no regular file, or a link to nothing"))


def identity(file: Input) -> tuple[int, int] | str:
    """What two names of one file have in common."""
    if file.path is None:
        return "-"
    try:
        status = os.stat(file.path)  # noqa: PTH116
    except OSError as error:
        raise _cannot_open(file.label, error) from error
    return (status.st_dev, status.st_ino)


def _cannot_open(label: str, error: OSError | ValueError) -> SourceError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    hint = "check the path and that you may read it"
    if isinstance(error, FileNotFoundError):
        hint = (
            "give a file or folder of Cloud Asset Inventory or gcloud JSON, a live scope such as "
            "organizations/123, or `demo`"
        )
    return SourceError(f"cannot be opened: {why}", hint=hint, place=label)


class _Counted(io.RawIOBase):
    """A file that counts what was read from it; it ends after `limit` bytes, if that is given."""

    def __init__(self, raw: io.RawIOBase | io.BufferedIOBase, limit: int | None = None) -> None:
        self._raw = raw
        self._limit = limit
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = len(buffer) if self._limit is None else min(len(buffer), self._limit - self.count)
        data = self._raw.read(wanted) or b""
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class _Zstandard(io.RawIOBase):
    """The content of zstd frames; unlike the library's own reader it tells a cut frame from an ended one."""

    def __init__(self, source: io.BufferedReader[Any]) -> None:
        import zstandard

        self._source = source
        self._error = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: Any = None
        self._pending = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._pending or self._source.read1(_ZSTD_STEP)
            self._pending = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the last frame is cut short")
                return 0
            if self._frame is None:
                self._frame = self._decompressor.decompressobj()
            try:
                self._ready = memoryview(self._frame.decompress(data))
            except self._error as error:
                raise EOFError(str(error)) from error
            if self._frame.eof:
                self._pending = self._frame.unused_data
                self._frame = None
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


@contextmanager
def opened(file: Input) -> Iterator[tuple[io.BufferedReader[Any], Callable[[], int]]]:
    """The decompressed bytes of a file, and a function that says how many of its own were read so far."""
    try:
        # Closed below, when it has been read; and a SOURCE stays the text the user gave.
        raw: Any = sys.stdin.buffer if file.path is None else open(file.path, "rb", 0)  # noqa: SIM115, PTH123
    except (OSError, ValueError) as error:
        raise _cannot_open(file.label, error) from error
    counted = _Counted(raw)
    try:
        stream: io.BufferedReader[Any] = io.BufferedReader(counted, WINDOW)
        magic = stream.peek(4)[:4]
        if magic.startswith(_GZIP):
            stream = io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=stream)), WINDOW)
        elif magic == _ZSTD:
            stream = io.BufferedReader(_Zstandard(stream), WINDOW)
        yield stream, lambda: counted.count
    finally:
        if file.path is not None:
            raw.close()


def read(file: Input, sink: Sink, progress: Callable[[int], None] | None = None) -> int:
    """Hand every value of a file to `sink`; the number of bytes the file has.

    Raises `SourceError` if the file cannot be opened, is empty, cannot be decompressed to its end, is not
    UTF-8, or is not cut into values by any rule known here.
    """
    with opened(file) as (stream, count):
        try:
            _values(file.label, stream, sink, lambda: progress(count()) if progress else None)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(
                f"cannot be decompressed to its end: {error}", hint=_DOWNLOAD_AGAIN, place=file.label
            ) from error
        except OSError as error:
            why = error.strerror or str(error)
            raise SourceError(f"cannot be read: {why}", hint="check the disk", place=file.label) from error
        return count()


def size(file: Input) -> int:
    """How many bytes a regular file has, 0 for anything else."""
    try:
        status = os.stat(file.path) if file.path is not None else None  # noqa: PTH116
    except OSError as error:
        raise _cannot_open(file.label, error) from error
    return status.st_size if status is not None and stat.S_ISREG(status.st_mode) else 0


@dataclass(frozen=True, slots=True)
class Part:
    """Some whole lines of a file, from one offset to another; `before` is how many lines precede them."""

    start: int
    end: int
    before: int


def parts(file: Input, bounds: Sequence[int]) -> list[Part]:
    """A file cut after the lines in which the inner bounds lie, so that `read_part` can read each by itself.

    Empty if it has to be read whole: it is no regular file, is compressed, or does not hold a JSON object in
    its first line. The bounds are offsets, rising, the first of them 0. `SourceError` if it cannot be read.
    """
    if file.path is None:
        return []
    try:
        with open(file.path, "rb") as stream:  # noqa: PTH123 - a SOURCE stays the text the user gave
            size = os.fstat(stream.fileno()).st_size
            if not stream.seekable() or bounds[-1] > size or not _is_object(stream.readline(WINDOW)):
                return []
            starts = [(0, 0)]
            at = lines = 0
            stream.seek(0)
            for bound in bounds[1:-1]:
                while at < bound:
                    window = stream.read(min(WINDOW, bound - at))
                    at += len(window)
                    lines += window.count(b"\n")
                rest = stream.readline(LONGEST)
                at += len(rest)
                lines += rest.count(b"\n")
                if not rest.endswith(b"\n"):
                    return []
                if at > starts[-1][0]:
                    starts.append((at, lines))
    except OSError as error:
        raise _cannot_open(file.label, error) from error
    ends = [*(start for start, _ in starts[1:]), size]
    return [Part(start, end, before) for (start, before), end in zip(starts, ends, strict=True)]


def read_part(
    file: Input, part: Part, sink: Sink, progress: Callable[[int], None] | None = None
) -> Iterator[None]:
    """Hand the values of some lines of a file to `sink`, with a pause about once a megabyte.

    Raises `SourceError` like `read`.
    """
    try:
        with open(cast("str", file.path), "rb", 0) as raw:  # noqa: PTH123
            raw.seek(part.start)
            counted = _Counted(raw, part.end - part.start)
            for _ in _lines(file.label, io.BufferedReader(counted, WINDOW), sink, part.before):
                if progress is not None:
                    progress(counted.count)
                yield
    except OSError as error:
        raise _cannot_open(file.label, error) from error


def _values(label: str, stream: io.BufferedReader[Any], sink: Sink, tick: Callable[[], None]) -> None:
    head = stream.peek(4096)
    if not head:
        raise EmptyFileError(
            "is empty",
            hint="write it again; a command that failed leaves an empty file behind",
            place=label,
        )
    if head.startswith(_UTF16):
        raise SourceError(
            "is UTF-16 text, and JSON files are UTF-8",
            hint="convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW (PowerShell: `| Out-File -Encoding utf8`)",
            place=label,
        )
    if head.startswith(_BOM):
        stream.read(len(_BOM))
        head = head[len(_BOM) :]
    if b"\0" in head[:_MAGIC]:
        raise UnusableError(
            "is binary, neither UTF-8 text nor gzip nor zstd",
            hint="give JSON as Cloud Asset Inventory or gcloud writes it, plain or compressed",
            place=label,
        )
    start = head.lstrip()[:1]
    if start == b"[":
        _Cutter(label, stream, sink, tick).array()
    elif start in (b"{", b""):
        _lines_or_documents(label, stream, sink, tick)
    else:
        _yaml(label, stream, sink)


def _lines_or_documents(
    label: str, stream: io.BufferedReader[Any], sink: Sink, tick: Callable[[], None]
) -> None:
    before: list[bytes] = []
    first = b""
    while not first.strip():
        first = _line(label, stream, len(before) + 1)
        if not first:
            raise EmptyFileError(
                "holds nothing but white space", hint="write it again with its command", place=label
            )
        before.append(first)
    if not _is_object(first):
        before.append(_line(label, stream, len(before) + 1))
        if not _is_object(before[-1]):
            # An export whose first lines are broken has assets soon after. A page over many lines may hold
            # one on a line of its own, but does not begin with what is left of another.
            while (
                before[-1]
                and _NAMED.search(first)
                and len(before) < _LOOK_AHEAD
                and not _is_asset(before[-1])
            ):
                before.append(_line(label, stream, len(before) + 1))
            if not (_NAMED.search(first) and _is_asset(before[-1])):
                _Cutter(label, stream, sink, tick, b"".join(before)).documents()
                return
    number = 0
    for line in before:
        if not line:
            continue
        number += 1
        _take_line(number, line, sink)
    for _ in _lines(label, stream, sink, number):
        tick()


def _lines(label: str, stream: io.BufferedReader[Any], sink: Sink, number: int) -> Iterator[None]:
    """Hand over the values of the lines that are left in the stream, with a pause about once a megabyte.

    `number` lines of the file came before.
    """
    loads = orjson.loads
    take = sink.line
    since = 0
    while line := stream.readline(LONGEST):
        number += 1
        since += len(line)
        if since > WINDOW:
            if len(line) == LONGEST:
                raise _too_long(f"{label}:{number}")
            yield
            since = 0
        try:
            value = loads(line)
        except orjson.JSONDecodeError:
            _take_line(number, line, sink)
        else:
            take(number, value, line)
    yield


def _line(label: str, stream: io.BufferedReader[Any], number: int) -> bytes:
    line = stream.readline(LONGEST)
    if len(line) == LONGEST:
        raise _too_long(f"{label}:{number}")
    return line


def _too_long(place: str) -> SourceError:
    return SourceError(
        f"is longer than {LONGEST >> 20} MiB, which no asset is",
        hint="give one asset a line, or the assets as a JSON array",
        place=place,
    )


def _is_asset(line: bytes) -> bool:
    """Whether a line looks like an asset of an export."""
    return (b'"assetType"' in line or b'"asset_type"' in line) and _is_object(line)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _take_line(number: int, line: bytes, sink: Sink) -> None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if line.strip():
            sink.malformed(number, number, _why(error), line)
        return
    sink.line(number, value, line)


def _why(error: ValueError) -> str:
    return str(error).partition(": line ")[0] or "is not JSON"


class _Cutter:
    """Cuts text into its top-level values, or a top-level array into its elements.

    The standard library's decoder finds where a value ends, since it says so; orjson then decodes the
    slice, so that what counts as JSON does not depend on the container.
    """

    def __init__(
        self,
        label: str,
        stream: io.BufferedReader[Any],
        sink: Sink,
        tick: Callable[[], None],
        first: bytes = b"",
    ) -> None:
        import codecs

        self._label = label
        self._stream = stream
        self._sink = sink
        self._tick = tick
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="strict").decode
        self._scan = json.JSONDecoder().raw_decode
        self._ended = False
        self._text = self._decoded(first)
        self._at = 0
        self._line = 1
        self._counted = 0
        self._in_array = False

    def array(self) -> None:
        """Hand over the elements of an array, then whatever values follow it."""
        self._skip()
        self._at += 1
        self._sink.array()
        self._in_array = True
        number = 0
        if self._skip() == "]":
            self._at += 1
        else:
            while True:
                number += 1
                self._value(number, self._sink.element)
                mark = self._skip()
                self._at += 1
                if mark == "]":
                    break
                if mark != ",":
                    raise self._broken(number, mark)
                self._skip()
        self._in_array = False
        self._sink.end_of_array()
        self.documents()

    def documents(self) -> None:
        """Hand over top-level values one after the other."""
        while self._skip():
            self._value(self._line_number(), self._sink.document)

    def _broken(self, number: int, mark: str) -> BrokenFileError:
        found = (
            f"then {mark!r} where a comma or the end of the array is due" if mark else "then the file ends"
        )
        return BrokenFileError(
            f"the array can be followed up to its element {number}, {found}",
            hint=f"check the file from line {self._line_number()} on; {_DOWNLOAD_AGAIN}",
            place=f"{self._label}:{self._line_number()}",
        )

    def _line_number(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _more(self) -> bool:
        """Read on; False at the end of the file. Text that was dealt with is dropped."""
        if self._ended:
            return False
        if self._at:
            self._line_number()
            self._text = self._text[self._at :]
            self._at = self._counted = 0
        data = self._stream.read(max(WINDOW, len(self._text)))
        self._tick()
        self._ended = not data
        self._text += self._decoded(data)
        return True

    def _decoded(self, data: bytes) -> str:
        try:
            return self._decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise SourceError(
                f"is not UTF-8 text: {error.reason}",
                hint="convert it to UTF-8, or write it again",
                place=self._label,
            ) from error

    def _skip(self) -> str:
        """The next character that is not white space; nothing at the end."""
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _SPACE:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return ""

    def _value(self, number: int, take: Callable[[int, Json], None]) -> None:
        while True:
            try:
                end = self._scan(self._text, self._at)[1]
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at < WINDOW // 2 or self._unfinished():
                    if len(self._text) - self._at > LONGEST:
                        raise _too_long(f"{self._label}:{self._line_number()}") from error
                    if self._more():
                        continue
                self._pass_over(number, error)
                return
            if end == len(self._text) and self._more():
                continue
            break
        raw = self._text[self._at : end]
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            self._malformed(number, end, _why(error))
            return
        self._at = end
        take(number, value)

    def _malformed(self, number: int, end: int, why: str) -> None:
        raw = self._text[self._at : end].encode("utf-8", "replace")
        line = self._line_number()
        self._at = end
        self._sink.malformed(number, line, why, raw)

    def _unfinished(self) -> bool:
        return self._balance() is None

    def _balance(self) -> int | None:
        """Where the brackets that open here are all closed again; None if the text ends before that."""
        depth = 0
        for token in _TOKEN.finditer(self._text, self._at):
            mark = token[0]
            if mark == '"':
                return None
            if mark in "{[":
                depth += 1
            elif mark in "}]":
                depth -= 1
                if depth <= 0:
                    return token.end() if depth == 0 else token.start()
        return None

    def _pass_over(self, number: int, error: Exception) -> None:
        """Leave out a value that is no JSON: up to where its brackets balance, or there is no way on."""
        end = None
        if self._text[self._at : self._at + 1] in ("{", "["):
            end = self._balance()
        elif self._in_array:
            # A bare word: it ends where the next element or the array's end is due.
            word = _WORD.match(self._text, self._at)
            end = word.end() if word is not None else None
        why = (
            "it is nested too deeply"
            if isinstance(error, RecursionError)
            else _why(cast("ValueError", error))
        )
        if end is None:
            raise BrokenFileError(
                f"cannot be parsed: {why[:1].lower()}{why[1:]}",
                hint=f"check the file there; {_DOWNLOAD_AGAIN}",
                place=f"{self._label}:{self._line_number()}",
            ) from error
        self._malformed(number, end, why[:1].lower() + why[1:])


def _yaml(label: str, stream: io.BufferedReader[Any], sink: Sink) -> None:
    data = stream.read(_YAML_SIZE + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UnusableError(
            "is neither JSON nor text in UTF-8",
            hint="give JSON as Cloud Asset Inventory or gcloud writes it, or YAML as kubectl prints it",
            place=label,
        ) from error
    if len(data) > _YAML_SIZE:
        raise SourceError(
            f"is no JSON, and longer than the {_YAML_SIZE >> 20} MiB of YAML that are read",
            hint="have kubectl print JSON: -o json",
            place=label,
        )
    documents = _yaml_documents(label, text)
    if not any(isinstance(value, dict | list) for _, value in documents):
        # Any text at all is a YAML scalar.
        raise UnusableError(
            "is neither JSON nor YAML: it holds no object",
            hint="give JSON as Cloud Asset Inventory or gcloud writes it, or YAML as kubectl prints it",
            place=f"{label}:{documents[0][0]}" if documents else label,
        )
    for number, value in documents:
        if value is not None:
            sink.document(number, value)


def _yaml_documents(label: str, text: str) -> list[tuple[int, Json]]:
    """The documents of a YAML text as JSON values, each with the line it begins on.

    Timestamps stay text, and only `true` and `false` are truth values, as in JSON. Anchors are refused: a
    text of a kilobyte can stand for gigabytes with them, and kubectl writes none.
    """
    import yaml

    loader: Any = type("Loader", (yaml.CSafeLoader,), {})
    loader.yaml_implicit_resolvers = {
        first: [
            (
                tag,
                pattern
                if tag != "tag:yaml.org,2002:bool"
                else re.compile(r"true|false|True|False|TRUE|FALSE"),
            )
            for tag, pattern in resolvers
            if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge")
        ]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        depth = 0
        begins: list[int] = []
        for event in yaml.parse(text, Loader=loader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                raise SourceError(
                    "holds a YAML alias, which kubectl never prints",
                    hint="print the objects again with kubectl",
                    place=f"{label}:{line}",
                )
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > _YAML_DEPTH:
                    raise SourceError(
                        f"is nested more than {_YAML_DEPTH} levels deep",
                        hint="print the objects again with kubectl",
                        place=f"{label}:{line}",
                    )
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
            elif isinstance(event, yaml.DocumentStartEvent):
                begins.append(line)
        documents = yaml.load_all(text, Loader=loader)
        return [
            (line, orjson.loads(orjson.dumps(document)))
            for line, document in zip(begins, documents, strict=True)
        ]
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise UnusableError(
            f"is neither JSON nor YAML: {problem}",
            hint="give JSON as Cloud Asset Inventory or gcloud writes it, or YAML as kubectl prints it",
            place=label if mark is None else f"{label}:{mark.line + 1}",
        ) from error
