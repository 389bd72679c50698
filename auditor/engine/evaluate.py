"""What rules say about one resource."""

from __future__ import annotations

import hashlib
import json
import marshal
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from auditor.engine.cel import UndecidedError
from auditor.engine.load import FAILS_LOWERED, PASSES, parameters_of
from auditor.engine.projection import ABSENT, of_fact, of_json, plain, text
from auditor.engine.reads import Reads
from auditor.engine.result import Remediation, Result, Severity, Verdict
from auditor.model import deferred
from auditor.model.evidence import Evidence
from auditor.model.names import last

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from cel_expr_python import cel

    from auditor.engine.cel import Environment, Expression, Kind, Loop
    from auditor.engine.load import CompiledCheck, CompiledRule, LoadedPack
    from auditor.engine.result import ResourceRef
    from auditor.engine.rule import Rule
    from auditor.model.evidence import Json, Unknown
    from auditor.model.facts import ClusterFacts, NetworkFacts

RUNNING: Final = frozenset(("RUNNING", "RECONCILING", "DEGRADED", ""))
"""The states in which a cluster is judged; an absent state counts as running, and so does an empty one."""

_REMEMBERED: Final = 4_000
# From version 3 on, marshal writes an object that is referred to twice differently from two equal ones.
_MARSHAL_BY_VALUE: Final = 2

_NO_DATA: Final = (
    "The inventory names this cluster but holds no data about it (`resource.data` is missing) — "
    "list or export the assets again with `--content-type=resource`."
)
_BAD_STATUS: Final = (
    "The cluster's `status` is not text, so it cannot be told whether it runs — "
    "list or export the assets again with `--content-type=resource`."
)


class Judge:
    """The rules of some packs, ready to judge resources.

    `only` limits them to some rule ids. `parameters` replaces parameters of the packs, `severities` the
    severities of rules, by id.
    """

    def __init__(
        self,
        packs: Iterable[LoadedPack],
        *,
        only: Collection[str] | None = None,
        parameters: Mapping[str, Json] | None = None,
        severities: Mapping[str, Severity] | None = None,
    ) -> None:
        groups: dict[Kind, list[_Group]] = {"cluster": [], "network": []}
        rules: list[Rule] = []
        digests: dict[str, str] = {}
        for pack in packs:
            values = parameters_of(pack, parameters or {})
            chosen = [one for one in pack.rules if only is None or one.rule.id in only]
            rules += [one.rule for one in chosen]
            digests |= {one.rule.id: _digest(one.rule, values) for one in chosen}
            for kind, made in groups.items():
                ready = [
                    _Ready(
                        one,
                        (severities or {}).get(one.rule.id, one.rule.severity),
                        pack.environments[kind],
                        values,
                    )
                    for one in chosen
                    if one.rule.applies_to.kind == kind
                ]
                if ready:
                    made.append(_Group(pack.environments[kind], values, ready))
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda one: one.id))
        self.digests: dict[str, str] = digests
        """By rule id, what decides its verdicts, digested: verdicts of equal digests may be compared."""
        self._groups = groups

    def cluster(
        self, ref: ResourceRef, data: Mapping[str, Json] | None, facts: ClusterFacts | None
    ) -> list[Result]:
        """The results of every cluster rule about one cluster.

        `data` is `Cluster.data` of the inventory; without it, or without facts, nothing can be decided.
        """
        results: list[Result] = []
        status = data.get("status") if data is not None else None
        about = _Subject(ref, data, facts) if data is not None and facts is not None else None
        for group in self._groups["cluster"]:
            if about is None:
                results += group.all_undecided(ref, _NO_DATA)
            elif status is None or (isinstance(status, str) and status in RUNNING):
                group.judge(about, results)
            elif isinstance(status, str):
                results += group.none_apply(
                    ref, f"The cluster's status is {status}; only running clusters are judged."
                )
            else:
                results += group.all_undecided(ref, _BAD_STATUS)
        return results

    def network(self, ref: ResourceRef, facts: NetworkFacts) -> list[Result]:
        """The results of every network rule about one VPC network."""
        results: list[Result] = []
        for group in self._groups["network"]:
            group.judge(_Subject(ref, {}, facts), results)
        return results


