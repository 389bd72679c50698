"""Values as lines of JSON in which names are replaced by marks, so that what is said of many is there once.

A mark is a control character, which JSON text never holds as it is; it stands for a name that belongs to the
resource the line is about.
"""

from __future__ import annotations

import dataclasses
import math
import re
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from auditor.engine.result import Remediation
from auditor.model import declaration, evidence, facts, traffic
from auditor.model.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    Place = tuple[str, str]
    """A name, and the mark that stands for it."""

_OBSERVED_LIMIT = 4000
_LINE_LIMIT = 16_000
"""Characters of a line; in a longer one each observed value is cut."""

# Characters that hide, reorder or break text: controls (but for tab and newline), surrogates, separators,
# zero-width and bidirectional formatting characters, tags, non-characters.
_INVISIBLE = (
    "\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff"
)
_ODD = re.compile(f"[\x00-\x08\x0b-\x1f{_INVISIBLE}]")
_ODD_IN_JSON = re.compile(f"[{_INVISIBLE}]")
# How orjson writes control characters other than tab and newline.
_ODD_ESCAPE = re.compile(r"\\[ubfr]")

# A colon within is harmless: in JSON, one that is no text stands behind a quotation mark.
_PLAIN = re.compile(r"[A-Za-z0-9._/@-][A-Za-z0-9._:/@-]{0,399}")
_CLUSTER_ID = re.compile(r'("path":"id","observed":)"([0-9a-f]{8})[0-9a-f]{56}"')
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9._:/@-]+")

_STRICT = orjson.OPT_STRICT_INTEGER
_COMPACT = _STRICT | orjson.OPT_PASSTHROUGH_DATACLASS
# Neither stands raw in JSON, nor is a mark.
_END = orjson.Fragment(b"\n")
_SHARED = orjson.Fragment(b"\t")

_MOST_SHARED = 4096
"""Shared texts that are remembered at a time, lest memory grow with a report that has few in common."""


def shown(text: str) -> str:
    r"""The text with every invisible or reordering character written out, e.g. `\u202e`; newlines stay."""
    if text.isprintable():
        # Python counts some fillers and variation selectors as printable: only ASCII is surely harmless.
        return text if text.isascii() or not _ODD.search(text) else _ODD.sub(_escape, text)
    return _ODD.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def is_plain(text: str) -> bool:
    """Whether a text can be replaced by a mark: it is the same in JSON as outside, and holds no quotes."""
    return _PLAIN.fullmatch(text) is not None


def templated(text: str, places: Iterable[Place]) -> str:
    """The text with names replaced by their marks, one name after the other."""
    for name, mark in places:
        if name in text:
            text = text.replace(name, mark)
    return text


