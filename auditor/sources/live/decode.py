"""Pages of Cloud Asset Inventory, from protocol buffer bytes straight to the JSON of a snapshot.

The client library's own messages cost several times as much: `resource.data` is a
`google.protobuf.Struct`, each value of which becomes an object before anyone looks at it. Here fields that
are not kept are stepped over by their length, and short fields that come again and again are decoded once.

The numbers of the fields are those of google/cloud/asset/v1/{asset_service,assets}.proto and
google/protobuf/{struct,timestamp}.proto; a test holds them, and what comes out, to the installed messages.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from auditor.model.inventory import CLUSTER
from auditor.sources.live import keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.sources.live.keep import Keep

_SHORT = 72
"""Up to this many bytes an entry of a Struct is remembered with its value."""

_REMEMBERED = 10_000
"""How many of them; then all are forgotten, so that memory stays flat."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOUBLE = struct.Struct("<d").unpack_from
_EXACT = float(1 << 53)
_DEEPEST = 100


class MalformedError(Exception):
    """The bytes are no page of assets."""


class Line(NamedTuple):
    """An asset as a line of a snapshot, its line feed included.

    `certificate` is the cluster's own certificate authority (PEM in base64) where that was asked for.
    """

    name: str
    asset_type: str
    body: bytes
    certificate: str


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of ListAssets, not yet decoded; the assets are decoded as they are asked for."""

    raw: bytes
    next_page_token: str
    spans: tuple[tuple[int, int], ...]

    def lines(self, *, certificates: bool = False) -> Iterator[Line]:
        """The assets of the types that are collected. `MalformedError` if the bytes are no assets."""
        try:
            for start, end in self.spans:
                line = _asset(self.raw, start, end, certificates=certificates)
                if line is not None:
                    yield line
        except (IndexError, UnicodeDecodeError, struct.error, RecursionError) as error:
            raise MalformedError(f"an asset in the answer cannot be decoded: {error}") from error


def page(raw: bytes) -> Page:
    """A serialized `ListAssetsResponse`. `MalformedError` if it is none."""
    token = ""
    spans: list[tuple[int, int]] = []
    try:
        for number, start, end in _fields(raw, 0, len(raw)):
            if number == 2:
                spans.append((start, end))
            elif number == 3:
                token = str(raw[start:end], "utf-8")
    except (IndexError, UnicodeDecodeError) as error:
        raise MalformedError("the answer cannot be decoded") from error
    return Page(raw, token, tuple(spans))


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    byte = raw[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value = byte & 0x7F
    shift = 7
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise MalformedError("a number in the answer is too long")


def _fields(raw: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The length-delimited fields of a message, as (number, start, end); others are stepped over."""
    while at < end:
        tag, at = _varint(raw, at)
        wire = tag & 7
        if wire == 2:
            length, at = _varint(raw, at)
            if at + length > end:
                raise MalformedError("the answer is cut short")
            yield tag >> 3, at, at + length
            at += length
        else:
            at = _step_over(raw, at, wire)


def _step_over(raw: bytes, at: int, wire: int) -> int:
    if wire == 0:
        return _varint(raw, at)[1]
    if wire == 1:
        return at + 8
    if wire == 5:
        return at + 4
    raise MalformedError(f"the answer holds a field of wire type {wire}")


def _asset(raw: bytes, at: int, end: int, *, certificates: bool) -> Line | None:
    name = kind = time = ""
    resource: tuple[int, int] | None = None
    ancestors: list[str] = []
    for number, start, stop in _fields(raw, at, end):
        if number == 1:
            name = str(raw[start:stop], "utf-8")
        elif number == 2:
            kind = str(raw[start:stop], "utf-8")
        elif number == 3:
            resource = (start, stop)
        elif number == 10:
            ancestors.append(str(raw[start:stop], "utf-8"))
        elif number == 11:
            time = _timestamp(raw, start, stop)
    kept = keep.of_type(kind)
    if kept is None or not name:
        return None
    asset: dict[str, Any] = {"name": name, "assetType": kind}
    certificate = ""
    if resource is not None:
        asset["resource"], certificate = _resource(raw, *resource, kept, ca=certificates and kind == CLUSTER)
    if ancestors:
        asset["ancestors"] = ancestors
    if time:
        asset["updateTime"] = time
    return Line(name, kind, encoded(asset), certificate)


