"""Terraform files as blocks with their lines: HCL through tree-sitter, JSON through YAML's marks.

Terraform documentation, "Syntax" and "JSON Configuration Syntax". An expression stays what the parser made of
it; `auditor.terraform.expressions` evaluates it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from auditor.errors import AuditorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Parser

_INSTALL = "install it: pip install 'gke-auditor[terraform]'"
_LABELS = {
    "resource": 2,
    "data": 2,
    "module": 1,
    "variable": 1,
    "output": 1,
    "provider": 1,
    "locals": 0,
    "terraform": 0,
}
_MARK = b"gke-auditor:"
_JSON_DEPTH = 100
_NESTING = 50


@dataclass(slots=True)
class Expression:
    """An expression: a node of the parser with the text it is part of, or a literal value of a JSON file.

    Lines count from 1, `first` to `last` inclusive.
    """

    node: Node | None
    text: bytes
    literal: Any
    first: int
    last: int


@dataclass(slots=True)
class Comment:
    """A comment that speaks to this program: what comes after `gke-auditor:`, and where."""

    text: str
    line: int
    column: int


@dataclass(slots=True)
class Block:
    """A block of configuration. `comments` are those inside it, and those right above it."""

    kind: str
    labels: tuple[str, ...]
    file: str
    first: int
    last: int
    attributes: dict[str, Expression] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Mistake:
    """A place in a file that is no Terraform."""

    line: int
    text: str


class Reader:
    """Reads files. Raises AuditorError if the parser is not installed.

    `steps` counts the expressions that were evaluated of what it read.
    """

    def __init__(self) -> None:
        self._parser = _parser()
        self.steps = 0

    def blocks(self, text: bytes, file: str) -> tuple[list[Block], list[Mistake]]:
        """The top-level blocks of a file, named as in messages, and what could not be read."""
        if file.endswith(".json"):
            return _json_blocks(text, file)
        tree = self._parser.parse(text)
        mistakes = [] if not tree.root_node.has_error else [*_mistakes(tree.root_node, text)]
        comments = _comments(tree.root_node, text) if _MARK in text else []
        blocks: list[Block] = []
        for body in tree.root_node.named_children:
            if body.type == "body":
                blocks += _blocks(body, text, file)
        _attach(blocks, comments, text, file)
        return blocks, mistakes

    def attributes(self, text: bytes, file: str) -> tuple[dict[str, Expression], list[Mistake]]:
        """The assignments of a variables file (`terraform.tfvars`, also as JSON)."""
        if file.endswith(".json"):
            try:
                data = json.loads(text)
            except ValueError as error:
                return {}, [Mistake(getattr(error, "lineno", 1), f"it is no JSON: {error}")]
            if not isinstance(data, dict):
                return {}, [Mistake(1, "it is no JSON object")]
            return {name: Expression(None, b"", _Verbatim(value), 1, 1) for name, value in data.items()}, []
        tree = self._parser.parse(text)
        mistakes = [] if not tree.root_node.has_error else [*_mistakes(tree.root_node, text)]
        found: dict[str, Expression] = {}
        for body in tree.root_node.named_children:
            if body.type == "body":
                found |= _attributes(body, text)
        return found, mistakes

    def template(self, literal: str) -> tuple[Node | None, bytes]:
        """A string of a JSON file as the template that it is."""
        text = b"x = " + json.dumps(literal, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        root = self._parser.parse(text).root_node
        if root.has_error:
            return None, text
        for body in root.named_children:
            for attribute in body.named_children:
                for child in attribute.named_children:
                    if child.type == "expression":
                        return child, text
        return None, text


@dataclass(frozen=True, slots=True)
class _Verbatim:
    """A value of a JSON variables file, in which strings are no templates."""

    value: Any


def verbatim(literal: object) -> tuple[bool, Any]:
    """Whether a literal is taken as it stands, and its value."""
    return (True, literal.value) if isinstance(literal, _Verbatim) else (False, literal)


def _parser() -> Parser:
    try:
        import tree_sitter_hcl
        from tree_sitter import Language, Parser
    except ImportError as error:
        raise AuditorError(
            "Terraform configuration cannot be read: its parser is not installed",
            hint=_INSTALL,
            place="--terraform",
        ) from error
    return Parser(Language(tree_sitter_hcl.language()))


def _mistakes(root: Node, text: bytes) -> Iterator[Mistake]:
    """The outermost places that the parser could not make sense of."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            yield Mistake(node.start_point[0] + 1, f"`{node.type}` is missing")
        elif node.type == "ERROR":
            start = text[node.start_byte : node.start_byte + 40].decode("utf-8", "replace")
            yield Mistake(node.start_point[0] + 1, f"this is no Terraform: {start.splitlines()[0]!r}"
                          if start else "this is no Terraform")  # fmt: skip
        elif node.has_error:
            waiting += reversed(node.children)


