"""Waivers in comments: `# gke-auditor: waive RULE reason=… owner=… expires=…`, in a block or right above."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditor.engine.waivers import Waiver, from_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.terraform.syntax import Block

_KEY = re.compile(r"(?:^|\s)([a-z]+)\s*=\s*(?=\S)")


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """A waiver and the block that it is in."""

    waiver: Waiver
    block: Block


def read(blocks: Iterable[Block], names: Mapping[str, str]) -> tuple[list[Accepted], list[str]]:
    """The waivers of blocks, and what is to be said about comments that are none.

    `names` are rule ids by id and alias.
    """
    found: list[Accepted] = []
    malformed: list[str] = []
    for block in blocks:
        for comment in block.comments:
            place = f"{block.file}:{comment.line}:{comment.column}"
            if not block.kind:
                malformed.append(
                    f"{place}: the comment stands beside no block; put it into one, or right above"
                )
                continue
            read_one = _waiver(comment.text, place, names)
            if isinstance(read_one, Waiver):
                named = ".".join(block.labels if block.kind == "resource" else (block.kind, *block.labels))
                found.append(Accepted(replace(read_one, resource=named), block))
            else:
                malformed.append(read_one)
    return found, malformed


def _waiver(text: str, place: str, names: Mapping[str, str]) -> Waiver | str:
    word, _, rest = text.partition(" ")
    if word != "waive":
        return f"{place}: a comment for gke-auditor says `{word}`; it can say `waive` alone"
    rule, _, rest = rest.strip().partition(" ")
    parts: dict[str, str] = {"rule": rule}
    keys = list(_KEY.finditer(_masked(rest)))
    if rest[: keys[0].start() if keys else len(rest)].strip():
        return f"{place}: after the rule come reason=, owner= and expires=, not `{rest.strip()[:40]}`"
    for number, key in enumerate(keys):
        end = keys[number + 1].start() if number + 1 < len(keys) else len(rest)
        value = rest[key.end() : end].strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if key[1] in parts:
            return f"{place}: the key `{key[1]}` is given twice"
        parts[key[1]] = value
    return from_parts(parts, names, place)


def _masked(text: str) -> str:
    """The text with what is in quotes blanked, so that nothing in it looks like a key."""
    return re.sub(r'"[^"]*"|\'[^\']*\'', lambda match: '"' + "." * (len(match[0]) - 2) + '"', text)
