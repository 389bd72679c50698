"""What the analysis says of small clusters, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditor.firewall import Analyzer, analyzer
from auditor.model.facts import NodeClasses, Pods
from auditor.model.inventory import FIREWALL, FIREWALL_POLICY
from auditor.model.traffic import KUBELET_READ_ONLY, box_json, traffic_json
from tests.firewall.organisations import (
    NETWORK_KEY,
    asset,
    cluster,
    network,
    node_class,
    organisation,
    policy,
    policy_rule,
    pool_pods,
    vpc_rule,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.model.traffic import Box, Traffic

TAG = "gke-shop-aaaaaaaa-node"
EVERYTHING = "tcp udp sctp icmp esp ah"
ANY4: dict[str, Any] = {"srcIpRanges": ["0.0.0.0/0"]}


def gke_all(*ranges: str, name: str = "gke-shop-aaaaaaaa-all", tag: str = TAG, **more: Any) -> dict[str, Any]:
    """GKE's own rule that opens the Pod ranges to each other."""
    return vpc_rule(name, sourceRanges=list(ranges), allowed=EVERYTHING, targetTags=[tag], **more)


def analyse(
    *assets: dict[str, Any],
    pools: tuple[Any, ...] = (pool_pods("a", "10.8.0.0/16"),),
    classes: tuple[Any, ...] | None = None,
    **options: Any,
) -> Traffic:
    return Analyzer(organisation(assets, **options)).traffic(*cluster(pools, classes))


def told(boxes: Sequence[Box]) -> list[tuple[str, str, str, str, str | None]]:
    return [(b.direction, b.source, b.destination, b.protocol, b.ports) for b in boxes]


def verdicts(traffic: Traffic) -> tuple[str, str]:
    return traffic.same_node.verdict, traffic.any_node.verdict


def test_gkes_own_rule_and_the_implied_egress_rule_allow_everything() -> None:
    traffic = analyse(network(), gke_all("10.8.0.0/16"))
    assert verdicts(traffic) == ("allowed", "allowed")
    assert traffic.same_node.by_protocol == dict.fromkeys(
        ("tcp", "udp", "sctp", "icmp", "esp", "ah"), "allowed"
    )
    assert (traffic.unknowns, traffic.same_node.reasons) == ((), ())
    assert [decider.rule for decider in traffic.same_node.deciders] == ["gke-shop-aaaaaaaa-all"]


def test_without_any_rule_the_implied_deny_closes_ingress() -> None:
    traffic = analyse(network())
    assert verdicts(traffic) == ("denied", "denied")
    box = traffic.same_node.denied[0]
    assert told((box,)) == [("ingress", "10.8.0.0/16", "10.8.0.0/16", "tcp", "1-65535")]
    assert box.decided_by is not None
    assert (box.decided_by.stage, box.decided_by.asset, box.decided_by.priority) == ("implied", None, None)
    assert traffic.same_node.deciders == ()


def test_a_range_between_halves_is_denied_between_nodes_but_not_on_one() -> None:
    halves = [
        vpc_rule(f"half-{i}", sourceRanges=[half], destinationRanges=[half], allowed="all")
        for i, half in enumerate(("10.8.0.0/17", "10.8.128.0/17"))
    ]
    assert verdicts(analyse(network(), *halves)) == ("allowed", "partial")


def test_boxes_are_exact_where_a_rule_cuts_a_pod_range() -> None:
    deny = vpc_rule("deny", priority=10, sourceRanges=["10.8.4.0/24"], denied="tcp:80-90")
    traffic = analyse(network(), gke_all("10.8.0.0/16"), deny)
    assert told(traffic.any_node.denied) == [("ingress", "10.8.4.0/24", "10.8.0.0/16", "tcp", "80-90")]
    assert told(traffic.same_node.denied) == [("ingress", "10.8.4.0/24", "10.8.4.0/24", "tcp", "80-90")]
    assert traffic.any_node.by_protocol["tcp"] == "partial"
    assert traffic.any_node.by_protocol["udp"] == "allowed"
    assert (traffic.any_node.everyday, traffic.any_node.rare) == ("partial", "allowed")


def test_a_witness_is_of_one_block_and_never_its_own_peer() -> None:
    deny = vpc_rule("deny", direction="EGRESS", priority=10, denied="udp")
    traffic = analyse(network(), gke_all("10.8.0.0/16"), deny)
    (box,) = traffic.same_node.denied
    assert box.witness is not None
    assert box.witness.source != box.witness.destination
    assert box.witness.source.rpartition(".")[0] == box.witness.destination.rpartition(".")[0]


