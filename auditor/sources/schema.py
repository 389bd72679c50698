"""The field types of GKE's Cluster and NodePool messages, as their JSON spells them.

`python -m auditor.sources.schema` rebuilds `container_v1.json` from the `google-cloud-container` package,
which only development needs. The file maps each message to its fields and each field to a type: `s` text
(enums, timestamps and bytes too), `i` an integer of any width, `f` a float, `b` a boolean, `{}` a map, `?`
anything, `m:NAME` a message; a leading `*` marks a list.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import orjson

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

FILE = "container_v1.json"


class Field(NamedTuple):
    """A field that is no scalar: an object or a list, the type of a list's items, the fields of a message."""

    kind: type
    item: type
    fields: Fields | None


Fields = tuple[dict[str, type], dict[str, Field]]
"""The fields of a message: the scalar ones with their Python type, and the others."""

_PYTHON: dict[str, type] = {"s": str, "i": int, "f": float, "b": bool, "{}": dict, "?": object}
_WRAPPERS = {
    "BoolValue": "b",
    "DoubleValue": "f",
    "FloatValue": "f",
    "Int32Value": "i",
    "Int64Value": "i",
    "UInt32Value": "i",
    "UInt64Value": "i",
    "Timestamp": "s",
    "Duration": "s",
    "FieldMask": "s",
    "StringValue": "s",
    "BytesValue": "s",
}


@cache
def message(name: str) -> Fields:
    """The fields of a message of google.container.v1 (`Cluster`, `NodePool`)."""
    return _load()[name]


def messages_of(name: str) -> dict[str, str | None]:
    """The fields of a message, each with the name of the message in it (or in its list's items), if any."""
    return {
        field: code.removeprefix("*")[2:] if code.removeprefix("*").startswith("m:") else None
        for field, code in _spelled()[name].items()
    }


@cache
def _spelled() -> dict[str, dict[str, str]]:
    return cast("dict[str, dict[str, str]]", orjson.loads((files("auditor.sources") / FILE).read_bytes()))


@cache
def _load() -> dict[str, Fields]:
    spelled = _spelled()
    messages: dict[str, Fields] = {name: ({}, {}) for name in spelled}
    for name, fields in spelled.items():
        scalars, others = messages[name]
        for field, code in fields.items():
            inner = code.removeprefix("*")
            sub = messages[inner[2:]] if inner.startswith("m:") else None
            one = dict if sub is not None else _PYTHON[inner]
            if code.startswith("*"):
                others[field] = Field(list, one, sub)
            elif one is dict:
                others[field] = Field(dict, dict, sub)
            else:
                scalars[field] = one
    return messages


def build() -> bytes:
    """The table, built afresh from the installed `google-cloud-container`."""
    from google.cloud import container_v1

    found: dict[str, dict[str, str]] = {}
    waiting: list[Descriptor] = [container_v1.Cluster.pb().DESCRIPTOR]
    while waiting:
        descriptor = waiting.pop()
        if _name(descriptor) in found:
            continue
        found[_name(descriptor)] = {field.json_name: _code(field) for field in descriptor.fields}
        waiting.extend(
            field.message_type
            for field in descriptor.fields
            if field.message_type is not None and _code(field).lstrip("*").startswith("m:")
        )
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def _name(descriptor: Descriptor) -> str:
    return str(descriptor.full_name).removeprefix("google.container.v1.")


def _code(field: FieldDescriptor) -> str:
    inner: Any = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return "{}"
    if inner is not None and inner.full_name.startswith("google.protobuf."):
        code = _WRAPPERS.get(inner.name, "?")
    elif inner is not None:
        code = f"m:{_name(inner)}"
    elif field.enum_type is not None or field.cpp_type == field.CPPTYPE_STRING:
        code = "s"
    elif field.cpp_type == field.CPPTYPE_BOOL:
        code = "b"
    elif field.cpp_type in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        code = "f"
    else:
        code = "i"
    return f"*{code}" if field.is_repeated else code


def main() -> int:
    """Write the table beside this module."""
    from pathlib import Path

    Path(__file__).with_name(FILE).write_bytes(build())
    return 0


if __name__ == "__main__":
    sys.exit(main())
