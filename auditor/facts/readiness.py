"""One word for a cluster: whether intra-node visibility works there, or could be turned on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model.facts import Readiness
from auditor.model.traffic import EVERYDAY
from auditor.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditor.model.evidence import Unknown
    from auditor.model.facts import ClusterFacts
    from auditor.model.traffic import ScopeTraffic

OLDEST = (1, 15, 0, 0)
"""Intra-node visibility exists from here on (GKE documentation, 'Set up intranode visibility')."""


def readiness(facts: ClusterFacts, same_node: ScopeTraffic | None) -> Readiness:
    """The state of the cluster and the sentences that explain it.

    `same_node` is the firewall analysis of packets that stay on one node, None if there was none. What is
    certain to break outweighs what is not known: `unsupported`; `degraded` where it is breaking now and
    `blocked` where it would; `unknown` if anything that could make it so is not known; else `working` or
    `ready`. Denials that harm nobody and protocols that hardly anyone uses do not count.
    """
    state = facts.visibility.state
    unsupported = tuple(_unsupported(facts))
    if unsupported:
        return Readiness("unsupported", unsupported)
    broken = tuple(_broken(facts, same_node))
    if broken and state is not None:
        return Readiness("degraded" if state == "on" else "blocked", broken)
    unknown = tuple(dict.fromkeys(_unknown(facts, same_node)))
    if unknown:
        return Readiness("unknown", (*unknown, *broken))
    if state == "on":
        return Readiness("working", ("Same-node Pod traffic reaches the VPC network, and nothing drops it.",))
    return Readiness("ready", ("Nothing would drop same-node Pod traffic once the VPC network sees it.",))


def _unsupported(facts: ClusterFacts) -> Iterator[str]:
    versions = facts.versions
    if _is_old(versions.control_plane):
        yield f"The control plane runs {versions.control_plane}, and the feature needs GKE 1.15."
    for pool in versions.pools or ():
        if _is_old(pool.version):
            yield f"Node pool {pool.name} runs {pool.version}, and the feature needs GKE 1.15."
    for name in facts.windows.pools or ():
        yield f"Node pool {name} runs Windows Server."


def _is_old(version: str | None) -> bool:
    parsed = None if version is None else parse_version(version)
    return parsed is not None and parsed < OLDEST


def _broken(facts: ClusterFacts, same_node: ScopeTraffic | None) -> Iterator[str]:
    if same_node is not None and same_node.everyday in ("denied", "partial"):
        protocols: dict[str, list[str]] = {}
        for box in same_node.denied:
            if box.protocol in EVERYDAY and box.benign is None:
                decider = "no rule that is known" if box.decided_by is None else box.decided_by.rule
                found = protocols.setdefault(f"{box.direction} by {decider}", [])
                if box.protocol not in found:
                    found.append(box.protocol)
        if not protocols:
            yield "Pod traffic within a node is denied."
        for place, denied in protocols.items():
            yield f"Pod traffic within a node is denied on {place}: {', '.join(sorted(denied))}."
    for one in facts.masquerade.uncovered or ():
        yield (
            f"Packets to {', '.join(one.parts)} of Pod range {one.range} ({one.origin}) are masqueraded:"
            " their source becomes the node."
        )


def _unknown(facts: ClusterFacts, same_node: ScopeTraffic | None) -> Iterator[str]:
    if facts.visibility.state is None:
        yield from _reasons(facts.visibility.unknowns, "visibility.state")
    versions = facts.versions
    if (
        versions.control_plane is None
        or versions.pools is None
        or any(one.version is None for one in versions.pools)
    ):
        yield from _reasons(versions.unknowns, "versions")
    if facts.windows.pools is None:
        yield from _reasons(facts.windows.unknowns, "windows")
    if facts.masquerade.uncovered is None:
        yield from _reasons(facts.masquerade.unknowns, "masquerade")
    if same_node is None:
        yield "The firewall rules were not analysed."
    elif same_node.everyday == "unknown":
        yield from same_node.reasons or ("Whether Pod traffic within a node is permitted cannot be told.",)


def _reasons(unknowns: Iterable[Unknown], path: str) -> tuple[str, ...]:
    """The reasons about a path, and at least one sentence."""
    found = tuple(one.reason for one in unknowns if one.path.startswith(path))
    return found or (f"`{path}` is not known.",)