def test_one_address_alone_has_no_witness() -> None:
    traffic = analyse(network(), pools=(pool_pods("a", "10.8.0.7/32", ipv4_block=32),))
    assert all(box.witness is None for box in traffic.same_node.denied)


def test_pools_that_share_a_range_share_a_box() -> None:
    pools = (pool_pods("a", "10.8.0.0/16"), pool_pods("b", "10.8.0.0/16"))
    traffic = analyse(network(), pools=pools)
    assert {(box.source_pools, box.destination_pools) for box in traffic.any_node.denied} == {
        (("a", "b"),) * 2
    }


def test_ranges_of_pools_that_overlap_are_cut_where_the_pools_differ() -> None:
    pools = (pool_pods("a", "10.8.0.0/16"), pool_pods("b", "10.8.0.0/17"))
    traffic = analyse(network(), pools=pools)
    found = {(box.source, box.source_pools) for box in traffic.any_node.denied}
    assert found == {("10.8.0.0/17", ("a", "b")), ("10.8.128.0/17", ("a",))}


def test_the_kubelet_port_that_gke_closes_is_benign() -> None:
    closed = vpc_rule(
        "gke-shop-aaaaaaaa-exkubelet", sourceRanges=["0.0.0.0/0"], denied="tcp:10255", targetTags=[TAG]
    )
    traffic = analyse(network(), gke_all("10.8.0.0/16"), closed)
    (box,) = traffic.same_node.denied
    assert (box.ports, box.benign) == ("10255", KUBELET_READ_ONLY)
    assert traffic.same_node.verdict == "partial"
    assert traffic.same_node.by_protocol["tcp"] == "partial"
    assert traffic.same_node.everyday == "allowed"
    assert box_json(box)["benign"] == KUBELET_READ_ONLY


@pytest.mark.parametrize(
    ("name", "denied"),
    [
        ("gke-shop-bbbbbbbb-exkubelet", "tcp:10255"),
        ("closes-10255", "tcp:10255"),
        ("gke-shop-aaaaaaaa-exkubelet", "tcp:10250-10255"),
    ],
)
def test_other_denials_of_the_kubelet_port_are_not(name: str, denied: str) -> None:
    closed = vpc_rule(name, sourceRanges=["0.0.0.0/0"], denied=denied)
    traffic = analyse(network(), gke_all("10.8.0.0/16"), closed)
    assert all(box.benign is None for box in traffic.same_node.denied)
    assert traffic.same_node.everyday == "partial"


def test_rare_protocols_are_told_apart() -> None:
    traffic = analyse(network(), vpc_rule("everyday", sourceRanges=["10.0.0.0/8"], allowed="tcp udp icmp"))
    assert (traffic.same_node.everyday, traffic.same_node.rare) == ("allowed", "denied")


def test_source_tags_stand_for_nodes_and_not_for_ipv4_pods() -> None:
    traffic = analyse(network(), vpc_rule("nodes", sourceTags=[TAG], allowed="all"))
    assert verdicts(traffic) == ("denied", "denied")


def test_a_rule_of_another_cluster_of_the_same_name_does_not_count() -> None:
    traffic = analyse(network(), gke_all("10.8.0.0/16", tag="gke-shop-bbbbbbbb-node"))
    assert verdicts(traffic) == ("denied", "denied")


def test_a_cluster_name_may_be_cut_short_in_the_node_tag() -> None:
    traffic = analyse(network(), gke_all("10.8.0.0/16", tag="gke-sho-aaaaaaaa-node"))
    assert verdicts(traffic) == ("allowed", "allowed")


def test_without_the_cluster_id_its_node_tag_cannot_be_told() -> None:
    classes = (node_class("a", cluster_hash=None),)
    traffic = analyse(network(), gke_all("10.8.0.0/16"), classes=classes)
    assert verdicts(traffic) == ("unknown", "unknown")
    assert any("id of the cluster" in reason for reason in traffic.same_node.reasons)
    assert traffic.same_node.undecided[0].decided_by is None
    assert [c.rule for c in traffic.same_node.undecided[0].candidates] == [
        "gke-shop-aaaaaaaa-all",
        "implied deny ingress",
    ]


