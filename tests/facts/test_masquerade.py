"""Which Pod ranges source NAT would touch, row by row of the vendor's table."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from auditor.facts.masquerade import RESERVED
from tests.facts.organisation import data, facts, inventory, kubernetes, pool, subnetwork

if TYPE_CHECKING:
    from auditor.model.facts import Masquerade

ALL_LISTED = ("ConfigMap", "DaemonSet")
POD_RANGE = "10.8.0.0/14"
SHARED_RANGE = "100.64.0.0/14"
PUBLIC_RANGE = "34.118.0.0/17"
FLAG = "--nomasq-all-reserved-ranges"


def agent(*args: str, name: str = "ip-masq-agent", **spec: Any) -> dict[str, Any]:
    """The agent's DaemonSet as GKE deploys it, with these arguments."""
    template: dict[str, Any] = {
        "containers": [
            {
                "name": "ip-masq-agent",
                "image": "gke.gcr.io/ip-masq-agent:v2.9.3",
                "args": ["--masq-chain=IP-MASQ", *args],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
            }
        ],
        "nodeSelector": {"kubernetes.io/os": "linux", "node.kubernetes.io/masq-agent-ds-ready": "true"},
        "volumes": [
            {
                "name": "config",
                "configMap": {
                    "name": "ip-masq-agent",
                    "optional": True,
                    "items": [{"key": "config", "path": "ip-masq-agent"}],
                },
            }
        ],
    }
    template.update(spec)
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"template": {"spec": template}},
        "status": {"desiredNumberScheduled": 3},
    }


def config_map(text: str | None, name: str = "ip-masq-agent", key: str = "config") -> dict[str, Any]:
    found: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "kube-system"},
    }
    if text is not None:
        found["data"] = {key: text}
    return found


def policy(spec: Any, name: str = "default") -> dict[str, Any]:
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "EgressNATPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


def cluster(pod_range: str = POD_RANGE, **changes: Any) -> dict[str, Any]:
    return data(
        clusterIpv4Cidr=pod_range,
        ipAllocationPolicy={"clusterIpv4CidrBlock": pod_range},
        nodePools=[pool("a", networkConfig={"podIpv4CidrBlock": pod_range})],
        **changes,
    )


def masquerade(
    *objects: dict[str, Any], pod_range: str = POD_RANGE, listed: tuple[str, ...] = ALL_LISTED, **changes: Any
) -> Masquerade:
    return facts(cluster(pod_range, **changes), evidence=kubernetes(*objects, listed=listed)).masquerade


def parts(found: Masquerade) -> dict[str, tuple[str, ...]] | None:
    return None if found.uncovered is None else {one.range: one.parts for one in found.uncovered}


def assert_unknown(found: Masquerade, *words: str) -> None:
    assert found.uncovered is None
    texts = " ".join(f"{one.reason} {one.hint}" for one in found.unknowns)
    assert texts
    for word in words:
        assert word in texts


# No evidence


def test_no_evidence_is_unknown_with_the_commands_that_fetch_it() -> None:
    found = masquerade(listed=())
    assert_unknown(
        found,
        "kubectl --namespace=kube-system get configmaps,daemonsets",
        "--kubernetes shop-prod/europe-west1/checkout=checkout.json",
    )
    assert (found.basis, found.non_masquerade) == (None, None)


def test_no_evidence_on_autopilot_asks_for_its_policies() -> None:
    found = masquerade(listed=(), autopilot={"enabled": True})
    assert_unknown(found, "kubectl get egressnatpolicies.networking.gke.io")


def test_a_mode_that_cannot_be_read_is_unknown() -> None:
    assert_unknown(masquerade(config_map("{}"), agent(), autopilot="x"), "`autopilot`")


# Without the agent


@pytest.mark.parametrize(
    ("snat", "basis", "pod_range", "expected"),
    [
        ({}, "default SNAT", POD_RANGE, {}),
        ({}, "default SNAT", SHARED_RANGE, {}),
        ({}, "default SNAT", PUBLIC_RANGE, {PUBLIC_RANGE: (PUBLIC_RANGE,)}),
        (None, "default SNAT", PUBLIC_RANGE, {PUBLIC_RANGE: (PUBLIC_RANGE,)}),
        ({"disabled": True}, "default SNAT disabled", PUBLIC_RANGE, {}),
    ],
)
def test_without_the_agent_the_clusters_snat_setting_decides(
    snat: object, basis: str, pod_range: str, expected: dict[str, tuple[str, ...]]
) -> None:
    found = masquerade(
        config_map("nonMasqueradeCIDRs: []"),
        pod_range=pod_range,
        listed=("DaemonSet",),
        networkConfig={"defaultSnatStatus": snat},
    )
    assert (found.basis, parts(found)) == (basis, expected)
    assert found.unknowns == ()


