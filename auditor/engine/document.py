"""YAML files that people write, read with the position of everything in them.

The YAML understood here is the part that cannot surprise: one document, string keys, no anchors, no tags,
and the scalars of YAML 1.2's core schema, so that `on`, `off`, `yes` and `no` stay words and a date stays
text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from auditor.errors import AuditorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditor.model.evidence import Json

Path = tuple[str | int, ...]

MAX_BYTES = 4_000_000
MAX_DEPTH = 60
MAX_DIGITS = 19

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")
_ESCAPE_LENGTH = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file: where (`FILE:LINE:COLUMN`), what, and what to do about it."""

    place: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value stands: line and column from 1, and how it is written (`|`, `>`, `'`, `"`, or plain)."""

    line: int
    column: int
    style: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its data, and the spot of every value and key by its path in the data."""

    file: str
    text: str
    data: Json
    values: Mapping[Path, Spot]
    keys: Mapping[Path, Spot]

    def place(self, path: Path, *, key: bool = False) -> str:
        """`FILE:LINE:COLUMN` of the value (or key) at the path, or of the nearest thing around it."""
        spot = self.keys.get(path) if key else None
        while spot is None:
            spot = self.values.get(path)
            if not path:
                break
            path = path[:-1]
        return f"{self.file}:{spot.line}:{spot.column}" if spot else self.file

    def place_in(self, path: Path, offset: int) -> str:
        """`FILE:LINE:COLUMN` of one character of the text at the path, however that text is written."""
        spot = self.values.get(path)
        value = self.at(path)
        if spot is None or not isinstance(value, str):
            return self.place(path)
        index = _index_in_source(self.text, spot, value, offset)
        line, start = 1, 0
        for found in _BREAK.finditer(self.text, 0, index):
            line, start = line + 1, found.end()
        return f"{self.file}:{line}:{index - start + 1}"

    def at(self, path: Path) -> Json:
        """The value at the path, None if there is none."""
        value = self.data
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value


