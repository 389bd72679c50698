"""Text inside Markdown (GitHub's dialect): nothing in it becomes markup, a link or HTML."""

from __future__ import annotations

import re

from auditor.reporting.text import one_line, visible

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&!@$]")
_AUTOLINK = re.compile(r"://|\bwww\.", re.IGNORECASE)
_LINE_START = re.compile(r"^(\s*)([-+=:]|\d+(?=[.)]))", re.MULTILINE)
_CODE_SPAN = re.compile(r"(`[^`\n]+`)")
_BACKTICKS = re.compile(r"`+")


def escape(text: str) -> str:
    """Text of others as one line of prose."""
    return _escape(one_line(text)).strip()


def _escape(text: str) -> str:
    text = _SPECIAL.sub(r"\\\g<0>", text)
    text = _AUTOLINK.sub(lambda m: m[0].replace(":", "\\:").replace(".", "\\."), text)
    return _LINE_START.sub(lambda m: f"{m[1]}\\{m[2]}" if not m[2].isdigit() else f"{m[1]}{m[2]}\\", text)


def prose(text: str) -> str:
    """The text of a rule, whose code spans (`a.b`) stay what they are; the rest is escaped line by line."""
    pieces = _CODE_SPAN.split(visible(text))
    return "".join(p if n % 2 else _escape(p) for n, p in enumerate(pieces)).strip()


def code(text: str, *, cell: bool = False) -> str:
    """Text of others as a code span on one line; `cell` says that it stands in a table."""
    text = one_line(text).strip() or "(empty)"
    ticks = "`" * (1 + max((len(m) for m in _BACKTICKS.findall(text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    if cell:  # a table splits its row at every bar, even within code, and drops the backslash afterwards
        text = text.replace("|", "\\|")
    return f"{ticks}{space}{text}{space}{ticks}"


def fence(text: str, language: str = "") -> str:
    """Text of others as a code block that it cannot close."""
    text = visible(text).strip("\n")
    ticks = "`" * max(3, 1 + max((len(m) for m in _BACKTICKS.findall(text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"