def test_a_second_pod_range_that_no_rule_covers_is_denied() -> None:
    pools = (pool_pods("a", "10.8.0.0/16"), pool_pods("gpu", "10.12.0.0/20"))
    traffic = analyse(network(), gke_all("10.8.0.0/16"), pools=pools)
    assert traffic.same_node.verdict == "partial"
    assert {(b.source, b.source_pools) for b in traffic.same_node.denied} == {("10.12.0.0/20", ("gpu",))}
    assert {(b.source, b.destination_pools) for b in traffic.any_node.denied} == {
        ("10.12.0.0/20", ("a",)),
        ("10.12.0.0/20", ("gpu",)),
    }


def test_pools_with_different_tags_are_different_targets() -> None:
    deny = vpc_rule("deny", priority=10, denied="all", direction="EGRESS", targetTags=["web"])
    pools = (pool_pods("a", "10.8.0.0/16"), pool_pods("b", "10.8.0.0/16"))
    classes = (node_class("a", tags=("web",)), node_class("b"))
    traffic = analyse(network(), gke_all("10.8.0.0/16"), deny, pools=pools, classes=classes)
    assert {(b.source_pools, b.destination_pools) for b in traffic.any_node.denied} == {(("a",), ("a", "b"))}
    assert {(b.source_pools, b.destination_pools) for b in traffic.same_node.denied} == {(("a",), ("a",))}


def test_an_unresolved_range_makes_no_box_but_no_pass_either() -> None:
    pools = (pool_pods("a", "10.8.0.0/16"), pool_pods("b", resolved=False))
    traffic = analyse(network(), gke_all("10.8.0.0/16"), pools=pools)
    assert verdicts(traffic) == ("unknown", "unknown")
    assert (traffic.same_node.denied, traffic.same_node.undecided) == ((), ())
    assert any("pool b" in reason for reason in traffic.same_node.reasons)


def test_with_an_unresolved_range_a_denial_is_partial() -> None:
    assert (
        verdicts(analyse(network(), pools=(pool_pods("a", "10.8.0.0/16", resolved=False),)))
        == ("partial",) * 2
    )


@pytest.mark.parametrize(
    "pools", [(), (pool_pods("a"),), (pool_pods("a", "10.8.0.0"), pool_pods("b", "nonsense"))]
)
def test_a_cluster_of_which_nothing_is_known_is_unknown(pools: tuple[Any, ...]) -> None:
    traffic = analyse(network(), gke_all("10.8.0.0/16"), pools=pools)
    assert traffic.any_node.verdict != "allowed"
    assert traffic.any_node.reasons


def test_unknown_pools_are_unknown_traffic_with_the_reason() -> None:
    traffic = Analyzer(organisation([network()])).traffic(Pods((), (), (), ()), NodeClasses(None, ()))
    assert verdicts(traffic) == ("unknown", "unknown")
    assert traffic.same_node.reasons
    assert traffic.unknowns


def test_a_pool_without_a_known_identity_is_unknown() -> None:
    pools = (pool_pods("a", "10.8.0.0/16"), pool_pods("b", "10.9.0.0/16"))
    traffic = analyse(network(), gke_all("10.0.0.0/8"), pools=pools, classes=(node_class("a"),))
    assert verdicts(traffic) == ("unknown", "unknown")
    assert any("pool b" in reason for reason in traffic.same_node.reasons)


def test_an_unknown_network_leaves_every_packet_undecided() -> None:
    traffic = analyse(network(), gke_all("10.8.0.0/16"), classes=(node_class("a", network=None),))
    assert verdicts(traffic) == ("unknown", "unknown")
    assert {box.source for box in traffic.same_node.undecided} == {"10.8.0.0/16"}


@pytest.mark.parametrize("kind", [FIREWALL, FIREWALL_POLICY])
def test_a_type_that_was_not_read_leaves_it_undecided(kind: str) -> None:
    traffic = analyse(network(), gke_all("10.8.0.0/16"), unread=frozenset({kind}))
    assert verdicts(traffic) == ("unknown", "unknown")
    assert any(kind in reason for reason in traffic.same_node.reasons)
    assert all(
        c.action is None
        for b in traffic.same_node.undecided
        for c in b.candidates
        if c.asset is None and c.stage != "implied"
    )


def test_an_unread_hierarchy_leaves_it_undecided() -> None:
    assert verdicts(analyse(network(), gke_all("10.8.0.0/16"), hierarchy_read=False)) == (
        "unknown",
        "unknown",
    )