def _text(node: Node, text: bytes) -> str:
    return text[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _label(node: Node, text: bytes) -> str:
    written = _text(node, text)
    return written[1:-1] if written[:1] == '"' else written


def _blocks(body: Node, text: bytes, file: str, depth: int = _NESTING) -> list[Block]:
    found: list[Block] = []
    for node in body.named_children:
        if node.type != "block":
            continue
        names: list[str] = []
        inner: Node | None = None
        for child in node.named_children:
            if child.type in ("identifier", "string_lit"):
                names.append(_label(child, text))
            elif child.type == "body":
                inner = child
        if not names:
            continue
        block = Block(names[0], tuple(names[1:]), file, node.start_point[0] + 1, node.end_point[0] + 1)
        if inner is not None:
            block.attributes = _attributes(inner, text)
            block.blocks = _blocks(inner, text, file, depth - 1) if depth else []
        found.append(block)
    return found


def _attributes(body: Node, text: bytes) -> dict[str, Expression]:
    found: dict[str, Expression] = {}
    for node in body.named_children:
        if node.type != "attribute":
            continue
        children = node.named_children
        if len(children) < 2 or children[0].type != "identifier":
            continue
        expression = children[-1]
        if expression.type == "expression":
            found[_text(children[0], text)] = Expression(
                expression, text, None, node.start_point[0] + 1, node.end_point[0] + 1
            )
    return found


def _comments(root: Node, text: bytes) -> list[Comment]:
    found: list[Comment] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "comment":
            written = text[node.start_byte : node.end_byte]
            if _MARK not in written:
                continue
            for number, line in enumerate(written.decode("utf-8", "replace").splitlines()):
                before, mark, after = line.partition(_MARK.decode())
                if mark and not before.strip(" \t#/*"):
                    column = (node.start_point[1] if number == 0 else 0) + len(before) + 1
                    found.append(
                        Comment(
                            after.strip().removesuffix("*/").strip(), node.start_point[0] + 1 + number, column
                        )
                    )
        else:
            waiting += reversed(node.children)
    return found


def _attach(blocks: list[Block], comments: list[Comment], text: bytes, file: str) -> None:
    """Give each comment to the outermost block around it, or that it stands right above.

    One that stands beside no block gets a block of its own, of no kind.
    """
    loose: list[Block] = []
    lines = text.split(b"\n")
    starts = {block.first: block for block in blocks}
    for comment in comments:
        around = next((one for one in blocks if one.first <= comment.line <= one.last), None)
        line = comment.line
        while around is None and line < len(lines):
            line += 1
            around = starts.get(line)
            if around is None and not lines[line - 1].lstrip().startswith((b"#", b"//", b"/*", b"*")):
                break
        if around is None:
            around = Block("", (), file, comment.line, comment.line)
            loose.append(around)
        around.comments.append(comment)
    blocks += loose


# JSON


def _json_blocks(text: bytes, file: str) -> tuple[list[Block], list[Mistake]]:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return [], [Mistake(getattr(error, "lineno", 1), f"it is no JSON: {error}")]
    try:
        root = yaml.compose(text.decode("utf-8-sig").replace("\t", " "), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        return [], [Mistake(1, f"it cannot be read: {str(error).splitlines()[0]}")]
    found: list[Block] = []
    for kind, value in _members(root):
        if kind in _LABELS:
            _json_block(kind, (), value, _LABELS[kind], file, found)
    return found, []


def _members(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _members(one)


def _json_block(
    kind: str, labels: tuple[str, ...], node: Any, left: int, file: str, found: list[Block]
) -> None:
    if left:
        for name, value in _members(node):
            _json_block(kind, (*labels, name), value, left - 1, file, found)
        return
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            _json_block(kind, labels, one, 0, file, found)
        return
    if not isinstance(node, yaml.MappingNode):
        return
    block = Block(kind, labels, file, node.start_mark.line + 1, node.end_mark.line + 1, is_json=True)
    for name, value in _members(node):
        if name == "//" and isinstance(value, yaml.ScalarNode) and value.value.startswith(_MARK.decode()):
            # A property of this name is Terraform's comment.
            written = value.value[len(_MARK) :].strip()
            block.comments.append(Comment(written, value.start_mark.line + 1, value.start_mark.column + 1))
            continue
        block.attributes[name] = Expression(
            None, b"", _plain(value), value.start_mark.line + 1, value.end_mark.line + 1
        )
    found.append(block)


def _plain(node: Any, depth: int = _JSON_DEPTH) -> Any:
    if depth == 0:
        return None
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value, depth - 1) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one, depth - 1) for one in node.value]
    if node.style is None:
        # Without quotes there are numbers, true, false and null alone in JSON.
        return json.loads(node.value)
    return node.value
