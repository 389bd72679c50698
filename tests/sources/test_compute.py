"""Compute API JSON brought to the typed model, whatever its source made of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.network import FlowLogConfig, Layer4
from auditor.sources.compute import (
    parse_address_group,
    parse_effective,
    parse_firewall,
    parse_network,
    parse_policy,
    parse_subnetwork,
)

RULE = "//compute.googleapis.com/projects/p/global/firewalls/r"
NETWORK = "projects/p/global/networks/vpc"
USUAL: dict[str, Any] = {
    "name": "r",
    "network": f"https://www.googleapis.com/compute/v1/{NETWORK}",
    "direction": "INGRESS",
    "priority": 1000,
    "sourceRanges": ["10.0.0.0/8"],
    "allowed": [{"IPProtocol": "tcp", "ports": ["22", "80-90"]}, {"IPProtocol": "icmp"}],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def rule(**change: Any) -> Any:
    return parse_firewall(RULE, USUAL | change)


def test_an_ordinary_rule_is_read_whole() -> None:
    found = rule()
    assert (found.asset, found.name, found.network) == (RULE, "r", NETWORK)
    assert (found.direction, found.priority, found.action) == ("INGRESS", 1000, "allow")
    assert found.layer4 == (Layer4(6, ((22, 22), (80, 90))), Layer4(1, ()))
    assert (found.source_ranges, found.destination_ranges) == (("10.0.0.0/8",), ())
    assert (found.disabled, found.logging, found.problems, found.unclear) == (False, False, (), frozenset())


def test_defaults_are_those_of_the_api() -> None:
    found = parse_firewall(RULE, {"denied": [{"IPProtocol": "all"}]})
    assert (found.direction, found.priority, found.action) == ("INGRESS", 1000, "deny")
    assert found.network == "projects/p/global/networks/default"
    assert found.layer4 == (Layer4(None, ()),)
    assert found.problems == ()


@pytest.mark.parametrize(
    "network",
    [
        NETWORK,
        f"https://www.googleapis.com/compute/v1/{NETWORK}",
        f"https://compute.googleapis.com/compute/beta/{NETWORK}",
        f"//compute.googleapis.com/{NETWORK}",
        "global/networks/vpc",
        "vpc",
    ],
)
def test_a_network_is_one_however_it_is_spelt(network: str) -> None:
    assert rule(network=network).network == NETWORK


def test_fields_that_older_exports_repeat_are_read_once() -> None:
    found = rule(
        allowed=[{"IPProtocol": "tcp", "ipProtocol": "tcp", "ports": ["22"]}],
        sourceRange=["10.0.0.0/8"],
        targetServiceAccount=["a@x"],
        targetServiceAccounts=["a@x"],
    )
    assert found.layer4 == (Layer4(6, ((22, 22),)),)
    assert found.source_ranges == ("10.0.0.0/8",)
    assert found.target_service_accounts == ("a@x",)


def test_the_second_name_of_a_field_serves_where_the_first_is_missing() -> None:
    found = rule(
        sourceRanges=None,
        sourceRange=["10.1.0.0/16"],
        targetTag=["t"],
        allowed=[{"ipProtocol": "udp"}],
    )
    assert (found.source_ranges, found.target_tags, found.layer4) == (
        ("10.1.0.0/16",),
        ("t",),
        (Layer4(17, ()),),
    )


@pytest.mark.parametrize("priority", [900, 900.0, "900"])
def test_whole_numbers_are_whole_numbers(priority: object) -> None:
    assert (rule(priority=priority).priority, rule(priority=priority).problems) == (900, ())


@pytest.mark.parametrize(
    "entry",
    [
        {"IPProtocol": 6, "ports": [22]},
        {"IPProtocol": "TCP", "ports": "22"},
        {"IPProtocol": 6.0, "ports": [22.0]},
    ],
)
def test_protocols_and_ports_may_be_numbers(entry: dict[str, Any]) -> None:
    found = rule(allowed=[entry])
    assert (found.layer4, found.problems) == ((Layer4(6, ((22, 22),)),), ())


def test_messages_may_be_lists_of_one() -> None:
    found = rule(logConfig=[{"enable": True}], allowed={"IPProtocol": "tcp"})
    assert (found.logging, found.layer4, found.problems) == (True, (Layer4(6, ()),), ())


def test_ports_of_protocols_without_ports_mean_nothing() -> None:
    assert rule(allowed=[{"IPProtocol": "icmp", "ports": ["1-2"]}]).layer4 == (Layer4(1, ()),)


def test_equal_lists_are_shared() -> None:
    one, other = rule(), parse_firewall(RULE, {**USUAL, "sourceRanges": ["10.0.0.0" + "/8"]})
    assert one.source_ranges is other.source_ranges
    assert one.layer4 is other.layer4


@pytest.mark.parametrize(
    ("change", "aspect"),
    [
        ({"direction": "BOTH"}, "direction"),
        ({"direction": 1}, "direction"),
        ({"priority": -1}, "priority"),
        ({"priority": 65536}, "priority"),
        ({"priority": True}, "priority"),
        ({"priority": 1e400}, "priority"),
        ({"priority": 10**40}, "priority"),
        ({"priority": []}, "priority"),
        ({"disabled": "maybe"}, "disabled"),
        ({"denied": [{"IPProtocol": "tcp"}]}, "action"),
        ({"allowed": None}, "action"),
        ({"allowed": []}, "layer4"),
        ({"allowed": "tcp"}, "layer4"),
        ({"allowed": ["tcp"]}, "layer4"),
        ({"allowed": [{}]}, "layer4"),
        ({"allowed": [{"IPProtocol": "tpc"}]}, "layer4"),
        ({"allowed": [{"IPProtocol": "256"}]}, "layer4"),
        ({"allowed": [{"IPProtocol": "tcp", "ports": ["90-80"]}]}, "layer4"),
        ({"allowed": [{"IPProtocol": "tcp", "ports": ["65536"]}]}, "layer4"),
        ({"allowed": [{"IPProtocol": "tcp", "ports": [{}]}]}, "layer4"),
        ({"allowed": [{"IPProtocol": "all", "ports": ["22"]}]}, "layer4"),
        ({"sourceRanges": ["10.0.0.0/33"]}, "source"),
        ({"sourceRanges": ["10.0.0.1/8"]}, "source"),
        ({"sourceRanges": [None]}, "source"),
        ({"sourceRanges": {}}, "source"),
        ({"sourceRanges": 0}, "source"),
        ({"sourceTags": [1]}, "source"),
        ({"destinationRanges": [["10.0.0.0/8"]]}, "destination"),
        ({"targetTags": {"a": 1}}, "target"),
        ({"network": []}, "target"),
    ],
)
def test_what_cannot_be_understood_is_named_and_its_aspect_unclear(
    change: dict[str, Any], aspect: str
) -> None:
    found = rule(**change)
    assert found.problems
    assert aspect in found.unclear


@given(
    st.dictionaries(st.sampled_from([*USUAL, "denied", "disabled", "logConfig", "targetTags"]), json_values)
)
def test_no_firewall_raises(change: dict[str, Any]) -> None:
    found = parse_firewall(RULE, USUAL | change)
    assert isinstance(found.priority, int)
    assert all(isinstance(text, str) for text in (*found.source_ranges, *found.target_tags, *found.problems))


@given(json_values, st.sampled_from([RULE, "", "nonsense", "//compute.googleapis.com/" + NETWORK]))
def test_no_data_at_all_raises(data: Any, asset: str) -> None:
    for parse in (parse_network, parse_subnetwork, parse_firewall, parse_policy, parse_address_group):
        parse(asset, data)
    parse_effective(data, NETWORK, "")


policy_fields = st.sampled_from(
    ["name", "rules", "associations", "region", "type", "policySource", "shortName"]
)
rule_fields = st.sampled_from(
    [
        *("priority", "direction", "action", "match", "disabled", "targetResources", "targetSecureTags"),
        *("targetServiceAccounts", "targetType", "targetForwardingRules", "enableLogging", "ruleName"),
    ]
)
match_fields = st.sampled_from(
    [
        "srcIpRanges",
        "destIpRanges",
        "layer4Configs",
        "srcSecureTags",
        "srcNetworkContext",
        "srcNetworks",
        "destFqdns",
    ]
)


@given(
    st.dictionaries(policy_fields, json_values),
    st.dictionaries(rule_fields, json_values),
    st.dictionaries(match_fields, json_values),
)
def test_no_policy_raises(top: dict[str, Any], inner: dict[str, Any], match: dict[str, Any]) -> None:
    entry = {"priority": 1, "direction": "INGRESS", "action": "deny", "match": match} | inner
    found = parse_policy(
        "//compute.googleapis.com/locations/global/firewallPolicies/1", {"rules": [entry]} | top
    )
    assert all(isinstance(each.priority, int) for each in found.rules)
    parse_effective({"firewallPolicys": [{"rules": [entry]} | top]}, NETWORK, "europe-west1")


def test_data_that_is_no_object_makes_everything_unclear() -> None:
    found = parse_firewall(RULE, "nothing")
    assert {"direction", "priority", "action", "layer4", "source", "destination", "target"} <= found.unclear


def test_a_network_without_statements_has_the_defaults_of_the_api() -> None:
    found = parse_network(f"//compute.googleapis.com/{NETWORK}", {})
    assert (found.key, found.name, found.project) == (NETWORK, "vpc", "p")
    assert (found.mtu, found.enforcement_order, found.problems) == (1460, "AFTER_CLASSIC_FIREWALL", ())


@pytest.mark.parametrize(
    ("data", "mtu", "order"),
    [
        ({"mtu": 1500.0}, 1500, "AFTER_CLASSIC_FIREWALL"),
        ({"mtu": "8896"}, 8896, "AFTER_CLASSIC_FIREWALL"),
        (
            {"networkFirewallPolicyEnforcementOrder": "BEFORE_CLASSIC_FIREWALL"},
            1460,
            "BEFORE_CLASSIC_FIREWALL",
        ),
        ({"mtu": "big"}, None, "AFTER_CLASSIC_FIREWALL"),
        ({"networkFirewallPolicyEnforcementOrder": ["BEFORE_CLASSIC_FIREWALL"]}, 1460, None),
        ([], 1460, "AFTER_CLASSIC_FIREWALL"),
        ("x", None, None),
    ],
)
def test_what_a_network_states_is_taken_or_unknown(data: Any, mtu: int | None, order: str | None) -> None:
    found = parse_network(f"//compute.googleapis.com/{NETWORK}", data)
    assert (found.mtu, found.enforcement_order) == (mtu, order)
    assert bool(found.problems) == (mtu is None or order is None)


SUBNET = "//compute.googleapis.com/projects/p/regions/europe-west1/subnetworks/s"


def test_a_subnetwork_is_read_whole() -> None:
    data = {
        "network": f"https://www.googleapis.com/compute/v1/{NETWORK}",
        "ipCidrRange": "10.0.0.0/20",
        "secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.8.0.0/16"}],
        "internalIpv6Prefix": "fd20::/64",
        "logConfig": {
            "enable": True,
            "flowSampling": 0.25,
            "metadata": "INCLUDE_ALL_METADATA",
            "filterExpr": "x",
        },
    }
    found = parse_subnetwork(SUBNET, data)
    assert (found.region, found.project, found.network) == ("europe-west1", "p", NETWORK)
    assert (found.secondary_ranges, found.ipv6_ranges) == ({"pods": "10.8.0.0/16"}, ("fd20::/64",))
    assert found.flow_logs == FlowLogConfig(True, "INTERVAL_5_SEC", 0.25, "INCLUDE_ALL_METADATA", "x")
    assert found.problems == ()


@pytest.mark.parametrize(
    ("data", "enabled"),
    [
        ({}, None),
        ({"enableFlowLogs": True}, True),
        ({"enableFlowLogs": True, "logConfig": {"enable": False}}, False),
        ({"enableFlowLogs": True, "logConfig": {}}, True),
        ({"enableFlowLogs": False, "logConfig": None}, False),
        ({"logConfig": [{"enable": "true"}]}, True),
        ({"logConfig": {"enable": 1}}, None),
    ],
)
def test_flow_logs_are_on_where_the_newer_field_says_so(data: dict[str, Any], enabled: bool | None) -> None:
    assert parse_subnetwork(SUBNET, data).flow_logs.enabled is enabled


@pytest.mark.parametrize("sampling", ["half", True, -1, 2, [], float("nan")])
def test_a_sampling_rate_that_is_none_is_named(sampling: object) -> None:
    found = parse_subnetwork(SUBNET, {"logConfig": {"enable": True, "flowSampling": sampling}})
    assert (found.flow_logs.sampling, len(found.problems)) == (0.5, 1)


@pytest.mark.parametrize(
    ("name", "data", "kind", "region"),
    [
        ("locations/global/firewallPolicies/7", {}, "hierarchical", ""),
        ("projects/p/global/firewallPolicies/n", {}, "network_global", ""),
        ("projects/p/regions/europe-west1/firewallPolicies/n", {}, "network_regional", "europe-west1"),
        (
            "projects/p/regions/europe-west1/firewallPolicies/n",
            {"policySource": "SYSTEM"},
            "system",
            "europe-west1",
        ),
        (
            "",
            {"selfLink": "https://www.googleapis.com/compute/v1/projects/p/global/firewallPolicies/n"},
            "network_global",
            "",
        ),
        (
            "",
            {"region": "https://www.googleapis.com/compute/v1/projects/p/regions/us-east1"},
            "network_regional",
            "us-east1",
        ),
        ("", {"type": "SYSTEM_REGIONAL"}, "system", ""),
    ],
)
def test_the_kind_of_a_policy_is_in_its_name_and_fields(
    name: str, data: dict[str, Any], kind: str, region: str
) -> None:
    found = parse_policy(f"//compute.googleapis.com/{name}", {"rules": [], **data})
    assert (found.kind, found.region) == (kind, region)


def test_a_policy_rule_is_read_whole() -> None:
    entry = {
        "priority": 5.0,
        "direction": "EGRESS",
        "action": "DENY",
        "ruleName": "no-egress",
        "enableLogging": True,
        "targetResources": [f"https://www.googleapis.com/compute/v1/{NETWORK}"],
        "targetSecureTags": [{"name": "tagValues/1", "state": "INEFFECTIVE"}, {"name": "tagValues/2"}],
        "match": {
            "srcIpRanges": ["10.0.0.0/8"],
            "destNetworkType": "non_internet",
            "destAddressGroups": [
                "//networksecurity.googleapis.com/projects/p/locations/global/addressGroups/g"
            ],
            "layer4Configs": [{"ipProtocol": "all"}],
        },
    }
    (found,) = parse_policy(
        "//compute.googleapis.com/locations/global/firewallPolicies/7", {"rules": [entry]}
    ).rules
    assert (found.priority, found.direction, found.action, found.label) == (5, "EGRESS", "deny", "no-egress")
    assert (found.logging, found.target_resources) == (True, (NETWORK,))
    assert [(tag.name, tag.effective) for tag in found.target_secure_tags] == [
        ("tagValues/1", False),
        ("tagValues/2", None),
    ]
    assert (found.source.ip_ranges, found.destination.network_context) == (("10.0.0.0/8",), "NON_INTERNET")
    assert found.destination.address_groups == ("projects/p/locations/global/addressGroups/g",)
    assert (found.layer4, found.problems) == ((Layer4(None, ()),), ())


@pytest.mark.parametrize(
    ("change", "aspect"),
    [
        ({"direction": None}, "direction"),
        ({"action": "mirror"}, "action"),
        ({"priority": None}, "priority"),
        ({"match": 5}, "source"),
        ({"match": {"srcNetworkContext": "MARS"}}, "source"),
        ({"match": {"destSecureTags": [{"name": "tagValues/1"}]}}, "destination"),
        ({"match": {"srcSecureTags": ["tagValues/1"]}}, "source"),
        ({"targetType": 5}, "target"),
        ({"targetSecureTags": "tagValues/1"}, "target"),
    ],
)
def test_a_policy_rule_that_cannot_be_understood_says_what(change: dict[str, Any], aspect: str) -> None:
    entry = {"priority": 1, "direction": "INGRESS", "action": "deny", "match": {}} | change
    (found,) = parse_policy(
        "//compute.googleapis.com/locations/global/firewallPolicies/7", {"rules": [entry]}
    ).rules
    assert aspect in found.unclear
    assert found.problems


def test_a_policy_without_its_rules_is_not_an_empty_one() -> None:
    name = "//compute.googleapis.com/locations/global/firewallPolicies/7"
    assert parse_policy(name, {}).problems
    assert not parse_policy(name, {"rules": []}).problems


def test_associations_have_a_priority_of_a_thousand_and_unclear_ones_come_first() -> None:
    data = {
        "rules": [],
        "associations": [
            {"name": "a", "attachmentTarget": "folders/5"},
            {
                "name": "b",
                "attachmentTarget": f"https://www.googleapis.com/compute/v1/{NETWORK}",
                "priority": "7",
            },
            {"name": "c"},
            {"name": 7, "attachmentTarget": "folders/5"},
            {"name": "e", "attachmentTarget": "folders/5", "priority": "first"},
        ],
    }
    found = parse_policy("//compute.googleapis.com/projects/p/global/firewallPolicies/n", data)
    assert [(a.name, a.target, a.priority) for a in found.associations] == [
        ("a", "folders/5", 1000),
        ("b", NETWORK, 7),
        ("", "", 0),
        ("", "", 0),
        ("", "", 0),
    ]
    assert len(found.problems) == 3


def test_network_policies_of_an_effective_answer_are_in_the_order_of_their_priority() -> None:
    listed = [("NETWORK", "d", None), ("NETWORK", "c", 2000), ("HIERARCHY", "2", 9), ("NETWORK", "a", 10),
              ("HIERARCHY", "1", 1), ("NETWORK", "b", "20")]  # fmt: skip
    policies: list[dict[str, Any]] = [
        {"type": kind, "name": name, "priority": priority, "rules": []} for kind, name, priority in listed
    ]
    found = parse_effective({"firewallPolicys": policies}, NETWORK, "").policies
    assert [one.name for one in found if one.kind == "network_global"] == ["a", "b", "d", "c"]
    assert [one.name for one in found if one.kind == "hierarchical"] == ["2", "1"]
    assert not any(one.problems for one in found)
    odd = [policies[0], {"type": "NETWORK", "name": "odd", "priority": "first"}]
    first, _ = parse_effective({"firewallPolicys": odd}, NETWORK, "").policies
    assert first.name == "odd"
    assert any("priority" in problem for problem in first.problems)


def test_an_effective_answer_names_its_rules_and_policies_in_order() -> None:
    data = {
        "firewalls": [USUAL | {"selfLink": f"https://www.googleapis.com/compute/v1/{RULE[25:]}"}],
        "firewallPolicys": [
            {"name": "8", "type": "HIERARCHY", "shortName": "top", "rules": []},
            {"name": "n", "type": "NETWORK_REGIONAL", "rules": []},
            {"name": "s", "type": "SYSTEM_REGIONAL", "rules": []},
        ],
    }
    found = parse_effective(data, f"https://www.googleapis.com/compute/v1/{NETWORK}", "europe-west1")
    assert (found.network, [each.asset for each in found.rules]) == (NETWORK, [RULE])
    assert [(each.kind, each.region, each.asset.split("/", 3)[3]) for each in found.policies] == [
        ("hierarchical", "", "locations/global/firewallPolicies/8"),
        ("network_regional", "europe-west1", "projects/p/regions/europe-west1/firewallPolicies/n"),
        ("system", "europe-west1", "projects/p/regions/europe-west1/firewallPolicies/s"),
    ]


@pytest.mark.parametrize(
    "data", [[1], {"firewalls": {}}, {"firewallPolicys": "x"}, {"firewallPolicys": [{"type": "?"}]}]
)
def test_an_effective_answer_that_cannot_be_understood_leaves_a_policy_with_problems(data: Any) -> None:
    assert any(each.problems for each in parse_effective(data, NETWORK, "").policies)


def test_an_address_group_has_its_items() -> None:
    name = "//networksecurity.googleapis.com/organizations/1/locations/global/addressGroups/g"
    found = parse_address_group(name, {"items": ["10.0.0.0/8", "x"]})
    assert (found.key, found.items) == (
        "organizations/1/locations/global/addressGroups/g",
        ("10.0.0.0/8", "x"),
    )
    assert len(found.problems) == 1