@lru_cache(maxsize=1 << 12)
def _same(reasons: tuple[str, ...]) -> tuple[str, ...]:
    # One object for equal reasons: many resources lack the same.
    return reasons


def _digest(rule: Rule, parameters: Mapping[str, Json]) -> str:
    """`sha256:` and the digest of what a rule applies to, its checks, and the parameters that they name.

    Wording, severity and advice are left out: to change them changes no verdict.
    """
    deciding = {
        "applies_to": {"kind": rule.applies_to.kind, "when": rule.applies_to.when},
        "checks": [
            {"expect": one.expect, "each": one.each, "as": one.as_, "subject": one.subject, "when": one.when}
            for one in rule.checks
        ],
    }
    text = json.dumps(deciding, sort_keys=True)
    named = {name: value for name, value in parameters.items() if name in text}
    whole = text + json.dumps(named, sort_keys=True, default=str)
    return "sha256:" + hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True, eq=False)
class _Subject:
    # The resource that is judged.
    ref: ResourceRef
    raw: Mapping[str, Json]
    facts: ClusterFacts | NetworkFacts


@dataclass(slots=True, eq=False)
class _Scope:
    # What the expressions of a rule see of a resource.
    environment: Environment
    about: _Subject
    data: dict[str, Any]
    known: dict[Expression, Any] = field(default_factory=dict)
    _activation: cel.Activation | None = None

    @property
    def activation(self) -> cel.Activation:
        # Most messages and commands name paths alone, which need none.
        if self._activation is None:
            self._activation = self.environment.activation(self.data)
        return self._activation

    def value(self, expression: Expression) -> Any:
        if expression.path is not None:
            return self._at(expression.path)
        if expression.listed is not None:
            return [self._at(path) for path in expression.listed]
        if expression not in self.known:
            self.known[expression] = expression.value(self.activation)
        return self.known[expression]

    def _at(self, path: tuple[str, ...]) -> Any:
        found: Any = self.data
        for step in path:
            found = found.get(step, ABSENT) if isinstance(found, dict) else ABSENT
        if found is ABSENT:
            raise UndecidedError(f"no {'.'.join(path)}")
        return found

    def inner(self, variable: str, element: Any) -> _Scope:
        return _Scope(self.environment, self.about, {**self.data, variable: element})


@dataclass(slots=True, eq=False)
class _Outcome:
    # What the checks say about the resource, or about one element of it.
    verdict: Verdict
    scope: _Scope
    severity: Severity = Severity.INFO
    messages: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class _Outline:
    # What a rule says about every resource that looks alike to it, short of names and reasons: the checks
    # that fail, or the paths and lists that are missing; or, where elements of lists fail, what is decided
    # about each check, in turn.
    verdict: Verdict
    message: str = ""
    severity: Severity | None = None
    failed: tuple[CompiledCheck, ...] = ()
    missing: tuple[_Paths, ...] = ()
    loops: tuple[Loop, ...] = ()
    decided: tuple[_Decided, ...] = ()


_Paths = tuple[str, tuple[str, ...]]
"""A fact, or the cluster's data, and paths in it, which begin with its name."""

_Decided = tuple["CompiledCheck", "Severity | None", "list[Any]"]
"""A check, how bad it is that it fails (None: it does not), or its answers about the elements of its list."""


