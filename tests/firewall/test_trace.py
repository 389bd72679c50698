"""One packet through both directions."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from auditor.errors import AuditorError
from auditor.firewall import Analyzer
from auditor.firewall.trace import Trace, trace, trace_json, trace_text
from auditor.model.addresses import Family, address_text
from auditor.model.facts import NodeClasses, Pods
from tests.firewall.adversary import organisation as random_organisation
from tests.firewall.adversary import packets
from tests.firewall.comparison import Regions, classes_of, inventory_of, pods_of
from tests.firewall.organisations import (
    NETWORK_KEY,
    cluster,
    network,
    node_class,
    organisation,
    policy,
    policy_rule,
    pool_pods,
    vpc_rule,
)

ASSETS = (
    network(),
    vpc_rule("pods", sourceRanges=["10.8.0.0/15"], allowed="tcp udp"),
    vpc_rule("quiet", direction="EGRESS", denied="udp:53", priority=65000),
    policy(
        "7",
        [
            policy_rule(1, "EGRESS", "deny", "tcp:22", destFqdns=["x.example"], description="by name"),
            policy_rule(9, "EGRESS", "goto_next", destIpRanges=["0.0.0.0/0"]),
        ],
        "organizations/1",
    ),
)
FACTS = cluster([pool_pods("a", "10.8.0.0/16"), pool_pods("b", "10.9.0.0/16")])
A, B = "10.8.0.4", "10.9.0.4"


def traced(protocol: str = "tcp", port: int | None = 443, source: str = A, to: str = B, **more: Any) -> Trace:
    return trace(Analyzer(organisation(ASSETS)), *FACTS, source, to, protocol, port, **more)


def test_an_allowed_packet_is_decided_by_the_implied_rule_out_and_a_vpc_rule_in() -> None:
    found = traced()
    assert found.verdict == "allowed"
    assert found.egress.decided_by is not None
    assert found.ingress.decided_by is not None
    assert (found.egress.decided_by.stage, found.ingress.decided_by.rule) == ("implied", "pods")
    assert (found.packet.from_pool, found.packet.to_pool) == ("a", "b")


def test_both_directions_are_told_even_if_the_first_denies() -> None:
    found = traced("udp", 53)
    assert (found.verdict, found.egress.verdict, found.ingress.verdict) == ("denied", "denied", "allowed")


def test_a_rule_that_may_match_makes_it_unknown_and_says_why() -> None:
    found = traced("tcp", 22)
    assert (found.verdict, found.egress.decided_by) == ("unknown", None)
    assert [c.rule for c in found.egress.candidates] == ["by name", "implied allow egress"]
    assert any("FQDN" in reason for reason in found.egress.reasons)


def test_stages_come_in_order_and_stop_where_the_packet_does() -> None:
    found = traced("udp", 53)
    assert [(s.stage, s.outcome) for s in found.egress.stages] == [
        ("hierarchical", "next"),
        ("vpc", "deny"),
        ("implied", "not reached"),
    ]
    assert [m.decider.action for m in found.egress.stages[0].matches] == ["goto_next"]


def test_the_json_form_is_the_contract() -> None:
    found: Any = trace_json(traced("tcp", 22))
    assert json.loads(json.dumps(found)) == found
    assert found["verdict"] == "unknown"
    assert found["egress"]["decided_by"] is None
    assert found["ingress"]["decided_by"] == {
        "asset": "//compute.googleapis.com/projects/host/global/firewalls/pods",
        "rule": "pods",
        "priority": 1000,
        "stage": "vpc",
        "action": "allow",
    }
    assert found["egress"]["candidates"][1] == {
        "asset": None,
        "rule": "implied allow egress",
        "priority": None,
        "stage": "implied",
        "action": "allow",
    }


def test_the_text_names_each_rule_on_the_way() -> None:
    text = trace_text(traced("tcp", 22))
    assert text.startswith("tcp:22 from 10.8.0.4 (pool a) to 10.9.0.4 (pool b): unknown\n")
    assert "may match: by name priority 1, deny" in text
    assert "matches: pods priority 1000, allow" in text
    assert "icmp from" in trace_text(traced("icmp", None))


@pytest.mark.parametrize(
    ("change", "place", "told"),
    [
        ({"source": "10.7.0.1"}, "--from", "10.8.0.0/16"),
        ({"to": "nonsense"}, "--to", "address"),
        ({"to": "10.8.0.0/24"}, "--to", "address"),
        ({"to": "fd00::1"}, None, "version"),
        ({"protocol": "icmpv6", "port": None}, "--protocol", "tcp, udp, sctp, icmp, esp, ah"),
        ({"protocol": "icmp"}, "--port", "--port"),
        ({"port": None}, "--port", "65535"),
        ({"port": 0}, "--port", "65535"),
        ({"from_pool": "c"}, "--from-pool", "a: 10.8.0.0/16"),
        ({"from_pool": "b"}, "--from", "b: 10.9.0.0/16"),
    ],
)
def test_what_is_wrong_comes_with_a_hint(change: dict[str, Any], place: str | None, told: str) -> None:
    with pytest.raises(AuditorError) as caught:
        traced(**change)
    assert caught.value.place == place
    assert told in caught.value.hint


def test_an_address_of_two_pools_needs_the_pool() -> None:
    facts = cluster([pool_pods("a", "10.8.0.0/16"), pool_pods("b", "10.8.0.0/16")])
    analyzer = Analyzer(organisation(ASSETS))
    with pytest.raises(AuditorError, match="several pools") as caught:
        trace(analyzer, *facts, A, A, "tcp", 1)
    assert "a, b" in caught.value.hint
    assert trace(analyzer, *facts, A, A, "tcp", 1, "a", "b").packet.to_pool == "b"


def test_a_pool_with_an_unknown_range_may_have_any_address_if_named() -> None:
    facts = cluster([pool_pods("a", "10.8.0.0/16"), pool_pods("b", resolved=False)])
    analyzer = Analyzer(organisation(ASSETS))
    assert trace(analyzer, *facts, A, "172.16.0.1", "tcp", 1, to_pool="b").packet.to_pool == "b"
    with pytest.raises(AuditorError):
        trace(analyzer, *facts, A, "172.16.0.1", "tcp", 1)


def test_unknown_pools_are_an_error_with_a_hint() -> None:
    with pytest.raises(AuditorError, match="node pools"):
        trace(Analyzer(organisation(ASSETS)), Pods((), (), (), ()), NodeClasses(None, ()), A, B, "tcp", 1)


def test_an_unknown_enforcement_order_is_a_reason() -> None:
    deny = policy("global/n", [policy_rule(1, "INGRESS", "deny", srcIpRanges=["0.0.0.0/0"])], NETWORK_KEY)
    analyzer = Analyzer(organisation([*ASSETS[1:3], deny]))
    found = trace(analyzer, *FACTS, A, B, "tcp", 1)
    assert found.ingress.verdict == "unknown"
    assert any("order" in reason for reason in found.ingress.reasons)


def test_a_node_tag_that_cannot_be_told_is_a_reason() -> None:
    rule = vpc_rule(
        "pods", sourceRanges=["10.8.0.0/16"], allowed="all", targetTags=["gke-shop-aaaaaaaa-node"]
    )
    facts = cluster([pool_pods("a", "10.8.0.0/16")], [node_class("a", cluster_hash=None)])
    found = trace(Analyzer(organisation([network(), rule])), *facts, A, "10.8.0.5", "tcp", 1)
    assert any("id of the cluster" in reason for reason in found.ingress.reasons)


@pytest.mark.parametrize("seed", range(700, 730))
def test_trace_and_analysis_agree_on_random_organisations(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    subject = random_organisation(random)
    analyzer = Analyzer(inventory_of(subject))
    facts = pods_of(subject.pools), classes_of(subject.pools)
    regions = Regions(analyzer.traffic(*facts).any_node)
    every = list(packets(subject))
    for packet in random.sample(every, min(60, len(every))):
        family: Family = 4 if packet.version == 4 else 6
        found = trace(
            analyzer,
            *facts,
            address_text(family, packet.source),
            address_text(family, packet.destination),
            packet.protocol,
            packet.port,
            packet.source_pool.name,
            packet.destination_pool.name,
        )
        assert found.verdict == regions.verdict(packet)
        for direction, told in (("EGRESS", found.egress), ("INGRESS", found.ingress)):
            held = regions.at(direction, packet)  # type: ignore[arg-type]
            if held and held[0].decided_by is not None:
                assert told.decided_by == held[0].decided_by
            elif held:
                assert set(told.candidates) == set(held[0].candidates)


def test_the_only_pool_needs_no_name_if_its_ranges_are_not_all_known() -> None:
    facts = cluster([pool_pods("a", resolved=False)])
    analyzer = Analyzer(organisation(ASSETS))
    assert trace(analyzer, *facts, A, "172.16.0.1", "tcp", 1).packet.to_pool == "a"
