"""The ranges of Pods, and the pools that draw from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.facts.organisation import SUBNETWORK, data, facts, inventory, pool, reasons, subnetwork

if TYPE_CHECKING:
    from auditor.model.facts import Pods

OTHER = SUBNETWORK.replace("/nodes", "/more-nodes")
UNKNOWN_SUBNETWORK = SUBNETWORK.replace("/nodes", "/elsewhere")


def allocation(**changes: Any) -> dict[str, Any]:
    ordinary: dict[str, Any] = {
        "useIpAliases": True,
        "clusterIpv4CidrBlock": "10.8.0.0/14",
        "clusterSecondaryRangeName": "pods",
    }
    ordinary.update(changes)
    return {key: value for key, value in ordinary.items() if value is not None}


def shared_pool(name: str, **networking: Any) -> dict[str, Any]:
    """A pool that states no range of its own."""
    return pool(name, networkConfig=networking)


def ranges(pods: Pods) -> dict[str, tuple[str, tuple[str, ...], bool]]:
    return {one.cidr: (one.origin, one.pools, one.in_use) for one in pods.ranges}


def test_the_ordinary_cluster_has_its_default_range_in_use() -> None:
    pods = facts().pods
    assert ranges(pods) == {"10.8.0.0/14": ("cluster default", ("default-pool",), True)}
    assert pods.pools[0].ranges == ("10.8.0.0/14",)
    assert pods.pools[0].resolved
    assert (pods.unresolved, pods.unknowns) == ((), ())


def test_a_pool_with_a_range_of_its_own_adds_it_even_to_a_routes_based_cluster() -> None:
    pods = facts(
        data(
            clusterIpv4Cidr="10.4.0.0/14",
            nodeIpv4CidrSize=24,
            ipAllocationPolicy={"useRoutes": True},
            nodePools=[
                pool("default-pool", networkConfig=None, podIpv4CidrSize=None, maxPodsConstraint=None),
                pool("low", networkConfig={"podIpv4CidrBlock": "10.112.0.0/14"}, podIpv4CidrSize=28),
            ],
        )
    ).pods
    assert ranges(pods) == {
        "10.4.0.0/14": ("cluster default", ("default-pool",), True),
        "10.112.0.0/14": ("pool low", ("low",), True),
    }
    assert [one.ipv4_block for one in pods.pools] == [24, 28]


def test_a_default_range_that_no_pool_uses_is_not_in_use() -> None:
    pods = facts(data(nodePools=[pool("a", networkConfig={"podIpv4CidrBlock": "10.112.0.0/14"})])).pods
    assert ranges(pods)["10.8.0.0/14"] == ("cluster default", (), False)


@pytest.mark.parametrize("mask", ["/14", "", None])
def test_a_mask_alone_is_ignored_and_the_deprecated_twins_are_read(mask: str | None) -> None:
    pods = facts(
        data(
            clusterIpv4Cidr="10.20.0.0/14",
            ipAllocationPolicy=allocation(clusterIpv4CidrBlock=mask, clusterSecondaryRangeName=None),
            nodePools=[shared_pool("a")],
        )
    ).pods
    assert ranges(pods) == {"10.20.0.0/14": ("cluster default", ("a",), True)}


def test_a_pool_that_names_its_range_is_looked_up_in_its_subnetwork() -> None:
    within = inventory(
        subnetworks=(subnetwork(), subnetwork(OTHER, secondary_ranges={"gpu": "10.99.0.0/20"}))
    )
    pods = facts(
        data(nodePools=[shared_pool("a", podRange="gpu", subnetwork=OTHER, podIpv4CidrBlock="/20")]),
        within=within,
    ).pods
    assert ranges(pods)["10.99.0.0/20"] == ("pool a", ("a",), True)
    assert pods.evidence[-1].asset.endswith("/more-nodes")


def test_a_subnetwork_stated_by_name_is_one_beside_the_clusters_own() -> None:
    within = inventory(
        subnetworks=(subnetwork(), subnetwork(OTHER, secondary_ranges={"gpu": "10.99.0.0/20"}))
    )
    pods = facts(
        data(nodePools=[shared_pool("a", podRange="gpu", subnetwork="more-nodes")]), within=within
    ).pods
    assert pods.pools[0].ranges == ("10.99.0.0/20",)


def test_a_default_range_known_by_name_alone_is_looked_up() -> None:
    changes: dict[str, Any] = {
        "clusterIpv4Cidr": None,
        "ipAllocationPolicy": allocation(clusterIpv4CidrBlock=None),
        "nodePools": [shared_pool("a")],
    }
    assert facts(data(**changes)).pods.pools[0].ranges == ("10.8.0.0/14",)
    lost = facts(data(**changes), within=inventory(subnetworks=())).pods
    assert lost.ranges == ()
    assert lost.unresolved[0].name == "pods"
    assert lost.unresolved[0].pools == ("a",)
    assert not lost.pools[0].resolved


@pytest.mark.parametrize(
    ("networking", "why"),
    [
        ({"podRange": "gpu", "subnetwork": UNKNOWN_SUBNETWORK}, "is not in the inventory"),
        ({"podRange": "gpu"}, "has no secondary range gpu"),
        ({"podRange": ["gpu"]}, "is not a string"),
        ({"podIpv4CidrBlock": "10.0.0.0"}, "is not an IPv4 range"),
        ({"podIpv4CidrBlock": "fd00::/64"}, "is not an IPv4 range"),
        ({"podIpv4CidrBlock": 10}, "is not an IPv4 range"),
        ({"subnetwork": OTHER}, "names no Pod range there"),
        ({"subnetwork": 7}, "names no Pod range there"),
    ],
)
def test_what_cannot_be_resolved_is_listed_with_its_reason(networking: dict[str, Any], why: str) -> None:
    pods = facts(data(nodePools=[shared_pool("a", **networking), pool("b")])).pods
    assert len(pods.unresolved) == 1
    assert pods.unresolved[0].pools == ("a",)
    assert why in pods.unresolved[0].reason
    assert why in reasons(pods.unknowns, "pods.unresolved")
    assert [one.resolved for one in pods.pools] == [False, True]


def test_the_hint_for_a_missing_subnetwork_is_a_command_with_its_names_quoted() -> None:
    odd = "projects/p/regions/r/subnetworks/a b;c"
    pods = facts(data(nodePools=[shared_pool("a", podRange="x", subnetwork=odd)])).pods
    assert pods.unknowns[0].hint.startswith("gcloud compute networks subnets describe 'a b;c' --region=r")


def test_pools_without_own_range_share_the_default_and_the_additional_ranges() -> None:
    pods = facts(
        data(
            ipAllocationPolicy=allocation(additionalPodRangesConfig={"podRangeNames": ["pods-2"]}),
            nodePools=[pool("own"), shared_pool("a"), shared_pool("b")],
        )
    ).pods
    assert ranges(pods) == {
        "10.8.0.0/14": ("cluster default", ("own", "a", "b"), True),
        "10.64.0.0/16": ("additional range pods-2", ("a", "b"), True),
    }
    assert pods.pools[0].ranges == ("10.8.0.0/14",)


def test_an_additional_range_that_no_pool_uses_is_for_future_pools() -> None:
    pods = facts(
        data(ipAllocationPolicy=allocation(additionalPodRangesConfig={"podRangeNames": ["pods-2", "lost"]}))
    ).pods
    assert ranges(pods)["10.64.0.0/16"] == ("additional range pods-2", (), False)
    assert pods.unresolved == ()


def test_on_autopilot_additional_ranges_are_in_use() -> None:
    policy = allocation(additionalPodRangesConfig={"podRangeNames": ["pods-2", "lost"]})
    hidden = facts(data(autopilot={"enabled": True}, ipAllocationPolicy=policy, nodePools=None)).pods
    assert ranges(hidden) == {
        "10.8.0.0/14": ("cluster default", ("autopilot",), True),
        "10.64.0.0/16": ("additional range pods-2", ("autopilot",), True),
    }
    assert [one.name for one in hidden.unresolved] == ["lost"]
    assert [one.name for one in hidden.pools] == ["autopilot"]
    shown = facts(data(autopilot={"enabled": True}, ipAllocationPolicy=policy)).pods
    assert ranges(shown)["10.64.0.0/16"] == ("additional range pods-2", (), True)


def test_a_pool_in_another_subnetwork_draws_from_the_ranges_there() -> None:
    within = inventory(
        subnetworks=(subnetwork(), subnetwork(OTHER, secondary_ranges={"far": "10.99.0.0/20"}))
    )
    pods = facts(
        data(
            ipAllocationPolicy=allocation(
                additionalIpRangesConfigs=[
                    {"subnetwork": OTHER, "podIpv4RangeNames": ["far"], "status": "ACTIVE"}
                ]
            ),
            nodePools=[
                shared_pool("far", subnetwork=OTHER),
                shared_pool("near", subnetwork=SUBNETWORK),
                shared_pool("any"),
            ],
        ),
        within=within,
    ).pods
    assert [one.ranges for one in pods.pools] == [
        ("10.99.0.0/20",),
        ("10.8.0.0/14",),
        ("10.8.0.0/14", "10.99.0.0/20"),
    ]


@pytest.mark.parametrize(
    "extra",
    [
        {"additionalPodRangesConfig": "pods-2"},
        {"additionalPodRangesConfig": {"podRangeNames": "pods-2"}},
        {"additionalPodRangesConfig": {"podRangeNames": [7]}},
        {"additionalIpRangesConfigs": {}},
        {"additionalIpRangesConfigs": ["x"]},
        {"additionalIpRangesConfigs": [{"podIpv4RangeNames": ["far"]}]},
        {"additionalIpRangesConfigs": [{"subnetwork": OTHER, "podIpv4RangeNames": 1}]},
    ],
)
def test_malformed_additional_ranges_leave_sharing_pools_unresolved(extra: dict[str, Any]) -> None:
    pods = facts(data(ipAllocationPolicy=allocation(**extra), nodePools=[shared_pool("a"), pool("own")])).pods
    assert [one.resolved for one in pods.pools] == [False, True]
    assert "malformed" in pods.unresolved[0].reason


def test_an_empty_ipv6_block_is_none() -> None:
    pods = facts(data(ipAllocationPolicy=allocation(stackType="IPV4", subnetIpv6CidrBlock=""))).pods
    assert all(one.ipv6_block is None for one in pods.pools)
    assert not pods.unresolved


def test_dual_stack_pods_share_the_ipv6_range_of_their_subnetwork() -> None:
    within = inventory(subnetworks=(subnetwork(), subnetwork(OTHER, ipv6_ranges=("fd20:0:0:2::/64",))))
    pods = facts(
        data(
            ipAllocationPolicy=allocation(stackType="IPV4_IPV6", subnetIpv6CidrBlock="fd20:0:0:1::/64"),
            nodePools=[
                pool("near"),
                pool("far", networkConfig={"podIpv4CidrBlock": "10.99.0.0/20", "subnetwork": OTHER}),
            ],
        ),
        within=within,
    ).pods
    assert [(one.ranges, one.ipv6_block) for one in pods.pools] == [
        (("10.8.0.0/14", "fd20:0:0:1::/64"), 112),
        (("10.99.0.0/20", "fd20:0:0:2::/64"), 112),
    ]
    assert {one.cidr: one.family for one in pods.ranges}["fd20:0:0:2::/64"] == 6


def test_a_dual_stack_cluster_without_a_known_ipv6_range_is_unresolved() -> None:
    policy = allocation(stackType="IPV4_IPV6")
    for within in (inventory(), inventory(subnetworks=())):
        pods = facts(data(ipAllocationPolicy=policy), within=within).pods
        assert pods.unresolved[0].name == "IPv6"
        assert not pods.pools[0].resolved


def test_a_malformed_stack_type_leaves_every_pool_unresolved() -> None:
    pods = facts(data(ipAllocationPolicy=allocation(stackType=[]), nodePools=[pool("a"), pool("b")])).pods
    assert pods.unresolved[0].name == "stackType"
    assert [one.resolved for one in pods.pools] == [False, False]


@pytest.mark.parametrize(
    ("size", "most", "cluster_most", "off", "block"),
    [
        (26, 8, 110, False, 26),
        (None, 110, None, False, 24),
        (None, 111, None, False, 24),
        (None, 129, None, False, 23),
        (None, 256, None, False, 23),
        (None, 64, None, False, 25),
        (None, 65, None, False, 24),
        (None, 32, None, False, 26),
        (None, 16, None, False, 27),
        (None, 8, None, False, 28),
        (None, 1, None, False, 28),
        (None, None, 32, False, 26),
        (None, None, None, False, 24),
        (None, 110, None, True, 25),
        (None, "110", "x", False, 24),
        (99, 32, None, False, 26),
        (True, 32, None, False, 26),
        (None, 10**40, None, False, 24),
    ],
)
def test_the_block_of_a_node_is_stated_or_follows_from_the_most_pods(
    size: object, most: object, cluster_most: object, off: bool, block: int
) -> None:
    pods = facts(
        data(
            defaultMaxPodsConstraint={"maxPodsPerNode": cluster_most},
            nodePools=[
                pool(
                    "a",
                    podIpv4CidrSize=size,
                    maxPodsConstraint={"maxPodsPerNode": most},
                    networkConfig={
                        "podIpv4CidrBlock": "10.8.0.0/14",
                        "podCidrOverprovisionConfig": {"disable": off},
                    },
                )
            ],
        )
    ).pods
    assert pods.pools[0].ipv4_block == block


def test_routes_based_clusters_give_each_node_the_block_of_the_cluster() -> None:
    pods = facts(
        data(
            nodeIpv4CidrSize=25,
            nodePools=[shared_pool("a") | {"podIpv4CidrSize": None, "maxPodsConstraint": {}}],
        )
    ).pods
    assert pods.pools[0].ipv4_block == 25


def test_additional_pod_networks_are_named_as_not_analysed() -> None:
    networking = {"podIpv4CidrBlock": "10.8.0.0/14", "additionalPodNetworkConfigs": [{"subnetwork": "s"}]}
    pods = facts(data(nodePools=[pool("a"), pool("b", networkConfig=networking)])).pods
    assert "node pool b" in reasons(pods.unknowns, "pods.unresolved").lower()
    assert [one.resolved for one in pods.pools] == [True, False]
    # What Pods do over their other interfaces cannot be told, so nothing about the cluster is a sure pass.
    found = facts(data(nodePools=[pool("a"), pool("b", networkConfig=networking)])).traffic
    assert found.same_node.analysis.verdict != "allowed"
    empty = {"podIpv4CidrBlock": "10.8.0.0/14", "additionalPodNetworkConfigs": []}
    assert facts(data(nodePools=[pool("b", networkConfig=empty)])).pods.unresolved == ()


def test_without_any_default_range_a_sharing_pool_is_unresolved() -> None:
    pods = facts(data(clusterIpv4Cidr=None, ipAllocationPolicy={}, nodePools=[shared_pool("a")])).pods
    assert "states no default Pod range" in pods.unresolved[0].reason
    malformed = facts(data(clusterIpv4Cidr=None, ipAllocationPolicy=[], nodePools=[shared_pool("a")])).pods
    assert "`ipAllocationPolicy` is not an object" in malformed.unresolved[0].reason
