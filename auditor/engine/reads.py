"""Which parts of its variables a compiled CEL expression reads.

The answer comes from the expression's syntax tree (cel.expr.CheckedExpr), followed through comprehension
variables, optional selection and indexing, so that evaluation is handed just those parts, and an undecided
result can name what it lacked. What is not understood in detail counts as read whole: the answer may hold
too much, never too little.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from auditor.engine.schema import Listing, Opaque, Record, Scalar, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditor.engine.schema import Shape


@dataclass(slots=True, eq=False)
class Reads:
    """What is read of one value: some fields of a record, the elements of a list, or the whole of it.

    With nothing set, the value itself: a scalar, or how long a list is. `path` is dotted, and that of the
    list for its elements.
    """

    path: str
    shape: Shape
    fields: dict[str, Reads] = field(default_factory=dict)
    element: Reads | None = None
    whole: bool = False

    def select(self, name: str) -> Reads | None:
        """The reads of a field, made if need be; None if the value is no record."""
        if not isinstance(self.shape, Record):
            self.whole = True
            return None
        if name not in self.fields:
            self.fields[name] = Reads(f"{self.path}.{name}", self.shape.fields.get(name, Opaque()))
        return self.fields[name]

    def item(self) -> Reads | None:
        """The reads of the elements, made if need be; None if the value is no list."""
        if not isinstance(self.shape, Listing):
            self.whole = True
            return None
        if self.element is None:
            self.element = Reads(self.path, self.shape.element)
        return self.element

    def consume(self) -> None:
        """Take the whole value as read."""
        if isinstance(self.shape, Record | Listing | Table | Opaque):
            self.whole = True

    def merge(self, other: Reads) -> None:
        """Read also what the other reads of the same value."""
        self.whole = self.whole or other.whole
        for name, reads in other.fields.items():
            self.fields.setdefault(name, Reads(reads.path, reads.shape)).merge(reads)
        if other.element is not None:
            if self.element is None:
                self.element = Reads(other.path, other.element.shape)
            self.element.merge(other.element)

    def missing(self, value: object) -> Iterator[str]:
        """The paths of what is read and not there, in a value that was projected for these reads."""
        if isinstance(self.shape, Record):
            stated = value if isinstance(value, dict) else {}
            for name, inner in self.fields.items():
                if name in stated:
                    yield from inner.missing(stated[name])
                else:
                    yield inner.path
        elif self.element is not None and isinstance(value, list):
            for one in value:
                yield from self.element.missing(one)
        elif isinstance(self.shape, Scalar) and not isinstance(value, bool | int | float | str):
            yield self.path


@dataclass(frozen=True, slots=True)
class PresenceTest:
    """`has()` or `.?` on a field that never is absent, because its absence reads as a default value."""

    position: int
    record: str
    name: str
    default: object


@dataclass(frozen=True, slots=True)
class ConstantVersion:
    """A GKE version that an expression states as text, and where it stands in the expression."""

    position: int
    text: str


@dataclass(frozen=True, slots=True)
class ForeignWord:
    """A text that an expression compares a value with that is one of a few `words`, and never this one."""

    position: int
    path: str
    text: str
    words: tuple[str, ...]


@dataclass(slots=True)
class Analysis:
    """What an expression reads of each variable, and what in it deserves a look when it is loaded.

    `path` is the dotted path if the expression is nothing but one, `listed` the paths if it is a list of
    such. `versions` are the versions that it compares with, `version_parameters` the pack's parameters that
    it uses as such. `items` are what the elements of its value may be.
    """

    roots: dict[str, Reads] = field(default_factory=dict)
    path: tuple[str, ...] | None = None
    listed: tuple[tuple[str, ...], ...] | None = None
    presence_tests: list[PresenceTest] = field(default_factory=list)
    versions: set[ConstantVersion] = field(default_factory=set)
    version_parameters: set[str] = field(default_factory=set)
    foreign_words: set[ForeignWord] = field(default_factory=set)
    items: tuple[Reads, ...] = ()


@dataclass(frozen=True, slots=True)
class _Value:
    # What a subexpression's value may be an alias of; `element` is what the items of a list built in the
    # expression may be; `optional` after `.?`; `made` if it may be something that the expression makes;
    # `key` its path if it is nothing but a path, `keys` those of its elements if it is a list of such.
    nodes: tuple[Reads, ...] = ()
    element: _Value | None = None
    optional: bool = False
    made: bool = False
    key: tuple[str, ...] | None = None
    keys: tuple[tuple[str, ...], ...] | None = None

    def union(self, other: _Value) -> _Value:
        nodes = self.nodes + tuple(node for node in other.nodes if not any(node is one for one in self.nodes))
        element = self.element
        if other.element is not None:
            element = other.element if element is None else element.union(other.element)
        return _Value(nodes, element, self.optional or other.optional, self.made or other.made)

    def consume(self) -> None:
        for node in self.nodes:
            node.consume()
        if self.element is not None:
            self.element.consume()

    def items(self) -> _Value:
        found = _Value(tuple(item for node in self.nodes if (item := node.item()) is not None))
        return found if self.element is None else found.union(self.element)

    def words(self) -> tuple[str, ...]:
        # All that it may be; nothing if it may be any text.
        found: dict[str, None] = {}
        for node in self.nodes:
            if not isinstance(node.shape, Scalar) or not node.shape.words:
                return ()
            found.update(dict.fromkeys(node.shape.words))
        return () if self.made or self.element is not None else tuple(found)

    def same(self, other: _Value) -> bool:
        if (
            self.made != other.made
            or len(self.nodes) != len(other.nodes)
            or any(a is not b for a, b in zip(self.nodes, other.nodes, strict=True))
        ):
            return False
        if self.element is None or other.element is None:
            return self.element is other.element
        return self.element.same(other.element)


_NOTHING = _Value()
_MADE = _Value(made=True)
VERSION_FUNCTIONS = frozenset(("isAtLeast", "isBetween"))


def analyse(
    serialized: bytes,
    variables: Mapping[str, Shape],
    *,
    origins: Mapping[str, str] | None = None,
    elements: bool = False,
) -> Analysis:
    """What a compiled expression (`Expression.serialize()`) reads of these variables.

    `origins` are the paths of variables that stand for part of another: the elements of a list. With
    `elements`, the value is a list whose elements are looked at one by one by other expressions: it does
    not count as read whole, and `Analysis.items` are its elements.
    """
    paths = origins or {}
    walker = _Walker({name: Reads(paths.get(name, name), shape) for name, shape in variables.items()})
    checked = _last(_message(serialized), 2)
    source = _message(_last(_message(checked), 5))
    for number, entry in source:
        if number == 4:
            pair = dict(_message(_bytes(entry)))
            walker.positions[_int(pair.get(1, 0))] = _int(pair.get(2, 0))
    value = walker.visit(_last(_message(checked), 4), {})
    if elements:
        walker.result.items = value.items().nodes
    else:
        value.consume()
    walker.result.path = value.key
    walker.result.listed = value.keys
    walker.result.roots = {name: reads for name, reads in walker.variables.items() if name in walker.used}
    return walker.result


@dataclass(slots=True)
class _Walker:
    variables: dict[str, Reads]
    used: set[str] = field(default_factory=set)
    positions: dict[int, int] = field(default_factory=dict)
    result: Analysis = field(default_factory=Analysis)

    def visit(self, expression: bytes, scope: Mapping[str, _Value]) -> _Value:
        identity, kind, body = 0, 0, b""
        for number, value in _message(expression):
            if number == 2:
                identity = _int(value)
            else:
                kind, body = number, _bytes(value)
        if kind == 4:
            return self._name(_text(body, 1), scope)
        if kind == 5:
            return self._select(identity, body, scope)
        if kind == 6:
            return self._call(identity, body, scope)
        if kind in (7, 8):
            return self._built(body, scope, entries=kind == 8)
        if kind == 9:
            return self._comprehension(body, scope)
        return _MADE

    def _name(self, name: str, scope: Mapping[str, _Value]) -> _Value:
        if name in scope:
            return scope[name]
        name = name.removeprefix(".")
        if name in self.variables:
            self.used.add(name)
            return _Value((self.variables[name],), key=(name,))
        return _NOTHING

    def _field(self, operand: _Value, name: str) -> _Value:
        nodes = tuple(one for node in operand.nodes if (one := node.select(name)) is not None)
        found = _Value(nodes + _entries(operand), optional=operand.optional)
        return found if operand.element is None else found.union(operand.element)

    def _select(self, identity: int, body: bytes, scope: Mapping[str, _Value]) -> _Value:
        parts = _message(body)
        operand = self.visit(_last(parts, 1), scope)
        name = _last(parts, 2).decode()
        found = self._field(operand, name)
        if any(number == 3 and _int(value) for number, value in parts):
            self._presence(identity, operand, name)
            return _NOTHING
        return replace(found, key=(*operand.key, name)) if operand.key else found

    def _presence(self, identity: int, operand: _Value, name: str) -> None:
        if operand.optional:
            return
        for node in operand.nodes:
            if isinstance(node.shape, Record) and name in node.shape.defaults:
                default = node.shape.defaults[name]
                test = PresenceTest(self.positions.get(identity, 0), node.shape.name, name, default)
                self.result.presence_tests.append(test)

    def _call(self, identity: int, body: bytes, scope: Mapping[str, _Value]) -> _Value:
        parts = _message(body)
        function = _last(parts, 2).decode()
        raw = [_bytes(value) for number, value in parts if number in (1, 3)]
        values = [self.visit(one, scope) for one in raw]
        if function in VERSION_FUNCTIONS:
            for one in raw[1:]:
                if (text := _constant_text(one)) is not None:
                    position = self.positions.get(_identity(one), self.positions.get(identity, 0))
                    self.result.versions.add(ConstantVersion(position, text))
        if function in ("_==_", "_!=_"):
            self._compared(raw[0], values[1])
            self._compared(raw[1], values[0])
        if function == "@in":
            for one in _constants(raw[1]):
                self._compared(one, values[0])
            made = values[1].made or values[1].element is not None
            self._compared(raw[0], _Value(_elements(values[1]), made=made))
        if function == "_?._" and (name := _constant_text(raw[1])) is not None:
            self._presence(identity, values[0], name)
            return replace(self._field(values[0], name), optional=True)
        if function in ("_[_]", "_[?_]"):
            values[1].consume()
            name = _constant_text(raw[1])
            if name is not None and any(isinstance(node.shape, Record) for node in values[0].nodes):
                return self._field(values[0], name)
            items = values[0].items().union(_Value(_entries(values[0])))
            return replace(items, optional=values[0].optional or function == "_[?_]")
        if function == "size":
            return _NOTHING
        if function in ("_&&_", "_||_", "!_", "@not_strictly_false"):
            for value in values:
                value.consume()
            return _NOTHING
        if function == "_?_:_":
            values[0].consume()
            return values[1].union(values[2])
        if function in ("orValue", "or", "optional.of", "optional.ofNonZeroValue", "value", "_+_"):
            merged = _MADE if function == "_+_" else _NOTHING
            for value in values:
                merged = merged.union(value)
            return merged
        if function == "hasValue":
            return _NOTHING
        merged = _MADE
        for value in values:
            value.consume()
            merged = merged.union(value)
        if function in VERSION_FUNCTIONS:
            keys = [value.key for value in values[1:]]
            self.result.version_parameters |= {
                key[1] for key in keys if key and key[0] == "org" and len(key) == 2
            }
        return merged

    def _compared(self, constant: bytes, value: _Value) -> None:
        text, words = _constant_text(constant), value.words()
        if text is not None and words and text not in words:
            position = self.positions.get(_identity(constant), 0)
            self.result.foreign_words.add(ForeignWord(position, value.nodes[0].path, text, words))

    def _built(self, body: bytes, scope: Mapping[str, _Value], *, entries: bool) -> _Value:
        element = _NOTHING
        keys: list[tuple[str, ...] | None] = []
        for number, value in _message(body):
            if entries and number == 2:
                for inner_number, inner in _message(_bytes(value)):
                    if inner_number in (3, 4):
                        element = element.union(self.visit(_bytes(inner), scope))
            elif not entries and number == 1:
                item = self.visit(_bytes(value), scope)
                keys.append(item.key)
                element = element.union(item)
            else:
                # Which elements of a list are optional.
                keys.append(None)
        stated = tuple(key for key in keys if key is not None)
        return _Value(element=element, keys=stated if len(stated) == len(keys) and not entries else None)

    def _comprehension(self, body: bytes, scope: Mapping[str, _Value]) -> _Value:
        parts = _message(body)
        span = self.visit(_last(parts, 2), scope)
        inner = dict(scope)
        for number in (1, 8):
            if name := _last(parts, number).decode():
                inner[name] = span.items()
        name = _last(parts, 3).decode()
        accumulated = self.visit(_last(parts, 4), scope)
        # Each pass can only add; the values are unions over a fixed set of places, so a few passes settle it.
        while True:
            inner[name] = accumulated
            self.visit(_last(parts, 5), inner).consume()
            grown = accumulated.union(self.visit(_last(parts, 6), inner))
            if grown.same(accumulated):
                break
            accumulated = grown
        return self.visit(_last(parts, 7), {**scope, name: accumulated})


def _message(data: bytes) -> list[tuple[int, int | bytes]]:
    # The protocol buffers wire format. cel-expr-python ships no Python classes for cel.expr.
    fields: list[tuple[int, int | bytes]] = []
    index = 0
    while index < len(data):
        key, index = _varint(data, index)
        value: int | bytes
        if key & 7 == 0:
            value, index = _varint(data, index)
        elif key & 7 == 2:
            length, index = _varint(data, index)
            value, index = data[index : index + length], index + length
        else:
            width = 8 if key & 7 == 1 else 4
            value, index = data[index : index + width], index + width
        fields.append((key >> 3, value))
    return fields


def _varint(data: bytes, index: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[index]
        index += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, index
        shift += 7


def _last(parts: list[tuple[int, int | bytes]], number: int) -> bytes:
    found = b""
    for one, value in parts:
        if one == number:
            found = _bytes(value)
    return found


def _text(data: bytes, number: int) -> str:
    return _last(_message(data), number).decode()


def _bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _int(value: int | bytes) -> int:
    return value if isinstance(value, int) else 0


def _identity(expression: bytes) -> int:
    return next((_int(value) for number, value in _message(expression) if number == 2), 0)


def _constants(expression: bytes) -> list[bytes]:
    # The elements of a list that an expression writes out.
    lists = [_bytes(value) for number, value in _message(expression) if number == 7]
    return [_bytes(value) for one in lists for number, value in _message(one) if number == 1]


def _entries(value: _Value) -> tuple[Reads, ...]:
    # What a map, which is read whole, may have under a key: only for the words that this may be.
    found = [(one.path, one.shape.value) for one in value.nodes if isinstance(one.shape, Table)]
    return tuple(Reads(path, shape) for path, shape in found if isinstance(shape, Scalar) and shape.words)


def _elements(value: _Value) -> tuple[Reads, ...]:
    # What the elements of a list may be, without taking them as read.
    return tuple(Reads(one.path, one.shape.element) for one in value.nodes if isinstance(one.shape, Listing))


def _constant_text(expression: bytes) -> str | None:
    for number, value in _message(expression):
        if number == 3:
            for kind, constant in _message(_bytes(value)):
                if kind == 6:
                    return _bytes(constant).decode()
    return None