@dataclass(slots=True, eq=False)
class _Ready:
    # A rule with everything that is the same for all resources.
    compiled: CompiledRule
    severity: Severity
    environment: Environment
    parameters: Mapping[str, Json]
    id: str = field(init=False)
    undecided: str = field(init=False)
    advice: str = field(init=False)
    projection: _Projection = field(init=False)
    loops: bool = field(init=False)
    sees_names: bool = field(init=False)
    evidence: Callable[[_Subject], tuple[Evidence, ...]] = field(init=False)

    def __post_init__(self) -> None:
        rule = self.compiled.rule
        self.id = rule.id
        self.undecided = f"It is not known whether this holds: {rule.passing}"
        fix = rule.remediation
        self.advice = fix.text if fix.cost is None else f"{fix.text} {fix.cost}"
        self.projection = _Projection(self.compiled.expressions(), self.parameters)
        self.evidence = _evidence_of(rule, self.compiled.evidence)
        checks = self.compiled.checks
        self.loops = any(check.loop is not None for check in checks)
        self.sees_names = any(
            _reads(check.subject.path, one)
            for check in checks
            if check.subject is not None and check.subject.path is not None
            for one in (check.expect, check.when, check.lowered)
            if one is not None
        )

    def scope(self, about: _Subject) -> _Scope:
        return _Scope(self.environment, about, self.projection.of(about))

    def result(
        self,
        about: _Subject,
        verdict: Verdict,
        message: str,
        severity: Severity | None = None,
        subject: str | None = None,
        reasons: tuple[str, ...] = (),
        scope: _Scope | None = None,
    ) -> Result:
        # `scope` is given for a failure: it fills in the commands.
        remediation = None
        if scope is not None:
            commands = (
                *_ready(self.compiled.ready_commands, scope),
                *(template.command(scope.value) for template in self.compiled.commands),
            )
            remediation = Remediation(self.advice, commands)
        return Result(
            self.id,
            verdict,
            severity or self.severity,
            about.ref,
            subject,
            message,
            self.evidence(about),
            _same(reasons) if reasons else (),
            remediation,
        )

    def failed(self, check: CompiledCheck, *, lowered: bool) -> Severity:
        # How bad it is that a check fails, in the milder situation or not.
        if lowered and check.check.lowered is not None:
            return min(self.severity, check.check.lowered.to, key=lambda one: one.rank)
        return self.severity

    def bare(self, ref: ResourceRef, verdict: Verdict, message: str, reasons: tuple[str, ...]) -> Result:
        # About a resource of which nothing is looked at: no evidence.
        return Result(self.id, verdict, self.severity, ref, None, message, (), reasons, None)


class _Group:
    """The rules of one pack about one kind of resource, which see the same values.

    Most resources look alike to the rules: what decides about the verdicts, names left out, is the same for
    many. What the rules say about it in outline is remembered; only where more decides, the elements of a
    list say, is a rule evaluated for the resource alone.
    """

    def __init__(
        self, environment: Environment, parameters: Mapping[str, Json], rules: Sequence[_Ready]
    ) -> None:
        self._rules = rules
        # A rule about the elements of a list sees their names too, and would tell all resources apart.
        each = [[rule] for rule in rules if any(check.loop is not None for check in rule.compiled.checks)]
        alone = {one.id for (one,) in each}
        others = [rule for rule in rules if rule.id not in alone]
        self._memories = [
            _Memory(environment, parameters, part) for part in ([others, *each] if others else each)
        ]
        order = [rule.id for memory in self._memories for rule in memory.rules]
        self._places = [order.index(rule.id) for rule in rules]

    def judge(self, about: _Subject, results: list[Result]) -> None:
        outlines = [one for memory in self._memories for one in memory.outlines(about)]
        for rule, place in zip(self._rules, self._places, strict=True):
            outline = outlines[place]
            if outline is None or (outline.loops and any(_certain(one, about) for one in outline.loops)):
                results += _judge(rule, rule.scope(about))
            elif outline.decided:
                results += _told(rule, rule.scope(about), outline.decided)
            elif outline.failed:
                scope = rule.scope(about)
                message = " ".join([check.message.message(scope.value) for check in outline.failed])
                results.append(rule.result(about, Verdict.FAIL, message, outline.severity, scope=scope))
            elif outline.missing:
                reasons = _all_missing(outline.missing, about)
                results.append(rule.result(about, Verdict.UNKNOWN, outline.message, reasons=reasons))
            else:
                results.append(rule.result(about, outline.verdict, outline.message))

    def all_undecided(self, ref: ResourceRef, reason: str) -> Iterator[Result]:
        return (rule.bare(ref, Verdict.UNKNOWN, rule.undecided, (reason,)) for rule in self._rules)

    def none_apply(self, ref: ResourceRef, message: str) -> Iterator[Result]:
        return (rule.bare(ref, Verdict.NOT_APPLICABLE, message, ()) for rule in self._rules)