@pytest.mark.parametrize(
    "networking", [None, {"defaultSnatStatus": "off"}, {"defaultSnatStatus": {"disabled": 1}}]
)
def test_an_unknown_snat_setting_matters_only_to_ranges_outside_the_default_list(networking: object) -> None:
    inside = masquerade(listed=("DaemonSet",), networkConfig=networking)
    assert parts(inside) == {}
    assert inside.basis is None
    outside = masquerade(listed=("DaemonSet",), pod_range=PUBLIC_RANGE, networkConfig=networking)
    assert_unknown(outside, "default SNAT or default SNAT disabled")


def test_only_what_lies_outside_the_default_list_is_uncovered() -> None:
    found = masquerade(listed=("DaemonSet",), pod_range="172.0.0.0/8")
    assert parts(found) == {
        "172.0.0.0/8": (
            "172.0.0.0/12",
            "172.32.0.0/11",
            "172.64.0.0/10",
            "172.128.0.0/9",
        )
    }


# With the agent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nonMasqueradeCIDRs: [10.0.0.0/8]", {}),
        ("nonMasqueradeCIDRs: [10.8.0.0/15, 10.10.0.0/15]", {}),
        ('{"nonmasqueradecidrs": ["10.8.0.0/14"]}', {}),
        ("nonMasqueradeCIDRs: [192.168.0.0/16]", {POD_RANGE: (POD_RANGE,)}),
        ("nonMasqueradeCIDRs: [10.8.0.0/15]", {POD_RANGE: ("10.10.0.0/15",)}),
        ("nonMasqueradeCIDRs: [10.8.0.0/16, 10.11.0.0/16]", {POD_RANGE: ("10.9.0.0/16", "10.10.0.0/16")}),
        ("nonMasqueradeCIDRs: []", {POD_RANGE: (POD_RANGE,)}),
        ("nonMasqueradeCIDRs:", {POD_RANGE: (POD_RANGE,)}),
    ],
)
def test_a_list_of_the_agent_must_hold_the_whole_range_by_its_union(
    text: str, expected: dict[str, tuple[str, ...]]
) -> None:
    found = masquerade(agent(FLAG), config_map(text))
    assert (found.basis, parts(found)) == ("ip-masq-agent ConfigMap", expected)
    assert found.unknowns == ()
    assert found.non_masquerade is not None
    assert found.non_masquerade[-1] == "169.254.0.0/16"


def test_the_agents_list_holds_even_where_default_snat_is_off() -> None:
    found = masquerade(
        agent(FLAG),
        config_map("nonMasqueradeCIDRs: [192.168.0.0/16]"),
        networkConfig={"defaultSnatStatus": {"disabled": True}},
    )
    assert parts(found) == {POD_RANGE: (POD_RANGE,)}


@pytest.mark.parametrize("text", ["nonMasqueradeCIDRs: [10.1.2.3/8]", "nonMasqueradeCIDRs: [", "[]"])
def test_a_configuration_the_agent_rejects_leaves_an_older_one_in_force(text: str) -> None:
    assert_unknown(
        masquerade(agent(), config_map(text)), "previous configuration", "edit configmap ip-masq-agent"
    )


@pytest.mark.parametrize(
    "absent",
    [(), (config_map(None),), (config_map("x", key="other"),), (config_map("masqLinkLocal: false"),)],
)
@pytest.mark.parametrize(
    ("flags", "pod_range", "expected"),
    [
        ((FLAG,), SHARED_RANGE, {}),
        ((FLAG,), PUBLIC_RANGE, {PUBLIC_RANGE: (PUBLIC_RANGE,)}),
        ((f"-{FLAG[2:]}=T",), SHARED_RANGE, {}),
        ((), POD_RANGE, {}),
        ((), SHARED_RANGE, {SHARED_RANGE: (SHARED_RANGE,)}),
        ((f"{FLAG}=false",), SHARED_RANGE, {SHARED_RANGE: (SHARED_RANGE,)}),
        ((f"{FLAG}=maybe",), SHARED_RANGE, None),
        (("$(FLAGS)",), SHARED_RANGE, None),
        (("$(FLAGS)",), POD_RANGE, {}),
    ],
)
def test_without_a_list_the_agents_default_list_applies(
    absent: tuple[dict[str, Any], ...],
    flags: tuple[str, ...],
    pod_range: str,
    expected: dict[str, tuple[str, ...]] | None,
) -> None:
    found = masquerade(agent(*flags), *absent, pod_range=pod_range)
    assert (found.basis, parts(found)) == ("ip-masq-agent defaults", expected)


