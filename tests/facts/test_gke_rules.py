"""Firewall rules that GKE made, and those that outlived their cluster."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.facts.derive import Deriver
from auditor.model.inventory import FIREWALL, Cluster, KubernetesEvidence
from auditor.model.network import EffectiveFirewalls
from tests.facts.organisation import (
    NETWORK,
    FakeCoverage,
    FakeInventory,
    data,
    entry,
    firewall_rule,
    inventory,
)

ALL_READ = FakeCoverage(frozenset({FIREWALL}), clusters=True)
STALE = "gke-old-44734575-all"


def within(*rules: str, clusters: dict[str, object] | None = None, **changes: Any) -> FakeInventory:
    """An inventory with rules of these names, and clusters with these ids: `checkout` unless told so."""
    identifiers = {"checkout": "abcdef0123"} if clusters is None else clusters
    contents = {
        (at := entry(name)).name: Cluster(at, data(id=identifier), KubernetesEvidence())
        for name, identifier in identifiers.items()
    }
    changes.setdefault("coverage", ALL_READ)
    changes.setdefault("firewall_rules", {NETWORK: tuple(firewall_rule(name) for name in rules)})
    return inventory(clusters=tuple(one.entry for one in contents.values()), contents=contents, **changes)


def stale(found: FakeInventory) -> list[str] | None:
    rules = Deriver(found).network(NETWORK).gke_rules
    return None if rules.stale is None else [one.name for one in rules.stale]


@pytest.mark.parametrize("suffix", ["all", "vms", "master", "inkubelet", "exkubelet", "ssh", "mcsd"])
@pytest.mark.parametrize("prefix", ["gke", "gk3"])
def test_every_kind_of_rule_is_matched_by_hash(prefix: str, suffix: str) -> None:
    mine, old = f"{prefix}-checkout-abcdef01-{suffix}", f"{prefix}-checkout-44734575-{suffix}"
    found = within(mine, old)
    assert stale(found) == [old]
    assert Deriver(found).network(NETWORK).gke_rules.count == 2


def test_ipv6_rules_carry_no_name() -> None:
    found = within("gke-abcdef01-ipv6-all", "gke-44734575-ipv6-all")
    rules = Deriver(found).network(NETWORK).gke_rules
    assert rules.stale is not None
    assert [(one.name, one.cluster_name, one.cluster_hash) for one in rules.stale] == [
        ("gke-44734575-ipv6-all", "", "44734575")
    ]
    assert rules.evidence[0].asset.endswith("/gke-44734575-ipv6-all")


@pytest.mark.parametrize(
    "name",
    [
        "gke-gke2-all-test-deny",
        "gke-old-44734575-other",
        "gke-old-4473457-all",
        "gke-old-44734575-all-2",
        "k8s-fw-44734575",
        "my-gke-old-44734575-all",
        "gke-old-4473457G-all",
        "",
    ],
)
def test_other_rules_are_not_gkes(name: str) -> None:
    rules = Deriver(within(name)).network(NETWORK).gke_rules
    assert (rules.count, rules.stale) == (0, ())


def test_nothing_is_stale_if_a_cluster_may_be_missing() -> None:
    found = within(STALE, coverage=FakeCoverage(frozenset({FIREWALL}), clusters=False))
    rules = Deriver(found).network(NETWORK).gke_rules
    assert (rules.count, rules.stale) == (1, None)
    assert "Not every cluster" in rules.unknowns[0].reason


def test_a_cluster_without_id_may_own_the_rules_that_fit_its_name() -> None:
    found = within(
        "gke-pay-44734575-all",
        "gke-payments-eu-44734575-all",
        "gke-other-44734575-all",
        clusters={"payments": None},
    )
    assert stale(found) == ["gke-payments-eu-44734575-all", "gke-other-44734575-all"][1:]
    unknowns = Deriver(found).network(NETWORK).gke_rules.unknowns
    assert "gke-pay-44734575-all" in unknowns[0].reason


def test_rules_that_were_not_all_read_leave_their_absence_unknown() -> None:
    coverage = FakeCoverage(frozenset(), clusters=True)
    assert stale(within("gke-checkout-abcdef01-all", coverage=coverage)) is None
    assert stale(within(STALE, coverage=coverage)) == [STALE]


def test_effective_firewalls_are_read_too_and_each_rule_counts_once() -> None:
    rules = (firewall_rule(STALE), firewall_rule("gke-checkout-abcdef01-vms"))
    found = within(
        STALE,
        coverage=FakeCoverage(frozenset(), clusters=True),
        effective={NETWORK: (EffectiveFirewalls(NETWORK, "", rules, ()),)},
    )
    facts = Deriver(found).network(NETWORK).gke_rules
    assert facts.count == 2
    assert stale(found) == [STALE]


def test_clusters_that_were_seen_are_not_read_again() -> None:
    found = within(STALE, clusters={"a": "abcdef0123", "b": "44734575ff"})
    deriver = Deriver(found)
    deriver.cluster(found.contents[found.clusters[0].name])
    assert deriver.network(NETWORK).gke_rules.stale == ()
    assert found.decoded == [found.clusters[1].name]
    deriver.network(NETWORK)
    assert len(found.decoded) == 1


def test_a_rule_that_may_belong_to_a_cluster_without_data_is_not_known_to_be_stale_or_not() -> None:
    at = entry("old")
    found = within(STALE)
    found.clusters = (at,)
    found.contents = {at.name: Cluster(at, None, KubernetesEvidence())}
    assert stale(found) is None
    with pytest.raises(ValueError, match="has no data"):
        Deriver(found).cluster(found.contents[at.name])