class _Memory:
    """What some rules say in outline about all that decides about them together."""

    def __init__(
        self, environment: Environment, parameters: Mapping[str, Json], rules: Sequence[_Ready]
    ) -> None:
        self.rules = rules
        self._environment = environment
        self._deciding = _Projection((one for rule in rules for one in rule.compiled.deciding()), parameters)
        self._known: dict[bytes, tuple[_Outline | None, ...]] = {}

    def outlines(self, about: _Subject) -> tuple[_Outline | None, ...]:
        data = self._deciding.of(about)
        key = marshal.dumps(data, _MARSHAL_BY_VALUE)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            scope = _Scope(self._environment, about, data)
            known = self._known[key] = tuple([_outline(rule, scope) for rule in self.rules])
        return known


class _Projection:
    """The values that some expressions read, of any resource of their kind."""

    def __init__(self, expressions: Iterable[Expression], parameters: Mapping[str, Json]) -> None:
        merged: dict[str, Reads] = {}
        for expression in expressions:
            for name, reads in expression.reads.items():
                merged.setdefault(name, Reads(name, reads.shape)).merge(reads)
        self._constant: dict[str, Any] = {}
        if "org" in merged:
            self._constant["org"] = of_json(merged.pop("org"))(parameters)
        self._of_raw = of_json(merged.pop("cluster")) if "cluster" in merged else None
        self._names_resource = merged.pop("resource", None) is not None
        self._of_facts = [(name, attrgetter(name), of_fact(reads)) for name, reads in sorted(merged.items())]

    def of(self, about: _Subject) -> dict[str, Any]:
        data = dict(self._constant)
        facts = about.facts
        for name, get, project in self._of_facts:
            data[name] = project(get(facts))
        if self._of_raw is not None:
            data["cluster"] = self._of_raw(about.raw)
        if self._names_resource:
            ref = about.ref
            data["resource"] = {
                "name": text(ref.name), "type": text(ref.type), "project": text(ref.project),
                "location": text(ref.location), "short_name": text(last(ref.name)),
            }  # fmt: skip
        return data


def _reads(path: tuple[str, ...], expression: Expression) -> bool:
    # Whether an expression reads what stands at a path.
    reads = expression.own.get(path[0])
    for step in path[1:]:
        if reads is None or reads.whole:
            break
        reads = reads.fields.get(step)
    return reads is not None


def _outline(rule: _Ready, scope: _Scope) -> _Outline | None:
    # None if what a rule says is not decided by what all its expressions that decide read together.
    compiled = rule.compiled
    if rule.loops:
        outline = _outline_of_elements(rule, scope)
        if outline is not None:
            return outline
    try:
        if compiled.holds.program.eval(scope.activation).value() is True:
            return _Outline(Verdict.PASS, compiled.rule.passing)
    except (RuntimeError, TypeError):
        # More loop steps than CEL allows, say: part by part it may do.
        return None
    lacking: list[tuple[Expression, ...]] = []
    failed: list[CompiledCheck] = []
    loops: list[Loop] = []
    severity = Severity.INFO
    applies = True if compiled.when is None else _truth(compiled.when, scope)
    if applies is False:
        return _Outline(Verdict.NOT_APPLICABLE, compiled.rule.applies_to.otherwise)
    if applies is None and compiled.when is not None:
        lacking.append((compiled.when,))
    for check in compiled.checks if applies else ():
        if check.loop is not None:
            try:
                scope.value(check.loop.each)
            except UndecidedError:
                lacking.append((check.loop.each,))
                loops.append(check.loop)
                continue
            return None
        found = _decided(rule, check, scope)
        if isinstance(found, Severity):
            failed.append(check)
            severity = max(severity, found, key=lambda one: one.rank)
        elif found:
            lacking.append(found)
    if failed:
        return _Outline(Verdict.FAIL, "", severity, tuple(failed), (), tuple(loops))
    missing = [_missing(expressions, scope) for expressions in lacking]
    if not missing or not all(missing):
        return None
    paths = _by_root(dict.fromkeys(path for found in missing for path in found))
    return _Outline(Verdict.UNKNOWN, rule.undecided, None, (), paths, tuple(loops))


