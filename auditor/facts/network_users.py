"""Which clusters use a network, and what about them is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditor.facts import commands
from auditor.facts.view import no_network

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView
    from auditor.model.facts import NodeClasses, Pods
    from auditor.model.inventory import ClusterEntry


class Doubt(NamedTuple):
    """Something about a cluster that is not known, and what would settle it; the least is the first."""

    cluster: str
    reason: str
    hint: str


class NetworkUsers:
    """The clusters noted so far by network; it can be pickled."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._doubts: dict[str, Doubt] = {}
        self._unplaced: Doubt | None = None

    def note(self, view: ClusterView, pods: Pods, classes: NodeClasses) -> None:
        """Take in a cluster with its Pods and nodes."""
        network = view.network
        if network is None:
            self._nowhere(Doubt(view.asset, no_network(view), view.hint()))
            return
        self._counts[network] = self._counts.get(network, 0) + 1
        reason = _lacking(pods, classes)
        if reason is not None:
            self._doubt(network, Doubt(view.asset, reason, view.hint()))

    def note_bare(self, entry: ClusterEntry) -> None:
        """Take in a cluster without data."""
        reason = "The inventory holds no data about the cluster."
        self._nowhere(Doubt(entry.name, reason, commands.describe_cluster(entry)))

    def add(self, other: NetworkUsers) -> None:
        """Take in what another one has noted, of other clusters."""
        for network, count in other._counts.items():
            self._counts[network] = self._counts.get(network, 0) + count
        for network, doubt in other._doubts.items():
            self._doubt(network, doubt)
        if other._unplaced is not None:
            self._nowhere(other._unplaced)

    def count(self, network: str) -> int:
        """How many clusters are known to use the network."""
        return self._counts.get(network, 0)

    def doubt(self, network: str) -> Doubt | None:
        """The first cluster of the network of which not all Pods and nodes are known."""
        return self._doubts.get(network)

    @property
    def unplaced(self) -> Doubt | None:
        """The first cluster that may use any network."""
        return self._unplaced

    def _doubt(self, network: str, doubt: Doubt) -> None:
        known = self._doubts.get(network)
        self._doubts[network] = doubt if known is None else min(known, doubt)

    def _nowhere(self, doubt: Doubt) -> None:
        self._unplaced = doubt if self._unplaced is None else min(self._unplaced, doubt)


def _lacking(pods: Pods, classes: NodeClasses) -> str | None:
    """What is not known of a cluster's Pods and nodes."""
    if classes.classes is None:
        return classes.unknowns[0].reason if classes.unknowns else "The node pools are not known."
    if not pods.pools:
        return "The cluster has no node pools."
    for pool in pods.pools:
        if not (pool.resolved and pool.ranges):
            return f"Some Pod range of node pool {pool.name} is not known."
    return None
