"""The expressions of rules: the variables and functions they may use, checked when they are loaded.

An expression is compiled twice. Once against the types of its variables, so that a misspelt field is an
error with its position; once without types, which is what evaluates, because there a fact that is not
known is a key that is not there: a CEL error, which `&&`, `||`, `all` and `exists` absorb where it does not
matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from auditor.engine import schema
from auditor.engine.reads import Analysis, analyse
from auditor.engine.result import ResourceRef
from auditor.model.facts import ClusterFacts, NetworkFacts
from auditor.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cel_expr_python import cel

    from auditor.engine.reads import Reads
    from auditor.engine.schema import Shape
    from auditor.model.evidence import Json

Kind = Literal["cluster", "network"]
Wanted = Literal["bool", "list", "text", "any"]

FACTS: Mapping[str, type] = {"cluster": ClusterFacts, "network": NetworkFacts}
"""The facts that a rule about each kind of resource sees, as a dataclass."""

FUNCTIONS = {
    "isAtLeast": 'isAtLeast(version, "1.15"): the GKE version is the one given or newer',
    "isBetween": 'isBetween(version, "1.18", "1.19.16"): the first or newer, but older than the second',
}
"""The functions that rules may use beyond CEL's own and its `strings` and optional extensions."""

_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDEFINED_FIELD = re.compile(r"undefined field '([^']*)' not found in struct '([^']*)'")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '([^']*)'")
_BUILT_IN = (
    "size", "has", "contains", "startsWith", "endsWith", "matches", "all", "exists", "exists_one", "map",
    "filter", "int", "double", "string", "bool", "join", "split", "replace", "substring", "indexOf",
    "lowerAscii", "upperAscii", "trim", "format", "orValue", "optional", "dyn", "type", "true", "false",
    "null",
)  # fmt: skip


