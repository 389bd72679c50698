"""Values of Terraform expressions, as far as the configuration alone decides them.

What it does not decide is `UNKNOWN`, or `Partial` for a string of which a part is known. Nothing is executed:
of Terraform's functions only those are evaluated that depend on their arguments alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from auditor.terraform.syntax import verbatim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tree_sitter import Node

    from auditor.terraform.syntax import Expression, Reader


class _Unknown:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

_DEPTH: Final = 60
_MANY: Final = 10_000
_LONGEST: Final = 1 << 16
STEPS: Final = 2_000_000
"""How many expressions of one configuration are evaluated; one of thousands of blocks needs a fraction."""
_ESCAPE = re.compile(r'\\(?:n|r|t|"|\\|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})')
_VERB = re.compile(r"%[sdv]|%%")


@dataclass(frozen=True, slots=True)
class Partial:
    """A string of which only parts are known: those between them (None) can be anything."""

    parts: tuple[str | None, ...]

    def matches(self, text: str) -> bool:
        """Whether the string may be this text."""
        parts = list(self.parts)
        start, end = 0, len(text)
        if parts and parts[0] is not None:
            if not text.startswith(parts[0]):
                return False
            start = len(parts.pop(0) or "")
        if parts and parts[-1] is not None:
            if not text.endswith(parts[-1]):
                return False
            end -= len(parts.pop() or "")
        for part in parts:
            if part is not None:
                found = text.find(part, start, max(start, end))
                if found < 0:
                    return False
                start = found + len(part)
        return start <= end

    @property
    def known(self) -> str:
        """The parts that are known, together."""
        return "".join(part for part in self.parts if part is not None)


@dataclass(frozen=True, slots=True)
class Resource:
    """A reference to a resource, data source or module, whose attributes its scope knows. See `Scope`."""

    scope: Scope
    kind: str
    name: str
    key: object = None


class Scope(Protocol):
    """What the names in an expression stand for."""

    @property
    def reader(self) -> Reader:
        """The parser, for strings of JSON files, which are templates."""
        ...

    def variable(self, name: str) -> Any:
        """The value of `var.NAME`."""

    def local(self, name: str) -> Any:
        """The value of `local.NAME`."""

    def resource(self, kind: str, name: str) -> Any:
        """A `Resource` that the module declares, else UNKNOWN."""

    def attribute(self, resource: Resource, name: str) -> Any:
        """The value of an attribute of a resource."""


@dataclass(slots=True)
class Evaluation:
    """Evaluates expressions in a scope, with the names bound by `for_each`, `count` and `for`."""

    scope: Scope
    bound: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0

    def value(self, expression: Expression | None) -> Any:
        """The value of an expression; None where there is none."""
        if expression is None:
            return None
        try:
            if expression.node is None:
                exact, literal = verbatim(expression.literal)
                return literal if exact else self._literal(literal)
            return self._expression(expression.node, expression.text)
        except RecursionError:
            # Locals and modules may refer to each other in chains of any length.
            return UNKNOWN

    def _literal(self, value: Any) -> Any:
        if isinstance(value, str):
            if "${" not in value and "%{" not in value:
                return value
            node, text = self.scope.reader.template(value)
            return UNKNOWN if node is None else self._expression(node, text)
        if isinstance(value, list):
            return [self._literal(one) for one in value]
        if isinstance(value, dict):
            return {key: self._literal(one) for key, one in value.items()}
        return value

    def with_names(self, names: Mapping[str, Any]) -> Evaluation:
        """The same with further names bound."""
        return Evaluation(self.scope, {**self.bound, **names}, self.depth)

    # Nodes

    def _expression(self, node: Node, text: bytes) -> Any:
        reader = self.scope.reader
        reader.steps += 1
        if self.depth > _DEPTH or reader.steps > STEPS:
            return UNKNOWN
        self.depth += 1
        try:
            return self._sequence(node.named_children, text)
        finally:
            self.depth -= 1

    def _sequence(self, nodes: Sequence[Node], text: bytes) -> Any:
        """A term and what is taken from it: attributes, indexes, splats."""
        children = [one for one in nodes if one.type != "comment"]
        if not children:
            return UNKNOWN
        first, rest = children[0], children[1:]
        if first.type == "variable_expr":
            value, rest = self._variable(first, rest, text)
        else:
            value = self._primary(first, text)
        for access in rest:
            value = self._access(value, access, text)
        return value

    def _primary(self, node: Node, text: bytes) -> Any:
        handler = {
            "literal_value": self._literal_value,
            "template_expr": self._template,
            "collection_value": self._collection,
            "tuple": self._tuple,
            "object": self._object,
            "conditional": self._conditional,
            "operation": self._operation,
            "function_call": self._call,
            "for_expr": self._for,
            "expression": self._expression,
        }.get(node.type)
        if handler is not None:
            return handler(node, text)
        return UNKNOWN

    def _variable(self, node: Node, rest: list[Node], text: bytes) -> tuple[Any, list[Node]]:
        name = _text(node, text)
        if name in self.bound:
            return self.bound[name], rest
        if not rest or rest[0].type != "get_attr":
            return UNKNOWN, []
        first = _attr(rest[0], text)
        if name == "var":
            return self.scope.variable(first), rest[1:]
        if name == "local":
            return self.scope.local(first), rest[1:]
        if name in ("path", "terraform", "self", "each", "count"):
            return UNKNOWN, []
        if name == "module":
            return self.scope.resource("module", first), rest[1:]
        if name == "data":
            if len(rest) < 2 or rest[1].type != "get_attr":
                return UNKNOWN, []
            return self.scope.resource(f"data.{first}", _attr(rest[1], text)), rest[2:]
        return self.scope.resource(name, first), rest[1:]

    def _access(self, value: Any, node: Node, text: bytes) -> Any:
        if value is UNKNOWN:
            return UNKNOWN
        if node.type == "get_attr":
            name = _attr(node, text)
            if isinstance(value, Resource):
                return value.scope.attribute(value, name)
            return value.get(name, UNKNOWN) if isinstance(value, dict) else UNKNOWN
        if node.type == "index":
            key = self._index(node, text)
            if key is UNKNOWN or isinstance(key, Partial):
                return UNKNOWN
            if isinstance(value, Resource):
                return Resource(value.scope, value.kind, value.name, key) if value.key is None else UNKNOWN
            if isinstance(value, dict):
                return value.get(str(key), UNKNOWN)
            if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
                return value[key]
            return UNKNOWN
        if node.type == "splat" and isinstance(value, list):
            return [self._splat(one, node, text) for one in value]
        return UNKNOWN

    def _splat(self, value: Any, node: Node, text: bytes) -> Any:
        for child in node.named_children:
            for access in child.named_children:
                value = self._access(value, access, text)
        return value

    def _index(self, node: Node, text: bytes) -> Any:
        for child in node.named_children:
            if child.type == "new_index":
                for inner in child.named_children:
                    if inner.type == "expression":
                        return self._expression(inner, text)
            if child.type == "legacy_index":
                digits = _text(child, text).lstrip(".")
                return int(digits) if digits.isdigit() else UNKNOWN
        return UNKNOWN

    def _literal_value(self, node: Node, text: bytes) -> Any:
        child = node.named_children[0] if node.named_children else node
        written = _text(child, text)
        if child.type == "string_lit":
            return _unescaped(written[1:-1])
        if child.type == "numeric_lit":
            try:
                return int(written)
            except ValueError:
                try:
                    return float(written)
                except ValueError:
                    return UNKNOWN
        if child.type == "bool_lit":
            return written == "true"
        return None if child.type == "null_lit" else UNKNOWN

    def _template(self, node: Node, text: bytes) -> Any:
        inner = node.named_children[0] if node.type == "template_expr" and node.named_children else node
        children = inner.named_children
        heredoc = inner.type == "heredoc_template"
        if len(children) < 2:
            return UNKNOWN
        # The parser leaves space at the edges of a literal out of it: literals are what is between the rest.
        done, end = children[0].end_byte, children[-1].start_byte
        if heredoc:
            done = text.find(b"\n", children[1].end_byte) + 1
        parts: list[Any] = []
        for child in children:
            if child.type not in ("template_interpolation", "template_directive"):
                continue
            if done < child.start_byte:
                parts.append(_literal_part(text[done : child.start_byte], heredoc=heredoc))
            inside = [one for one in child.named_children if one.type == "expression"]
            known = child.type == "template_interpolation" and len(inside) == 1
            parts.append(self._expression(inside[0], text) if known else UNKNOWN)
            done = child.end_byte
        if done < end:
            parts.append(_literal_part(text[done:end], heredoc=heredoc))
        if heredoc:
            return _heredoc(parts, indented=text[inner.start_byte : inner.start_byte + 3] == b"<<-")
        # A template that is one interpolation is that value itself, of whatever type.
        return parts[0] if len(parts) == 1 else joined(parts)

    def _tuple(self, node: Node, text: bytes) -> Any:
        return [self._expression(one, text) for one in node.named_children if one.type == "expression"]

    def _object(self, node: Node, text: bytes) -> Any:
        found: dict[str, Any] = {}
        for element in node.named_children:
            if element.type != "object_elem":
                continue
            sides = [one for one in element.named_children if one.type == "expression"]
            if len(sides) != 2:
                return UNKNOWN
            inner = [one for one in sides[0].named_children if one.type != "comment"]
            if len(inner) == 1 and inner[0].type == "variable_expr":
                key: Any = _text(inner[0], text)
            else:
                key = self._expression(sides[0], text)
            if not isinstance(key, str | int | float):
                return UNKNOWN
            found[_string(key)] = self._expression(sides[1], text)
        return found

    def _collection(self, node: Node, text: bytes) -> Any:
        return self._primary(node.named_children[0], text) if node.named_children else UNKNOWN

    def _conditional(self, node: Node, text: bytes) -> Any:
        sides = [one for one in node.named_children if one.type == "expression"]
        if len(sides) != 3:
            return UNKNOWN
        condition = self._expression(sides[0], text)
        condition = (
            {"true": True, "false": False}.get(condition, condition)
            if isinstance(condition, str)
            else condition
        )
        if condition is True or condition is False:
            return self._expression(sides[1 if condition else 2], text)
        return UNKNOWN

    def _operation(self, node: Node, text: bytes) -> Any:
        inner = node.named_children[0] if node.named_children else node
        sides: list[list[Node]] = [[]]
        operator = ""
        for child in inner.children:
            if child.is_named:
                sides[-1].append(child)
            else:
                operator = _text(child, text)
                sides.append([])
        operands = [self._sequence(one, text) for one in sides if one]
        if operator == "!" and len(operands) == 1:
            return not operands[0] if isinstance(operands[0], bool) else UNKNOWN
        if len(operands) != 2 or any(_is_open(one) for one in operands):
            return UNKNOWN
        left, right = operands
        if operator in ("==", "!="):
            return (
                (_string(left) == _string(right)) == (operator == "==")
                if _plain_pair(left, right)
                else UNKNOWN
            )
        if operator in ("&&", "||") and isinstance(left, bool) and isinstance(right, bool):
            return (left and right) if operator == "&&" else (left or right)
        if not (_is_number(left) and _is_number(right)):
            return UNKNOWN
        if operator in ("+", "-"):
            return left + right if operator == "+" else left - right
        compared = {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}
        return compared.get(operator, UNKNOWN)

    def _call(self, node: Node, text: bytes) -> Any:
        name = next((_text(one, text) for one in node.named_children if one.type == "identifier"), "")
        given = next((one for one in node.named_children if one.type == "function_arguments"), None)
        if given is not None and any(one.type == "ellipsis" for one in given.children):
            return UNKNOWN
        arguments = [] if given is None else [one for one in given.named_children if one.type == "expression"]
        if name == "try":
            for one in arguments:
                value = self._expression(one, text)
                if not _is_open(value):
                    return value
                # Whether the first that cannot be told would have failed is not known.
                return UNKNOWN
        function = _FUNCTIONS.get(name)
        if function is None:
            return UNKNOWN
        values = [self._expression(one, text) for one in arguments]
        try:
            found = function(*values)
            return UNKNOWN if isinstance(found, list | dict) and len(found) > _MANY else found
        except (TypeError, ValueError, IndexError, KeyError, AttributeError, ZeroDivisionError):
            return UNKNOWN

    def _for(self, node: Node, text: bytes) -> Any:
        inner = node.named_children[0]
        as_object = inner.type == "for_object_expr"
        intro = next((one for one in inner.named_children if one.type == "for_intro"), None)
        condition = next((one for one in inner.named_children if one.type == "for_cond"), None)
        results = [one for one in inner.named_children if one.type == "expression"]
        if intro is None or any(one.type == "ellipsis" for one in inner.children):
            return UNKNOWN
        names = [_text(one, text) for one in intro.named_children if one.type == "identifier"]
        source = next((one for one in intro.named_children if one.type == "expression"), None)
        collection = UNKNOWN if source is None else self._expression(source, text)
        pairs = _pairs(collection)
        if pairs is None or not names or len(pairs) > _MANY:
            return UNKNOWN
        made: dict[str, Any] = {}
        listed: list[Any] = []
        for key, value in pairs:
            bound = {names[0]: key, names[1]: value} if len(names) > 1 else {names[0]: value}
            scope = self.with_names(bound)
            if condition is not None:
                test = next((one for one in condition.named_children if one.type == "expression"), None)
                kept = UNKNOWN if test is None else scope._expression(test, text)  # noqa: SLF001
                if kept is False:
                    continue
                if kept is not True:
                    return UNKNOWN
            values = [scope._expression(one, text) for one in results]  # noqa: SLF001
            if as_object:
                if len(values) != 2 or not isinstance(values[0], str | int):
                    return UNKNOWN
                made[_string(values[0])] = values[1]
            elif len(values) == 1:
                listed.append(values[0])
            else:
                return UNKNOWN
        return made if as_object else listed


def _text(node: Node, text: bytes) -> str:
    return text[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _attr(node: Node, text: bytes) -> str:
    return _text(node, text).lstrip(".").strip()


def _unescaped(written: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[0][1]
        if code in "uU":
            number = int(match[0][2:], 16)
            return chr(number) if number < 0x110000 else "\ufffd"
        return {"n": "\n", "r": "\r", "t": "\t"}.get(code, code)

    text = _ESCAPE.sub(one, written) if "\\" in written else written
    return text.replace("$${", "${").replace("%%{", "%{")


def _literal_part(written: bytes, *, heredoc: bool) -> str:
    literal = written.decode("utf-8", "replace")
    if heredoc:
        return literal.replace("$${", "${").replace("%%{", "%{")
    return _unescaped(literal)


def _heredoc(parts: Sequence[Any], *, indented: bool) -> Any:
    found = joined(parts)
    if not isinstance(found, str):
        return UNKNOWN
    # What stands before the marker that ends it is no part of the text.
    lines = found.rpartition("\n")[0].split("\n")
    if indented:
        margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
        lines = [line[min(margins, default=0) :] for line in lines]
    return "\n".join(lines) + "\n"


def _is_open(value: Any) -> bool:
    return value is UNKNOWN or isinstance(value, Partial | Resource)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain_pair(left: Any, right: Any) -> bool:
    return all(one is None or isinstance(one, str | int | float | bool) for one in (left, right))


def _string(value: Any) -> str:
    """A scalar as Terraform converts it to a string."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def joined(parts: Sequence[Any]) -> Any:
    """Parts of a template put together: a string, or a `Partial` if some of them are not known."""
    found: list[str | None] = []
    for part in parts:
        if isinstance(part, Partial):
            found += part.parts
        elif isinstance(part, str | int | float | bool):
            if part != "":
                found.append(_string(part))
        else:
            found.append(None)
    merged: list[str | None] = []
    for one in found:
        if one is not None and merged and merged[-1] is not None:
            merged[-1] += one
        elif not (one is None and merged and merged[-1] is None):
            merged.append(one)
    if sum(len(one) for one in merged if one is not None) > _LONGEST:
        return UNKNOWN
    if all(one is not None for one in merged):
        return "".join(one for one in merged if one is not None)
    return Partial(tuple(merged))


