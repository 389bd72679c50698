"""The fix of a finding as a unified diff against the block that declares the resource."""

from __future__ import annotations

import re
from difflib import unified_diff
from typing import TYPE_CHECKING

from auditor.model import inventory as model
from auditor.model.names import canonical
from auditor.terraform import registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.engine.result import Result
    from auditor.model.facts import ClusterFacts, PodPackets
    from auditor.terraform.syntax import Block

VISIBILITY = frozenset(("intranode-visibility-disabled", "mtu-needs-intranode-visibility"))
SAME_NODE = frozenset(("same-node-traffic-denied", "same-node-traffic-would-be-denied"))
ANY_NODE = frozenset(("pod-traffic-denied", "rare-protocol-traffic-denied"))
_FLOW_LOGS = (
    "log_config {",
    '  aggregation_interval = "INTERVAL_5_SEC"',
    "  flow_sampling        = 1",
    '  metadata             = "INCLUDE_ALL_METADATA"',
    "}",
)
_RULE_LOGS = ("log_config {", '  metadata = "INCLUDE_ALL_METADATA"', "}")


def packets(result: Result, facts: ClusterFacts | None) -> PodPackets | None:
    """The packets that a finding about traffic is about."""
    if facts is None:
        return None
    if result.rule in SAME_NODE:
        return facts.traffic.same_node
    return facts.traffic.any_node if result.rule in ANY_NODE else None


def in_block(result: Result, asset: str, block: Block, texts: Mapping[str, bytes]) -> str:
    """The fix inside the block that declares an asset, empty if there is none to offer."""
    kind = block.labels[0] if block.labels and block.kind == "resource" else block.kind
    if result.rule in VISIBILITY and asset == result.resource.name:
        if kind == "google_container_cluster" or (kind == "module" and registry.takes_visibility(block)):
            return _argument(block, texts, "enable_intranode_visibility", "true")
        return ""
    if result.rule == "flow-logs-disabled" and kind == "google_compute_subnetwork":
        return _nested(block, texts, "log_config", _FLOW_LOGS)
    about = result.subject is not None and canonical(asset).endswith(f"/{result.subject}")
    if result.rule == "firewall-logging-off" and kind == "google_compute_firewall" and about:
        return _nested(block, texts, "log_config", _RULE_LOGS)
    return ""


def after_block(snippets: Sequence[str], block: Block, texts: Mapping[str, bytes]) -> str:
    """New blocks right behind one, empty for a JSON file, where a block has no place behind another."""
    if block.is_json or not snippets or block.file not in texts:
        return ""
    lines = _lines(texts[block.file])
    added = [line + "\n" for snippet in snippets for line in ("", *snippet.rstrip("\n").split("\n"))]
    before = [line if line.endswith("\n") else line + "\n" for line in lines[: block.last]]
    return _diff(block.file, lines, [*before, *added, *lines[block.last :]])


def _lines(text: bytes) -> list[str]:
    # Not `splitlines`, which knows ends of lines that neither Terraform nor `patch` knows.
    return [line for line in re.split(r"(?<=\n)", text.decode("utf-8", "replace")) if line]


def _diff(file: str, before: list[str], after: list[str]) -> str:
    name = file.lstrip("/")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in unified_diff(before, after, f"a/{name}", f"b/{name}")
    )


def _argument(block: Block, texts: Mapping[str, bytes], name: str, value: str) -> str:
    """One argument set: in its place if it is there, else at the end of the block."""
    text = texts.get(block.file)
    if text is None:
        return ""
    lines = _lines(text)
    stated = block.attributes.get(name)
    if stated is not None and stated.node is not None:
        changed = text[: stated.node.start_byte] + value.encode() + text[stated.node.end_byte :]
        return _diff(block.file, lines, _lines(changed))
    if stated is not None:
        line = lines[stated.first - 1]
        return _replaced(
            block.file,
            lines,
            stated.first - 1,
            re.sub(rf'("{name}"\s*:\s*)[^,}}\s]+', rf"\g<1>{value}", line),
        )
    return _inserted(block, lines, (f"{name} = {value}",), f'"{name}": {value},')


def _nested(block: Block, texts: Mapping[str, bytes], name: str, content: Sequence[str]) -> str:
    """A block inside another, if it is not there yet."""
    text = texts.get(block.file)
    present = name in block.attributes or any(
        one.kind == name or (one.kind == "dynamic" and one.labels[:1] == (name,)) for one in block.blocks
    )
    if text is None or present:
        return ""
    pairs = [line.strip().split(" = ") for line in content[1:-1]]
    inner = ", ".join(f'"{key.strip()}": {value}' for key, value in pairs)
    return _inserted(block, _lines(text), content, f'"{name}": {{{inner}}},')


def _inserted(block: Block, lines: list[str], content: Sequence[str], as_json: str) -> str:
    if block.first == block.last:
        return ""
    if block.is_json:
        opening = lines[block.first - 1]
        if not opening.rstrip().endswith("{") or not block.attributes:
            return ""
        following = lines[block.first]
        indent = following[: len(following) - len(following.lstrip())]
        return _diff(
            block.file, lines, [*lines[: block.first], f"{indent}{as_json}\n", *lines[block.first :]]
        )
    closing = lines[block.last - 1]
    if closing.strip() != "}":
        return ""
    indent = closing[: len(closing) - len(closing.lstrip())] + "  "
    added = [f"{indent}{line}\n" for line in content]
    if lines[block.last - 2].strip():
        added.insert(0, "\n")
    return _diff(block.file, lines, [*lines[: block.last - 1], *added, *lines[block.last - 1 :]])


def _replaced(file: str, lines: list[str], index: int, line: str) -> str:
    return _diff(file, lines, [*lines[:index], line, *lines[index + 1 :]])


FOUND_IN = {model.SUBNETWORK, model.FIREWALL, model.FIREWALL_POLICY, model.NETWORK}
"""The types of assets that evidence leads to, and that have blocks of their own."""
