"""Rule packs from YAML: every mistake is named with its file, line, column and a way out."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from auditor.engine import schema
from auditor.engine.cel import Environment, ExpressionError, did_you_mean
from auditor.engine.document import Document, Problem, parse, spelled
from auditor.engine.rule import Check, Pack, Rule
from auditor.engine.template import Template, compile_template
from auditor.errors import RuleError
from auditor.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path as FilePath

    from pydantic import BaseModel, ValidationError

    from auditor.engine.cel import Expression, Loop, Wanted
    from auditor.engine.document import Path
    from auditor.model.evidence import Json

PACK_FILE = "pack.yaml"
_SHOWN_PROBLEMS = 10
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*")

_T = TypeVar("_T")


PASSES, FAILS, FAILS_LOWERED = range(3)


@dataclass(slots=True, eq=False)
class CompiledCheck:
    """A check with its expressions compiled.

    With a loop, `of_all` answers for every element at once, where nothing about any of them is unknown: one
    of `PASSES`, `FAILS`, `FAILS_LOWERED` for each.
    """

    check: Check
    expect: Expression
    message: Template
    when: Expression | None
    loop: Loop | None
    subject: Expression | None
    lowered: Expression | None
    of_all: Expression | None


@dataclass(slots=True, eq=False)
class CompiledRule:
    """A rule with its expressions compiled.

    `holds` is true just if the rule applies and every check passes: one evaluation for the common case.
    `evidence` are the parts of each evidence path.
    """

    rule: Rule
    document: Document
    when: Expression | None
    checks: tuple[CompiledCheck, ...]
    holds: Expression
    commands: tuple[Template, ...]
    ready_commands: Expression | None
    evidence: tuple[tuple[str, ...], ...]

    def deciding(self) -> Iterator[Expression]:
        """The expressions that decide about verdict and severity."""
        yield self.holds
        if self.when is not None:
            yield self.when
        yield from (one.lowered for one in self.checks if one.lowered is not None)

    def expressions(self) -> Iterator[Expression]:
        """Every expression of the rule."""
        for one in (self.when, self.holds, self.ready_commands):
            if one is not None:
                yield one
        for check in self.checks:
            for part in (check.expect, check.when, check.subject, check.lowered):
                if part is not None:
                    yield part
        for template in (*self.commands, *(check.message for check in self.checks)):
            yield from (part for part in template.parts if not isinstance(part, str))


@dataclass(slots=True, eq=False)
class LoadedPack:
    """A pack: its rules in the order of their ids, the parameters they see as `org`, and a digest.

    `digest` is `sha256:` and hexadecimal digits over the pack's files. `version_parameters` are the
    parameters that are compared as GKE versions.
    """

    pack: Pack
    folder: str
    rules: tuple[CompiledRule, ...]
    environments: Mapping[str, Environment]
    digest: str

    @property
    def version_parameters(self) -> frozenset[str]:
        """The parameters that rules compare as GKE versions."""
        return frozenset(name for one in self.environments.values() for name in one.version_parameters)


def load_pack(folder: Traversable | FilePath) -> LoadedPack:
    """The pack in a folder: `pack.yaml`, and one file for each rule. Raises RuleError."""
    return load_packs([folder])[0]


def load_packs(folders: Iterable[Traversable | FilePath]) -> tuple[LoadedPack, ...]:
    """Several packs, whose rule ids must differ. Raises RuleError that names the mistakes of all files."""
    problems: list[Problem] = []
    packs = [pack for folder in folders if (pack := _pack(folder, problems)) is not None]
    _unique(packs, problems)
    if problems:
        raise error_of(problems)
    return tuple(packs)


def find_packs(folder: Traversable | FilePath) -> list[Traversable | FilePath]:
    """The packs that a folder given as `--rules` means: itself if it holds rules, else its subfolders.

    Raises RuleError if there are none.
    """
    if not folder.is_dir():
        raise RuleError("this is no folder", hint="give the folder that holds `pack.yaml`", place=str(folder))
    if (folder / PACK_FILE).is_file():
        return [folder]
    inner = sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: one.name)
    packs = [one for one in inner if (one / PACK_FILE).is_file()]
    if not packs:
        raise RuleError(
            f"there is no `{PACK_FILE}` in this folder", hint="see docs/writing-rules.md", place=str(folder)
        )
    return packs


def find_packs_of(paths: Iterable[FilePath]) -> list[Traversable | FilePath]:
    """The packs that paths mean, each once: of a folder as `find_packs` has it, of a file the one it is in.

    Raises RuleError for a path that means none.
    """
    found: dict[str, Traversable | FilePath] = {}
    for path in paths:
        if path.is_file() and not (path.parent / PACK_FILE).is_file():
            raise RuleError(
                "the file belongs to no rule pack",
                hint=f"there is no `{PACK_FILE}` beside it; see docs/writing-rules.md",
                place=str(path),
            )
        for pack in [path.parent] if path.is_file() else find_packs(path):
            found.setdefault(os.path.realpath(str(pack)), pack)
    return list(found.values())


def error_of(problems: list[Problem]) -> RuleError:
    """One error that names all problems: the first as its own, the next ones after it, the rest counted."""
    first, rest = problems[0], problems[1:]
    lines = [first.message]
    lines += [f"{one.place}: {one.message} ({one.hint})" for one in rest[: _SHOWN_PROBLEMS - 1]]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return RuleError("\n".join(lines), hint=first.hint, place=first.place)


def validated(document: Document, model: type[_T], problems: list[Problem]) -> _T | None:
    """The document's data as a model, or None with its mistakes added to the problems."""
    from pydantic import ValidationError

    try:
        return model.model_validate(document.data)  # type: ignore[attr-defined, no-any-return]
    except ValidationError as error:
        problems += _explained(error, document, model)  # type: ignore[arg-type]
        return None


