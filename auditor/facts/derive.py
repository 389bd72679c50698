"""The facts of each cluster and each network of one inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts import (
    flow_logs,
    gke_rules,
    masquerade,
    network,
    node_classes,
    pods,
    versions,
    visibility,
    windows,
)
from auditor.facts.index import Index
from auditor.facts.view import ClusterView
from auditor.model.facts import ClusterFacts, NetworkFacts

if TYPE_CHECKING:
    from auditor.model.inventory import Cluster, Inventory


class Deriver:
    """Derives facts from an inventory; what clusters have in common is looked up once."""

    def __init__(self, inventory: Inventory) -> None:
        self._index = Index(inventory)
        self._hashes = gke_rules.Hashes(self._index)

    def cluster(self, cluster: Cluster) -> ClusterFacts:
        """Everything derived about one cluster. Raises ValueError if the cluster has no data."""
        view = ClusterView(cluster, self._index)
        self._hashes.note(cluster)
        ranges = pods.derive(view)
        return ClusterFacts(
            visibility=visibility.derive(view),
            versions=versions.derive(view),
            pods=ranges,
            node_classes=node_classes.derive(view),
            masquerade=masquerade.derive(view, ranges),
            flow_logs=flow_logs.derive(view),
            network=network.derive(view),
            windows=windows.derive(view),
        )

    def network(self, key: str) -> NetworkFacts:
        """Everything derived about the network with this key of the inventory.

        The first call reads every cluster that `cluster` was not given yet, for the hashes of GKE's rules.
        """
        return NetworkFacts(gke_rules=gke_rules.derive(key, self._index, self._hashes))
