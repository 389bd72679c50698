"""What the firewall sees of nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditor.model.inventory import TAG_BINDING
from tests.facts.organisation import (
    NETWORK,
    NUMBER,
    FakeCoverage,
    data,
    entry,
    facts,
    inventory,
    pool,
    reasons,
)

DEFAULT_ACCOUNT = f"{NUMBER}-compute@developer.gserviceaccount.com"
BINDINGS_READ = FakeCoverage(frozenset({TAG_BINDING}))


def config(**changes: Any) -> dict[str, Any]:
    return {"imageType": "COS_CONTAINERD", **changes}


def test_pools_of_one_identity_are_one_class() -> None:
    classes = facts(
        data(
            nodePools=[
                pool("a"),
                pool("b", config=config()),
                pool("c", config=config(tags=["web", "db"])),
                pool("d", config=config(tags=["db", "web", "db"])),
                pool("e", config=config(serviceAccount="sa@p.iam.gserviceaccount.com")),
            ]
        )
    ).node_classes.classes
    assert classes is not None
    assert [one.pools for one in classes] == [("a", "b"), ("c", "d"), ("e",)]
    assert [one.tags for one in classes] == [(), ("db", "web"), ()]
    assert [one.service_account for one in classes] == [
        DEFAULT_ACCOUNT,
        DEFAULT_ACCOUNT,
        "sa@p.iam.gserviceaccount.com",
    ]
    assert {(one.network, one.region, one.cluster_name, one.cluster_hash) for one in classes} == {
        (NETWORK, "europe-west1", "checkout", "abcdef01")
    }


def test_a_zonal_clusters_nodes_are_in_the_zones_region() -> None:
    classes = facts(at=entry(location="europe-west1-b")).node_classes.classes
    assert classes is not None
    assert classes[0].region == "europe-west1"


@pytest.mark.parametrize("identifier", [None, "", "abc", "zzzzzzzz0000", 17, ["abcdef01"]])
def test_without_an_id_the_hash_is_unknown(identifier: object) -> None:
    found = facts(data(id=identifier)).node_classes
    assert found.classes is not None
    assert found.classes[0].cluster_hash is None
    assert reasons(found.unknowns, "node_classes.classes[].cluster_hash")


@pytest.mark.parametrize(
    ("ancestors", "numbers", "above", "known"),
    [
        ((f"projects/{NUMBER}",), {}, {}, True),
        ((), {NUMBER: "shop-prod"}, {}, True),
        ((), {}, {"shop-prod": (f"projects/{NUMBER}", "folders/1")}, True),
        (("folders/1",), {}, {"shop-prod": ()}, False),
        (("projects/shop-prod",), {}, {}, False),
    ],
)
def test_the_default_account_needs_the_number_of_the_clusters_project(
    ancestors: tuple[str, ...],
    numbers: dict[str, str],
    above: dict[str, tuple[str, ...]],
    known: bool,
) -> None:
    at = entry()
    at = replace(at, ancestors=ancestors)
    found = facts(at=at, within=inventory(project_numbers=numbers, ancestors=above)).node_classes
    assert found.classes is not None
    assert found.classes[0].service_account == (DEFAULT_ACCOUNT if known else None)
    assert bool(reasons(found.unknowns, "node_classes.classes[].service_account")) != known


@pytest.mark.parametrize("account", [7, ["sa"], {"email": "sa"}])
def test_nothing_is_said_of_nodes_whose_account_may_be_any(account: object) -> None:
    known = facts(data(nodePools=[pool("a", config=config(serviceAccount=account))]))
    assert known.node_classes.classes is None
    assert "`config.serviceAccount` of node pool a" in reasons(
        known.node_classes.unknowns, "node_classes.classes"
    )
    assert known.traffic.same_node.verdict is None


@pytest.mark.parametrize("tags", ["web", {"web": 1}, [1], ["web", None]])
def test_malformed_tags_leave_no_class_to_speak_of(tags: object) -> None:
    found = facts(data(nodePools=[pool("a", config=config(tags=tags)), pool("b")])).node_classes
    assert found.classes is None
    assert "node pool a" in reasons(found.unknowns, "node_classes.classes")


@pytest.mark.parametrize(
    ("stated", "secure"),
    [
        (
            {"tags": {"tagKeys/1": "tagValues/22", "tagKeys/2": "tagValues/11"}},
            ("tagValues/11", "tagValues/22"),
        ),
        ({}, ()),
        ({"tags": {}}, ()),
        ({"tags": {"123/env": "prod"}}, None),
        ({"tags": {"tagKeys/1": "tagValues/22", "123/env": "prod"}}, None),
        ({"tags": ["tagValues/1"]}, None),
        ("tagValues/1", None),
    ],
)
def test_secure_tags_are_known_if_stated_by_their_permanent_names(
    stated: object, secure: tuple[str, ...] | None
) -> None:
    for within in (inventory(), inventory(coverage=BINDINGS_READ)):
        found = facts(
            data(nodePools=[pool("a", config=config(resourceManagerTags=stated))]), within=within
        ).node_classes
        assert found.classes is not None
        assert found.classes[0].secure_tags == secure
        assert bool(reasons(found.unknowns, "node_classes.classes[].secure_tags")) == (secure is None)


def test_unstated_secure_tags_are_none_only_if_the_bindings_were_read() -> None:
    unread = facts().node_classes
    assert unread.classes is not None
    assert unread.classes[0].secure_tags is None
    assert "the input holds none" in reasons(unread.unknowns, "node_classes.classes[].secure_tags")
    read = facts(within=inventory(coverage=BINDINGS_READ)).node_classes
    assert read.classes is not None
    assert read.classes[0].secure_tags == ()
    assert read.unknowns == ()


def test_the_hint_for_a_namespaced_tag_names_it() -> None:
    stated = {"tags": {"123/env; rm": "prod"}}
    found = facts(data(nodePools=[pool("a", config=config(resourceManagerTags=stated))])).node_classes
    assert "tags values describe '123/env; rm/prod'" in found.unknowns[0].hint


def test_auto_provisioned_pools_carry_what_the_auto_config_states_and_others_do_not() -> None:
    auto = {"networkTags": {"tags": ["auto"]}, "resourceManagerTags": {"tags": {"tagKeys/1": "tagValues/5"}}}
    own = config(resourceManagerTags={})
    pools = [
        pool("mine", config=own),
        pool("nap", config=own, autoscaling={"enabled": True, "autoprovisioned": True}),
    ]
    found = facts(data(nodePoolAutoConfig=auto, nodePools=pools)).node_classes
    assert found.classes is not None
    assert [(one.pools, one.tags, one.secure_tags) for one in found.classes] == [
        (("mine",), (), ()),
        (("nap",), ("auto",), ("tagValues/5",)),
    ]
    odd = pool("odd", config=own, autoscaling={"autoprovisioned": 7})
    assert facts(data(nodePoolAutoConfig=auto, nodePools=[odd])).node_classes.classes is None


def test_autopilot_nodes_carry_what_the_auto_config_states() -> None:
    auto = {
        "networkTags": {"tags": ["auto"]},
        "resourceManagerTags": {"tags": {"tagKeys/1": "tagValues/5"}},
    }
    changes: dict[str, Any] = {"autopilot": {"enabled": True}, "nodePoolAutoConfig": auto}
    hidden = facts(data(**changes, nodePools=None)).node_classes
    assert hidden.classes is not None
    assert [(one.pools, one.tags, one.secure_tags) for one in hidden.classes] == [
        (("autopilot",), ("auto",), ("tagValues/5",))
    ]
    shown = facts(data(**changes, nodePools=[pool("a", config=config(tags=["own"]))])).node_classes
    assert shown.classes is not None
    assert shown.classes[0].tags == ("auto", "own")
    standard = facts(data(nodePoolAutoConfig=auto)).node_classes
    assert standard.classes is not None
    assert standard.classes[0].tags == ()


@pytest.mark.parametrize(
    "auto", ["x", {"networkTags": "x"}, {"networkTags": {"tags": "x"}}, {"networkTags": {"tags": [3]}}]
)
def test_a_malformed_auto_config_leaves_no_class_on_autopilot(auto: object) -> None:
    found = facts(data(autopilot={"enabled": True}, nodePoolAutoConfig=auto, nodePools=None)).node_classes
    assert found.classes is None
    assert found.unknowns


@pytest.mark.parametrize(
    ("provisioning", "mirror", "account"),
    [
        (None, None, DEFAULT_ACCOUNT),
        ("default", None, DEFAULT_ACCOUNT),
        ("nodes@p.iam.gserviceaccount.com", None, "nodes@p.iam.gserviceaccount.com"),
        (None, "nodes@p.iam.gserviceaccount.com", "nodes@p.iam.gserviceaccount.com"),
        ("a@p.iam.gserviceaccount.com", "b@p.iam.gserviceaccount.com", None),
        (7, None, None),
    ],
)
def test_hidden_autopilot_nodes_run_as_the_account_for_auto_provisioning(
    provisioning: object, mirror: object, account: str | None
) -> None:
    found = facts(
        data(
            autopilot={"enabled": True},
            nodePools=None,
            autoscaling={"autoprovisioningNodePoolDefaults": {"serviceAccount": provisioning}},
            nodeConfig={"serviceAccount": mirror},
        )
    ).node_classes
    if account is None:
        assert found.classes is None
        assert found.unknowns
        return
    assert found.classes is not None
    assert found.classes[0].service_account == account


@pytest.mark.parametrize("network", [None, "vpc", 5, ""])
def test_a_network_that_is_no_full_path_is_unknown(network: object) -> None:
    found = facts(data(networkConfig={"network": network})).node_classes
    assert found.classes is not None
    assert found.classes[0].network is None
    assert reasons(found.unknowns, "node_classes.classes[].network")


def test_a_network_named_by_project_number_is_brought_to_its_id() -> None:
    found = facts(
        data(
            networkConfig={
                "network": f"https://www.googleapis.com/compute/v1/projects/{NUMBER}/global/networks/vpc"
            }
        ),
        within=inventory(project_numbers={NUMBER: "shop-prod"}),
    )
    assert found.node_classes.classes is not None
    assert found.node_classes.classes[0].network == NETWORK
    assert found.network.shared is False
