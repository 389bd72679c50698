"""One word for a cluster: whether intra-node visibility works there, or could be turned on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model.facts import ClusterReadiness, Readiness
from auditor.model.traffic import EVERYDAY
from auditor.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.model.evidence import Evidence, Unknown
    from auditor.model.facts import KnownReadiness, Masquerade, PodTraffic, Versions, Visibility, WindowsPools
    from auditor.model.traffic import ScopeTraffic

    _Fact = Visibility | Versions | WindowsPools | Masquerade | PodTraffic

OLDEST = (1, 15, 0, 0)
"""Intra-node visibility exists from here on (GKE documentation, 'Set up intranode visibility')."""

_WORKING = ("Same-node Pod traffic reaches the VPC network, and nothing drops it.",)
_READY = ("Nothing would drop same-node Pod traffic once the VPC network sees it.",)


def derive(
    visibility: Visibility,
    versions: Versions,
    windows: WindowsPools,
    masquerade: Masquerade,
    traffic: PodTraffic,
) -> ClusterReadiness:
    """The state of the cluster and the sentences that explain it, from its other facts.

    What is certain to break outweighs what is not known: `unsupported`; `degraded` where it is breaking now
    and `blocked` where it would; `unknown` if anything that could make it so is not known; else `working` or
    `ready`. Denials that harm nobody and protocols that hardly anyone uses do not count.
    """
    unsupported = tuple(_unsupported(versions, windows))
    if unsupported:
        return _known("unsupported", unsupported, versions, windows)
    same_node = traffic.same_node.analysis
    broken = tuple(_broken(same_node, masquerade))
    if broken and visibility.state is not None:
        state: KnownReadiness = "degraded" if visibility.state == "on" else "blocked"
        return _known(state, broken, visibility, masquerade, traffic)
    every = (visibility, versions, windows, masquerade, traffic)
    doubts = tuple(_doubts(visibility, versions, windows, masquerade))
    reasons = [reason for path, unknowns in doubts for reason in _reasons(path, unknowns)]
    unknowns = [one for _, found in doubts for one in found]
    if same_node.everyday == "unknown":
        reasons += same_node.reasons or ("Whether Pod traffic within a node is permitted cannot be told.",)
        unknowns += traffic.unknowns
    if reasons:
        told = Readiness("unknown", (*dict.fromkeys(reasons), *broken))
        return ClusterReadiness(None, None, told, _evidence(every), tuple(unknowns))
    if visibility.state == "on":
        return _known("working", _WORKING, *every)
    return _known("ready", _READY, *every)


def _known(state: KnownReadiness, reasons: tuple[str, ...], *facts: _Fact) -> ClusterReadiness:
    # `facts` are those that it rests on.
    return ClusterReadiness(state, reasons, Readiness(state, reasons), _evidence(facts))


def _evidence(facts: tuple[_Fact, ...]) -> tuple[Evidence, ...]:
    return tuple([one for fact in facts for one in fact.evidence])


def _unsupported(versions: Versions, windows: WindowsPools) -> Iterator[str]:
    if _is_old(versions.control_plane):
        yield f"The control plane runs {versions.control_plane}, and the feature needs GKE 1.15."
    for pool in versions.pools or ():
        if _is_old(pool.version):
            yield f"Node pool {pool.name} runs {pool.version}, and the feature needs GKE 1.15."
    for name in windows.pools or ():
        yield f"Node pool {name} runs Windows Server."


def _is_old(version: str | None) -> bool:
    parsed = None if version is None else parse_version(version)
    return parsed is not None and parsed < OLDEST


def _broken(same_node: ScopeTraffic, masquerade: Masquerade) -> Iterator[str]:
    if same_node.everyday in ("denied", "partial"):
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
    for one in masquerade.uncovered or ():
        yield (
            f"Packets to {', '.join(one.parts)} of Pod range {one.range} ({one.origin}) are masqueraded:"
            " their source becomes the node."
        )


def _doubts(
    visibility: Visibility, versions: Versions, windows: WindowsPools, masquerade: Masquerade
) -> Iterator[tuple[str, tuple[Unknown, ...]]]:
    # What is not known, and the facts' own words for why.
    if visibility.state is None:
        path = "visibility.state"
        yield path, tuple(one for one in visibility.unknowns if one.path.startswith(path))
    if (
        versions.control_plane is None
        or versions.pools is None
        or any(one.version is None for one in versions.pools)
        # There may be more pools.
        or any(one.path == "versions.pools" for one in versions.unknowns)
    ):
        yield "versions", versions.unknowns
    if windows.pools is None:
        yield "windows", windows.unknowns
    if masquerade.uncovered is None:
        yield "masquerade", masquerade.unknowns


def _reasons(path: str, unknowns: tuple[Unknown, ...]) -> tuple[str, ...]:
    # At least one sentence.
    return tuple(one.reason for one in unknowns) or (f"`{path}` is not known.",)
