"""Text from an inventory made fit to be shown: no character in it steers the reader's screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.model.declaration import Declaration

_BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")


def visible(text: str, keep: str = "\n") -> str:
    r"""The text with every character that does not print written as an escape (`\x1b`, `\u202e`).

    That covers control characters, terminal escapes, bidirectional and zero-width marks, line separators and
    lone surrogates; the outcome is always valid UTF-8. Characters of `keep` stay as they are.
    """
    plain = text
    for kept in keep:
        plain = plain.replace(kept, "")
    if plain.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text
    )


def one_line(text: str) -> str:
    r"""Visible text without line breaks: a break and the white space around it become one space."""
    if text.isprintable():
        return text
    return visible(_BREAK.sub(" ", text), keep="")


def shorten(text: str, limit: int) -> str:
    """The text, or its first characters and an ellipsis if it has more than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def plural(count: int, noun: str, plural_noun: str = "") -> str:
    """The count with its noun: `1 cluster`, `2 clusters`, `12,000 clusters`."""
    return f"{count:,} {noun if count == 1 else plural_noun or noun + 's'}"


def declared(one: Declaration) -> str:
    """A place that declares something, in a few words: `main.tf:12 google_container_cluster.main`."""
    place = f"{one.file}:{one.start_line} " if one.file else ""
    doubt = " (perhaps)" if one.certainty == "candidate" else ""
    return f"{place}{one.address}{f' ({one.action})' if one.action else ''}{doubt}"
