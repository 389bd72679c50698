"""Accepted risks: which findings are waived, by whom, why, and until when."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from auditor.engine.document import parse, spelled
from auditor.engine.result import Verdict, WaiverNote
from auditor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from auditor.engine.document import Document
    from auditor.engine.result import Result
    from auditor.engine.rule import Rule
    from auditor.model.evidence import Json

_HINT: Final = "a waivers file is `waivers:` with a list of rule, resource, subject, reason, owner, expires"
_NEEDED: Final = ("rule", "resource", "reason", "owner", "expires")
_ALLOWED: Final = (*_NEEDED, "subject")
_LITERAL: Final = re.compile(r"[^*?\[]*")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

_Glob = tuple[int, "Callable[[str], object]", "Waiver"]


@dataclass(frozen=True, slots=True)
class Waiver:
    """A risk that somebody has accepted.

    `rule` is a rule id, `resource` a glob over full resource names as `fnmatch.fnmatchcase` reads it (`*`
    also matches `/`), `subject` the part of the resource (None: any part, and the whole). It holds up to and
    including the day `expires`. `place` is where it stands (`FILE:LINE:COLUMN`).
    """

    rule: str
    resource: str
    reason: str
    owner: str
    expires: date
    subject: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Waivers:
    """The waivers of a file, and what is to be said about those entries that are none."""

    entries: tuple[Waiver, ...] = ()
    notes: tuple[WaiverNote, ...] = ()


def load(path: str, rules: Iterable[Rule]) -> Waivers:
    """The waivers in a file. `rules` are all rules known, whose aliases count as their names.

    A malformed entry waives nothing and becomes a note. Raises ConfigError for a file that cannot be read,
    is not YAML, or holds something else.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        hint = "give the path of a waivers file"
        raise ConfigError(f"cannot be read: {error.strerror or error}", hint=hint, place=path) from error
    document = parse(raw, path, ConfigError)
    data = document.data
    entries = data.get("waivers", []) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(entries, list | None):
        raise ConfigError("this is no waivers file", hint=_HINT, place=document.place(()))
    for key in data:
        if key != "waivers":
            raise ConfigError(
                f"the key `{key}` is unknown here", hint=_HINT, place=document.place((key,), key=True)
            )
    names = {alias: rule.id for rule in rules for alias in rule.aliases}
    names |= {rule.id: rule.id for rule in rules}
    found: list[Waiver] = []
    notes: list[WaiverNote] = []
    for number, entry in enumerate(entries or []):
        read = _entry(document, number, entry, names)
        if isinstance(read, Waiver):
            found.append(read)
        else:
            notes.append(WaiverNote("malformed", read, None))
    return Waivers(tuple(found), tuple(notes))


def apply(results: Sequence[Result], waivers: Waivers, today: date) -> tuple[list[Result], list[WaiverNote]]:
    """The results with the waiver that covers each failure, and what is to be said about the waivers.

    A waiver that has expired waives nothing and is noted; so is one that covers no failure. Of several that
    cover a failure the first in the file counts.
    """
    notes = list(waivers.notes)
    index = _Index()
    for waiver in waivers.entries:
        if waiver.expires < today:
            when = f"expired on {waiver.expires.isoformat()}"
            text = f"{waiver.place}: {when}, owner {waiver.owner}: {waiver.reason}"
            notes.append(WaiverNote("expired", text, waiver))
        else:
            index.add(waiver)
    if not index.waivers:
        return list(results), notes
    used: set[int] = set()
    covered = []
    for result in results:
        covering = index.covering(result) if result.verdict is Verdict.FAIL else None
        if covering is None:
            covered.append(result)
        else:
            used.add(id(covering))
            covered.append(replace(result, waiver=covering))
    for waiver in index.waivers:
        if id(waiver) not in used:
            text = f"{waiver.place}: covers no finding of {waiver.rule}, owner {waiver.owner}"
            notes.append(WaiverNote("unused", text, waiver))
    return covered, notes