def spelled(path: Path) -> str:
    """A path as people write it: `checks[0].expect`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def parse(raw: bytes, file: str, error: type[AuditorError] = AuditorError) -> Document:
    """The document in these bytes. Raises `error`, with line, column and a hint, for anything unclear."""
    return _Reader(raw, file, error).document()


def _index_in_source(source: str, spot: Spot, value: str, offset: int) -> int:
    # Whatever the style, the characters other than white space stand in the source in the same order;
    # folding and indentation only change the white space between them.
    starts = [0, *(found.end() for found in _BREAK.finditer(source))]
    index = starts[spot.line - 1] + spot.column - 1
    if spot.style in ("|", ">"):
        newline = _BREAK.search(source, index)
        index = newline.end() if newline else len(source)
    elif spot.style:
        index += 1
    last = index
    for position, char in enumerate(value):
        if position > offset:
            break
        if char.isspace() and spot.style != '"':
            continue
        while index < len(source) and source[index].isspace() and not char.isspace():
            index += 1
        last = index
        if spot.style == '"' and index < len(source) and source[index] == "\\":
            following = source[index + 1 : index + 2]
            index += _ESCAPE_LENGTH.get(following, 2)
        elif spot.style == "'" and char == "'":
            index += 2
        else:
            index += 1
    return min(last, len(source))


@dataclass(slots=True)
class _Reader:
    raw: bytes
    file: str
    error: type[AuditorError]
    text: str = ""
    values: dict[Path, Spot] = field(default_factory=dict)
    keys: dict[Path, Spot] = field(default_factory=dict)

    def document(self) -> Document:
        import yaml

        self.text = self._decoded()
        try:
            data = self._stream(yaml.parse(self.text, Loader=yaml.CSafeLoader))
        except yaml.YAMLError as bad:
            self._syntax(bad)
        return Document(self.file, self.text, data, self.values, self.keys)

    def _decoded(self) -> str:
        if len(self.raw) > MAX_BYTES:
            self._fail(None, "the file is larger than 4 MB", "split it into smaller files")
        try:
            text = self.raw.decode("utf-8-sig")
        except UnicodeDecodeError as bad:
            line = self.raw.count(b"\n", 0, bad.start) + 1
            column = bad.start - (self.raw.rfind(b"\n", 0, bad.start) + 1) + 1
            self._fail(Spot(line, column), "the file is not UTF-8 text", "save the file as UTF-8")
        if not text.strip():
            self._fail(None, "the file is empty", "see `docs/writing-rules.md` for what belongs in it")
        return text

    def _stream(self, events: Iterator[object]) -> Json:
        import yaml

        data: Json = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fail(
                        _spot(event),
                        "the file holds several documents",
                        "remove the `---` and keep one document",
                    )
                data = self._node(next(events), events, ())
        if documents == 0:
            self._fail(None, "the file holds nothing but comments", "see `docs/writing-rules.md`")
        return data

    def _node(self, event: object, events: Iterator[object], path: Path) -> Json:
        import yaml

        if isinstance(event, yaml.AliasEvent):
            self._fail(
                _spot(event), f"the alias `*{event.anchor}` is not allowed", "write the value out in full"
            )
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            self._fail(_spot(event), "a value is missing here", "write a value, or remove the key")
        if event.anchor is not None:
            self._fail(
                _spot(event), f"the anchor `&{event.anchor}` is not allowed", "write values out in full"
            )
        if event.tag is not None and event.tag != "!":
            self._fail(
                _spot(event), f"the tag `{event.tag}` is not allowed", "remove it; values are plain YAML"
            )
        if len(path) > MAX_DEPTH:
            self._fail(_spot(event), f"the nesting is deeper than {MAX_DEPTH} levels", "flatten it")
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            self.values[path] = _spot(event, style)
            return self._scalar(event.value, plain=not style, spot=self.values[path])
        self.values[path] = _spot(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Json] = []
            for inner in events:
                if isinstance(inner, yaml.SequenceEndEvent):
                    break
                items.append(self._node(inner, events, (*path, len(items))))
            return items
        return self._mapping(events, path)

    def _mapping(self, events: Iterator[object], path: Path) -> Json:
        import yaml

        result: dict[str, Json] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self._fail(_spot(event), "a key must be plain text", "quote text that holds `{`, `[` or `*`")
            if event.anchor is not None or (event.tag is not None and event.tag != "!"):
                self._fail(_spot(event), "a key must be plain text", "remove the anchor or tag")
            key = event.value
            if key in result:
                first = self.keys[(*path, key)].line
                self._fail(
                    _spot(event),
                    f"the key `{key}` is there twice (first in line {first})",
                    "keep one of them",
                )
            self.keys[(*path, key)] = _spot(event)
            result[key] = None
            result[key] = self._node(next(events), events, (*path, key))
        return result

    def _scalar(self, value: str, *, plain: bool, spot: Spot) -> Json:
        if not plain:
            return value
        if value in _NULL:
            return None
        if value in _BOOL:
            return _BOOL[value]
        if _INT.fullmatch(value):
            if len(value) > MAX_DIGITS:
                self._fail(spot, f"the number {value[:40]} is too large", "write a smaller one, or quote it")
            return int(value)
        if _FLOAT.fullmatch(value):
            number = float(value)
            if number in (float("inf"), float("-inf")):
                self._fail(spot, f"the number {value[:40]} is too large", "write a smaller one, or quote it")
            return number
        return value

    def _syntax(self, bad: Exception) -> NoReturn:
        mark = getattr(bad, "problem_mark", None)
        problem = getattr(bad, "problem", None) or "the file cannot be read"
        spot = Spot(mark.line + 1, mark.column + 1) if mark else None
        hint = "check the indentation, and quote text that holds `: `, ` #`, `{` or `[`"
        if "found character that cannot start any token" in problem and spot:
            lines = _BREAK.split(self.text)
            if "\t" in lines[spot.line - 1][: spot.column + 1]:
                problem, hint = "a tab stands where YAML wants spaces", "indent with spaces"
        self._fail(spot, f"not valid YAML: {problem}", hint)

    def _fail(self, spot: Spot | None, message: str, hint: str) -> NoReturn:
        place = f"{self.file}:{spot.line}:{spot.column}" if spot else self.file
        raise self.error(message, hint=hint, place=place)


def _spot(event: object, style: str = "") -> Spot:
    mark = event.start_mark  # type: ignore[attr-defined]
    return Spot(mark.line + 1, mark.column + 1, style)