def test_a_policy_above_decides_even_where_those_below_were_not_read() -> None:
    top = policy(
        "7",
        [
            policy_rule(1, "INGRESS", "allow", **ANY4),
            policy_rule(2, "EGRESS", "deny", destIpRanges=["10.0.0.0/8"]),
        ],
        "organizations/1",
    )
    traffic = analyse(network(), top, unread=frozenset({FIREWALL}))
    assert verdicts(traffic) == ("denied", "denied")
    assert {b.decided_by.stage for b in traffic.same_node.denied if b.decided_by} == {"hierarchical"}


def test_a_network_of_which_nothing_is_there_is_a_gap_not_an_empty_firewall() -> None:
    traffic = analyse()
    assert verdicts(traffic) == ("unknown", "unknown")
    assert any(NETWORK_KEY in reason for reason in traffic.same_node.reasons)


def test_a_missing_network_asset_matters_only_where_the_orders_differ() -> None:
    deny = policy("global/n", [policy_rule(1, "INGRESS", "deny", "tcp:22", **ANY4)], NETWORK_KEY)
    traffic = analyse(gke_all("10.8.0.0/16"), deny)
    assert traffic.same_node.verdict == "unknown"
    assert {(b.protocol, b.ports) for b in traffic.same_node.undecided} == {("tcp", "22")}
    assert any("order" in reason for reason in traffic.same_node.reasons)
    assert verdicts(analyse(network(), gke_all("10.8.0.0/16"), deny)) == ("allowed", "allowed")
    assert verdicts(analyse(gke_all("10.8.0.0/16"))) == ("allowed", "allowed")


def test_the_enforcement_order_decides_between_vpc_rules_and_network_policies() -> None:
    deny = policy("global/n", [policy_rule(1, "INGRESS", "deny", **ANY4)], NETWORK_KEY)
    before = network(order="BEFORE_CLASSIC_FIREWALL")
    assert verdicts(analyse(before, gke_all("10.8.0.0/16"), deny)) == ("denied", "denied")


def test_an_order_that_is_no_such_value_is_unknown() -> None:
    deny = policy("global/n", [policy_rule(1, "INGRESS", "deny", **ANY4)], NETWORK_KEY)
    assert verdicts(analyse(network(order="SIDEWAYS"), gke_all("10.8.0.0/16"), deny)) == (
        "unknown",
        "unknown",
    )


def test_policies_follow_the_project_that_owns_the_network() -> None:
    elsewhere = policy("7", [policy_rule(1, "INGRESS", "deny", **ANY4)], "folders/22")
    above = policy("8", [policy_rule(1, "INGRESS", "deny", **ANY4)], "folders/10")
    assert verdicts(analyse(network(), gke_all("10.8.0.0/16"), elsewhere)) == ("allowed", "allowed")
    assert verdicts(analyse(network(), gke_all("10.8.0.0/16"), above)) == ("denied", "denied")


def test_policies_exist_and_nobody_knows_what_is_above_the_project() -> None:
    somewhere = policy("7", [policy_rule(1, "INGRESS", "deny", "tcp:22", **ANY4)], "folders/22")
    traffic = analyse(network(ancestors=()), gke_all("10.8.0.0/16"), somewhere)
    assert verdicts(traffic) == ("unknown", "unknown")
    assert verdicts(analyse(network(ancestors=()), gke_all("10.8.0.0/16"))) == ("allowed", "allowed")


def test_a_policy_whose_rules_are_not_there_is_no_empty_policy() -> None:
    listed = policy("global/n", [], NETWORK_KEY)
    del listed["resource"]["data"]["rules"]
    traffic = analyse(network(order="BEFORE_CLASSIC_FIREWALL"), gke_all("10.8.0.0/16"), listed)
    assert verdicts(traffic) == ("unknown", "unknown")


def test_an_association_that_cannot_be_read_may_apply_anywhere() -> None:
    top = policy("7", [policy_rule(1, "INGRESS", "deny", "tcp:22", **ANY4)], "folders/22")
    top["resource"]["data"]["associations"] = [{"name": "a", "attachmentTarget": 5}]
    traffic = analyse(network(), gke_all("10.8.0.0/16"), top)
    assert traffic.same_node.verdict == "unknown"