def _pack(folder: Traversable | FilePath, problems: list[Problem]) -> LoadedPack | None:
    before = len(problems)
    name = str(folder)
    if not folder.is_dir():
        problems.append(Problem(name, "this is no folder", "give the folder that holds `pack.yaml`"))
        return None
    hashed = hashlib.sha256()
    documents: list[Document] = []
    pack = None
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if not file.name.endswith((".yaml", ".yml")):
            continue
        document = _document(file, hashed, problems)
        if document is None:
            continue
        if file.name == PACK_FILE:
            pack = validated(document, Pack, problems)
            if pack is not None:
                problems += _parameter_names(pack, document)
        else:
            documents.append(document)
    if not (folder / PACK_FILE).is_file():
        hint = "write one with name, title, description and parameters"
        problems.append(Problem(name, f"there is no `{PACK_FILE}` in this folder", hint))
    rules = [(document, rule) for document in documents if (rule := _rule(document, problems)) is not None]
    if not documents and len(problems) == before:
        problems.append(Problem(name, "there is no rule in this folder", "a rule is a file `ID.yaml`"))
    if pack is None or (len(problems) > before and not rules):
        return None
    environments = {kind: Environment(kind, pack.parameters) for kind in ("cluster", "network")}
    compiled = []
    for document, rule in rules:
        compiler = _Compiler(document, environments[rule.applies_to.kind], problems)
        if (one := compiler.rule(rule)) is not None:
            compiled.append(one)
    compiled.sort(key=lambda one: one.rule.id)
    loaded = LoadedPack(pack, name, tuple(compiled), environments, f"sha256:{hashed.hexdigest()}")
    for one in compiled:
        problems += _example_problems(one, loaded)
    return loaded


def _document(file: Traversable | FilePath, hashed: Any, problems: list[Problem]) -> Document | None:
    try:
        raw = file.read_bytes()
    except OSError as error:
        problems.append(
            Problem(str(file), f"cannot be read: {error.strerror or error}", "check its permissions")
        )
        return None
    hashed.update(f"{file.name}\n{len(raw)}\n".encode("utf-8", "surrogateescape"))
    hashed.update(raw)
    try:
        return parse(raw, str(file), RuleError)
    except RuleError as error:
        problems.append(Problem(error.place or str(file), error.message, error.hint))
        return None


def _parameter_names(pack: Pack, document: Document) -> list[Problem]:
    hint = "parameters are lower-case words joined by `_`, such as `minimum_version`"
    return [
        Problem(
            document.place(("parameters", name), key=True),
            f"`{name}` cannot be the name of a parameter",
            hint,
        )
        for name in pack.parameters
        if not _PARAMETER.fullmatch(name)
    ]


def _rule(document: Document, problems: list[Problem]) -> Rule | None:
    rule = validated(document, Rule, problems)
    if rule is None:
        return None
    stem = re.split(r"[/\\]", document.file)[-1].rsplit(".", 1)[0]
    if stem != rule.id:
        message = f"the file is named `{stem}`, and the rule in it `{rule.id}`"
        problems.append(
            Problem(
                document.place(("id",)), message, f"rename the file to `{rule.id}.yaml`, or change the id"
            )
        )
    for number, check in enumerate(rule.checks):
        problems += _check_problems(rule, check, number, document)
    names = [
        (group, number, example.name)
        for group, examples in _groups(rule).items()
        for number, example in enumerate(examples)
    ]
    seen: set[str] = set()
    for group, number, name in names:
        if name in seen:
            place = document.place(("examples", group, number, "name"))
            problems.append(Problem(place, f"two examples are named `{name}`", "give each a name of its own"))
        seen.add(name)
    return rule


