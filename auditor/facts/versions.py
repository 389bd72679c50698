"""The GKE versions of control plane and node pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts.view import fault
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import PoolVersion, Versions
from auditor.model.versions import parse_version

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView
    from auditor.model.evidence import Json


def derive(view: ClusterView) -> Versions:
    """What runs, not what was asked for: `currentMasterVersion`, and each pool's `version`.

    Pools that are known are told although there may be more: one that is too old is enough to know.
    """
    stated = view.data.get("currentMasterVersion")
    evidence: tuple[Evidence, ...] = (Evidence(view.asset, "currentMasterVersion", stated),)
    unknowns: list[Unknown] = []
    control_plane = _readable(stated)
    if control_plane is None:
        reason = f"The cluster's `currentMasterVersion` {_fault(stated)}."
        unknowns.append(Unknown("versions.control_plane", reason, view.hint()))
    if view.pools is None:
        unknowns.append(Unknown("versions.pools", view.pools_problem, view.hint()))
        if not view.shown_pools:
            return Versions(control_plane, None, evidence, tuple(unknowns))
    pools: list[PoolVersion] = []
    observed: list[Json] = []
    previous, version = stated, control_plane
    for pool in view.shown_pools:
        stated = pool.data.get("version")
        observed.append(stated)
        if stated != previous:
            previous, version = stated, _readable(stated)
        pools.append(PoolVersion(pool.name, version))
        if version is None:
            reason = f"The `version` of node pool {pool.name} {_fault(stated)}."
            unknowns.append(Unknown("versions.pools[].version", reason, view.hint()))
    if observed:
        evidence = (*evidence, Evidence(view.asset, "nodePools[].version", observed))
    return Versions(control_plane, tuple(pools), evidence, tuple(unknowns))


def _readable(stated: Json) -> str | None:
    return stated if isinstance(stated, str) and parse_version(stated) is not None else None


def _fault(stated: Json) -> str:
    return "is absent" if stated is None else fault(stated, "is not a GKE version")
