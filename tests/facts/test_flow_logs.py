"""Flow logs on node subnetworks, and the network they are in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditor.model.facts import SubnetFlowLogs
from tests.facts.organisation import (
    NETWORK,
    SUBNETWORK,
    data,
    entry,
    facts,
    flow_logs,
    inventory,
    network,
    pool,
    reasons,
    subnetwork,
)

OTHER = SUBNETWORK.replace("/nodes", "/more-nodes")
HOST_NETWORK = "projects/net-host/global/networks/vpc"


def test_a_subnetwork_that_states_nothing_logs_nothing() -> None:
    found = facts().flow_logs
    assert found.subnets == (
        SubnetFlowLogs(
            f"//compute.googleapis.com/{SUBNETWORK}",
            "nodes",
            "europe-west1",
            "shop-prod",
            ("default-pool",),
            enabled=False,
            sampling=None,
            metadata=None,
            aggregation=None,
            filter=None,
        ),
    )
    assert found.unknowns == ()
    assert found.evidence[0].observed is None


def test_settings_are_told_only_where_logs_are_on() -> None:
    for enabled in (True, False):
        logs = flow_logs(enabled, sampling=0.1, filter="false")
        subnets = facts(within=inventory(subnetworks=(subnetwork(flow_logs=logs),))).flow_logs.subnets
        assert subnets is not None
        one = subnets[0]
        assert one.enabled is enabled
        settings = (one.sampling, one.metadata, one.aggregation, one.filter)
        on = (0.1, "EXCLUDE_ALL_METADATA", "INTERVAL_5_SEC", "false")
        assert settings == (on if enabled else (None, None, None, None))


def test_a_missing_subnetwork_is_unknown_with_the_command_that_shows_it() -> None:
    found = facts(within=inventory(subnetworks=())).flow_logs
    assert found.subnets is not None
    assert found.subnets[0].enabled is None
    assert (found.subnets[0].region, found.subnets[0].project) == ("europe-west1", "shop-prod")
    command = "gcloud compute networks subnets describe nodes --region=europe-west1 --project=shop-prod"
    assert found.unknowns[0].hint == f"{command} --format=json"


@pytest.mark.parametrize("problem", ["flow logs are enabled: 'x'", "logConfig is [], not an object"])
def test_malformed_settings_are_unknown(problem: str) -> None:
    within = inventory(subnetworks=(subnetwork(problems=(problem,)),))
    found = facts(within=within).flow_logs
    assert found.subnets is not None
    assert found.subnets[0].enabled is None
    assert "malformed" in reasons(found.unknowns, "flow_logs.subnets[].enabled")


def test_each_pools_own_subnetwork_counts_and_an_unused_one_does_not() -> None:
    within = inventory(subnetworks=(subnetwork(), subnetwork(OTHER, flow_logs=flow_logs(enabled=True))))
    only_other = [pool("a", networkConfig={"subnetwork": OTHER, "podIpv4CidrBlock": "10.99.0.0/20"})]
    subnets = facts(data(nodePools=only_other), within=within).flow_logs.subnets
    assert subnets is not None
    assert [(one.name, one.pools, one.enabled) for one in subnets] == [("more-nodes", ("a",), True)]
    subnets = facts(data(nodePools=[pool("b"), *only_other]), within=within).flow_logs.subnets
    assert subnets is not None
    assert [(one.name, one.pools) for one in subnets] == [("nodes", ("b",)), ("more-nodes", ("a",))]


def test_additional_subnetworks_count_where_gke_chooses() -> None:
    policy = {
        "clusterIpv4CidrBlock": "10.8.0.0/14",
        "additionalIpRangesConfigs": [{"subnetwork": "more-nodes", "podIpv4RangeNames": ["far"]}],
    }
    pinned = facts(data(ipAllocationPolicy=policy)).flow_logs.subnets
    free = facts(data(ipAllocationPolicy=policy, nodePools=[pool("a", networkConfig={})])).flow_logs.subnets
    auto = facts(data(ipAllocationPolicy=policy, autopilot={"enabled": True})).flow_logs.subnets
    assert pinned is not None
    assert free is not None
    assert auto is not None
    assert [one.name for one in pinned] == ["nodes"]
    assert [(one.name, one.pools) for one in free] == [("nodes", ("a",)), ("more-nodes", ("a",))]
    assert [one.name for one in auto] == ["nodes", "more-nodes"]


@pytest.mark.parametrize(
    "changes",
    [
        {"nodePools": None},
        {"networkConfig": None},
        {"networkConfig": {"subnetwork": "nodes"}},
        {"nodePools": [pool("a", networkConfig="x")]},
        {"nodePools": [pool("a", networkConfig={"subnetwork": 7})]},
        {
            "autopilot": {"enabled": True},
            "ipAllocationPolicy": {"additionalIpRangesConfigs": [{"subnetwork": 7}]},
        },
        {"autopilot": {"enabled": True}, "ipAllocationPolicy": {"additionalIpRangesConfigs": "x"}},
    ],
)
def test_node_subnetworks_that_cannot_be_told_are_unknown(changes: dict[str, Any]) -> None:
    found = facts(data(**changes)).flow_logs
    assert found.subnets is None
    assert reasons(found.unknowns, "flow_logs.subnets")


def test_the_network_is_known_with_its_mtu() -> None:
    found = facts(within=inventory(networks=(network(mtu=1500),))).network
    assert (found.network, found.project, found.shared, found.mtu) == (NETWORK, "shop-prod", False, 1500)
    assert found.unknowns == ()


def test_a_network_of_another_project_is_shared() -> None:
    found = facts(
        data(networkConfig={"network": HOST_NETWORK}), within=inventory(networks=(network(HOST_NETWORK),))
    ).network
    assert (found.project, found.shared, found.mtu) == ("net-host", True, 1460)


def test_a_network_that_is_not_in_the_inventory_has_an_unknown_mtu() -> None:
    for networks in ((), (network(mtu=None),)):
        found = facts(within=inventory(networks=networks)).network
        assert (found.network, found.mtu) == (NETWORK, None)
        assert found.unknowns[0].hint.startswith("gcloud compute networks describe vpc --project=shop-prod")


@pytest.mark.parametrize("config", [None, {}, {"network": "vpc"}, {"network": 9}])
def test_without_a_full_path_nothing_is_known_of_the_network(config: object) -> None:
    found = facts(data(networkConfig=config)).network
    assert (found.network, found.project, found.shared, found.mtu) == (None, None, None, None)
    assert {one.path for one in found.unknowns} == {
        "network.network",
        "network.project",
        "network.shared",
        "network.mtu",
        "network.enforcement_order",
    }


def test_projects_by_number_and_by_id_are_compared_by_number() -> None:
    numbered = data(networkConfig={"network": "projects/123456789012/global/networks/vpc"})
    assert facts(numbered).network.shared is False
    other = data(networkConfig={"network": "projects/777/global/networks/vpc"})
    assert facts(other).network.shared is True
    at = entry()
    nowhere = replace(at, ancestors=())
    unknown = facts(other, at=nowhere).network
    assert unknown.shared is None
    assert reasons(unknown.unknowns, "network.shared")


def test_a_network_path_without_project_has_no_known_project() -> None:
    found = facts(data(networkConfig={"network": "global/networks/vpc"})).network
    assert (found.project, found.shared) == (None, None)
    assert {one.path for one in found.unknowns} == {
        "network.shared",
        "network.project",
        "network.mtu",
        "network.enforcement_order",
    }
