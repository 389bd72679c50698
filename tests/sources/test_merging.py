"""One asset, however often and under whatever name it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.model import inventory as model
from auditor.sources import from_assets, load
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.sources.inventory import AssetInventory

OLD, NEW = "2024-05-01T09:00:00Z", "2024-05-01T09:00:00.5Z"


def _data(inventory: AssetInventory, index: int = 0) -> dict[str, Any] | None:
    return inventory.decode(inventory.clusters[index]).data


def _pools(inventory: AssetInventory) -> dict[str, str] | None:
    data = _data(inventory)
    assert data is not None
    return {one["name"]: one["version"] for one in data["nodePools"]} if "nodePools" in data else None


def _both_ways(*assets: make.Asset) -> AssetInventory:
    """The inventory, which must be the same in both orders."""
    first, second = from_assets(assets), from_assets(assets[::-1])
    assert first.digest == second.digest
    assert first.gaps == second.gaps
    assert first.clusters == second.clusters
    assert [first.decode(one) for one in first.clusters] == [second.decode(one) for one in second.clusters]
    assert first.firewall_rules == second.firewall_rules
    assert first.networks == second.networks
    return first


def test_the_newer_version_of_an_asset_counts() -> None:
    inventory = _both_ways(
        make.cluster("a", time=OLD, status="RUNNING"), make.cluster("a", time=NEW, status="ERROR")
    )
    assert len(inventory.clusters) == 1
    assert (_data(inventory) or {})["status"] == "ERROR"
    assert inventory.clusters[0].update_time == NEW


def test_offsets_of_update_times_are_reckoned_with() -> None:
    inventory = _both_ways(
        make.cluster("a", time="2024-05-01T10:00:00+02:00", status="RUNNING"),
        make.cluster("a", time="2024-05-01T09:00:00Z", status="ERROR"),
    )
    assert (_data(inventory) or {})["status"] == "ERROR"


def test_the_zone_and_the_location_of_a_cluster_are_one_cluster() -> None:
    inventory = _both_ways(
        make.cluster("a", location="zones/europe-west1-b", time=OLD),
        make.cluster("a", location="locations/europe-west1-b", time=NEW),
    )
    assert [one.key for one in inventory.clusters] == ["projects/svc/locations/europe-west1-b/clusters/a"]


def test_the_number_and_the_id_of_a_project_are_one_project() -> None:
    inventory = _both_ways(
        *make.hierarchy(),
        make.cluster("a", project="svc", time=OLD),
        make.cluster("a", project=make.NUMBER, time=NEW, status="ERROR"),
    )
    assert [one.project for one in inventory.clusters] == ["svc"]
    assert (_data(inventory) or {})["status"] == "ERROR"


def test_identical_copies_without_times_are_one_asset_without_a_gap() -> None:
    inventory = _both_ways(make.cluster("a", time=""), make.cluster("a", time=""), *make.organisation())
    assert not [gap for gap in inventory.gaps if gap.asset_type == model.CLUSTER]


def test_a_contradiction_without_times_leaves_the_cluster_undecided() -> None:
    inventory = _both_ways(make.cluster("a", time=""), make.cluster("a", time="", status="ERROR"))
    assert _data(inventory) is None
    gap = next(gap for gap in inventory.gaps if gap.scope == make.cluster("a")["name"])
    assert "2 times" in gap.reason


def test_a_time_and_no_time_do_not_decide_which_is_newer() -> None:
    assert _data(_both_ways(make.cluster("a"), make.cluster("a", time="", status="ERROR"))) is None


def test_a_copy_without_data_yields_to_one_with_data() -> None:
    bare = make.asset(model.CLUSTER, make.cluster("a")["name"], None, time=NEW)
    assert _data(_both_ways(bare, make.cluster("a", time=OLD))) is not None


def test_a_cluster_without_data_is_kept_and_named() -> None:
    bare = make.asset(model.CLUSTER, make.cluster("a")["name"], None)
    inventory = from_assets([bare, make.network()])
    assert _data(inventory) is None
    assert any("svc/europe-west1/a" in gap.reason for gap in inventory.gaps)


def test_contradicting_firewall_rules_are_left_out_and_the_type_is_not_read() -> None:
    inventory = _both_ways(
        *make.organisation(),
        *make.in_host(make.firewall("twice", time=""), make.firewall("twice", time="", priority=7)),
    )
    assert "twice" not in [rule.name for rule in inventory.firewall_rules[make.NETWORK]]
    assert not inventory.coverage.read(model.FIREWALL, "host")
    assert inventory.coverage.read(model.FIREWALL, "svc")
    assert "twice" in inventory.coverage.why_not(model.FIREWALL, "host").reason


def test_contradicting_networks_are_not_known() -> None:
    first, second = make.network(), make.network(mtu=1500)
    del first["updateTime"], second["updateTime"]
    inventory = _both_ways(make.cluster("a"), first, second)
    assert inventory.networks == {}
    assert not inventory.coverage.read(model.NETWORK, "host")


def test_an_export_and_gcloud_agree_about_a_firewall_rule(tmp_path: Path) -> None:
    export = make.write(tmp_path / "1", make.ndjson(make.organisation()))
    listed = make.write(tmp_path / "2", [make.api(make.firewall())])
    inventory = load([export, listed])
    assert len(inventory.firewall_rules[make.NETWORK]) == 2
    assert inventory.gaps == ()


# Node pools


def test_node_pool_assets_complete_a_cluster_that_embeds_none() -> None:
    cluster = make.cluster("a")
    del cluster["resource"]["data"]["nodePools"]
    inventory = _both_ways(cluster, make.node_pool(cluster, "x"), make.node_pool(cluster, "b"))
    assert list(_pools(inventory) or {}) == ["b", "x"]
    assert inventory.counts["node_pools"] == 2


def test_the_newer_of_an_embedded_pool_and_its_asset_counts() -> None:
    cluster = make.cluster("a", nodePools=[make.pool("x"), make.pool("y")])
    newer = make.node_pool(cluster, "x", time="2025-01-01T00:00:00Z", version="1.31.0")
    older = make.node_pool(cluster, "y", time="2020-01-01T00:00:00Z", version="1.20.0")
    assert _pools(_both_ways(cluster, newer, older)) == {"x": "1.31.0", "y": "1.30.1-gke.100"}


def test_an_equal_pool_of_the_same_time_is_one_pool() -> None:
    cluster = make.cluster("a")
    inventory = _both_ways(cluster, make.node_pool(cluster, "default-pool"))
    assert _pools(inventory) == {"default-pool": "1.30.1-gke.100"}
    assert not [gap for gap in inventory.gaps if gap.asset_type == model.NODE_POOL]


def test_contradicting_pools_of_the_same_time_leave_the_pools_unknown() -> None:
    cluster = make.cluster("a")
    inventory = _both_ways(cluster, make.node_pool(cluster, "default-pool", version="1.9.0"))
    assert _pools(inventory) is None
    assert any("default-pool" in gap.reason for gap in inventory.gaps)


def test_a_pool_asset_of_a_zonal_cluster_finds_it_by_location() -> None:
    cluster = make.cluster("a", location="zones/europe-west1-b", nodePools=[])
    pool = make.node_pool(make.cluster("a", location="locations/europe-west1-b"), "x")
    assert list(_pools(_both_ways(cluster, pool)) or {}) == ["x"]


def test_a_pool_without_its_cluster_is_a_gap_and_clusters_may_be_missing() -> None:
    cluster = make.cluster("gone")
    inventory = _both_ways(*make.organisation(), make.node_pool(cluster, "x"), make.node_pool(cluster, "y"))
    (gap,) = [gap for gap in inventory.gaps if gap.scope == cluster["name"]]
    assert "x, y" in gap.reason
    assert "gcloud container clusters describe gone" in gap.hint
    assert not inventory.coverage.every_cluster_read()


def test_pools_are_absent_where_the_api_would_have_sent_them() -> None:
    standard = make.cluster("a", nodePools=[])
    autopilot = make.cluster("b", autopilot={"enabled": True})
    del autopilot["resource"]["data"]["nodePools"]
    inventory = from_assets([standard, autopilot])
    assert "nodePools" not in (_data(inventory, 0) or {})
    assert (_data(inventory, 1) or {})["nodePools"] == []
    (gap,) = [gap for gap in inventory.gaps if gap.asset_type == model.NODE_POOL]
    assert "svc/europe-west1/a" in gap.reason
    assert "svc/europe-west1/b" not in gap.reason


def test_a_pool_embedded_twice_is_one_pool_and_two_of_one_name_are_not_known() -> None:
    same = make.cluster("a", nodePools=[make.pool("x"), make.pool("x")])
    other = make.cluster("b", nodePools=[make.pool("x"), make.pool("x", version="1.9.0")])
    inventory = from_assets([same, other])
    assert _pools(inventory) == {"x": "1.30.1-gke.100"}
    assert "nodePools" not in (_data(inventory, 1) or {})


# Projects


def test_ancestors_of_any_asset_place_its_project() -> None:
    inventory = from_assets([make.cluster("a"), *make.in_host(make.subnetwork())])
    assert inventory.ancestors["host"] == ("projects/5678", "folders/55", make.ORGANIZATION)
    assert inventory.project_numbers == {"1234": "svc", "5678": "host"}


def test_the_project_asset_decides_between_two_places() -> None:
    moved = {**make.cluster("b"), "ancestors": ["projects/1234", "folders/1", make.ORGANIZATION]}
    with_project = _both_ways(*make.hierarchy(), make.cluster("a"), moved)
    without = _both_ways(make.cluster("a"), moved)
    assert with_project.ancestors["svc"] == tuple(make.ANCESTORS)
    assert "svc" not in without.ancestors
    assert any(gap.scope == "projects/svc" for gap in without.gaps)


def test_placeholders_in_ancestors_place_nothing() -> None:
    one = {**make.cluster("a"), "ancestors": ["organizations/{{.OrgID}}"]}
    two = {**make.cluster("b"), "ancestors": ["projects/1", "organizations/{{.OrgID}}"]}
    assert from_assets([one, two]).ancestors == {}


def test_placeholders_in_names_are_a_gap() -> None:
    inventory = from_assets([make.cluster("a", project="{{.Provider.project}}")])
    assert inventory.clusters[0].project == "{{.Provider.project}}"
    assert any("placeholders" in gap.reason for gap in inventory.gaps)


def test_references_by_project_number_find_their_asset() -> None:
    config = {"network": "projects/5678/global/networks/vpc"}
    rule = make.firewall("by-number", network=f"https://www.googleapis.com/compute/v1/{config['network']}")
    (rule,) = make.in_host(rule)
    inventory = from_assets([*make.organisation(), make.cluster("n", networkConfig=config), rule])
    assert "by-number" in [one.name for one in inventory.firewall_rules[make.NETWORK]]
    assert inventory.gaps == ()
    assert inventory.resolve("https://www.googleapis.com/compute/v1/" + config["network"]) == make.NETWORK


def test_policies_refer_to_networks_by_project_id() -> None:
    policy = make.compute(
        model.FIREWALL_POLICY,
        "projects/5678/global/firewallPolicies/p",
        {
            "name": "p",
            "associations": [{"name": "a", "attachmentTarget": "projects/5678/global/networks/vpc"}],
            "rules": [
                {
                    "priority": 1,
                    "direction": "INGRESS",
                    "action": "deny",
                    "targetResources": ["projects/5678/global/networks/vpc"],
                    "match": {
                        "srcNetworks": ["projects/5678/global/networks/vpc"],
                        "srcAddressGroups": ["projects/5678/locations/global/addressGroups/g"],
                        "layer4Configs": [{"ipProtocol": "all"}],
                    },
                }
            ],
        },
    )
    found = next(one for one in from_assets([*make.organisation(), policy]).policies if one.name == "p")
    (rule,) = found.rules
    assert found.associations[0].target == make.NETWORK
    assert rule.target_resources == (make.NETWORK,)
    assert rule.source.networks == (make.NETWORK,)
    assert rule.source.address_groups == ("projects/host/locations/global/addressGroups/g",)


def test_a_number_that_stands_for_two_projects_is_not_relied_upon() -> None:
    other = {**make.cluster("b", project="other"), "ancestors": make.ANCESTORS}
    inventory = _both_ways(make.cluster("a"), other)
    assert inventory.project_numbers == {}
    assert any("other, svc" in gap.reason for gap in inventory.gaps)


def test_the_parent_of_an_asset_without_ancestors_tells_the_project_number() -> None:
    one = {**make.cluster("a"), "ancestors": None}
    one["resource"]["parent"] = "//cloudresourcemanager.googleapis.com/projects/1234"
    inventory = from_assets([one])
    assert inventory.project_numbers == {"1234": "svc"}
    assert inventory.ancestors == {}


def test_the_read_time_is_the_newest_update_time() -> None:
    assets = [make.cluster("a", time=OLD), make.cluster("b", time=NEW), make.cluster("c", time="rubbish")]
    assert _both_ways(*assets).read_time == NEW
    assert from_assets([make.cluster("a", time="")]).read_time is None


def test_the_scope_is_said_in_a_few_words() -> None:
    assert from_assets([make.cluster("a")]).scope == "projects/svc"
    assert (
        from_assets([make.cluster("a"), make.cluster("b", project="z")]).scope == "projects/svc, projects/z"
    )
    many = [make.cluster("a", project=f"p-{index}") for index in range(4)]
    assert from_assets(many).scope == "4 projects"
    assert from_assets([*make.hierarchy(), make.cluster("a")]).scope == make.ORGANIZATION
    assert from_assets([make.subnetwork()], label="x.json").scope == "x.json"


def test_the_digest_ignores_times_and_number_formats_and_sees_data() -> None:
    plain = from_assets([make.cluster("a", initialNodeCount=3), make.firewall(priority=1000)])
    later = from_assets([make.cluster("a", time=NEW, initialNodeCount=3.0), make.firewall(priority=1000.0)])
    other = from_assets([make.cluster("a", initialNodeCount=4), make.firewall()])
    nulls = from_assets(
        [make.cluster("a", initialNodeCount=3, fleet=None), make.firewall(priority=1000, description=None)]
    )
    assert plain.digest == later.digest == nulls.digest
    assert plain.digest != other.digest
    assert plain.digest.startswith("sha256:")
    disk = make.compute("compute.googleapis.com/Disk", "projects/svc/zones/z/disks/d", {})
    assert from_assets([make.cluster("a"), disk]).digest == from_assets([make.cluster("a")]).digest
