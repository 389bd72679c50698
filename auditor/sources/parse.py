"""Asset JSON brought to the form the API documents: every oddity of a source is undone here.

What is undone: the snake_case envelope of exports; data as JSON text and times as SQL writes them (rows of an
export to BigQuery), or data among `versionedResources` (SearchAllResources); numbers as floats (Cloud Asset
Inventory hands resource data out as a protobuf Struct, which knows no integers) and int64 as text (proto3
JSON); `null` for an absent field; a message written as a list of one (converters from Terraform do so);
snake_case names of fields.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from auditor.model.deferred import text_of
from auditor.model.evidence import Json
from auditor.sources import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

Object = dict[str, Json]

_DIGITS = re.compile(r"[+-]?[0-9]{1,20}")
_LIMIT = 2**63
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\$\{.*?\}")
_NESTED = (dict, list, float)
_SNAKE = re.compile(r"_([a-z0-9])")
_SQL_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?: UTC)?")
_PROJECT_NUMBER = re.compile(r"projects/[0-9]+")


def asset(value: Object) -> tuple[str, str, Object | None, str, list[Json]] | None:
    """A Cloud Asset Inventory envelope: name, type, `resource.data`, `updateTime`, `ancestors`.

    None if it is no envelope. Data is None if the asset carries none; time and ancestors are empty where
    they are absent or malformed.
    """
    name = value.get("name")
    kind = value.get("assetType") or value.get("asset_type")
    if not isinstance(name, str) or not isinstance(kind, str):
        return None
    resource = value.get("resource")
    if not isinstance(resource, dict):
        resource = _message(resource) or {}
    data = resource.get("data")
    if not isinstance(data, dict):
        data = _other_data(value, data)
    time = value.get("updateTime") or value.get("update_time")
    if not isinstance(time, str):
        time = ""
    elif time[10:11] == " ":
        time = _SQL_TIME.sub(r"\1T\2Z", time)
    # What SearchAllResources returns has the folders in no order that is documented, and may have been
    # thinned out: it does not say where a project is.
    ancestors = value.get("ancestors")
    return name, kind, data, time, ancestors if isinstance(ancestors, list) else []


def is_search_result(value: Object) -> bool:
    """Whether an envelope is from SearchAllResources, which returns what a query finds: not all assets."""
    return "resource" not in value and ("versionedResources" in value or "versioned_resources" in value)


def _other_data(value: Object, data: Json) -> Object | None:
    """Resource data that is not where, or not as, ListAssets has it."""
    if isinstance(data, str):
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            return None
    elif data is None:
        versions = value.get("versionedResources") or value.get("versioned_resources")
        found = [one for one in versions if isinstance(one, dict)] if isinstance(versions, list) else []
        if len(found) > 1:
            found = [one for one in found if one.get("version") == "v1"]
        data = found[0].get("resource") if len(found) == 1 else None
    return _message(data)


def parent_project(value: Object) -> str:
    """The project that an envelope's `resource.parent` or `project` names (`projects/NUMBER`), or nothing."""
    resource = _message(value.get("resource"))
    parent = None if resource is None else resource.get("parent")
    prefix = "//cloudresourcemanager.googleapis.com/"
    if isinstance(parent, str) and parent.startswith(prefix + "projects/"):
        return parent[len(prefix) :]
    project = value.get("project")
    return project if isinstance(project, str) and _PROJECT_NUMBER.fullmatch(project) else ""


def _message(value: Json) -> Object | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None


def instant(time: str) -> datetime | None:
    """An RFC 3339 time; None if it is none. A time without offset is taken as UTC."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def has_placeholder(text: str) -> bool:
    """Whether a name still holds a placeholder of a template (`{{.Provider.project}}`, `${var.project}`)."""
    return _PLACEHOLDER.search(text) is not None


def cluster(data: Object) -> Sequence[str]:
    """Bring a container v1 Cluster to form, in place; what does not fit its type, as `path: why`."""
    return _mend(data, schema.message("Cluster"))


def node_pool(data: Object) -> Sequence[str]:
    """Bring a container v1 NodePool to form, in place; what does not fit its type, as `path: why`."""
    return _mend(data, schema.message("NodePool"))


def plain(value: Json) -> Json:
    """A value without `null` fields and with integers where a float stands for one."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, float) and value.is_integer() and -_LIMIT <= value < _LIMIT:
        return int(value)
    return value


