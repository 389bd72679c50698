"""The facts of each cluster and each network of one inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditor.facts import (
    flow_logs,
    gke_rules,
    masquerade,
    network,
    node_classes,
    pods,
    readiness,
    traffic,
    versions,
    visibility,
    windows,
)
from auditor.facts.index import Index
from auditor.facts.network_users import NetworkUsers
from auditor.facts.view import ClusterView
from auditor.firewall import Analyzer, shadow
from auditor.firewall.shadow import Shadows
from auditor.model.facts import ClusterFacts, NetworkFacts

if TYPE_CHECKING:
    from auditor.model.inventory import Cluster, Inventory


class Learned(NamedTuple):
    """What the clusters that a deriver was given mean for networks; it can be pickled."""

    seen: set[str]
    users: NetworkUsers
    hashes: gke_rules.Noted
    shadows: dict[str, shadow.Seen]


class Deriver:
    """Derives facts from an inventory; what clusters have in common is looked up once."""

    def __init__(self, inventory: Inventory) -> None:
        self._index = Index(inventory)
        self._hashes = gke_rules.Hashes(self._index)
        self.analyzer = Analyzer(inventory)
        self._seen: set[str] = set()
        self._shadows = Shadows(self.analyzer, traffic.is_users)
        self._users = NetworkUsers()

    def cluster(self, cluster: Cluster) -> ClusterFacts:
        """Everything derived about one cluster. Raises ValueError if the cluster has no data."""
        view = ClusterView(cluster, self._index)
        self._hashes.note(cluster)
        ranges = pods.derive(view)
        classes = node_classes.derive(view)
        if cluster.entry.name not in self._seen:
            self._seen.add(cluster.entry.name)
            self._users.note(view, ranges, classes)
        seen, running = visibility.derive(view), versions.derive(view)
        masquerading, on_windows = masquerade.derive(view, ranges), windows.derive(view)
        packets = traffic.derive(self.analyzer, ranges, classes, self._shadows)
        return ClusterFacts(
            visibility=seen,
            versions=running,
            pods=ranges,
            node_classes=classes,
            masquerade=masquerading,
            flow_logs=flow_logs.derive(view),
            network=network.derive(view),
            windows=on_windows,
            traffic=packets,
            readiness=readiness.derive(seen, running, on_windows, masquerading, packets),
        )

    def learned(self) -> Learned:
        """What the clusters given so far mean for networks, for another deriver of the same inventory."""
        return Learned(self._seen, self._users, self._hashes.noted, self._shadows.seen())

    def learn(self, learned: Learned) -> None:
        """Take the clusters of another deriver, none of them given to this one, for given."""
        self._seen |= learned.seen
        self._users.add(learned.users)
        self._hashes.learn(learned.hashes)
        self._shadows.learn(learned.shadows)

    def network(self, key: str) -> NetworkFacts:
        """Everything derived about the network with this key of the inventory.

        The first call derives the facts of every cluster that `cluster` was not given yet.
        """
        inventory = self._index.inventory
        if len(self._seen) < len(inventory.clusters):
            for entry in inventory.clusters:
                if entry.name not in self._seen:
                    cluster = inventory.decode(entry)
                    if cluster.data is not None:
                        self.cluster(cluster)
                    else:
                        self._seen.add(entry.name)
                        self._hashes.note(cluster)
                        self._users.note_bare(entry)
        return NetworkFacts(
            gke_rules=gke_rules.derive(key, self._index, self._hashes),
            pod_rules=traffic.pod_rules(key, self._index, self._shadows, self._users),
        )