def _outline_of_elements(rule: _Ready, scope: _Scope) -> _Outline | None:
    # None if something about the rule or an element is unknown.
    compiled = rule.compiled
    applies = True if compiled.when is None else _truth(compiled.when, scope)
    if applies is None:
        return None
    if not applies:
        return _Outline(Verdict.NOT_APPLICABLE, compiled.rule.applies_to.otherwise)
    decided: list[_Decided] = []
    passes = True
    for check in compiled.checks:
        if check.of_all is not None:
            answers = _answers(check, scope)
            if answers is None:
                return None
            decided.append((check, None, answers))
            passes = passes and not any(answers)
        else:
            found = _decided(rule, check, scope)
            if not isinstance(found, Severity | None):
                return None
            decided.append((check, found, []))
            passes = passes and found is None
    if passes:
        return _Outline(Verdict.PASS, compiled.rule.passing)
    return _Outline(Verdict.FAIL, decided=tuple(decided))


def _told(rule: _Ready, scope: _Scope, decided: Iterable[_Decided]) -> Iterator[Result]:
    # The failures of a rule about the elements of lists, all of which are decided.
    outcomes: dict[str | None, _Outcome] = {}
    for check, severity, answers in decided:
        if check.loop is None:
            _apply(check, scope, None, outcomes, severity)
        elif any(answers):
            _apply_each(rule, check, check.loop, scope, scope.value(check.loop.each), answers, outcomes)
    return _results(rule, scope.about, outcomes)


def _ready(expression: Expression | None, scope: _Scope) -> tuple[str, ...]:
    if expression is None:
        return ()
    try:
        return tuple(one for one in scope.value(expression) if isinstance(one, str))
    except UndecidedError:
        # The failure is certain, the fact that would bring its remedy is not.
        return ()


def _judge(rule: _Ready, scope: _Scope) -> Iterator[Result]:
    compiled, about = rule.compiled, scope.about
    if compiled.when is not None:
        applies = _truth(compiled.when, scope)
        if applies is False:
            yield rule.result(about, Verdict.NOT_APPLICABLE, compiled.rule.applies_to.otherwise)
            return
        if applies is None:
            reasons = tuple(dict.fromkeys(_reasons([compiled.when], scope)))
            yield rule.result(about, Verdict.UNKNOWN, rule.undecided, reasons=reasons)
            return
    outcomes: dict[str | None, _Outcome] = {}
    for check in compiled.checks:
        if check.loop is None:
            _apply(check, scope, None, outcomes, _decided(rule, check, scope))
            continue
        try:
            elements = scope.value(check.loop.each)
        except UndecidedError as error:
            _undecided(outcomes, None, scope, _reasons([check.loop.each], scope, str(error)))
            elements = _certain(check.loop, about)
        _apply_each(rule, check, check.loop, scope, elements, None, outcomes)
    yield from _results(rule, about, outcomes)


def _results(rule: _Ready, about: _Subject, outcomes: dict[str | None, _Outcome]) -> Iterator[Result]:
    if not outcomes:
        yield rule.result(about, Verdict.PASS, rule.compiled.rule.passing)
    for subject, outcome in outcomes.items():
        if outcome.verdict is Verdict.FAIL:
            message = " ".join(outcome.messages)
            yield rule.result(about, Verdict.FAIL, message, outcome.severity, subject, scope=outcome.scope)
        else:
            reasons = tuple(dict.fromkeys(outcome.reasons))
            yield rule.result(about, Verdict.UNKNOWN, rule.undecided, subject=subject, reasons=reasons)