def _entry(document: Document, number: int, entry: Json, names: dict[str, str]) -> Waiver | str:
    path: tuple[str | int, ...] = ("waivers", number)
    place = document.place(path)
    if not isinstance(entry, dict):
        return f"{place}: {spelled(path)} must be a mapping with {', '.join(_NEEDED)}"
    for key in entry:
        if key not in _ALLOWED:
            close = get_close_matches(key, _ALLOWED, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(_ALLOWED)}"
            return f"{document.place((*path, key), key=True)}: the key `{key}` is unknown; {hint}"
    for key in _ALLOWED:
        value = entry.get(key)
        if key == "subject" and value is None:
            continue
        if value is None:
            return f"{place}: the key `{key}` is missing"
        if not isinstance(value, str) or not value.strip():
            return f"{document.place((*path, key))}: `{key}` must be text, and not empty"
    text = {key: str(value) for key, value in entry.items() if value is not None}
    if text["rule"] not in names:
        close = get_close_matches(text["rule"], list(names), n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        return f"{document.place((*path, 'rule'))}: there is no rule `{text['rule']}`{hint}"
    expires = _day(text["expires"])
    if expires is None:
        where = document.place((*path, "expires"))
        return f"{where}: `{text['expires']}` is no date; write it like 2027-03-31"
    return Waiver(
        rule=names[text["rule"]],
        resource=text["resource"],
        reason=text["reason"],
        owner=text["owner"],
        expires=expires,
        subject=text.get("subject"),
        place=place,
    )


def from_parts(parts: Mapping[str, str], names: Mapping[str, str], place: str) -> Waiver | str:
    """A waiver that is written elsewhere than in a waivers file, about whatever is there.

    Its parts are rule, reason, owner, expires and perhaps subject; what is wrong with them is returned as
    text. `names` are rule ids by id and alias.
    """
    allowed = tuple(key for key in _ALLOWED if key != "resource")
    for key in parts:
        if key not in allowed:
            return f"{place}: the key `{key}` is unknown; there are: {', '.join(allowed)}"
    for key in allowed:
        if key != "subject" and not parts.get(key, "").strip():
            return f"{place}: the key `{key}` is missing"
    if parts["rule"] not in names:
        close = get_close_matches(parts["rule"], list(names), n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        return f"{place}: there is no rule `{parts['rule']}`{hint}"
    expires = _day(parts["expires"])
    if expires is None:
        return f"{place}: `{parts['expires']}` is no date; write it like 2027-03-31"
    return Waiver(
        rule=names[parts["rule"]],
        resource="*",
        reason=parts["reason"],
        owner=parts["owner"],
        expires=expires,
        subject=parts.get("subject") or None,
        place=place,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


@dataclass(slots=True)
class _Index:
    # Waivers by rule, and by the text in front of their first wildcard: a name is compared only with the
    # globs that begin as it does.
    waivers: list[Waiver] = field(default_factory=list)
    globs: dict[tuple[str, str], list[_Glob]] = field(default_factory=dict)
    lengths: dict[str, set[int]] = field(default_factory=dict)

    def add(self, waiver: Waiver) -> None:
        found = _LITERAL.match(waiver.resource)
        prefix = found[0] if found else ""
        matches = re.compile(translate(waiver.resource)).match
        self.globs.setdefault((waiver.rule, prefix), []).append((len(self.waivers), matches, waiver))
        self.lengths.setdefault(waiver.rule, set()).add(len(prefix))
        self.waivers.append(waiver)

    def covering(self, result: Result) -> Waiver | None:
        name = result.resource.name
        first, covering = len(self.waivers), None
        for length in self.lengths.get(result.rule, ()):
            for number, matches, waiver in self.globs.get((result.rule, name[:length]), ()):
                if number >= first:
                    break
                if (waiver.subject is None or waiver.subject == result.subject) and matches(name):
                    first, covering = number, waiver
                    break
        return covering
