"""The inventory that files and assets become: indexed, merged, clusters decoded only when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

import orjson

from auditor.model.deferred import more_of, text_of
from auditor.model.inventory import Cluster, KubernetesEvidence, KubernetesObject
from auditor.model.names import canonical, project_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.evidence import Json
    from auditor.model.inventory import ClusterEntry, Gap
    from auditor.model.network import (
        AddressGroup,
        EffectiveFirewalls,
        FirewallPolicy,
        FirewallRule,
        Network,
        Subnetwork,
    )
    from auditor.sources.coverage import AssetCoverage
    from auditor.sources.spool import Spool
    from auditor.sources.terraform.laying import Planned


class Piece(NamedTuple):
    """Where JSON lies in the spool."""

    offset: int
    length: int


class StoredObject(NamedTuple):
    """A Kubernetes object in the spool."""

    kind: str
    namespace: str
    name: str
    asset: str
    piece: Piece


@dataclass(slots=True)
class StoredCluster:
    """A cluster in the spool.

    `data` is None if its data is not known. `pools` are the NodePool assets that join those in `data`, by
    name; `pools_known` is False if the pools are not to be relied upon.
    """

    data: Piece | None
    pools: dict[str, Piece] = field(default_factory=dict)
    pools_known: bool = True
    objects: tuple[StoredObject, ...] = ()
    listed: frozenset[str] = frozenset()


@dataclass(slots=True)
class AssetInventory:
    """Implements `model.inventory.Inventory`.

    `planned` are the assets that a Terraform plan or state declares, by full resource name.
    """

    sources: tuple[str, ...]
    scope: str
    complete: bool
    read_time: str | None
    digest: str
    counts: Mapping[str, int]
    gaps: tuple[Gap, ...]
    coverage: AssetCoverage
    clusters: tuple[ClusterEntry, ...]
    networks: Mapping[str, Network]
    subnetworks: Mapping[str, Subnetwork]
    firewall_rules: Mapping[str, tuple[FirewallRule, ...]]
    policies: tuple[FirewallPolicy, ...]
    effective: Mapping[str, tuple[EffectiveFirewalls, ...]]
    address_groups: Mapping[str, AddressGroup]
    ancestors: Mapping[str, tuple[str, ...]]
    project_numbers: Mapping[str, str]
    stored: Mapping[str, StoredCluster]
    spool: Spool
    planned: Mapping[str, Planned] = field(default_factory=dict)

    def decode(self, entry: ClusterEntry) -> Cluster:
        """The cluster's data, read back and brought to form. Cheap to repeat, nothing is kept."""
        stored = self.stored[entry.key]
        data = None
        if stored.data is not None:
            data = cast("dict[str, Json]", self._json(stored.data))
            self._join_pools(data, stored)
        if not stored.objects and not stored.listed:
            return Cluster(entry, data, KubernetesEvidence())
        objects = tuple(
            KubernetesObject(
                one.kind, one.namespace, one.name, cast("dict[str, Json]", self._json(one.piece)), one.asset
            )
            for one in stored.objects
        )
        return Cluster(entry, data, KubernetesEvidence(objects, stored.listed))

    def _join_pools(self, data: dict[str, Json], stored: StoredCluster) -> None:
        if not stored.pools_known:
            listed = data.get("nodePools")
            if text_of(listed) is None and more_of(listed) is None:
                data.pop("nodePools", None)
            return
        if stored.pools:
            embedded = cast("list[dict[str, Json]]", data.get("nodePools") or [])
            pools = {cast("str", pool["name"]): pool for pool in embedded}
            for name, piece in stored.pools.items():
                pools[name] = cast("dict[str, Json]", self._json(piece))
            data["nodePools"] = [pools[name] for name in sorted(pools)]
        elif not data.get("nodePools"):
            autopilot = data.get("autopilot")
            if isinstance(autopilot, dict) and autopilot.get("enabled") is True:
                data["nodePools"] = []
            else:
                data.pop("nodePools", None)

    def _json(self, piece: Piece) -> Json:
        return cast("Json", orjson.loads(self.spool.read(piece.offset, piece.length)))

    def resolve(self, reference: str) -> str:
        """A reference of any spelling as a key of these mappings (canonical, project number -> ID)."""
        return with_id(canonical(reference), self.project_numbers)


def with_id(key: str, numbers: Mapping[str, str]) -> str:
    """A canonical reference with the project's ID in place of its number, where that is known."""
    if key[9:10].isdigit() and key.startswith("projects/"):
        project = project_of(key)
        found = numbers.get(project)
        if found is not None:
            return f"projects/{found}{key[9 + len(project) :]}"
    return key