def _groups(rule: Rule) -> dict[str, tuple[Any, ...]]:
    examples = rule.examples
    return {
        "pass": examples.pass_, "fail": examples.fail,
        "not_applicable": examples.not_applicable, "unknown": examples.unknown,
    }  # fmt: skip


def _check_problems(rule: Rule, check: Check, number: int, document: Document) -> list[Problem]:
    path: Path = ("checks", number)
    found = []
    if check.lowered is not None and check.lowered.to.rank >= rule.severity.rank:
        message = (
            f"`lowered.to` is {check.lowered.to}, which is not lower than the rule's severity {rule.severity}"
        )
        hint = "let the rule have the higher severity, and the milder situation the lower one"
        found.append(Problem(document.place((*path, "lowered", "to")), message, hint))
    if check.each is not None and check.subject is None:
        hint = f"name the element, for example `subject: {check.as_}.name`"
        found.append(Problem(document.place(path), f"checks[{number}] has `each` without `subject`", hint))
    if check.each is None and check.subject is not None:
        place = document.place((*path, "subject"), key=True)
        found.append(
            Problem(place, f"checks[{number}] has `subject` without `each`", "remove it, or add `each`")
        )
    return found


def _example_problems(compiled: CompiledRule, pack: LoadedPack) -> Iterator[Problem]:
    # A misspelt field in an example would leave the ordinary organisation as it is, and test nothing.
    document = compiled.document
    for group, examples in _groups(compiled.rule).items():
        for number, example in enumerate(examples):
            path: Path = ("examples", group, number)
            yield from _unknown_fields(example.cluster, schema.cluster(), (*path, "cluster"), document)
            for name, value in example.org.items():
                place = document.place((*path, "org", name))
                own = pack.pack.parameters
                if name not in own:
                    yield Problem(place, f"there is no parameter `{name}`", did_you_mean(name, list(own)))
                elif problem := parameter_problem(value, own[name], version=name in pack.version_parameters):
                    yield Problem(place, f"`{name}` {problem}", f"the pack's own value is {own[name]!r}")


def _unknown_fields(value: Json, shape: schema.Shape, path: Path, document: Document) -> Iterator[Problem]:
    if isinstance(shape, schema.Listing) and isinstance(value, list):
        for number, one in enumerate(value):
            yield from _unknown_fields(one, shape.element, (*path, number), document)
    elif isinstance(shape, schema.Record) and isinstance(value, dict):
        owner = shape.name.rsplit(".", 1)[-1]
        for name, one in value.items():
            if name in shape.fields:
                yield from _unknown_fields(one, shape.fields[name], (*path, name), document)
            else:
                place = document.place((*path, name), key=True)
                hint = did_you_mean(name, list(shape.fields))
                yield Problem(place, f"{spelled(path)}: there is no field `{name}` in {owner}", hint)


def _unique(packs: list[LoadedPack], problems: list[Problem]) -> None:
    places: dict[str, str] = {}
    for pack in packs:
        for compiled in pack.rules:
            place = compiled.document.place(("id",))
            for name in (compiled.rule.id, *compiled.rule.aliases):
                if name in places and name == compiled.rule.id:
                    message = f"the rule id `{name}` is already taken by {places[name]}"
                    problems.append(Problem(place, message, "rename one of the rules"))
                places.setdefault(name, place)


