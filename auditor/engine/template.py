"""Texts with CEL expressions in braces: messages, and shell commands whose values are quoted."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.engine.cel import ExpressionError, UndecidedError, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.engine.cel import Environment, Expression, Loop

UNKNOWN = "unknown"
"""What stands in a text for a value that is not known."""


@dataclass(slots=True, eq=False)
class Template:
    """A compiled text: plain parts and expressions in turn."""

    parts: tuple[str | Expression, ...]

    def message(self, value: Callable[[Expression], object]) -> str:
        """The text with every value filled in."""
        return "".join(
            part if isinstance(part, str) else _filled(part, value, ", ", "none") for part in self.parts
        )

    def command(self, value: Callable[[Expression], object]) -> str:
        """The text as one shell command, every value quoted.

        A value that starts a word with a dash would be taken for an option, whatever the quotes; the
        command is left out then, and a shell comment says so.
        """
        text = ""
        for part in self.parts:
            if isinstance(part, str):
                text += part
                continue
            filled = _filled(part, value, ",", "")
            if filled.startswith("-") and (not text or text[-1].isspace()):
                return f"# left out: the value of {' '.join(part.text.split())} starts with a dash"
            text += shlex.quote(filled)
        return text


def _filled(part: Expression, value: Callable[[Expression], object], comma: str, nothing: str) -> str:
    try:
        found = value(part)
    except UndecidedError:
        return UNKNOWN
    if isinstance(found, list):
        return comma.join(shown(one) for one in found) if found else nothing
    return shown(found)


def compile_template(text: str, environment: Environment, loop: Loop | None = None) -> Template:
    """The template in `text`; `{{` and `}}` stand for braces. Raises ExpressionError with an offset in it."""
    parts: list[str | Expression] = []
    literal = ""
    index = 0
    while index < len(text):
        char = text[index]
        if text[index : index + 2] in ("{{", "}}"):
            literal += char
            index += 2
        elif char == "}":
            raise ExpressionError("a `}` without its `{`", "write `}}` for a brace", index)
        elif char == "{":
            end = _end(text, index)
            source = text[index + 1 : end]
            if not source.strip():
                raise ExpressionError(
                    "there is nothing between the braces", "write an expression, or `{{`", index
                )
            try:
                expression = environment.compile(source, "any", loop)
            except ExpressionError as error:
                raise ExpressionError(error.message, error.hint, index + 1 + error.offset) from None
            if literal:
                parts.append(literal)
            parts.append(expression)
            literal, index = "", end + 1
        else:
            literal += char
            index += 1
    if literal:
        parts.append(literal)
    return Template(tuple(parts))


def _end(text: str, start: int) -> int:
    depth, index, quote = 0, start, ""
    while index < len(text):
        char = text[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return index
        index += 1
    raise ExpressionError("a `{` without its `}`", "close the expression, or write `{{` for a brace", start)
