"""Which clusters use a network, and what about them is not known."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.facts.derive import Deriver
from auditor.model.inventory import FIREWALL, Cluster, ClusterEntry, KubernetesEvidence
from tests.facts.organisation import NETWORK, FakeCoverage, data, entry, inventory, pool

ALL_READ = FakeCoverage(frozenset({FIREWALL}), clusters=True)
NOWHERE = {"networkConfig": {"network": "vpc"}}
POOLLESS = {"nodePools": None}


def deriver(clusters: dict[str, dict[str, Any] | None]) -> Deriver:
    """A deriver for clusters of these names, each with what differs from a usual one; None has no data."""
    contents: dict[str, Cluster] = {}
    for name, changes in clusters.items():
        at = entry(name)
        content = None if changes is None else data(**changes)
        contents[at.name] = Cluster(at, content, KubernetesEvidence())
    return Deriver(
        inventory(
            clusters=tuple(one.entry for one in contents.values()), contents=contents, coverage=ALL_READ
        )
    )


def test_clusters_are_counted_by_the_network_they_name_whatever_is_known_of_their_pools() -> None:
    found = deriver({"a": {}, "b": POOLLESS, "c": {"nodePools": []}}).network(NETWORK).pod_rules
    assert found.clusters == 3


def test_no_cluster_uses_a_network_only_if_every_cluster_names_another() -> None:
    other = deriver({"a": {}}).network(f"{NETWORK}-2").pod_rules
    assert (other.clusters, other.shadowed, other.unknowns) == (0, (), ())


@pytest.mark.parametrize("changes", [NOWHERE, None], ids=["names no network", "has no data"])
def test_a_cluster_that_may_use_any_network_may_use_this_one(changes: dict[str, Any] | None) -> None:
    found = deriver({"a": {}, "b": changes}).network(f"{NETWORK}-2").pod_rules
    assert (found.clusters, found.shadowed) == (None, None)
    (unknown,) = found.unknowns
    assert unknown.path == "pod_rules.clusters"
    assert entry("b").name in unknown.reason
    assert "gcloud container clusters describe b" in unknown.hint


def test_beside_a_cluster_that_does_it_is_no_reason_for_doubt() -> None:
    found = deriver({"a": {}, "b": None}).network(NETWORK).pod_rules
    assert (found.clusters, found.shadowed) == (1, ())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (POOLLESS, "the node pools of the cluster are not in the inventory"),
        ({"nodePools": []}, "the cluster has no node pools"),
        ({"nodePools": [pool("p", networkConfig={"podRange": "gone"})]}, "range of node pool p is not known"),
    ],
)
def test_a_rule_may_decide_what_is_not_known_of_a_clusters_pods(changes: dict[str, Any], why: str) -> None:
    found = deriver({"a": {}, "b": changes}).network(NETWORK).pod_rules
    assert found.shadowed is None
    (unknown,) = found.unknowns
    assert unknown.path == "pod_rules.shadowed"
    assert entry("b").name in unknown.reason
    assert why in unknown.reason


def test_the_first_cluster_is_named_in_whatever_order_and_by_whomever_they_were_looked_at() -> None:
    names = ["c", "a", "b"]
    whole = deriver(dict.fromkeys(names, POOLLESS)).network(NETWORK).pod_rules
    assert whole.unknowns
    assert entry("a").name in whole.unknowns[0].reason
    apart = deriver(dict.fromkeys(names, POOLLESS))
    helper = deriver(dict.fromkeys(names, POOLLESS))

    def looked_at(by: Deriver, at: ClusterEntry) -> None:
        by.cluster(Cluster(at, data(**POOLLESS), KubernetesEvidence()))

    looked_at(apart, entry("c"))
    looked_at(helper, entry("a"))
    apart.learn(helper.learned())
    assert apart.network(NETWORK).pod_rules == whole