def presentable(value: object, depth: int = 0) -> object:
    """The value as JSON that hides nothing and loses nothing in a browser; evidence as `observation` has it.

    Integers from 2**53 on and what is no number become text, deep nesting a sentence.
    """
    if isinstance(value, str):
        return shown(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        if -(2**53) < value < 2**53:
            return value
        return str(value) if value.bit_length() < 10_000 else f"{value:#x}"
    if depth > 60:
        return "… nested deeper than this page shows"
    if isinstance(value, dict):
        return {shown(str(key)): presentable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [presentable(item, depth + 1) for item in value]
    if isinstance(value, Shared):
        return presentable(value.value, depth)
    if isinstance(value, Evidence):
        return presentable(observation(value), depth)
    if dataclasses.is_dataclass(value):
        return {
            field.name: presentable(getattr(value, field.name), depth + 1)
            for field in dataclasses.fields(value)
        }
    return shown(str(value))


def _observed(value: object) -> str:
    """An observed value as JSON text, so that no number loses digits on its way through the browser."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = orjson.dumps(presentable(value)).decode()
    if len(text) > _OBSERVED_LIMIT:
        return f"{text[:_OBSERVED_LIMIT]} … cut; {len(text):,} characters in all"
    return text


def observation(item: Evidence) -> tuple[str, str, str, str | None]:
    """Asset, path, observed and expected value, these two as JSON text."""
    expected = None if item.expected is None else _observed(item.expected)
    return item.asset, item.path, _observed(item.observed), expected


def _shows(text: str) -> bool:
    """Whether nothing in the JSON text hides: no control character but tab and newline, nothing invisible."""
    if "\\" in text and _ODD_ESCAPE.search(text):
        return False
    return (text.isascii() and "\x7f" not in text) or not _ODD_IN_JSON.search(text)


class Interned:
    """Strings or keys numbered in the order of their first appearance."""

    __slots__ = ("index", "items")

    def __init__(self, items: Iterable[str] = ()) -> None:
        self.items: list[str] = []
        self.index: dict[str, int] = {}
        for item in items:
            self(item)

    def __call__(self, item: str) -> int:
        """The number of a string, a new one if it is not among them."""
        number = self.index.get(item)
        if number is None:
            number = self.index[item] = len(self.items)
            self.items.append(item)
        return number


class Shared:
    """A value that many facts have in common: written as it is, but gone over once for all of them."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


def _json(value: object) -> str:
    """The value as JSON on one line, without a raw control character; not yet safe to show: see `_shows`.

    What JSON or the browser would not carry whole (integers from 2**53 on, lone surrogates, deep nesting)
    becomes text.
    """
    try:
        return orjson.dumps(value, _unwrapped, _STRICT).decode()
    except TypeError:
        return orjson.dumps(presentable(value)).decode()


def _unwrapped(value: object) -> object:
    if isinstance(value, Shared):
        return value.value
    raise TypeError


class _Pieces(NamedTuple):
    # Shared values of one line, templated with the names of a network: equal ones have one number. `words`
    # are the words of that, as `_any_in` takes them.
    number: int
    words: str


# Dataclasses as arrays: half as long as objects, and as good to tell one value from another, since it is
# known what stands where.
_FIELDS: dict[type, Callable[[Any], Any]] = {
    kind: attrgetter(*(field.name for field in dataclasses.fields(kind)))
    for module in (evidence, facts, traffic, declaration)
    for kind in vars(module).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}
_FIELDS[Remediation] = attrgetter(*(field.name for field in dataclasses.fields(Remediation)))
_IN_KEYS = frozenset(
    field.name[low:high]
    for kind in _FIELDS
    for field in dataclasses.fields(kind)
    for low in range(len(field.name))
    for high in range(low + 1, len(field.name) + 1)
)
"""Every text that is part of a key of an object in a line."""


def _any_in(places: Iterable[Place], words: str) -> bool:
    """Whether any of the names is in the words, which are all runs of characters that names are made of."""
    for name, _ in places:  # noqa: SIM110 - `any` takes twice as long
        if name in words:
            return True
    return False


def _as_array(value: object) -> object:
    return _FIELDS[type(value)](value)


def _shortened(observed: object) -> object:
    """An observed id as `_CLUSTER_ID` has it replaced."""
    return f"{observed[:8]}…" if isinstance(observed, str) and _HEX_ID.fullmatch(observed) else observed


class Places(NamedTuple):
    """What lines about a resource are templated with: names of its network first, then its own."""

    network: tuple[Place, ...]
    own: tuple[Place, ...]

    @staticmethod
    def of(places: Iterable[Place], network: Container[str]) -> Places:
        """The places that lines can have; `network` are the marks of a network's names, which come first.

        A name that is part of the keys of objects would be replaced there too. A name that holds one of the
        network is not found any more once that has been replaced.
        """
        of_network: list[Place] = []
        own: list[Place] = []
        for place in places:
            name, mark = place
            if name in _IN_KEYS:
                continue
            if mark in network:
                of_network.append(place)
                continue
            for before, _ in of_network:
                if before in name:
                    break
            else:
                own.append(place)
        return Places(tuple(of_network), tuple(own))


def place_of(name: str, mark: str) -> tuple[Place, ...]:
    """The place of another name, if lines can have it."""
    return ((name, mark),) if is_plain(name) and name not in _IN_KEYS else ()


class Sentences(Interned):
    """Templated sentences, shown without anything that hides."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[object, ...], tuple[list[int], str] | None] = {}

    def about(self, texts: tuple[str, ...], places: Places) -> list[int]:
        """The numbers of some sentences about a resource."""
        key = (texts, places.network)
        if key in self._known:
            # Met before: it is worth while to find out what of it is the same for many.
            known = self._known[key]
            if known is None:
                common = [templated(shown(text), places.network) for text in texts]
                words = " ".join(dict.fromkeys(_WORD.findall("\n".join(common))))
                known = self._known[key] = ([self(text) for text in common], words)
            if not _any_in(places.own, known[1]):
                return known[0]
        else:
            if len(self._known) >= _MOST_SHARED:
                self._known.clear()
            self._known[key] = None
        return [self.one(text, places) for text in texts]

    def one(self, text: str, places: Places, further: Iterable[Place] = ()) -> int:
        """The number of a sentence about a resource; `further` places are replaced after all others."""
        return self(templated(shown(text), (*places.network, *places.own, *further)))


class Lines(Interned):
    """Templated JSON texts, numbered in the order of their first appearance.

    Values are told apart by a shorter text, of which the line is a function, so that a line is written out
    only where the shorter text is new. What is cut because it is long, or holds what must not be shown as it
    is, is written for each value anew.
    """

    __slots__ = ("_facts", "_numbers", "_others", "_pieces", "_texts")

    def __init__(self, facts: int) -> None:
        """With so many facts of each cluster."""
        super().__init__()
        # Keys of one kind of value tell nothing about another.
        self._facts: list[dict[str | None, int]] = [{} for _ in range(facts)]
        self._others: dict[str | None, int] = {}
        self._pieces: dict[tuple[tuple[Shared, ...], tuple[Place, ...]], _Pieces | None] = {}
        self._texts: dict[str, _Pieces] = {}
        self._numbers = count()

    def facts(self, values: Sequence[object], places: Places) -> list[int]:
        """The line of each fact of a cluster; the last is short enough as it comes.

        Of a cluster's id, 64 random digits, they keep the eight that GKE's names have.
        """
        keys = self._keys(values, places, ids=False)
        lines = [known.get(key, -1) for known, key in zip(self._facts, keys, strict=True)]
        if -1 in lines:
            every = (*places.network, *places.own)
            last = len(values) - 1
            for number, line in enumerate(lines):
                if line < 0:
                    value, known, key = values[number], self._facts[number], keys[number]
                    text = templated(_CLUSTER_ID.sub(r'\1"\2…"', _json(value)), every)
                    lines[number] = self._line(known, key, text, value, every, cut=number != last)
        return lines

    def others(
        self, values: Sequence[object], places: Places, further: Sequence[Sequence[Place]] = ()
    ) -> list[int]:
        """The line of each of some other values about a resource.

        `further` has for each what is replaced in it after everything else; then it has no shared values.
        """
        known = self._others
        keys = self._keys(values, places, ids=True)
        if further:
            keys = [key and templated(key, more) for key, more in zip(keys, further, strict=True)]
        lines = [known.get(key, -1) for key in keys]
        if -1 in lines:
            for number, line in enumerate(lines):
                if line < 0:
                    value = values[number]
                    every = (*places.network, *places.own, *(further[number] if further else ()))
                    text = templated(_json(value), every)
                    lines[number] = self._line(known, keys[number], text, value, every, cut=True)
        return lines

    def _keys(self, values: Sequence[object], places: Places, *, ids: bool) -> Sequence[str | None]:
        """Templated texts that tell values of one kind apart; None where there is none."""
        shared: list[Shared] = []
        # Most evidence is from the resource itself: its name need not be written to be replaced.
        name, mark = places.own[0] if places.own else (None, "")
        asset = orjson.Fragment(f'"{mark}"')

        def as_array(value: Any) -> object:
            kind = type(value)
            if kind is Evidence:
                return (
                    asset if value.asset == name else value.asset,
                    value.path,
                    value.observed if ids or value.path != "id" else _shortened(value.observed),
                    value.expected,
                )
            if kind is Shared:
                shared.append(value)
                return _SHARED
            return _FIELDS[kind](value)

        try:
            # In one go, which is faster than one by one.
            data = orjson.dumps([part for value in values for part in (value, _END)], as_array, _COMPACT)
        except TypeError:
            return [None] * len(values)
        text = data.decode()
        for name, mark in (*places.network, *places.own):
            text = mark.join(text.split(name))  # faster in a long text than `replace`, which looks twice
        keys = text[1:-3].split(",\n,")
        return [*self._with_shared(keys, shared, places)] if shared else keys

    def _with_shared(
        self, keys: Iterable[str], shared: Sequence[Shared], places: Places
    ) -> Iterator[str | None]:
        """The keys with what the values share; None if names of the resource alone are in that."""
        at = 0
        for key in keys:
            if number := key.count("\t"):
                pieces = self._together(tuple(shared[at : at + number]), places.network)
                at += number
                yield (
                    None if pieces is None or _any_in(places.own, pieces.words) else f"{key}\t{pieces.number}"
                )
            else:
                yield key

    def _together(self, shared: tuple[Shared, ...], places: tuple[Place, ...]) -> _Pieces | None:
        """What one line shares with others; None if it is nothing that JSON can carry."""
        if (shared, places) not in self._pieces:
            if len(self._pieces) >= _MOST_SHARED:
                self._pieces.clear()
                self._texts.clear()
            order = {one: number for number, one in enumerate(dict.fromkeys(shared))}
            values = ([order[one] for one in shared], [one.value for one in order])
            try:
                text = templated(orjson.dumps(values, _as_array, _COMPACT).decode(), places)
            except TypeError:
                self._pieces[shared, places] = None
            else:
                if text not in self._texts:
                    words = " ".join(dict.fromkeys(_WORD.findall(text)))
                    self._texts[text] = _Pieces(next(self._numbers), words)
                self._pieces[shared, places] = self._texts[text]
        return self._pieces[shared, places]

    def _line(
        self,
        known: dict[str | None, int],
        key: str | None,
        text: str,
        value: object,
        places: Sequence[Place],
        *,
        cut: bool,
    ) -> int:
        if cut and len(text) > _LINE_LIMIT:
            return self(templated(orjson.dumps(presentable(value)).decode(), places))
        number = self.index.get(text)
        if number is None:
            if not _shows(text):
                # Without templates: so rare a text gains nothing from them. It names the resource it is
                # about, and so is not the line of another whose templated text is the same.
                return self(orjson.dumps(presentable(value)).decode())
            number = self(text)
        if key is not None:
            known[key] = number
        return number
