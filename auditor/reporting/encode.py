"""Values as JSON text that every reader accepts, whatever the values hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditor.model.evidence import Json

DEEPEST = 200
"""Levels of nesting that are written; what lies deeper is replaced by a sentence that says so."""

_CHUNK = 1 << 16


def dumps(value: object) -> bytes:
    r"""The value as JSON, UTF-8.

    What JSON readers refuse is written as text: a lone surrogate as its escape (`\ud800`), an integer of more
    than 64 bits as its digits (hexadecimal from 4,000 digits on), nesting below `DEEPEST` levels as a
    sentence. Keys keep their order.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(_acceptable(value, DEEPEST))


def dumps_observed(value: Json, deepest: int = DEEPEST) -> bytes:
    """An observed value as `dumps` has it, with NaN and the infinities, which JSON lacks, as text.

    What lies below `deepest` levels is replaced.
    """
    if value is None:
        return b"null"
    if deepest < DEEPEST and _is_deeper(value, deepest):
        return orjson.dumps(_acceptable(value, deepest))
    encoded = dumps(value)
    return orjson.dumps(_acceptable(value, deepest)) if b"null" in encoded else encoded


def _is_deeper(value: Json, levels: int) -> bool:
    """Whether lists and objects are nested more than so many levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_is_deeper(one, levels - 1) for one in inner))


def _acceptable(value: object, levels: int, deepest: int | None = None) -> Json:
    """The value with everything replaced that JSON or its readers refuse."""
    deepest = levels if deepest is None else deepest
    match value:
        case None | bool():
            return value
        case str():
            return utf8(value)
        case int():
            return value if -(1 << 63) <= value < 1 << 64 else _digits(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case dict() | list() | tuple() if levels == 0:
            return f"nested more than {deepest} levels deep"
        case dict():
            return {utf8(str(key)): _acceptable(item, levels - 1, deepest) for key, item in value.items()}
        case list() | tuple():
            return [_acceptable(item, levels - 1, deepest) for item in value]
        case _:
            return utf8(str(value))


def _digits(value: int) -> str:
    return str(value) if value.bit_length() < 13_000 else hex(value)


def utf8(text: str) -> str:
    r"""The text with lone surrogates written as escapes (`\ud800`), so that it can be encoded."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about 64 KiB, so that a consumer is not called for every few bytes."""
    gathered: list[bytes] = []
    size = 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= _CHUNK:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    if gathered:
        yield b"".join(gathered)