@dataclass(slots=True, eq=False)
class _Compiler:
    document: Document
    environment: Environment
    problems: list[Problem]
    failed: bool = field(default=False)

    def rule(self, rule: Rule) -> CompiledRule | None:
        applies = rule.applies_to
        when = self._optional(applies.when, ("applies_to", "when"))
        checks = [self._check(check, ("checks", number)) for number, check in enumerate(rule.checks)]
        loop = _common_loop(checks)
        commands = [
            self._template(one, ("remediation", "commands", number), loop)
            for number, one in enumerate(rule.remediation.commands)
        ]
        ready = None
        if rule.remediation.ready_commands is not None:
            ready = self._expression(
                rule.remediation.ready_commands, "list", ("remediation", "ready_commands"), loop
            )
        for number, one in enumerate(rule.evidence):
            path: Path = ("evidence", number, "path")
            self._expression(one.path, "any", path)
            root, _, inner = one.path.partition(".")
            if root in ("org", "resource"):
                self._problem(
                    path, ExpressionError(f"`{root}` is no evidence", "name a fact or a field of `cluster`")
                )
            elif not inner and one.expected is not None:
                hint = "a whole fact brings its own evidence; name the one value that is expected"
                self._problem(path, ExpressionError("`expected` needs the path of one value", hint))
        if self.failed:
            return None
        compiled = tuple(check for check in checks if check is not None)
        return CompiledRule(
            rule,
            self.document,
            when,
            compiled,
            self.environment.combined(_holds(applies.when, rule.checks)),
            tuple(one for one in commands if one is not None),
            ready,
            tuple(tuple(one.path.split(".")) for one in rule.evidence),
        )

    def _check(self, check: Check, path: Path) -> CompiledCheck | None:
        loop = None
        if check.each is not None:
            each, variable = check.each, check.as_
            loop = self._try((*path, "each"), lambda: self.environment.loop(each, variable))
            if loop is None:
                return None
        expect = self._expression(check.expect, "bool", (*path, "expect"), loop)
        message = self._template(check.message, (*path, "message"), loop)
        when = self._optional(check.when, (*path, "when"), loop)
        subject = None
        if check.subject is not None and loop is not None:
            subject = self._expression(check.subject, "text", (*path, "subject"), loop)
        lowered = None
        if check.lowered is not None:
            lowered = self._optional(check.lowered.when, (*path, "lowered", "when"), loop)
        if expect is None or message is None:
            return None
        of_all = self.environment.combined(_of_all(check)) if loop is not None and not self.failed else None
        return CompiledCheck(check, expect, message, when, loop, subject, lowered, of_all)

    def _optional(self, text: str | None, path: Path, loop: Loop | None = None) -> Expression | None:
        return None if text is None else self._expression(text, "bool", path, loop)

    def _expression(
        self, text: str, wanted: Wanted, path: Path, loop: Loop | None = None
    ) -> Expression | None:
        return self._try(path, lambda: self.environment.compile(text, wanted, loop))

    def _template(self, text: str, path: Path, loop: Loop | None) -> Template | None:
        return self._try(path, lambda: compile_template(text, self.environment, loop))

    def _try(self, path: Path, compile_it: Callable[[], _T]) -> _T | None:
        try:
            return compile_it()
        except ExpressionError as error:
            self._problem(path, error)
            return None

    def _problem(self, path: Path, error: ExpressionError) -> None:
        self.failed = True
        place = self.document.place_in(path, error.offset)
        text = self.document.at(path)
        quoted = _excerpt(text, error.offset) if isinstance(text, str) else ""
        self.problems.append(Problem(place, f"{spelled(path)}: {error.message}, in `{quoted}`", error.hint))


def _common_loop(checks: list[CompiledCheck | None]) -> Loop | None:
    # Commands may name the element that failed if all checks are about the same elements.
    loops = [check.loop if check is not None else None for check in checks]
    first = loops[0] if loops else None
    if first is None:
        return None
    same = all(
        one is not None and (one.each.text, one.variable) == (first.each.text, first.variable)
        for one in loops
    )
    return first if same else None


def _holds(when: str | None, checks: tuple[Check, ...]) -> str:
    # Newlines end comments. The parts have been compiled one by one, so their parentheses are balanced.
    parts = [f"({when}\n)"] if when is not None else []
    for check in checks:
        body = f"({check.expect}\n)" if check.when is None else f"(!({check.when}\n) || ({check.expect}\n))"
        parts.append(body if check.each is None else f"({check.each}\n).all({check.as_}, {body})")
    return " && ".join(parts)


def _of_all(check: Check) -> str:
    fails = str(FAILS)
    if check.lowered is not None:
        fails = f"(({check.lowered.when}\n) ? {FAILS_LOWERED} : {FAILS})"
    if check.when is not None:
        fails = f"(({check.when}\n) ? {fails} : {PASSES})"
    return f"({check.each}\n).map({check.as_}, ({check.expect}\n) ? {PASSES} : {fails})"


def _excerpt(text: str, offset: int) -> str:
    start = max(0, offset - 40)
    end = min(len(text), offset + 40)
    inner = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{inner}{'…' if end < len(text) else ''}"


_WORDS = {
    "string_type": "this must be text",
    "bool_type": "this must be true or false",
    "dict_type": "this must be a mapping (`key: value`)",
    "model_type": "this must be a mapping (`key: value`)",
    "tuple_type": "this must be a list (`- item`)",
    "list_type": "this must be a list (`- item`)",
    "string_too_short": "this must not be empty",
    "too_short": "at least one is needed here",
}

