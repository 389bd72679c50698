"""The types of the variables that a rule may use, from GKE's descriptors, the facts, and a pack's parameters.

A type is a `Shape`. From shapes come the descriptors that CEL checks expressions against, and the
projections that hand CEL just the fields that are read.
"""

from __future__ import annotations

import collections.abc
import json
import pkgutil
import types
import typing
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

    from auditor.model.evidence import Json

PACKAGE = "gke_auditor"

NOT_EVIDENT = frozenset(("evidence", "unknowns", "told"))
"""Fields of facts that rules do not see: they say what the others rest on, or tell them to a reader."""

ALWAYS_SENT = frozenset(
    (
        ("google.container.v1.Cluster", "networkConfig"),
        ("google.container.v1.Cluster", "nodePools"),
        ("google.container.v1.NodePool", "config"),
    )
)
"""Messages that the GKE API never leaves out, so that their absence says that something was not read."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A bool, int, float or str; `words` are all that a str may be, if there are but a few."""

    type: type[bool | int | float | str]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list."""

    element: Shape


@dataclass(frozen=True, slots=True)
class Table:
    """A map from strings."""

    value: Shape


@dataclass(frozen=True, slots=True)
class Opaque:
    """Any JSON value."""


@dataclass(slots=True, eq=False)
class Record:
    """A message: fields by name. `defaults` has what an absent field reads as; without one it is unknown."""

    name: str
    fields: dict[str, Shape] = field(default_factory=dict)
    defaults: dict[str, Json] = field(default_factory=dict)


Shape = Scalar | Listing | Table | Opaque | Record

_BOOL, _INT, _FLOAT = Scalar(bool), Scalar(int), Scalar(float)


@cache
def cluster() -> Record:
    """The shape of `cluster`: GKE's own, as its API's JSON has it."""
    from auditor.engine import descriptors

    pool = _container_pool()
    return _from_descriptor(pool.FindMessageTypeByName(descriptors.CLUSTER), {})


def _container_pool() -> DescriptorPool:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.struct_pb2 import DESCRIPTOR

    from auditor.engine import descriptors

    pool = DescriptorPool()
    pool.AddSerializedFile(DESCRIPTOR.serialized_pb)
    for file in FileDescriptorSet.FromString(descriptors.shipped()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _from_descriptor(message: Descriptor, known: dict[str, Record]) -> Record:
    if message.full_name in known:
        return known[message.full_name]
    record = known[message.full_name] = Record(message.full_name)
    for one in message.fields:
        record.fields[one.name] = _from_field(one, known)
        if (message.full_name, one.name) in ALWAYS_SENT:
            continue
        if one.has_default_value:
            record.defaults[one.name] = one.default_value
        elif one.message_type is not None and one.containing_oneof is None:
            record.defaults[one.name] = [] if _repeated(one) and not _is_map(one) else {}
        elif _repeated(one):
            record.defaults[one.name] = []
    return record


def _repeated(one: FieldDescriptor) -> bool:
    return bool(one.is_repeated)


def _is_map(one: FieldDescriptor) -> bool:
    return one.message_type is not None and bool(one.message_type.GetOptions().map_entry)


def _entry(one: FieldDescriptor) -> Descriptor:
    return one.message_type  # type: ignore[return-value] # the field is known to be a map


def _from_field(one: FieldDescriptor, known: dict[str, Record]) -> Shape:
    if _is_map(one):
        return Table(_from_field(_entry(one).fields_by_name["value"], known))
    shape: Shape
    if one.message_type is not None:
        shape = _from_descriptor(one.message_type, known)
    elif one.type == one.TYPE_BOOL:
        shape = _BOOL
    elif one.type == one.TYPE_DOUBLE:
        shape = _FLOAT
    elif one.type == one.TYPE_INT64:
        shape = _INT
    else:
        shape = Scalar(str, _words().get(one.full_name, ()))
    return Listing(shape) if _repeated(one) else shape


@cache
def _words() -> dict[str, tuple[str, ...]]:
    # A rule knows no later version of the API than these: neither its fields nor its words.
    from auditor.engine import descriptors

    return {name: tuple(words) for name, words in json.loads(descriptors.shipped_words()).items()}


def facts(kind: type) -> dict[str, Record]:
    """The shapes of the facts in a dataclass such as `ClusterFacts`, by the names that rules use."""
    hints = typing.get_type_hints(kind, localns=_model_names())
    known: dict[type, Record] = {}
    return {one.name: _from_dataclass(hints[one.name], known) for one in fields(kind)}


def resource(kind: type) -> Record:
    """The shape of a plain dataclass that is no fact."""
    return _from_dataclass(kind, {})


@cache
def _model_names() -> dict[str, Any]:
    # The annotations name types that their modules import for type checking alone.
    import auditor.model

    names: dict[str, Any] = {"Mapping": typing.Mapping}
    for module in pkgutil.iter_modules(auditor.model.__path__):
        loaded = import_module(f"auditor.model.{module.name}")
        names.update((name, value) for name, value in vars(loaded).items() if not name.startswith("_"))
    return names


def _from_dataclass(kind: type, known: dict[type, Record]) -> Record:
    if kind in known:
        return known[kind]
    record = known[kind] = Record(f"{PACKAGE}.{kind.__name__}")
    hints = typing.get_type_hints(kind, localns=_model_names())
    for one in fields(kind):
        if one.name not in NOT_EVIDENT:
            record.fields[one.name] = _from_annotation(hints[one.name], known)
    return record


def _from_annotation(hint: Any, known: dict[type, Record]) -> Shape:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, typing.Union):
        stated = [one for one in arguments if one is not type(None)]
        return _from_annotation(stated[0], known) if len(stated) == 1 else Opaque()
    if origin is Literal:
        stated = [one for one in arguments if one is not None]
        kinds = {type(one) for one in stated}
        if len(kinds) != 1:
            return Opaque()
        return Scalar(kinds.pop(), tuple(one for one in stated if isinstance(one, str)))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return Listing(_from_annotation(arguments[0], known))
    if origin is collections.abc.Sequence:
        return Listing(_from_annotation(arguments[0], known))
    if origin is not None and isinstance(origin, type) and issubclass(origin, typing.Mapping):
        return Table(_from_annotation(arguments[1], known))
    if isinstance(hint, type):
        if is_dataclass(hint):
            return _from_dataclass(hint, known)
        for scalar in (bool, int, float, str):
            if issubclass(hint, scalar):
                return Scalar(scalar)
    return Opaque()


def parameters(name: str, values: Mapping[str, Json]) -> Record:
    """The shape of `org`: the types of the values that a pack gives its parameters."""
    record = Record(name)
    for key, value in values.items():
        record.fields[key] = _from_value(f"{name}_{key}", value)
    return record


def _from_value(name: str, value: Json) -> Shape:
    if isinstance(value, dict):
        return parameters(name, value)
    if isinstance(value, list):
        shapes = {_from_value(f"{name}_item", one) for one in value if not isinstance(one, dict | list)}
        whole = len(shapes) == 1 and not any(isinstance(one, dict | list) for one in value)
        return Listing(shapes.pop() if whole else Opaque())
    return Scalar(type(value)) if isinstance(value, bool | int | float | str) else Opaque()


def pool_of(records: Iterable[Record]) -> DescriptorPool:
    """A descriptor pool that holds GKE's messages and these records, for CEL to check against."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    pool = _container_pool()
    file = FileDescriptorProto(name=f"{PACKAGE}.proto", package=PACKAGE, syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    done: set[str] = set()
    pending = list(records)
    while pending:
        record = pending.pop()
        if record.name in done or not record.name.startswith(f"{PACKAGE}."):
            continue
        done.add(record.name)
        message = file.message_type.add(name=record.name.removeprefix(f"{PACKAGE}."))
        for number, (name, shape) in enumerate(record.fields.items(), 1):
            proto = message.field.add(name=name, number=number)
            proto.label = proto.LABEL_OPTIONAL
            if isinstance(shape, Table):
                entry = message.nested_type.add(name=_entry_name(name))
                entry.options.map_entry = True
                entry.field.add(name="key", number=1, type=proto.TYPE_STRING, label=proto.LABEL_OPTIONAL)
                value = entry.field.add(name="value", number=2, label=proto.LABEL_OPTIONAL)
                pending += _type_field(value, shape.value)
                proto.type, proto.label = proto.TYPE_MESSAGE, proto.LABEL_REPEATED
                proto.type_name = f".{record.name}.{entry.name}"
                continue
            if isinstance(shape, Listing):
                proto.label = proto.LABEL_REPEATED
                shape = shape.element
            pending += _type_field(proto, shape)
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _entry_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_")) + "Entry"


def _type_field(proto: FieldDescriptorProto, shape: Shape) -> list[Record]:
    if isinstance(shape, Scalar):
        proto.type = {
            bool: proto.TYPE_BOOL, int: proto.TYPE_INT64, float: proto.TYPE_DOUBLE, str: proto.TYPE_STRING,
        }[shape.type]  # fmt: skip
        return []
    proto.type = proto.TYPE_MESSAGE
    if isinstance(shape, Record):
        proto.type_name = f".{shape.name}"
        return [shape]
    proto.type_name = ".google.protobuf.Value"
    return []


def records_in(shapes: Iterable[Shape]) -> dict[str, Record]:
    """Every record reachable from the shapes, by name."""
    found: dict[str, Record] = {}
    pending = list(shapes)
    while pending:
        shape = pending.pop()
        if isinstance(shape, Listing):
            pending.append(shape.element)
        elif isinstance(shape, Table):
            pending.append(shape.value)
        elif isinstance(shape, Record) and shape.name not in found:
            found[shape.name] = shape
            pending += shape.fields.values()
    return found
