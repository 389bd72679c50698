"""The configuration file: parameters, severities, and which rules and packs are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.engine.cel import did_you_mean
from auditor.engine.document import parse, spelled
from auditor.engine.load import parameter_problem
from auditor.engine.result import Severity
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from auditor.engine.document import Document
    from auditor.engine.load import LoadedPack
    from auditor.engine.rule import Rule
    from auditor.model.evidence import Json

_WORDS = [str(one) for one in Severity]


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration file says; an absent key is empty here.

    - `parameters`: values for parameters of the packs, by name; each must be of the type the pack gives it.
    - `severities`: the severity of a rule, by id or alias, in place of its own.
    - `rules`: ids (or aliases) of the only rules to evaluate. `skip_rules`: of those to leave out.
    - `tags`: only rules with one of these tags are evaluated.
    - `min_severity`: only rules at least this severe are evaluated.
    - `fail_on`: the lowest severity of a finding that makes the exit code 1.
    - `packs`: folders of further rules, relative to the file.
    """

    parameters: Mapping[str, Json] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    skip_rules: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    min_severity: Severity | None = None
    fail_on: Severity | None = None
    packs: tuple[str, ...] = ()
    document: Document | None = None

    def place(self, *path: str | int) -> str | None:
        """`FILE:LINE:COLUMN` of a value of the file, None without a file."""
        return self.document.place(path) if self.document is not None else None


def load(path: str) -> Config:
    """The configuration in a file. Raises ConfigError, with the line, for anything it does not know."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        hint = "give the path of a configuration file"
        raise ConfigError(f"cannot be read: {error.strerror or error}", hint=hint, place=path) from error
    document = parse(raw, path, ConfigError)
    data = document.data
    if not isinstance(data, dict):
        keys = ", ".join(_KEYS)
        raise ConfigError("this must be a mapping", hint=f"the keys are: {keys}", place=document.place(()))
    values: dict[str, Any] = {"document": document}
    for key, value in data.items():
        if key not in _KEYS:
            place = document.place((key,), key=True)
            raise ConfigError(f"the key `{key}` is unknown", hint=did_you_mean(key, list(_KEYS)), place=place)
        if value is not None:
            values[key] = _KEYS[key](document, key, value)
    folder = Path(path).parent
    values["packs"] = tuple(str(folder / one) for one in values.get("packs", ()))
    return Config(**values)


def select(
    rules: Iterable[Rule],
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    tags: Sequence[str] = (),
    min_severity: Severity | None = None,
    severities: Mapping[str, Severity] | None = None,
) -> tuple[Rule, ...]:
    """The rules that are asked for, by id or alias, tag and severity; without a wish, all.

    `severities` are overrides by rule id, which `min_severity` goes by. Raises ConfigError for an id or tag
    that no rule has, and if nothing is left.
    """
    known = tuple(rules)
    names = names_of(known)
    chosen = {names[name] for name in _known(only, names, "rule")}
    left_out = {names[name] for name in _known(skip, names, "rule")}
    _known(tags, {tag: tag for rule in known for tag in rule.tags}, "tag")
    overrides = severities or {}
    found = tuple(
        rule
        for rule in known
        if (not only or rule.id in chosen)
        and rule.id not in left_out
        and (not tags or any(tag in rule.tags for tag in tags))
        and (min_severity is None or overrides.get(rule.id, rule.severity).rank >= min_severity.rank)
    )
    if not found:
        raise ConfigError(
            "no rule is left to evaluate", hint="ask for fewer restrictions; see `gke-auditor rules list`"
        )
    return found


def names_of(rules: Iterable[Rule]) -> dict[str, str]:
    """Rule ids by every name that a rule goes by: its id, and its aliases."""
    known = tuple(rules)
    names = {alias: rule.id for rule in reversed(known) for alias in rule.aliases}
    return names | {rule.id: rule.id for rule in known}


def severities(config: Config, rules: Iterable[Rule]) -> dict[str, Severity]:
    """The configuration's severities by rule id. Raises ConfigError for a rule that there is none of."""
    names = names_of(rules)
    found = {}
    for name, severity in config.severities.items():
        if name not in names:
            hint = did_you_mean(name, list(names))
            raise ConfigError(f"there is no rule `{name}`", hint=hint, place=config.place("severities", name))
        found[names[name]] = severity
    return found


def parameters(config: Config, packs: Iterable[LoadedPack]) -> dict[str, Json]:
    """The configuration's parameters. Raises ConfigError for one that no pack has, or of another type."""
    own: dict[str, Json] = {}
    versions: set[str] = set()
    for pack in packs:
        own |= pack.pack.parameters
        versions |= pack.version_parameters
    found: dict[str, Json] = {}
    for name, value in config.parameters.items():
        place = config.place("parameters", name)
        if name not in own:
            hint = did_you_mean(name, list(own))
            raise ConfigError(f"there is no parameter `{name}`", hint=hint, place=place)
        if problem := parameter_problem(value, own[name], version=name in versions):
            raise ConfigError(
                f"`{name}` {problem}", hint=f"the pack's own value is {own[name]!r}", place=place
            )
        found[name] = float(value) if isinstance(own[name], float) and isinstance(value, int) else value
    return found


def _known(wanted: Sequence[str], known: Collection[str], what: str) -> Sequence[str]:
    for name in wanted:
        if name not in known:
            raise ConfigError(f"there is no {what} `{name}`", hint=did_you_mean(name, list(known)))
    return wanted


def _severity(document: Document, key: str, value: Json) -> Severity:
    return _severity_at(document, (key,), value)


def _severity_at(document: Document, path: tuple[str | int, ...], value: Json) -> Severity:
    if not isinstance(value, str) or value not in _WORDS:
        message = f"`{spelled(path)}` must be a severity, not `{str(value)[:60]}`"
        raise ConfigError(message, hint=f"one of: {', '.join(_WORDS)}", place=document.place(path))
    return Severity(value)


def _texts(document: Document, key: str, value: Json) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ConfigError(
            f"`{key}` must be a list of texts", hint="write `- item`", place=document.place((key,))
        )
    return tuple(str(one) for one in value)


def _mapping(document: Document, key: str, value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ConfigError(
            f"`{key}` must be a mapping", hint="write `name: value`", place=document.place((key,))
        )
    return value


def _severities(document: Document, key: str, value: Json) -> dict[str, Severity]:
    stated = _mapping(document, key, value)
    return {name: _severity_at(document, (key, name), one) for name, one in stated.items()}


_KEYS: Mapping[str, Callable[[Document, str, Json], object]] = {
    "parameters": _mapping,
    "severities": _severities,
    "rules": _texts,
    "skip_rules": _texts,
    "tags": _texts,
    "min_severity": _severity,
    "fail_on": _severity,
    "packs": _texts,
}