def test_a_bare_daemon_set_is_gkes_own_with_the_documented_default_list() -> None:
    bare = {"kind": "DaemonSet", "metadata": {"name": "ip-masq-agent", "namespace": "kube-system"}}
    found = masquerade(bare, pod_range=SHARED_RANGE)
    assert (found.basis, parts(found)) == ("ip-masq-agent defaults", {})
    assert found.non_masquerade == (*RESERVED, "169.254.0.0/16")


def test_an_unknown_config_map_can_say_anything() -> None:
    assert_unknown(masquerade(agent(FLAG), listed=("DaemonSet",)), "ConfigMap kube-system/ip-masq-agent")


@pytest.mark.parametrize(
    ("text", "pod_range", "expected"),
    [
        ("nonMasqueradeCIDRs: [10.0.0.0/8]", POD_RANGE, {}),
        ("nonMasqueradeCIDRs: [192.168.0.0/16]", POD_RANGE, None),
        ("nonMasqueradeCIDRs: [10.0.0.0/8]", PUBLIC_RANGE, {PUBLIC_RANGE: (PUBLIC_RANGE,)}),
        ("nonMasqueradeCIDRs: [34.118.0.0/17]", PUBLIC_RANGE, None),
    ],
)
def test_if_the_agent_may_run_both_ways_must_agree(
    text: str, pod_range: str, expected: dict[str, tuple[str, ...]] | None
) -> None:
    found = masquerade(config_map(text), pod_range=pod_range, listed=())
    assert parts(found) == expected
    assert found.basis is None
    if expected is None:
        assert_unknown(found, "ip-masq-agent ConfigMap or default SNAT", "get configmaps,daemonsets")


def test_what_is_certain_is_told_apart_from_what_is_possible() -> None:
    # Without the agent 172.0.0.0/12 is translated, with it 172.16.0.0/12 is too.
    found = masquerade(config_map("nonMasqueradeCIDRs: []"), pod_range="172.0.0.0/11", listed=())
    assert parts(found) == {"172.0.0.0/11": ("172.0.0.0/12",)}
    assert found.unknowns


@pytest.mark.parametrize(
    "spec",
    [{"nodeSelector": {"pool": "special"}}, {"affinity": {"nodeAffinity": {}}}, {"nodeSelector": "x"}],
)
def test_an_agent_that_may_miss_nodes_leaves_both_rows_possible(spec: dict[str, Any]) -> None:
    assert_unknown(masquerade(agent(FLAG, **spec), config_map("nonMasqueradeCIDRs: []")))
    covered = masquerade(agent(FLAG, **spec), config_map("nonMasqueradeCIDRs: [10.0.0.0/8]"))
    assert parts(covered) == {}


def test_an_agent_scheduled_nowhere_leaves_both_rows_possible() -> None:
    idle = agent(FLAG)
    idle["status"] = {"desiredNumberScheduled": 0}
    assert_unknown(masquerade(idle, config_map("nonMasqueradeCIDRs: []")))


# Agents of the users' own


def own_agent(**volume: Any) -> dict[str, Any]:
    found = agent(FLAG, name="snat", volumes=[{"name": "config", "configMap": {"name": "snat", **volume}}])
    found["metadata"]["namespace"] = "kube-system"
    return found


def test_an_agent_of_another_name_is_found_by_its_image_and_its_config_map_by_its_volume() -> None:
    named = own_agent(items=[{"key": "list", "path": "ip-masq-agent"}])
    found = masquerade(named, config_map("nonMasqueradeCIDRs: []", name="snat", key="list"))
    assert (found.basis, parts(found)) == ("ip-masq-agent ConfigMap", {POD_RANGE: (POD_RANGE,)})
    whole = own_agent()
    found = masquerade(whole, config_map("nonMasqueradeCIDRs: []", name="snat", key="ip-masq-agent"))
    assert parts(found) == {POD_RANGE: (POD_RANGE,)}
    assert_unknown(masquerade(whole), "without which the agent does not start")
    assert_unknown(masquerade(whole, config_map("x", name="snat", key="other")), "lacks the key")