def test_project_numbers_are_resolved_and_a_number_nobody_knows_is_a_maybe() -> None:
    rule = vpc_rule("deny", priority=1, denied="tcp:22", sourceRanges=["0.0.0.0/0"])
    rule["resource"]["data"]["network"] = "projects/100/global/networks/vpc"
    project = asset(
        "cloudresourcemanager.googleapis.com/Project",
        "//cloudresourcemanager.googleapis.com/projects/host",
        {"projectId": "host", "projectNumber": "100"},
    )
    usual = (network(), gke_all("10.8.0.0/16"))
    assert analyse(project, *usual, rule).same_node.verdict == "partial"
    # The network's own ancestors tell its number, too.
    assert analyse(*usual, rule).same_node.verdict in ("unknown", "partial")
    rule["resource"]["data"]["network"] = "projects/999/global/networks/vpc"
    assert analyse(*usual, rule).same_node.verdict == "allowed"
    assert analyse(network(ancestors=()), usual[1], rule).same_node.verdict == "unknown"


def test_an_effective_answer_counts_for_its_network_alone() -> None:
    rules = [gke_all("10.8.0.0/16")["resource"]["data"]]
    answer = {"firewalls": rules, "firewallPolicys": []}
    effective = [{"network": NETWORK_KEY, "region": "europe-west1", "data": answer}]
    ignored = vpc_rule("deny", priority=1, denied="all", sourceRanges=["0.0.0.0/0"])
    traffic = analyse(network(), ignored, effective=effective, unread=frozenset({FIREWALL, FIREWALL_POLICY}))
    assert verdicts(traffic) == ("allowed", "allowed")


def test_the_global_effective_answer_is_the_last_word_where_policies_were_not_read() -> None:
    answer = {"firewalls": [gke_all("10.8.0.0/16")["resource"]["data"]]}
    effective = [{"network": NETWORK_KEY, "region": "", "data": answer}]
    traffic = analyse(network(), effective=effective, unread=frozenset({FIREWALL_POLICY}))
    assert verdicts(traffic) == ("allowed", "allowed")


def test_the_effective_answer_of_another_region_does_not_show_the_policies_of_this_one() -> None:
    answer = {"firewalls": [gke_all("10.8.0.0/16")["resource"]["data"]]}
    effective = [{"network": NETWORK_KEY, "region": "us-east1", "data": answer}]
    unread = analyse(network(), effective=effective, unread=frozenset({FIREWALL_POLICY}))
    assert verdicts(unread) == ("unknown", "unknown")
    assert any(
        "get-effective-firewalls --network=vpc --region=europe-west1" in r for r in unread.any_node.reasons
    )
    assert verdicts(analyse(network(), effective=effective)) == ("allowed", "allowed")


def test_rules_of_broken_assets_may_match_and_are_named() -> None:
    broken = vpc_rule("odd", priority=5, denied="tcp:22", sourceRanges=["10.8.0.0/16", "10.8.0.0/16/2"])
    traffic = analyse(network(), gke_all("10.8.0.0/16"), broken)
    assert traffic.same_node.verdict == "unknown"
    assert {(b.protocol, b.ports) for b in traffic.same_node.undecided} == {("tcp", "22")}
    assert any("'10.8.0.0/16/2'" in reason for reason in traffic.same_node.reasons)


@pytest.mark.parametrize(
    "change",
    [
        {"priority": "first"},
        {"direction": "SIDEWAYS"},
        {"disabled": "perhaps"},
        {"targetTags": [5]},
        {"denied": None},
        {"denied": [{"IPProtocol": "tpc"}]},
        {"network": 7},
    ],
)
def test_whatever_cannot_be_understood_is_undecided_never_allowed(change: dict[str, Any]) -> None:
    broken = vpc_rule("odd", denied="all", sourceRanges=["0.0.0.0/0"], priority=10)
    broken["resource"]["data"].update(change)
    traffic = analyse(network(), gke_all("10.8.0.0/16"), broken)
    assert traffic.same_node.verdict == "unknown"


def test_ipv6_pods_are_analysed_apart() -> None:
    pools = (pool_pods("a", "10.8.0.0/16", "fd20::/64"),)
    usual = (network(), gke_all("10.8.0.0/16"))
    traffic = analyse(*usual, pools=pools)
    assert traffic.same_node.by_protocol["icmpv6"] == "denied"
    assert (traffic.same_node.by_protocol["icmp"], traffic.same_node.by_protocol["tcp"]) == (
        "allowed",
        "partial",
    )
    v6 = vpc_rule("gke-aaaaaaaa-ipv6-all", sourceRanges=["fd20::/64"], allowed="tcp udp sctp 58 esp ah")
    assert verdicts(analyse(*usual, v6, pools=pools)) == ("allowed", "allowed")