class ExpressionError(Exception):
    """An expression that cannot be compiled: what is wrong, at which offset in its text, what to do."""

    def __init__(self, message: str, hint: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.offset = offset


class UndecidedError(Exception):
    """An expression has no value, since something that it needs is unknown; CEL's own words for it."""


@dataclass(slots=True, eq=False)
class Expression:
    """A compiled expression.

    `reads` is all that must be handed to it, by variable; `own` the same with a loop's variable taken as a
    variable of its own. `path` is set where the expression is nothing but a path, `listed` where it is a list
    of such.
    """

    text: str
    program: cel.Expression
    reads: Mapping[str, Reads]
    own: Mapping[str, Reads]
    path: tuple[str, ...] | None
    listed: tuple[tuple[str, ...], ...] | None = None

    def value(self, activation: cel.Activation) -> Any:
        """The value, as plain Python data. Raises UndecidedError."""
        try:
            found = self.program.eval(activation)
            if found.type().name() == "ERROR":
                raise UndecidedError(str(found.value()).partition(": ")[2])
            return found.plain_value()
        except (RuntimeError, TypeError) as error:
            raise UndecidedError(str(error)) from error


@dataclass(slots=True, eq=False)
class Loop:
    """A list, and the name that its elements have in the expressions about one of them.

    `element` is the shape of an element, `origin` the dotted path that it stands at.
    """

    each: Expression
    variable: str
    element: Shape
    origin: str

    def around(self, text: str, macro: str) -> str:
        """An expression about every element, from one about an element; it starts in a line of its own."""
        return f"({self.each.text}\n).{macro}({self.variable},\n{text}\n)"


@dataclass(slots=True, eq=False)
class Environment:
    """The variables of one kind of resource in one pack, and the compiler for expressions over them."""

    kind: Kind
    parameters: Mapping[str, Json]
    shapes: dict[str, Shape] = field(init=False)
    version_parameters: set[str] = field(default_factory=set)
    _records: dict[str, schema.Record] = field(init=False)
    _typed: cel.Env = field(init=False)
    _untyped: dict[str, cel.Env] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from cel_expr_python import cel

        resource = schema.resource(ResourceRef)
        resource.fields["short_name"] = schema.Scalar(str)
        shapes: dict[str, Shape] = {"resource": resource, **schema.facts(FACTS[self.kind])}
        shapes["org"] = schema.parameters(f"{schema.PACKAGE}.Parameters", self.parameters)
        if self.kind == "cluster":
            shapes["cluster"] = schema.cluster()
        self.shapes = shapes
        self._records = schema.records_in(shapes.values())
        pool = schema.pool_of(self._records.values())
        types = {
            name: cel.Type(shape.name) for name, shape in shapes.items() if isinstance(shape, schema.Record)
        }
        self._typed = _new(types, pool)

    def compile(self, text: str, wanted: Wanted, loop: Loop | None = None) -> Expression:
        """The expression in `text`, whose value is of the wanted type. Raises ExpressionError."""
        variables = {**self.shapes, **({loop.variable: loop.element} if loop else {})}
        program = self._compiled(self._env(loop), text, text, 0, variables)
        source, lines = text, 0
        if loop:
            source = loop.around(text, "all" if wanted == "bool" else "map")
            lines = loop.each.text.count("\n") + 2
        typed = self._compiled(self._typed, source, text, lines, variables)
        self._check_type(typed.return_type().name(), wanted, in_loop=loop is not None)
        origins = {loop.variable: loop.origin} if loop else None
        analysis = analyse(program.serialize(), variables, origins=origins)
        self._check(analysis)
        reads: Mapping[str, Reads] = analysis.roots
        if loop:
            reads = analyse(self._env(None).compile(source).serialize(), self.shapes).roots
        self.version_parameters |= analysis.version_parameters
        return Expression(text, program, reads, analysis.roots, analysis.path, analysis.listed)

    def loop(self, text: str, variable: str) -> Loop:
        """A loop over the list that the expression gives. Raises ExpressionError."""
        if variable in self.shapes:
            raise ExpressionError(
                f"`{variable}` is already a variable", "give the element another name with `as`"
            )
        program = self._compiled(self._env(None), text, text, 0, self.shapes)
        typed = self._compiled(self._typed, text, text, 0, self.shapes)
        self._check_type(typed.return_type().name(), "list", in_loop=False)
        analysis = analyse(program.serialize(), self.shapes, elements=True)
        self._check(analysis)
        each = Expression(text, program, analysis.roots, analysis.roots, analysis.path)
        if not analysis.items:
            return Loop(each, variable, schema.Opaque(), variable)
        return Loop(each, variable, analysis.items[0].shape, analysis.items[0].path)

    def combined(self, text: str) -> Expression:
        """An expression put together from others that have been compiled."""
        program = self._env(None).compile(text)
        roots = analyse(program.serialize(), self.shapes).roots
        return Expression(text, program, roots, roots, None)

    def activation(self, data: Mapping[str, Any]) -> cel.Activation:
        """Values for the variables, for any expression of this environment."""
        return self._env(None).Activation(data)

    def _env(self, loop: Loop | None) -> cel.Env:
        from cel_expr_python import cel

        name = loop.variable if loop else ""
        if name not in self._untyped:
            names = [*self.shapes, *([name] if name else [])]
            self._untyped[name] = _new(dict.fromkeys(names, cel.Type.DYN), None)
        return self._untyped[name]

    def _compiled(
        self, env: cel.Env, source: str, text: str, lines: int, variables: Mapping[str, Shape]
    ) -> cel.Expression:
        try:
            return env.compile(source)
        except RuntimeError as error:
            raise self._explained(str(error), text, lines, variables) from None

    def _explained(
        self, error: str, text: str, lines: int, variables: Mapping[str, Shape]
    ) -> ExpressionError:
        found = _ERROR.search(error)
        hint = "expressions are CEL: https://cel.dev; see docs/writing-rules.md for the variables"
        if found is None:
            what = error.partition(": ")[2].partition(" [")[0] or error
            return ExpressionError(what[:300], hint)
        offset = _offset(text, int(found[1]) - lines, int(found[2]))
        what = found[3].removesuffix(" [INVALID_ARGUMENT]")
        if field_error := _UNDEFINED_FIELD.search(what):
            name, record = field_error[1], field_error[2]
            known = list(self._records[record].fields) if record in self._records else []
            what = f"there is no field `{name}` in {record.rsplit('.', 1)[-1]}"
            # The position is that of the dot before the field.
            return ExpressionError(what, did_you_mean(name, known), offset + 1)
        if undeclared := _UNDECLARED.search(what):
            name = undeclared[1].split(".", 1)[0]
            # For a qualified name the position is that of its dot.
            start = text.rfind(name, 0, offset + len(name)) if "." in undeclared[1] else offset
            known = [*variables, *FUNCTIONS, *_BUILT_IN]
            return ExpressionError(
                f"there is no variable or function `{name}`", did_you_mean(name, known), max(start, 0)
            )
        if overload := _NO_OVERLOAD.search(what):
            name = overload[1].strip("_") or overload[1]
            what = f"`{name}` cannot be applied to {overload[2]}"
            signature = FUNCTIONS.get(overload[1])
            return ExpressionError(what, f"it is {signature}" if signature else hint, offset)
        what = what.partition(" expecting ")[0].replace("'<EOF>'", "end of the expression")
        return ExpressionError(what[:1].lower() + what[1:], hint, offset)

    def _check_type(self, found: str, wanted: Wanted, *, in_loop: bool) -> None:
        if in_loop and wanted != "bool":
            found = found.removeprefix("LIST<").removesuffix(">")
        accepted = {
            "bool": found in ("BOOL", "DYN"),
            "list": found.startswith("LIST<") or found == "DYN",
            "text": found in ("STRING", "DYN"),
            "any": not found.startswith("optional_type"),
        }[wanted]
        if accepted:
            return
        if found.startswith("optional_type"):
            raise ExpressionError("the value may be missing", "end the expression with `.orValue(…)`")
        words = {"bool": "true or false", "list": "a list", "text": "text", "any": "a value"}[wanted]
        raise ExpressionError(
            f"this must give {words}, and gives {found}", f"write an expression that gives {words}"
        )

    def _check(self, analysis: Analysis) -> None:
        for test in analysis.presence_tests:
            owner = test.record.rsplit(".", 1)[-1]
            raise ExpressionError(
                f"`{test.name}` of {owner} is never missing: the API leaves it out when it is "
                f"{_literal(test.default)}",
                "read the field itself; where it is absent it has its default",
                test.position,
            )
        for word in sorted(analysis.foreign_words, key=lambda one: one.position):
            if word.text == "unknown" and not word.path.startswith("cluster."):
                # So reports say it; a fact that is not known is absent here, and this undecided with it.
                continue
            text = f"`{word.text}`" if word.text else "empty"
            hint = did_you_mean(word.text, list(word.words))
            raise ExpressionError(f"`{word.path}` is never {text}", hint, word.position)
        for version in sorted(analysis.versions, key=lambda one: one.position):
            if parse_version(version.text) is None:
                raise ExpressionError(
                    f"`{version.text}` is not a GKE version",
                    "write it like 1.15 or 1.36.0-gke.3302000",
                    version.position,
                )


def did_you_mean(name: str, known: list[str]) -> str:
    """A hint for a misspelt name: the likeliest of the known ones, or what there is."""
    lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    if close:
        return f"did you mean `{lower[close[0]]}`?"
    shown = sorted(known)
    rest = f", and {len(shown) - 40} more" if len(shown) > 40 else ""
    return f"there are: {', '.join(shown[:40])}{rest}" if shown else "nothing may stand here"


def shown(value: object) -> str:
    """A value of an expression as text for a reader."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if value is None:
        return "unknown"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(shown(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(
            f"{key}={shown(one)}" for key, one in sorted(value.items(), key=lambda pair: str(pair[0]))
        )
    return str(value)


def _literal(value: object) -> str:
    if value == "" or value in ([], {}):
        return "empty"
    return shown(value)


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return 0
    return sum(len(one) + 1 for one in lines[: line - 1]) + max(column - 1, 0)


def _new(variables: Mapping[str, cel.Type], pool: object) -> cel.Env:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional, ext_strings

    text, truth = cel.Type.STRING, cel.Type.BOOL
    functions = [
        cel.FunctionDecl(
            "isAtLeast",
            [
                cel.Overload(
                    "isAtLeast_text_text", return_type=truth, parameters=[text, text], impl=is_at_least
                )
            ],
        ),
        cel.FunctionDecl(
            "isBetween",
            [
                cel.Overload(
                    "isBetween_text_text_text", return_type=truth, parameters=[text] * 3, impl=is_between
                )
            ],
        ),
    ]
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
    return cel.NewEnv(pool, variables=variables, extensions=extensions, functions=functions)


@lru_cache(maxsize=65536)
def is_at_least(version: str, lowest: str) -> bool:
    """Whether a GKE version is the one given or newer. Raises ValueError for what is no version."""
    return _parsed(version) >= _parsed(lowest)


@lru_cache(maxsize=65536)
def is_between(version: str, first: str, end: str) -> bool:
    """Whether a GKE version lies in the half-open range. Raises ValueError for what is no version."""
    return _parsed(first) <= _parsed(version) < _parsed(end)


def _parsed(version: str) -> tuple[int, int, int, int]:
    parsed = parse_version(version)
    if parsed is None:
        raise ValueError(f"{version!r} is not a GKE version")
    return parsed