def _apply_each(
    rule: _Ready,
    check: CompiledCheck,
    loop: Loop,
    scope: _Scope,
    elements: list[Any],
    answers: list[Any] | None,
    outcomes: dict[str | None, _Outcome],
) -> None:
    seen: dict[str, int] = {}
    for number, element in enumerate(elements, 1):
        inner = scope.inner(loop.variable, element)
        subject = _subject(check, inner, number)
        seen[subject] = seen.get(subject, 0) + 1
        if seen[subject] > 1:
            # Two elements of one name stay two results.
            subject = f"{subject} ({seen[subject]})"
        if answers is None:
            found = _decided(rule, check, inner)
        elif answers[number - 1] == PASSES:
            found = None
        else:
            found = rule.failed(check, lowered=answers[number - 1] == FAILS_LOWERED)
        _apply(check, inner, subject, outcomes, found)


def _answers(check: CompiledCheck, scope: _Scope) -> list[Any] | None:
    # One for each element; None if something about some of them is unknown.
    try:
        found = scope.value(check.of_all) if check.of_all is not None else None
    except UndecidedError:
        return None
    return found if isinstance(found, list) else None


def _certain(loop: Loop, about: _Subject) -> list[Any]:
    # The elements that are known of a fact's list, of which it is not known whether they are all.
    found: Any = about.facts
    for step in loop.each.path or ("",):
        found = getattr(found, step, None)
    return plain(found) if isinstance(found, tuple) else []


def _subject(check: CompiledCheck, scope: _Scope, number: int) -> str:
    try:
        name = scope.value(check.subject) if check.subject is not None else ""
    except UndecidedError:
        name = ""
    return name if isinstance(name, str) and name else f"#{number}"


def _apply(
    check: CompiledCheck,
    scope: _Scope,
    subject: str | None,
    outcomes: dict[str | None, _Outcome],
    found: Severity | tuple[Expression, ...] | None,
) -> None:
    if found is None:
        return
    if not isinstance(found, Severity):
        _undecided(outcomes, subject, scope, _reasons(found, scope))
        return
    outcome = outcomes.setdefault(subject, _Outcome(Verdict.FAIL, scope))
    if outcome.verdict is not Verdict.FAIL:
        outcome.verdict, outcome.scope = Verdict.FAIL, scope
    outcome.severity = max(outcome.severity, found, key=lambda one: one.rank)
    outcome.messages.append(check.message.message(scope.value))


def _decided(rule: _Ready, check: CompiledCheck, scope: _Scope) -> Severity | tuple[Expression, ...] | None:
    # The severity of a failure, the expressions that have no value, or None if all is well.
    expected = _truth(check.expect, scope)
    if expected is True:
        return None
    made = True if check.when is None else _truth(check.when, scope)
    if made is False:
        return None
    if expected is None or made is None:
        lacking = (check.expect,) if expected is None else ()
        return (*lacking, check.when) if made is None and check.when is not None else lacking
    return rule.failed(check, lowered=check.lowered is not None and bool(_truth(check.lowered, scope)))


def _undecided(
    outcomes: dict[str | None, _Outcome], subject: str | None, scope: _Scope, reasons: Iterable[str]
) -> None:
    outcomes.setdefault(subject, _Outcome(Verdict.UNKNOWN, scope)).reasons.extend(reasons)


def _truth(expression: Expression, scope: _Scope) -> bool | None:
    try:
        found = scope.value(expression)
    except UndecidedError:
        return None
    return found if isinstance(found, bool) else None


def _reasons(expressions: Iterable[Expression], scope: _Scope, error: str = "") -> Iterator[str]:
    # Why the expressions have no value: the facts' own reasons for what is missing among what they read.
    missing = _missing(expressions, scope)
    yield from _all_missing(_by_root(missing), scope.about)
    if not missing:
        for expression in expressions:
            try:
                expression.value(scope.activation)
            except UndecidedError as undecided:
                error = str(undecided)
        yield f"An expression of the rule has no value: {error or 'it is neither true nor false'}."


