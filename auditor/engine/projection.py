"""Hands CEL just the fields that expressions read, with the API's defaults where it leaves them out.

A field that is absent without a default, null, or not of its type is left out: an expression that needs it
cannot be decided. So is a list of which a Terraform plan does not state all elements, and a list or map of
texts, numbers or truth values in which something else stands: that would equal nothing, and CEL take it for
an answer. What stands for an object in a list stays, as a value with which nothing can be decided, so that it
is not lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from auditor.engine.schema import NOT_EVIDENT, Listing, Record, Scalar, Table
from auditor.model import deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.engine.reads import Reads

ABSENT: Final = object()
"""What a projection returns for a value that is not of its type."""

_UNDECIDABLE: Final[dict[str, Any]] = {}
_MAX_DEPTH: Final = 60


def of_json(reads: Reads) -> Callable[[Any], Any]:
    """A function from JSON to the part of it that is read, or ABSENT."""
    shape = reads.shape
    if isinstance(shape, Record):
        return _record(shape, reads)
    if isinstance(shape, Listing):
        return _listing(reads, of_json, list)
    if isinstance(shape, Scalar):
        return _scalar(shape.type)
    if isinstance(shape, Table):
        return _table(_scalar(shape.value.type) if isinstance(shape.value, Scalar) else plain)
    return plain


def of_fact(reads: Reads) -> Callable[[Any], Any]:
    """A function from a fact to the part of it that is read; what is not known is left out.

    A list of which an `Unknown` of the fact says that something about it is not known may lack elements. It
    is left out too: that all of its elements are well, or none is bad, cannot be said.
    """
    project = _of_value(reads)

    def project_fact(fact: Any) -> Any:
        found = project(fact)
        for unknown in getattr(fact, "unknowns", ()):
            _leave_out(found, unknown.path.split(".")[1:])
        return found

    return project_fact


def _leave_out(found: Any, path: list[str]) -> None:
    for step in path[:-1]:
        found = found.get(step) if isinstance(found, dict) else None
    if path and isinstance(found, dict) and isinstance(found.get(path[-1]), list):
        del found[path[-1]]


def _of_value(reads: Reads) -> Callable[[Any], Any]:
    shape = reads.shape
    if isinstance(shape, Record):
        return _attributes(reads)
    if isinstance(shape, Listing):
        return _listing(reads, _of_value, Sequence)
    if isinstance(shape, Scalar) and shape.type is not str:
        return float if shape.type is float else _itself
    return plain


def plain(value: object, depth: int = _MAX_DEPTH) -> Any:
    """A value in the types that CEL takes; what is nested too deeply, or of no such type, becomes `{}`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return text(value)
    if depth == 0:
        return _UNDECIDABLE
    if isinstance(value, dict):
        return {text(str(key)): plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [plain(one, depth - 1) for one in value]
    if is_dataclass(value):
        stated = (
            (one.name, getattr(value, one.name)) for one in fields(value) if one.name not in NOT_EVIDENT
        )
        return {name: plain(one, depth - 1) for name, one in stated if one is not None}
    return _UNDECIDABLE


def text(value: str) -> str:
    """Text without lone surrogates, which CEL cannot hold: each becomes U+FFFD."""
    if value.isascii():
        return str(value)
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _itself(value: Any) -> Any:
    return value


def _scalar(kind: type) -> Callable[[Any], Any]:
    if kind is str:
        return lambda value: text(value) if type(value) is str else ABSENT
    if kind is float:
        return lambda value: float(value) if type(value) in (int, float) else ABSENT
    return lambda value: value if type(value) is kind else ABSENT


def _table(of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def project(value: Any) -> Any:
        if not isinstance(value, dict):
            return ABSENT
        found = {text(str(key)): of(one) for key, one in value.items() if one is not None}
        return ABSENT if ABSENT in found.values() else found

    return project


def _listing(
    reads: Reads, of: Callable[[Reads], Callable[[Any], Any]], kind: type[Any]
) -> Callable[[Any], Any]:
    if kind is list and isinstance(reads.shape, Listing) and isinstance(reads.shape.element, Scalar):
        return _scalars(_scalar(reads.shape.element.type))
    if reads.whole:
        return lambda value: plain(value) if isinstance(value, kind) and _is_stated(value) else ABSENT
    if reads.element is None:
        return lambda value: (
            [_UNDECIDABLE] * len(value) if isinstance(value, kind) and _is_stated(value) else ABSENT
        )
    element = of(reads.element)

    def project(value: Any) -> Any:
        if not isinstance(value, kind):
            return ABSENT
        items = [element(one) for one in value]
        if ABSENT in items:
            return [_UNDECIDABLE if one is ABSENT else one for one in items] if _is_stated(value) else ABSENT
        return items

    return project


def _scalars(element: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def project(value: Any) -> Any:
        if not isinstance(value, list):
            return ABSENT
        items = [element(one) for one in value]
        return ABSENT if ABSENT in items else items

    return project


def _is_stated(value: object) -> bool:
    return deferred.text_of(value) is None and deferred.more_of(value) is None


def _record(shape: Record, reads: Reads) -> Callable[[Any], Any]:
    scalars: list[tuple[str, Any, Any]] = []
    others: list[tuple[str, Callable[[Any], Any], Any]] = []
    for name, inner in sorted(reads.fields.items()):
        default = shape.defaults.get(name, ABSENT)
        if isinstance(inner.shape, Scalar) and inner.shape.type is not float:
            scalars.append((name, inner.shape.type, default))
        else:
            project = of_json(inner)
            others.append((name, project, ABSENT if default is ABSENT else project(default)))
    whole = reads.whole

    def project_record(value: Any) -> Any:
        if value.__class__ is not dict:
            return ABSENT
        found = plain(value) if whole else {}
        get: Callable[[str], Any] = value.get
        for name, kind, default in scalars:
            one = get(name)
            if one.__class__ is kind:
                found[name] = text(one) if kind is str and not one.isascii() else one
            elif one is None and default is not ABSENT:
                found[name] = default
            else:
                found.pop(name, None)
        for name, project, default in others:
            one = get(name)
            one = project(one) if one is not None else default
            if one is not ABSENT:
                found[name] = one
            else:
                found.pop(name, None)
        return found

    return project_record


def _attributes(reads: Reads) -> Callable[[Any], Any]:
    if reads.whole:
        return plain
    scalars = sorted(
        name for name, inner in reads.fields.items()
        if isinstance(inner.shape, Scalar) and inner.shape.type not in (str, float)
    )  # fmt: skip
    texts = sorted(
        name for name, inner in reads.fields.items()
        if isinstance(inner.shape, Scalar) and inner.shape.type is str
    )  # fmt: skip
    others = [
        (name, attrgetter(name), _of_value(inner)) for name, inner in sorted(reads.fields.items())
        if name not in scalars and name not in texts
    ]  # fmt: skip
    plain_getters = [(name, attrgetter(name)) for name in scalars]
    text_getters = [(name, attrgetter(name)) for name in texts]

    def project(value: Any) -> Any:
        found: dict[str, Any] = {}
        for name, get in plain_getters:
            one = get(value)
            if one is not None:
                found[name] = one
        for name, get in text_getters:
            one = get(value)
            if one is not None:
                found[name] = one if one.__class__ is str and one.isascii() else text(one)
        for name, get, inner in others:
            one = get(value)
            if one is not None:
                one = inner(one)
                if one is not ABSENT:
                    found[name] = one
        return found

    return project