_PATTERNS = {
    "id": "lower-case words joined by dashes, such as `windows-node-pool`",
    "tags": "lower-case words joined by dashes",
    "since": "a version of three numbers, such as `0.1.0`",
    "url": "an address that starts with https://",
    "as": "a lower-case name, such as `pool`",
    "path": "a dotted path, such as `cluster.networkConfig` or `visibility`",
    "name": "lower-case words joined by dashes",
}


def _explained(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    found = []
    for one in _telling(error.errors(include_url=False)):
        path: Path = one["loc"]
        kind, what = one["type"], one["msg"]
        name = spelled(path) or "the file"
        if kind == "extra_forbidden":
            known = _keys(model, path[:-1])
            place = document.place(path, key=True)
            found.append(
                Problem(place, f"the key `{path[-1]}` is unknown here", did_you_mean(str(path[-1]), known))
            )
            continue
        if kind == "missing":
            where = f" in {spelled(path[:-1])}" if len(path) > 1 else ""
            hint = "add it; docs/writing-rules.md describes every key"
            found.append(Problem(document.place(path[:-1]), f"the key `{path[-1]}` is missing{where}", hint))
            continue
        last = next((step for step in reversed(path) if isinstance(step, str)), "")
        hint = "docs/writing-rules.md describes every key"
        given = _given(one.get("input"))
        if kind in _WORDS:
            what = _WORDS[kind]
            if kind == "string_type" and isinstance(one["input"], bool | int | float):
                hint = "put it in quotes"
        elif kind == "string_pattern_mismatch" and last in _PATTERNS:
            what, hint = "this is not in the right form", f"write {_PATTERNS[last]}"
        elif kind in ("enum", "literal_error"):
            choices = re.findall(r"'([^']*)'", what)
            what, hint = "this is none of the known words", did_you_mean(str(one.get("input")), choices)
        elif kind == "string_too_long":
            what = f"this is too long: {what.removeprefix('String should have ')}"
        found.append(Problem(document.place(path), f"{name}: {what}{given}", hint))
    return found


def _telling(errors: list[Any]) -> list[Any]:
    # Misspelt keys first, without what only follows from them: that the key they meant is missing, or that
    # a list whose items are wrong is empty.
    unknown = [one for one in errors if one["type"] == "extra_forbidden"]
    meant = {
        (*one["loc"][:-1], close)
        for one in unknown
        for close in get_close_matches(
            str(one["loc"][-1]), [str(other["loc"][-1]) for other in errors if other["type"] == "missing"]
        )
    }
    others = [
        one
        for one in errors
        if one["type"] != "extra_forbidden"
        and one["loc"] not in meant
        and not (
            one["type"] == "too_short"
            and any(
                len(other["loc"]) > len(one["loc"]) and other["loc"][: len(one["loc"])] == one["loc"]
                for other in errors
            )
        )
    ]
    return unknown + others


def _given(value: object) -> str:
    if isinstance(value, str):
        return f", not `{value[:60]}{'…' if len(value) > 60 else ''}`" if value else ""
    if isinstance(value, dict | list):
        return ""
    return f", not `{json.dumps(value)}`" if value is not None else ", not empty"


def _keys(model: Any, path: Path) -> list[str]:
    # The keys that may stand at a path of the model, followed through lists and optional parts.
    for step in path:
        options = _models(model)
        if isinstance(step, int):
            continue
        fields = [one for each in options for one in each.model_fields.items()]
        model = next((one.annotation for name, one in fields if (one.alias or name) == step), None)
    return [one.alias or name for each in _models(model) for name, one in each.model_fields.items()]


def _models(annotation: Any) -> list[Any]:
    if hasattr(annotation, "model_fields"):
        return [annotation]
    if get_origin(annotation) is None:
        return []
    return [model for one in get_args(annotation) for model in _models(one)]


def parameters_of(pack: LoadedPack, overrides: Mapping[str, Json]) -> dict[str, Json]:
    """The values of a pack's parameters, those of the overrides that it has taken over."""
    return {name: overrides.get(name, value) for name, value in pack.pack.parameters.items()}


def parameter_problem(value: Json, own: Json, *, version: bool) -> str | None:
    """What is wrong with a value in place of the pack's own, None if nothing is."""
    number = isinstance(own, float) and isinstance(value, int) and not isinstance(value, bool)
    if type(value) is not type(own) and not number:
        return f"must be {_type_word(own)}, not {_type_word(value)}"
    if version and isinstance(value, str) and parse_version(value) is None:
        return f"must be a GKE version, and `{value}` is none"
    return None


def _type_word(value: Json) -> str:
    if value is None:
        return "empty"
    return {
        bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes",
        list: "a list", dict: "a mapping",
    }[type(value)]  # fmt: skip