def encoded(data: Json) -> bytes:
    """Canonical JSON: sorted keys, no space."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def is_plain_firewall(data: Object) -> bool:
    """Whether a firewall rule's data is as `plain` makes it; its priority is its only number."""
    return data.get("priority").__class__ is not float and None not in data.values()


_NOTHING: tuple[str, ...] = ()


def _mend(message: Object, fields: schema.Fields) -> Sequence[str]:
    """Bring a message to form. The common case, a field as its type says, is kept to a few steps."""
    misfits: list[str] | None = None
    odd: list[str] | None = None
    scalars, others = fields
    type_of = scalars.get
    for key, value in message.items():
        kind = value.__class__
        if type_of(key) is kind:
            continue
        field = others.get(key)
        if field is None:
            if key not in scalars and kind not in _NESTED and value is not None and "_" not in key:
                continue
        elif isinstance(value, dict) and field[0] is dict:
            if value and field[2] is not None:
                found = _mend(value, field[2])
                if found:
                    misfits = [*(misfits or ()), *(f"{key}.{one}" for one in found)]
            continue
        elif isinstance(value, list) and field[0] is list and field[2] is not None:
            found = _mend_items(key, value, field[2])
            if found:
                misfits = [*(misfits or ()), *found]
            continue
        elif isinstance(value, list) and field[0] is list and {one.__class__ for one in value} == {field[1]}:
            continue
        odd = [*(odd or ()), key]
    if odd is not None:
        misfits = misfits or []
        for key in odd:
            misfits += _mend_field(message, key, fields)
    return misfits or _NOTHING


def _mend_items(key: str, items: list[Json], fields: schema.Fields) -> list[str]:
    misfits: list[str] = []
    if text_of(items) is not None:
        return misfits
    for index, one in enumerate(items):
        if isinstance(one, dict):
            found = _mend(one, fields)
            if found:
                misfits += [f"{key}[{index}].{misfit}" for misfit in found]
        elif text_of(one) is None:
            misfits.append(f"{key}[{index}]: {_called(one)} where an object is expected")
    return misfits


def _mend_field(message: Object, key: str, fields: schema.Fields) -> list[str]:
    """Bring one field to form that is not as its type says, or has no type."""
    value = message[key]
    plain_fields, nested_fields = fields
    if text_of(value) is not None:
        # What a Terraform plan cannot state is not of the field's type on purpose.
        return []
    if value is None:
        del message[key]
        return []
    if key in plain_fields:
        want = plain_fields[key]
        message[key] = value = _scalar(value, want)
        return [] if _fits(value, want) else [f"{key}: {_called(value)} where {_EXPECTED[want]} is expected"]
    field = nested_fields.get(key)
    if field is not None:
        return _mend_nested(message, key, value, field)
    camel = _SNAKE.sub(lambda match: match[1].upper(), key)
    if camel not in message and (camel in plain_fields or camel in nested_fields):
        message[camel] = message.pop(key)
        return _mend_field(message, camel, fields)
    message[key] = plain(value)
    return []


def _mend_nested(message: Object, key: str, value: Json, field: schema.Field) -> list[str]:
    if field.kind is dict:
        if isinstance(value, list) and not value:
            del message[key]
            return []
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            value = message[key] = value[0]
        if not isinstance(value, dict):
            return [f"{key}: {_called(value)} where an object is expected"]
        return [] if field.fields is None else [f"{key}.{one}" for one in _mend(value, field.fields)]
    if not isinstance(value, list):
        return [f"{key}: {_called(value)} where a list is expected"]
    if field.fields is not None:
        return _mend_items(key, value, field.fields)
    message[key] = items = [_scalar(one, field.item) for one in value]
    return [
        f"{key}[{index}]: {_called(one)} where {_EXPECTED[field.item]} is expected"
        for index, one in enumerate(items)
        if not _fits(one, field.item)
    ]


_EXPECTED: dict[type, str] = {
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "an object",
}


def _scalar(value: Json, want: type) -> Json:
    if want is int:
        if isinstance(value, float) and value.is_integer() and -_LIMIT <= value < _LIMIT:
            return int(value)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            number = int(value)
            return number if -_LIMIT <= number < _LIMIT else value
    return value


def _fits(value: Json, want: type) -> bool:
    return value.__class__ is want or want is object or (want is float and value.__class__ is int)


def _called(value: Any) -> str:
    if value is None:
        return "null"
    names = {str: "text", bool: "a truth value", int: "a number", float: "a number", list: "a list"}
    return names.get(value.__class__, "an object")