@pytest.mark.parametrize(
    "change",
    [
        {"volumes": [{"name": "config", "hostPath": {"path": "/etc"}}]},
        {"volumes": "x"},
        {"volumes": [{"name": "config", "configMap": {"name": 5}}]},
    ],
)
def test_a_configuration_from_elsewhere_is_unknown(change: dict[str, Any]) -> None:
    assert_unknown(masquerade(agent(FLAG, **change)), "does not come from a ConfigMap")


def test_a_fork_with_another_configuration_is_unknown() -> None:
    fork = agent(FLAG, name="snat")
    fork["spec"]["template"]["spec"]["containers"][0]["image"] = "mcr.microsoft.com/aks/ip-masq-agent-v2:v0.1"
    assert_unknown(masquerade(fork), "does not come from a ConfigMap")


def test_two_agents_are_unknown_together() -> None:
    assert_unknown(masquerade(agent(FLAG), own_agent()), "Several IP masquerade agents")


def test_other_daemon_sets_are_no_agents() -> None:
    other = agent(FLAG, name="fluentbit")
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "fluent-bit"
    found = masquerade(other)
    assert (found.basis, parts(found)) == ("default SNAT", {})


def agent_pod(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "Pod",
        "metadata": {
            "name": "ip-masq-agent-x7k2p",
            "namespace": "kube-system",
            "labels": {"k8s-app": "ip-masq-agent"},
        },
        "spec": agent(FLAG)["spec"]["template"]["spec"],
    }
    found.update(changes)
    return found


def test_a_pod_of_the_agent_proves_that_it_runs() -> None:
    missing = config_map("nonMasqueradeCIDRs: [192.168.0.0/16]")
    assert parts(masquerade(agent_pod(), missing, listed=())) == {POD_RANGE: (POD_RANGE,)}
    second = agent_pod()
    second["metadata"] = {**second["metadata"], "name": "ip-masq-agent-q9d4z"}
    assert parts(masquerade(agent_pod(), second, missing, listed=())) == {POD_RANGE: (POD_RANGE,)}
    assert parts(masquerade(agent_pod(), agent(FLAG), missing)) == {POD_RANGE: (POD_RANGE,)}
    assert_unknown(masquerade(agent_pod(), listed=()), "ConfigMap kube-system/ip-masq-agent")


def test_a_finished_pod_proves_nothing() -> None:
    finished = agent_pod(status={"phase": "Failed"})
    assert_unknown(masquerade(finished, config_map("nonMasqueradeCIDRs: []"), listed=()))


def test_binary_data_is_a_file_too() -> None:
    encoded = config_map(None)
    encoded["binaryData"] = {"config": base64.b64encode(b"nonMasqueradeCIDRs: []").decode()}
    assert parts(masquerade(agent(FLAG), encoded)) == {POD_RANGE: (POD_RANGE,)}
    for broken in ("%%%", "gIGC", 5):
        encoded["binaryData"] = {"config": broken}
        assert_unknown(masquerade(agent(FLAG), encoded), "`binaryData`")


@pytest.mark.parametrize("files", ["x", {"config": 5}, {"config": ["nonMasqueradeCIDRs"]}])
def test_a_malformed_config_map_is_unknown(files: object) -> None:
    assert_unknown(masquerade(agent(FLAG), config_map(None) | {"data": files}), "`data` is malformed")


# IPv6


def dual_stack(*objects: dict[str, Any]) -> Masquerade:
    contents = cluster()
    contents["ipAllocationPolicy"] |= {"stackType": "IPV4_IPV6", "subnetIpv6CidrBlock": "fd20::/64"}
    return facts(contents, evidence=kubernetes(*objects, listed=ALL_LISTED)).masquerade


def test_ipv6_ranges_count_only_if_the_agent_translates_ipv6() -> None:
    four = config_map("nonMasqueradeCIDRs: [10.0.0.0/8]")
    both = config_map("nonMasqueradeCIDRs: [10.0.0.0/8, 'fd00::/8']")
    assert parts(dual_stack(agent(FLAG), four)) == {}
    assert parts(dual_stack(agent(FLAG, "--enable-ipv6"), four)) == {"fd20::/64": ("fd20::/64",)}
    assert parts(dual_stack(agent(FLAG, "--enable-ipv6"), both)) == {}
    assert_unknown(dual_stack(agent(FLAG), both), "IPv6")
    assert_unknown(dual_stack(agent("$(FLAGS)"), four))
    assert parts(dual_stack()) == {}


