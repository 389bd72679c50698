"""What an absence means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditor.model import inventory as model
from auditor.model.inventory import Gap
from auditor.sources import from_assets, load
from auditor.sources.snapshot import Header, write
from auditor.sources.wording import USED
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.sources.inventory import AssetInventory


def _snapshot(path: Path, assets: list[make.Asset], **header: Any) -> AssetInventory:
    stated = Header(
        **{"scopes": (make.ORGANIZATION,), "asset_types": frozenset(USED), "read_time": make.TIME, **header}
    )
    return load([make.write(path / "snapshot", b"".join(write(stated, assets)))])


def test_a_type_of_which_an_asset_is_there_was_read() -> None:
    coverage = from_assets([make.cluster("a"), make.firewall()]).coverage
    assert coverage.read(model.FIREWALL, "host")
    assert coverage.read(model.FIREWALL, "")
    assert not coverage.read(model.NETWORK, "host")


def test_of_a_type_that_is_there_it_is_not_said_that_it_is_absent(tmp_path: Path) -> None:
    listed = load([make.write(tmp_path / "listed", [make.api(make.cluster("a"))])]).coverage
    assert not listed.every_cluster_read()
    assert listed.why_not(model.CLUSTER, "").reason == (
        "nothing says that the input holds every cluster of the organization"
    )
    assert listed.why_not(model.CLUSTER, "other").reason == (
        "nothing says that the input holds every cluster of project other"
    )
    assert "the input holds no VPC firewall rule" in listed.why_not(model.FIREWALL, "svc").reason


def test_a_gap_that_names_no_type_may_hide_assets_of_any(tmp_path: Path) -> None:
    assets = [make.cluster("a"), *make.in_host(make.network())]
    gap = Gap("projects/host", None, "the perimeter refused it", "let the collector in")
    coverage = _snapshot(tmp_path, assets, gaps=(gap,)).coverage
    for kind in (model.FIREWALL, model.FIREWALL_POLICY, model.NETWORK, model.SUBNETWORK):
        assert not coverage.read(kind, "host")
        assert coverage.why_not(kind, "host").reason == gap.reason
    assert not coverage.hierarchy_read("host")
    assert not coverage.every_cluster_read()
    assert coverage.read(model.FIREWALL, "svc")


@pytest.mark.parametrize(
    ("scope", "kind", "known"),
    [
        ("projects/svc", model.NODE_POOL, False),
        ("projects/svc", None, False),
        ("folders/55", model.NODE_POOL, False),
        ("projects/elsewhere", model.NODE_POOL, True),
        ("projects/svc", model.NETWORK, True),
    ],
)
def test_node_pools_that_a_snapshot_may_lack_are_not_all_of_the_clusters(
    tmp_path: Path, scope: str, kind: str | None, *, known: bool
) -> None:
    cluster = make.cluster("a")
    del cluster["resource"]["data"]["nodePools"]
    gap = Gap(scope, kind, "refused", "grant the role")
    inventory = _snapshot(tmp_path, [cluster, make.node_pool(cluster, "x")], gaps=(gap,))
    data = inventory.decode(inventory.clusters[0]).data
    assert data is not None
    assert ("nodePools" in data) is known


def test_a_type_that_is_absent_is_not_known_to_be_empty() -> None:
    coverage = from_assets([make.cluster("a")]).coverage
    for kind in USED:
        assert coverage.read(kind, "svc") is (kind == model.CLUSTER)
    gap = coverage.why_not(model.FIREWALL, "host")
    assert gap.scope == "projects/host"
    assert "--complete" in gap.hint
    assert "--asset-types=compute.googleapis.com/Firewall" in gap.hint


def test_the_users_word_covers_every_type_but_tag_bindings() -> None:
    coverage = from_assets([make.cluster("a")], complete=True).coverage
    for kind in USED:
        assert coverage.read(kind, "host") is (kind != model.TAG_BINDING)
    assert coverage.hierarchy_read("host")
    assert coverage.every_cluster_read()
    assert "--complete does not" in coverage.why_not(model.TAG_BINDING, "host").hint


def test_the_hierarchy_was_read_when_the_organization_and_a_policy_are_there() -> None:
    placed = make.in_host(make.network())
    organization, policy = make.hierarchy()[0], make.policy()
    assert from_assets([*placed, organization, policy]).coverage.hierarchy_read("host")
    assert not from_assets([*placed, organization]).coverage.hierarchy_read("host")
    assert not from_assets([*placed, policy]).coverage.hierarchy_read("host")
    assert not from_assets([organization, policy]).coverage.hierarchy_read("host")


def test_the_organization_of_someone_else_does_not_count() -> None:
    elsewhere = {**make.network(), "ancestors": ["projects/5678", "organizations/1"]}
    assert not from_assets([elsewhere, make.hierarchy()[0], make.policy()]).coverage.hierarchy_read("host")


def test_every_cluster_was_read_with_the_organization() -> None:
    assert from_assets(make.organisation()).coverage.every_cluster_read()
    assert not from_assets([make.cluster("a"), make.network()]).coverage.every_cluster_read()
    unplaced = {**make.network("projects/nowhere/global/networks/n"), "ancestors": []}
    assert not from_assets([*make.organisation(), unplaced]).coverage.every_cluster_read()


def test_a_line_that_was_lost_may_have_been_a_rule_of_that_project(tmp_path: Path) -> None:
    line = make.ndjson([make.firewall("lost")])[:-9]
    source = make.write(tmp_path / "f", make.ndjson(make.organisation()) + line + b"\n")
    for complete in (False, True):
        coverage = load([source], complete=complete).coverage
        assert not coverage.read(model.FIREWALL, "host")
        assert coverage.read(model.FIREWALL, "svc")
        assert coverage.read(model.FIREWALL_POLICY, "host")
        assert f"{source}:12" in coverage.why_not(model.FIREWALL, "host").reason


@pytest.mark.parametrize("change", [{"name": None}, {"name": 3}])
def test_an_asset_without_a_name_may_have_been_any_of_its_type(
    change: dict[str, Any], tmp_path: Path
) -> None:
    source = make.write(tmp_path / "f", make.ndjson([*make.organisation(), {**make.firewall(), **change}]))
    inventory = load([source], complete=True)
    assert not inventory.coverage.read(model.FIREWALL, "host")
    assert inventory.coverage.read(model.NETWORK, "host")
    assert inventory.gaps[0].scope == f"{source}:12"


def test_a_list_with_an_item_that_is_not_recognised_is_not_complete(tmp_path: Path) -> None:
    items = [make.api(make.network()), {"kind": "compute#network", "name": "no-link"}]
    inventory = load([make.write(tmp_path / "f", items)])
    assert list(inventory.networks) == [make.NETWORK]
    assert not inventory.coverage.read(model.NETWORK, "host")


def test_a_line_of_which_nothing_is_known_may_have_been_anything(tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", make.ndjson(make.organisation()) + b'{"na\n')
    coverage = load([source], complete=True).coverage
    assert not any(coverage.read(kind, "host") for kind in USED)
    assert not coverage.hierarchy_read("host")
    assert not coverage.every_cluster_read()


def test_a_rule_without_data_is_a_gap_and_the_type_was_not_read() -> None:
    inventory = from_assets(
        [*make.organisation(), make.compute(model.FIREWALL, "projects/host/global/firewalls/f", None)]
    )
    assert not inventory.coverage.read(model.FIREWALL, "host")
    assert any(gap.scope.endswith("/firewalls/f") for gap in inventory.gaps)


def test_a_rule_of_no_known_network_may_be_of_any() -> None:
    inventory = from_assets([*make.organisation(), make.firewall("odd", network=3)])
    assert not inventory.coverage.read(model.FIREWALL, "host")
    assert any(gap.scope.endswith("/firewalls/odd") for gap in inventory.gaps)


# Snapshots


def test_a_snapshot_says_which_types_were_read_in_which_scope(tmp_path: Path) -> None:
    assets = [make.cluster("a"), *make.in_host(make.network(), make.subnetwork())]
    inventory = _snapshot(tmp_path, assets)
    coverage = inventory.coverage
    for kind in USED:
        assert coverage.read(kind, "host")
        assert coverage.read(kind, "")
        assert not coverage.read(kind, "of-another-organisation")
    assert coverage.hierarchy_read("host")
    assert coverage.every_cluster_read()
    assert inventory.gaps == ()
    assert inventory.scope == make.ORGANIZATION


def test_a_type_that_a_snapshot_did_not_ask_for_was_not_read(tmp_path: Path) -> None:
    types = frozenset(USED) - {model.FIREWALL_POLICY}
    coverage = _snapshot(tmp_path, [make.cluster("a"), make.firewall()], asset_types=types).coverage
    assert not coverage.read(model.FIREWALL_POLICY, "svc")
    assert not coverage.hierarchy_read("svc")
    assert coverage.read(model.FIREWALL, "svc")


def test_an_asset_in_a_snapshot_does_not_make_its_type_read(tmp_path: Path) -> None:
    header = {"asset_types": frozenset({model.CLUSTER}), "scopes": ("projects/svc",)}
    coverage = _snapshot(tmp_path, [make.cluster("a"), make.firewall()], **header).coverage
    assert not coverage.read(model.FIREWALL, "host")
    assert coverage.read(model.CLUSTER, "svc")
    assert not coverage.read(model.CLUSTER, "")
    assert not coverage.every_cluster_read()


@pytest.mark.parametrize("scope", ["projects/svc", "projects/1234", "folders/55", make.ORGANIZATION])
def test_the_scope_of_a_snapshot_covers_what_is_below_it(scope: str, tmp_path: Path) -> None:
    inventory = _snapshot(tmp_path, [make.cluster("a"), *make.in_host(make.network())], scopes=(scope,))
    assert inventory.coverage.read(model.FIREWALL, "svc")
    assert inventory.coverage.read(model.FIREWALL, "host") is (not scope.startswith("projects/"))
    assert inventory.coverage.hierarchy_read("svc") is (scope == make.ORGANIZATION)
    assert inventory.coverage.every_cluster_read() is (scope == make.ORGANIZATION)


def test_what_a_snapshot_listed_outside_its_scope_counts_there(tmp_path: Path) -> None:
    inventory = _snapshot(
        tmp_path,
        make.organisation(),
        scopes=("projects/svc",),
        asset_types=frozenset({model.CLUSTER}),
        listed=(("projects/host", frozenset({model.FIREWALL})),),
    )
    assert inventory.coverage.read(model.FIREWALL, "host")
    assert not inventory.coverage.read(model.FIREWALL, "svc")
    assert not inventory.coverage.read(model.NETWORK, "host")
    assert not inventory.coverage.read(model.FIREWALL, "")


def test_the_policies_above_a_project_were_read_where_a_snapshot_says_so(tmp_path: Path) -> None:
    for hierarchies in ((), (make.ORGANIZATION,), ("organizations/98",)):
        inventory = _snapshot(
            tmp_path,
            make.organisation(),
            scopes=("projects/svc",),
            asset_types=frozenset({model.FIREWALL_POLICY}),
            hierarchies=hierarchies,
        )
        assert inventory.coverage.hierarchy_read("svc") is (make.ORGANIZATION in hierarchies)
        assert not inventory.coverage.every_cluster_read()


def test_kubernetes_objects_are_listed_for_the_clusters_that_a_snapshot_names(tmp_path: Path) -> None:
    inventory = _snapshot(
        tmp_path,
        make.organisation(),
        asset_types=frozenset({model.CLUSTER}),
        listed=((make.cluster("a")["name"], frozenset({model.DAEMON_SET})),),
    )
    listed = {one.short_name: inventory.decode(one).kubernetes.listed for one in inventory.clusters}
    assert listed == {"a": {"DaemonSet"}, "b": set()}


def test_a_project_outside_any_organization_has_nothing_above_it(tmp_path: Path) -> None:
    alone = {**make.cluster("a"), "ancestors": ["projects/1234"]}
    assert _snapshot(tmp_path, [alone], scopes=("projects/svc",)).coverage.hierarchy_read("svc")
    assert not from_assets([alone, make.policy(), make.hierarchy()[0]]).coverage.hierarchy_read("svc")


@pytest.mark.parametrize(
    ("scope", "svc", "host"),
    [
        ("projects/svc", False, True),
        ("projects/1234", False, True),
        ("folders/55", False, False),
        ("folders/1", True, True),
        (make.ORGANIZATION, False, False),
        ("somewhere", False, False),
    ],
)
def test_a_gap_of_a_snapshot_withdraws_the_type_where_it_is(
    scope: str, svc: bool, host: bool, tmp_path: Path
) -> None:
    gap = Gap(scope, model.FIREWALL, "permission denied", "grant it")
    assets = [make.cluster("a"), *make.in_host(make.network(), make.subnetwork())]
    inventory = _snapshot(tmp_path, assets, gaps=(gap,))
    assert inventory.coverage.read(model.FIREWALL, "svc") is svc
    assert inventory.coverage.read(model.FIREWALL, "host") is host
    assert not inventory.coverage.read(model.FIREWALL, "")
    assert gap in inventory.gaps
    if not svc:
        assert inventory.coverage.why_not(model.FIREWALL, "svc").reason == "permission denied"


def test_a_snapshot_that_could_not_list_clusters_has_not_read_every_cluster(tmp_path: Path) -> None:
    gap = Gap("projects/svc", model.CLUSTER, "zone x did not answer", "collect again")
    inventory = _snapshot(tmp_path, [make.cluster("a"), *make.in_host(make.network())], gaps=(gap,))
    assert not inventory.coverage.every_cluster_read()


# Gaps


def _gaps(inventory: AssetInventory, kind: str | None) -> list[Gap]:
    return [gap for gap in inventory.gaps if gap.asset_type == kind]


def test_a_missing_network_is_one_gap_for_all_its_clusters() -> None:
    inventory = from_assets([make.cluster(f"c{index}") for index in range(9)])
    (gap,) = _gaps(inventory, model.NETWORK)
    assert gap.scope == f"//compute.googleapis.com/{make.NETWORK}"
    assert "9 clusters" in gap.reason
    assert "and 4 more" in gap.reason
    assert "project host" in gap.reason
    assert "gcloud compute networks describe vpc --project=host" in gap.hint
    (gap,) = _gaps(inventory, model.SUBNETWORK)
    assert "gcloud compute networks subnets describe nodes --region=europe-west1 --project=host" in gap.hint


def test_subnetworks_of_pools_are_looked_for_too() -> None:
    other = "projects/host/regions/europe-west1/subnetworks/other"
    pools = [make.pool("x", networkConfig={"subnetwork": other})]
    inventory = from_assets([*make.organisation(), make.cluster("c", nodePools=pools)])
    assert [gap.scope for gap in inventory.gaps] == [f"//compute.googleapis.com/{other}"]


def test_types_that_were_not_read_are_one_gap_each() -> None:
    clusters = [
        make.cluster(f"c{index}", networkConfig={"network": f"projects/p{index}/global/networks/n"})
        for index in range(3)
    ]
    inventory = from_assets(clusters)
    assert len(_gaps(inventory, model.FIREWALL)) == 1
    assert len([gap for gap in _gaps(inventory, model.FIREWALL_POLICY) if "holds no" in gap.reason]) == 1


def test_an_inventory_without_the_organization_says_that_it_looked_no_higher() -> None:
    assets = [one for one in make.organisation() if one["assetType"] != model.ORGANIZATION]
    (gap,) = from_assets(assets).gaps
    assert gap.scope == make.ORGANIZATION
    assert "above project host" in gap.reason
    assert "--organization=99" in gap.hint
    assert from_assets(assets, complete=True).gaps == ()


def test_effective_firewalls_close_the_gaps_about_firewalls(tmp_path: Path) -> None:
    answer = {"network": make.NETWORK, "firewalls": [make.api(make.firewall())], "firewallPolicys": []}
    effective = make.write(tmp_path / "1", answer)
    rest = make.write(
        tmp_path / "2", make.ndjson([make.cluster("a"), *make.in_host(make.network(), make.subnetwork())])
    )
    assert load([rest, effective]).gaps == ()
    assert {gap.asset_type for gap in load([rest]).gaps} == {
        model.FIREWALL,
        model.FIREWALL_POLICY,
        model.ORGANIZATION,
    }


def test_no_cluster_at_all_is_a_gap_that_says_how_to_export_them() -> None:
    (gap,) = from_assets([make.network()]).gaps
    assert gap.asset_type == model.CLUSTER
    assert "gcloud asset list" in gap.hint


def test_an_address_group_that_is_not_there_is_a_gap() -> None:
    rule = {
        "priority": 1,
        "direction": "INGRESS",
        "action": "allow",
        "match": {
            "srcAddressGroups": ["projects/host/locations/global/addressGroups/g"],
            "layer4Configs": [{"ipProtocol": "tcp"}],
        },
    }
    group = make.asset(
        model.ADDRESS_GROUP,
        "//networksecurity.googleapis.com/projects/host/locations/global/addressGroups/g",
        {"items": ["10.0.0.0/8"]},
    )
    group["ancestors"] = ["projects/5678", "folders/55", make.ORGANIZATION]
    organisation = [*make.organisation(), make.policy("8", rules=[rule])]
    (gap,) = from_assets(organisation).gaps
    assert gap.asset_type == model.ADDRESS_GROUP
    inventory = from_assets([*organisation, group])
    assert inventory.gaps == ()
    assert [one.items for one in inventory.address_groups.values()] == [("10.0.0.0/8",)]


def test_parts_that_were_not_understood_are_gaps() -> None:
    inventory = from_assets(
        [*make.organisation(), *make.in_host(make.firewall("odd", sourceRanges=["10.0.0.0/99"]))]
    )
    (gap,) = inventory.gaps
    assert gap.scope.endswith("/firewalls/odd")
    assert "10.0.0.0/99" in gap.reason


def test_hostile_names_are_quoted_in_commands() -> None:
    config = {"network": "projects/p; rm -rf ~/global/networks/n'; id #"}
    (gap,) = _gaps(from_assets([make.cluster("a", networkConfig=config)]), model.NETWORK)
    assert "'p; rm -rf ~'" in gap.hint


def test_a_type_that_is_there_but_not_of_the_whole_organization_is_not_called_absent() -> None:
    assets = [one for one in make.organisation() if one["assetType"] != model.ORGANIZATION]
    for kind, project in ((model.FIREWALL_POLICY, "host"), (model.CLUSTER, "")):
        gap = from_assets(assets).coverage.why_not(kind, project)
        assert "does not hold the asset of" in gap.reason
        assert model.ORGANIZATION in gap.hint


@pytest.mark.parametrize("complete", [False, True])
def test_what_a_snapshot_could_not_read_stays_unread_beside_an_export(tmp_path: Path, complete: bool) -> None:
    gaps = tuple(
        Gap("projects/host", kind, "PERMISSION_DENIED", "ask for it")
        for kind in (model.FIREWALL, model.FIREWALL_POLICY, model.CLUSTER)
    )
    _snapshot(tmp_path / "s", make.organisation(), gaps=gaps)
    export = make.write(tmp_path / "e", make.ndjson(make.organisation()))
    coverage = load([str(tmp_path / "s"), export], complete=complete).coverage
    assert not coverage.read(model.FIREWALL, "host")
    assert coverage.read(model.FIREWALL, "svc") is True
    assert not coverage.hierarchy_read("host")
    assert not coverage.every_cluster_read()
    assert coverage.why_not(model.FIREWALL, "host").reason == "PERMISSION_DENIED"


def test_a_list_of_several_kinds_is_no_list_that_a_command_printed(tmp_path: Path) -> None:
    rule, network, cluster = make.api(make.firewall()), make.api(make.network()), make.api(make.cluster("a"))
    for number, other in enumerate((network, cluster, make.network(), {"firewalls": [], "network": "n"})):
        inventory = load([make.write(tmp_path / f"m{number}", [rule, other])])
        assert inventory.firewall_rules
        assert not inventory.coverage.read(model.FIREWALL, "host"), other
    assert load([make.write(tmp_path / "f", [rule, rule])]).coverage.read(model.FIREWALL, "host")