def _missing(expressions: Iterable[Expression], scope: _Scope) -> Iterable[str]:
    return dict.fromkeys(
        path
        for expression in expressions
        for name, reads in expression.own.items()
        for path in reads.missing(scope.data.get(name))
    )


def _by_root(paths: Iterable[str]) -> tuple[_Paths, ...]:
    # Paths in their order, those together that follow each other and are of one fact, or of the cluster.
    return tuple((root, tuple(run)) for root, run in groupby(paths, key=lambda path: path.partition(".")[0]))


def _all_missing(paths: Iterable[_Paths], about: _Subject) -> tuple[str, ...]:
    # Why there is nothing at the paths, each reason once.
    found: dict[str, None] = {}
    for root, of_root in paths:
        unknowns = getattr(getattr(about.facts, root, None), "unknowns", ())
        if unknowns:
            found.update(dict.fromkeys(_unknown(unknowns, of_root)))
        elif root == "cluster":
            found.update((_not_stated(path.partition(".")[2], about), None) for path in of_root)
        else:
            found.update((f"`{path}` is not known.", None) for path in of_root)
    return tuple(found)


@lru_cache(maxsize=1 << 12)
def _unknown(unknowns: tuple[Unknown, ...], paths: tuple[str, ...]) -> tuple[str, ...]:
    # What a fact says of paths in it. Many resources lack the same.
    found: dict[str, None] = {}
    for path in paths:
        related = [one for one in unknowns if _related(one.path, path)]
        found.update((f"{one.reason} — {one.hint}", None) for one in related or unknowns)
    return tuple(found)


def _not_stated(path: str, about: _Subject) -> str:
    planned = _deferred(about.raw, path)
    if planned is not None:
        return f"`{path}` is {planned} — {deferred.HINT}."
    return (
        f"`{path}` is missing from the cluster's data, or is not in its proper form — "
        "list or export the assets again with `--content-type=resource`."
    )


def _deferred(raw: Mapping[str, Json], path: str) -> str | None:
    # What a Terraform plan leaves open at a path of the cluster's data, or above or below it.
    found: Any = raw
    for step in path.replace("[]", "").split("."):
        if not isinstance(found, dict):
            break
        found = found.get(step)
    return deferred.within(found)


def _related(one: str, other: str) -> bool:
    one = one.replace("[]", "")
    return one == other or other.startswith(f"{one}.") or one.startswith(f"{other}.")


def _evidence_of(
    rule: Rule, paths: tuple[tuple[str, ...], ...]
) -> Callable[[_Subject], tuple[Evidence, ...]]:
    # A whole fact brings its own evidence, as the very tuple; a path is an observed value.
    getters = [
        _value_evidence(path, stated.expected)
        if len(path) > 1 or path[0] == "cluster"
        else _fact_evidence(path[0])
        for path, stated in zip(paths, rule.evidence, strict=True)
    ]
    if len(getters) == 1:
        return getters[0]

    def of_all(about: _Subject) -> tuple[Evidence, ...]:
        found: tuple[Evidence, ...] = ()
        for get in getters:
            found += get(about)
        return found

    return of_all


def _fact_evidence(name: str) -> Callable[[_Subject], tuple[Evidence, ...]]:
    return attrgetter(f"facts.{name}.evidence")


def _value_evidence(path: tuple[str, ...], expected: Json) -> Callable[[_Subject], tuple[Evidence, ...]]:
    inner = path[1:]
    if path[0] == "cluster":
        dotted = ".".join(inner)

        def of_raw(about: _Subject) -> tuple[Evidence, ...]:
            found: Any = about.raw
            for step in inner:
                found = found.get(step) if isinstance(found, dict) else None
            return (Evidence(about.ref.name, dotted, found, expected),)

        return of_raw
    dotted = ".".join(path)

    def of_facts(about: _Subject) -> tuple[Evidence, ...]:
        found: Any = about.facts
        for step in path:
            found = getattr(found, step, None)
        return (Evidence(about.ref.name, dotted, plain(found), expected),)

    return of_facts