# What is not known of the Pods


def test_an_unresolved_range_keeps_the_rest_from_being_called_covered() -> None:
    contents = data(nodePools=[pool("a"), pool("b", networkConfig={"podRange": "lost"})])
    found = facts(contents, evidence=kubernetes(listed=ALL_LISTED)).masquerade
    assert_unknown(found, "no secondary range lost", "subnets describe nodes")
    partly = facts(
        contents, evidence=kubernetes(agent(FLAG), config_map("nonMasqueradeCIDRs: []"), listed=ALL_LISTED)
    ).masquerade
    assert parts(partly) == {POD_RANGE: (POD_RANGE,)}


def test_unknown_pools_leave_nothing_certain() -> None:
    evidence = kubernetes(agent(FLAG), config_map("nonMasqueradeCIDRs: []"), listed=ALL_LISTED)
    assert_unknown(facts(data(nodePools=None), evidence=evidence).masquerade, "node pools")


def test_an_additional_range_that_no_pool_uses_is_no_failure() -> None:
    within = inventory(subnetworks=(subnetwork(secondary_ranges={"far": PUBLIC_RANGE}),))
    contents = data()
    contents["ipAllocationPolicy"]["additionalPodRangesConfig"] = {"podRangeNames": ["far"]}
    found = facts(contents, evidence=kubernetes(listed=ALL_LISTED), within=within).masquerade
    assert parts(found) == {}
    contents["nodePools"] = [pool("a", networkConfig={})]
    found = facts(contents, evidence=kubernetes(listed=ALL_LISTED), within=within).masquerade
    assert found.uncovered is not None
    assert [(one.range, one.origin, one.pools) for one in found.uncovered] == [
        (PUBLIC_RANGE, "additional range far", ("a",))
    ]


# Autopilot


def autopilot(*objects: dict[str, Any], listed: tuple[str, ...] = ("EgressNATPolicy",)) -> Masquerade:
    return facts(
        cluster(autopilot={"enabled": True}), evidence=kubernetes(*objects, listed=listed)
    ).masquerade


def no_snat(*destinations: str) -> dict[str, Any]:
    return {"action": "NoSNAT", "destinations": [{"cidr": one} for one in destinations]}


def test_the_policies_of_autopilot_exempt_their_destinations_together() -> None:
    covered = autopilot(policy(no_snat("192.168.0.0/16")), policy(no_snat(POD_RANGE), "gke-1234"))
    assert (covered.basis, parts(covered)) == ("EgressNATPolicy", {})
    missing = autopilot(policy(no_snat("192.168.0.0/16", "10.8.0.0/15")))
    assert parts(missing) == {POD_RANGE: ("10.10.0.0/15",)}


def test_a_single_policy_proves_what_it_covers_and_not_what_it_does_not() -> None:
    assert parts(autopilot(policy(no_snat("10.0.0.0/8")), listed=())) == {}
    assert_unknown(autopilot(policy(no_snat("192.168.0.0/16")), listed=()), "egressnatpolicies")


def test_the_bare_metal_kind_of_the_same_name_is_no_evidence() -> None:
    bare_metal = policy(
        {"sources": [{"podSelector": {}}], "action": "SNAT", "destinations": [{"cidr": "10.0.0.0/8"}]}
    )
    assert_unknown(autopilot(bare_metal), "No EgressNATPolicy")
    assert_unknown(autopilot(policy({"namespaceSelector": {}, "destinationCIDRs": ["10.0.0.0/8"]})))


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "NoSNAT",
        {},
        {"action": "SNAT", "destinations": [{"cidr": "10.0.0.0/8"}]},
        {"action": "NoSNAT", "destinations": ["10.0.0.0/8"]},
        {"action": "NoSNAT", "destinations": "10.0.0.0/8"},
        {"action": "NoSNAT", "destinations": [{"cidr": "10.1.2.3/8"}]},
        {"action": "NoSNAT", "destinations": [{"cidr": "10.0.0.0/8"}, {"cidr": None}]},
    ],
)
def test_a_policy_that_is_not_understood_leaves_the_answer_open(spec: object) -> None:
    assert_unknown(autopilot(policy(no_snat("10.0.0.0/8")), policy(spec, "other")), "EgressNATPolicy other")


def test_the_agents_config_map_says_nothing_on_autopilot() -> None:
    found = autopilot(agent(FLAG), config_map("nonMasqueradeCIDRs: []"), policy(no_snat("10.0.0.0/8")))
    assert parts(found) == {}
