"""GKE's own message types, in the form its JSON has: the types that `cluster` is checked against.

`python -m auditor.engine.descriptors` rebuilds `container_v1.binpb`, a serialized FileDescriptorSet, and
`container_v1.words.json`, the values of its enums, from the `google-cloud-container` package, which only
development needs. The first differs from Google's descriptors as
JSON differs from protocol buffers: field names are camelCase; enums, timestamps and durations are strings;
64-bit integers are integers (as they are once an asset has been read); a wrapper is the scalar it wraps. A
scalar that the API leaves out when it has its default carries that default; one without a default is
absent when it is not set (proto3 `optional`, wrappers, members of a oneof).
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

FILE = "container_v1.binpb"
WORDS = "container_v1.words.json"
CLUSTER = "google.container.v1.Cluster"

_TEXT_MESSAGES = frozenset(
    f"google.protobuf.{name}" for name in ("Timestamp", "Duration", "FieldMask", "StringValue", "BytesValue")
)
_INTEGER_MESSAGES = frozenset(
    f"google.protobuf.{name}Value" for name in ("Int32", "Int64", "UInt32", "UInt64")
)
_DOUBLE_MESSAGES = frozenset(f"google.protobuf.{name}Value" for name in ("Float", "Double"))


def shipped() -> bytes:
    """The descriptors that ship with the program: a serialized FileDescriptorSet."""
    return (files("auditor.engine") / FILE).read_bytes()


def shipped_words() -> bytes:
    """The words that ship with the program: JSON, an object of lists, by the full names of fields."""
    return (files("auditor.engine") / WORDS).read_bytes()


def build_words() -> bytes:
    """The same, built afresh: for every field that is an enum, all that the API may say there."""
    found = {
        f"{message.full_name}.{field.json_name}": [value.name for value in field.enum_type.values]
        for message in _messages().values()
        for field in message.fields
        if field.enum_type is not None
    }
    return (json.dumps(found, indent=1, sort_keys=True) + "\n").encode()


def _messages() -> dict[str, Descriptor]:
    from google.cloud import container_v1

    messages: dict[str, Descriptor] = {}
    _collect(container_v1.Cluster.pb().DESCRIPTOR, messages)
    return messages


def build() -> bytes:
    """The descriptors, built afresh from the installed `google-cloud-container`."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    messages = _messages()
    packages: dict[str, list[Descriptor]] = {}
    for message in messages.values():
        if message.containing_type is None:
            packages.setdefault(message.file.package, []).append(message)

    result = FileDescriptorSet()
    for package in sorted(packages, key=lambda name: (name == "google.container.v1", name)):
        file = result.file.add(name=f"{package.replace('.', '/')}.proto", package=package, syntax="proto2")
        if package == "google.container.v1":
            file.dependency.extend(other.name for other in result.file if other.name != file.name)
        for message in sorted(packages[package], key=lambda one: one.full_name):
            proto = file.message_type.add()
            message.CopyToProto(proto)
            _as_json(proto, message, messages)
    return result.SerializeToString(deterministic=True)


def _collect(message: Descriptor, found: dict[str, Descriptor]) -> None:
    if message.full_name in found or message.full_name.startswith("google.protobuf."):
        return
    found[message.full_name] = message
    if message.containing_type is not None:
        _collect(message.containing_type, found)
    for field in message.fields:
        if field.message_type is not None:
            _collect(field.message_type, found)


def _as_json(proto: DescriptorProto, message: Descriptor, kept: dict[str, Descriptor]) -> None:
    for part in ("enum_type", "oneof_decl", "reserved_range", "reserved_name", "options", "extension"):
        proto.ClearField(part)
    nested = [one for one in proto.nested_type if f"{message.full_name}.{one.name}" in kept]
    names = {one.name: one for one in message.nested_types}
    for one in nested:
        _as_json(one, names[one.name], kept)
    del proto.nested_type[:]
    proto.nested_type.extend(nested)
    if message.GetOptions().map_entry:
        proto.options.map_entry = True
    for field_proto, field in zip(proto.field, message.fields, strict=True):
        _field_as_json(field_proto, field, map_entry=message.GetOptions().map_entry)


def _field_as_json(proto: FieldDescriptorProto, field: FieldDescriptor, *, map_entry: bool) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as F

    wrapped = field.message_type.full_name if field.message_type is not None else ""
    if not map_entry:
        proto.name = field.json_name
    for part in ("json_name", "options", "oneof_index", "proto3_optional", "default_value"):
        proto.ClearField(part)
    default: str | None
    if field.enum_type is not None:
        proto.type, default = F.TYPE_STRING, field.enum_type.values_by_number[0].name
    elif wrapped in _TEXT_MESSAGES:
        proto.type, default = F.TYPE_STRING, None
    elif wrapped in _INTEGER_MESSAGES:
        proto.type, default = F.TYPE_INT64, None
    elif wrapped in _DOUBLE_MESSAGES:
        proto.type, default = F.TYPE_DOUBLE, None
    elif wrapped == "google.protobuf.BoolValue":
        proto.type, default = F.TYPE_BOOL, None
    elif field.message_type is not None:
        return
    elif field.type in (F.TYPE_STRING, F.TYPE_BYTES):
        proto.type, default = F.TYPE_STRING, ""
    elif field.type == F.TYPE_BOOL:
        default = "false"
    elif field.type in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
        proto.type, default = F.TYPE_DOUBLE, "0"
    else:
        proto.type, default = F.TYPE_INT64, "0"
    proto.ClearField("type_name")
    if default is not None and field.containing_oneof is None and not field.is_repeated and not map_entry:
        proto.default_value = default


def main() -> int:
    """Write the descriptors and the words beside this module."""
    from pathlib import Path

    Path(__file__).with_name(FILE).write_bytes(build())
    Path(__file__).with_name(WORDS).write_bytes(build_words())
    return 0


if __name__ == "__main__":
    sys.exit(main())