def test_ipv6_traffic_needs_rules_that_name_ipv6() -> None:
    pools = (pool_pods("a", "fd20::/64"),)
    traffic = analyse(network(), vpc_rule("open", allowed="all"), pools=pools)
    assert verdicts(traffic) == ("denied", "denied")
    assert "icmp" not in traffic.same_node.by_protocol


def test_no_more_pairs_are_looked_at_than_the_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "PAIR_LIMIT", 50)
    rules = [
        vpc_rule(
            f"r{i}",
            priority=i,
            sourceRanges=[f"10.8.{i}.0/32"],
            destinationRanges=[f"10.8.{i}.9/32"],
            denied=f"tcp:{i + 1}",
        )
        for i in range(20)
    ]
    traffic = analyse(network(), gke_all("10.8.0.0/16"), *rules)
    assert traffic.any_node.verdict == "unknown"
    assert any("analysis limit" in reason for reason in traffic.any_node.reasons)
    assert {(b.source, b.destination) for b in traffic.any_node.undecided} == {("10.8.0.0/16", "10.8.0.0/16")}
    assert len(traffic.any_node.undecided) == 6


def test_a_thousand_rules_that_cut_one_side_each_stay_within_the_limit() -> None:
    rules = [
        vpc_rule(f"i{i}", priority=9, sourceRanges=[f"10.8.{i % 250}.{i // 250}/32"], denied=f"tcp:{i + 1}")
        for i in range(500)
    ]
    rules += [
        vpc_rule(
            f"e{i}",
            priority=9,
            direction="EGRESS",
            destinationRanges=[f"10.8.{i % 250}.{i // 250}/32"],
            denied=f"udp:{i + 1}",
        )
        for i in range(500)
    ]
    traffic = analyse(network(), gke_all("10.8.0.0/16"), *rules)
    assert (len(traffic.any_node.denied), traffic.any_node.reasons) == (1000, ())
    assert verdicts(traffic) == ("partial", "partial")


def test_the_answer_does_not_depend_on_the_order_of_assets() -> None:
    deny = vpc_rule("deny", priority=10, sourceRanges=["10.8.4.0/24"], denied="tcp:80-90")
    twin = vpc_rule("twin", priority=10, sourceRanges=["10.8.4.0/24"], denied="tcp:85")
    assets = (network(), gke_all("10.8.0.0/16"), deny, twin)
    assert traffic_json(analyse(*assets)) == traffic_json(analyse(*reversed(assets)))


def test_one_analyzer_gives_each_cluster_its_own_answer() -> None:
    shared = Analyzer(organisation([network(), gke_all("10.8.0.0/16")]))
    ours = cluster([pool_pods("a", "10.8.0.0/16")])
    others = cluster(
        [pool_pods("a", "10.8.0.0/16")], [node_class("a", cluster_name="x", cluster_hash="cccccccc")]
    )
    assert [shared.traffic(*facts).same_node.verdict for facts in (ours, others, ours)] == [
        "allowed",
        "denied",
        "allowed",
    ]


def test_the_json_form_holds_every_box() -> None:
    traffic = analyse(network())
    found: Any = traffic_json(traffic)
    assert json.loads(json.dumps(found)) == found
    first = found["same_node"]["denied"][0]
    assert list(first) == [
        *("direction", "source", "destination", "protocol", "ports", "source_pools", "destination_pools"),
        *("decided_by", "witness"),
    ]
    assert len(found["same_node"]["denied"]) == len(traffic.same_node.denied)


def test_a_decider_knows_whether_it_logs() -> None:
    traffic = analyse(network(), gke_all("10.8.0.0/16", logConfig={"enable": True}))
    assert [decider.logging for decider in traffic.same_node.deciders] == [True]


def test_denials_are_evidence_with_the_asset_that_decides() -> None:
    traffic = analyse(network(), vpc_rule("deny", direction="EGRESS", denied="all"))
    assert [e.asset for e in traffic.evidence] == [
        "//compute.googleapis.com/projects/host/global/firewalls/deny"
    ]


def test_rules_of_another_network_of_the_project_do_not_count() -> None:
    key = "projects/host/global/networks/other"
    rule = gke_all("10.8.0.0/16", network=key)
    assert verdicts(analyse(network(), network(key), rule)) == ("denied", "denied")