def encoded(value: object) -> bytes:
    """A line of a snapshot: JSON with sorted keys, so that equal assets are equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


_RESOURCE = {1: "version", 3: "discoveryName", 5: "parent", 8: "location"}


def _resource(raw: bytes, at: int, end: int, kept: Keep, *, ca: bool) -> tuple[dict[str, Any], str]:
    found: dict[str, Any] = {}
    certificate = ""
    for number, start, stop in _fields(raw, at, end):
        if number == 6:
            # A message field that occurs twice is merged; no server sends one twice.
            found["data"] = _struct(raw, start, stop, kept, 0)
            if ca:
                inner = _struct(raw, start, stop, keep.CERTIFICATE, 0).get("masterAuth")
                stated = inner.get("clusterCaCertificate") if isinstance(inner, dict) else None
                certificate = stated if isinstance(stated, str) else ""
        elif number in _RESOURCE and stop > start:
            found[_RESOURCE[number]] = str(raw[start:stop], "utf-8")
    return found, certificate


def _timestamp(raw: bytes, at: int, end: int) -> str:
    seconds = nanos = 0
    while at < end:
        tag, at = _varint(raw, at)
        if tag == 8:
            seconds, at = _varint(raw, at)
            if seconds >= 1 << 63:
                seconds -= 1 << 64
        elif tag == 16:
            nanos, at = _varint(raw, at)
        elif tag & 7 == 2:
            length, at = _varint(raw, at)
            at += length
        else:
            at = _step_over(raw, at, tag & 7)
    try:
        text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        return ""
    if not nanos:
        return f"{text}Z"
    digits = f"{nanos:09d}"
    if digits.endswith("000000"):
        return f"{text}.{digits[:3]}Z"
    return f"{text}.{digits[:6]}Z" if digits.endswith("000") else f"{text}.{digits}Z"


_memory: dict[bytes, tuple[str, Any]] = {}
_keys: dict[bytes, str] = {}


def _struct(raw: bytes, at: int, end: int, kept: Keep | None, depth: int) -> dict[str, Any]:
    """A `Struct`: its `fields` is a map, which is a list of entries of key and value."""
    found: dict[str, Any] = {}
    memory = _memory
    while at < end:
        tag = raw[at]
        length = raw[at + 1]
        at += 2
        if length >= 0x80:
            length, at = _varint(raw, at - 1)
        if tag != 0x0A:
            raise MalformedError("a Struct holds an unknown field")
        stop = at + length
        if stop > end:
            raise MalformedError("a Struct is cut short")
        short = length <= _SHORT
        if short:
            entry = raw[at:stop]
            pair = memory.get(entry)
            if pair is not None:
                key = pair[0]
                if kept is None:
                    found[key] = pair[1]
                elif key in kept:
                    found[key] = pair[1] if kept[key] is not keep.HIDDEN else keep.hidden(pair[1])
                at = stop
                continue
        # Encoders write the key first, in a byte of tag and (up to 127 bytes) a byte of length.
        if raw[at] == 0x0A and raw[at + 1] < 0x80:
            cut = at + 2 + raw[at + 1]
            name = raw[at + 2 : cut]
            known = _keys.get(name)
            key = known if known is not None else _key(name)
            value_at = cut
        else:
            key, value_at = _entry_key(raw, at, stop)
        if kept is not None and key not in kept:
            at = stop
            continue
        below = None if kept is None else kept[key]
        value: Any = None
        if value_at < stop:
            if raw[value_at] != 0x12:
                value_at = _entry_value(raw, at, stop)
            _, value_at = _varint(raw, value_at + 1)
            whole = None if below is keep.HIDDEN else below
            value = _value(raw, value_at, stop, whole, depth + 1)
        found[key] = keep.hidden(value) if below is keep.HIDDEN else value
        if short and value.__class__ in _SCALARS:
            if len(memory) >= _REMEMBERED:
                memory.clear()
            memory[entry] = (key, value)
        at = stop
    return found


_SCALARS = frozenset((str, int, float, bool, type(None)))


def _key(name: bytes) -> str:
    if len(_keys) >= _REMEMBERED:
        _keys.clear()
    key = _keys[name] = str(name, "utf-8")
    return key


def _entry_key(raw: bytes, at: int, end: int) -> tuple[str, int]:
    """The key of an entry, and where its value's field begins (`end` if it has none)."""
    key, value_at = "", end
    place = at
    while place < end:
        tag, after = _varint(raw, place)
        length, start = _varint(raw, after)
        if tag == 0x0A:
            key = str(raw[start : start + length], "utf-8")
        elif tag == 0x12:
            value_at = place
        place = start + length
    return key, value_at


def _entry_value(raw: bytes, at: int, end: int) -> int:
    value_at = _entry_key(raw, at, end)[1]
    if value_at >= end:
        raise MalformedError("an entry of a Struct holds an unknown field")
    return value_at


def _value(raw: bytes, at: int, end: int, kept: Keep | None, depth: int) -> Any:
    """A `google.protobuf.Value`."""
    if at >= end:
        return None
    tag = raw[at]
    at += 1
    if tag == 0x1A:
        length = raw[at]
        at += 1
        if length >= 0x80:
            length, at = _varint(raw, at - 1)
        return str(raw[at : at + length], "utf-8")
    if tag == 0x20:
        return raw[at] != 0
    if tag == 0x11:
        number = _DOUBLE(raw, at)[0]
        # JSON of the APIs has no floats where it means integers; Struct knows nothing else.
        return int(number) if -_EXACT <= number <= _EXACT and number.is_integer() else number
    if tag in (0x2A, 0x32):
        if depth > _DEEPEST:
            raise MalformedError("an asset is nested too deeply")
        length, at = _varint(raw, at)
        if at + length > end:
            raise MalformedError("a value is cut short")
        if tag == 0x2A:
            return _struct(raw, at, at + length, kept, depth)
        return [
            _value(raw, start, stop, kept, depth + 1)
            for number, start, stop in _fields(raw, at, at + length)
            if number == 1
        ]
    if tag == 0x08:
        return None
    raise MalformedError("a value is of an unknown kind")