def _pairs(collection: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(collection, dict):
        return sorted(collection.items())
    return list(enumerate(collection)) if isinstance(collection, list) else None


# Functions. Each is given values of which some may be open, and raises where it cannot do with them.


def _closed(*values: Any) -> None:
    if any(_is_open(value) for value in values):
        raise TypeError("not known")


def _of_text(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        if not all(isinstance(value, str | int | float) for value in values):
            raise TypeError("not known")
        return function(*[value if isinstance(value, int) else _string(value) for value in values])

    return call


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    raise TypeError("no list")


def _format(pattern: Any, *values: Any) -> Any:
    if not isinstance(pattern, str):
        raise TypeError("not known")
    parts: list[Any] = []
    rest, given = pattern, list(values)
    while match := _VERB.search(rest):
        parts.append(rest[: match.start()])
        parts.append("%" if match[0] == "%%" else given.pop(0))
        rest = rest[match.end() :]
    if "%" in rest:
        raise TypeError("a verb that is not evaluated")
    return joined([*parts, rest])


def _join(separator: Any, *lists: Any) -> Any:
    items = [one for each in lists for one in _list(each)]
    parts: list[Any] = []
    for number, one in enumerate(items):
        parts += [separator, one] if number else [one]
    return joined(parts)


def _toset(value: Any) -> list[Any]:
    items = _list(value)
    _closed(*items)
    return sorted(dict.fromkeys(_string(one) for one in items))


def _lookup(table: Any, key: Any, *default: Any) -> Any:
    _closed(key)
    if not isinstance(table, dict):
        raise TypeError("not known")
    return table[key] if key in table else default[0]


def _merge(*tables: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for table in tables:
        if table is None:
            continue
        if not isinstance(table, dict):
            raise TypeError("not known")
        found |= table
    return found


def _coalesce(*values: Any) -> Any:
    for value in values:
        _closed(value)
        if value not in (None, ""):
            return value
    raise ValueError("nothing")


def _flatten(value: Any) -> list[Any]:
    found: list[Any] = []
    waiting = [iter(_list(value))]
    while waiting:
        for one in waiting[-1]:
            if isinstance(one, list):
                waiting.append(iter(one))
                break
            _closed(one)
            found.append(one)
            if len(found) > _MANY:
                raise ValueError("too many")
        else:
            waiting.pop()
    return found


def _concat(*lists: Any) -> list[Any]:
    return [one for each in lists for one in _list(each)]


def _element(items: Any, index: Any) -> Any:
    found = _list(items)
    return found[index % len(found)]


def _length(value: Any) -> int:
    _closed(value)
    return len(value)


def _keys(value: Any) -> list[str]:
    return sorted(value.keys())


def _values(value: Any) -> list[Any]:
    return [value[key] for key in sorted(value)]


def _replace(text: str, what: str, by: str) -> str:
    if len(what) > 1 and what.startswith("/") and what.endswith("/"):
        raise TypeError("a regular expression")
    return text.replace(what, by)


def _substr(text: str, offset: int, length: int) -> str:
    start = offset if offset >= 0 else len(text) + offset
    return text[start:] if length < 0 else text[start : start + length]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "toset": _toset,
    "tolist": _list,
    "tomap": _merge,
    "tostring": _of_text(lambda value: _string(value)),
    "format": _format,
    "join": _join,
    "lower": _of_text(lambda text: text.lower()),
    "upper": _of_text(lambda text: text.upper()),
    "trimspace": _of_text(lambda text: text.strip()),
    "chomp": _of_text(lambda text: text.rstrip("\r\n")),
    "trimprefix": _of_text(lambda text, prefix: text.removeprefix(prefix)),
    "trimsuffix": _of_text(lambda text, suffix: text.removesuffix(suffix)),
    "replace": _of_text(_replace),
    "substr": _of_text(_substr),
    "split": _of_text(lambda separator, text: text.split(separator)),
    "lookup": _lookup,
    "merge": _merge,
    "coalesce": _coalesce,
    "flatten": _flatten,
    "concat": _concat,
    "distinct": lambda value: list(dict.fromkeys(_flatten(value))),
    "compact": lambda value: [one for one in _flatten(value) if one not in (None, "")],
    "element": _element,
    "length": _length,
    "keys": _keys,
    "values": _values,
    "one": lambda value: _list(value)[0] if value else None,
    "zipmap": lambda keys, values: dict(zip(_list(keys), _list(values), strict=True)),
}
