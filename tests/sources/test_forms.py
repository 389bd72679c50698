"""Every form of SOURCE comes out as the same inventory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from auditor.errors import SourceError
from auditor.model import inventory as model
from auditor.sources import from_assets, load
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.sources.inventory import AssetInventory

KEY_A = "projects/svc/locations/europe-west1/clusters/a"
KEY_B = "projects/svc/locations/europe-west1-b/clusters/b"


def _facts(inventory: AssetInventory) -> dict[str, Any]:
    """Everything of an inventory that must not depend on its container."""
    return {
        "digest": inventory.digest,
        "counts": inventory.counts,
        "clusters": [(entry, inventory.decode(entry)) for entry in inventory.clusters],
        "networks": inventory.networks,
        "subnetworks": inventory.subnetworks,
        "rules": inventory.firewall_rules,
        "policies": inventory.policies,
        "ancestors": inventory.ancestors,
        "numbers": inventory.project_numbers,
        "time": inventory.read_time,
        "scope": inventory.scope,
        "gaps": inventory.gaps,
    }


def _expected() -> dict[str, Any]:
    return _facts(from_assets(make.organisation()))


def test_an_organisation_in_memory_is_read_in_full() -> None:
    inventory = from_assets(make.organisation())
    assert [entry.key for entry in inventory.clusters] == [KEY_B, KEY_A]
    assert inventory.clusters[0].name.endswith("/zones/europe-west1-b/clusters/b")
    assert inventory.clusters[1].ancestors == tuple(make.ANCESTORS)
    assert list(inventory.networks) == [make.NETWORK]
    assert list(inventory.subnetworks) == [make.SUBNETWORK]
    assert [rule.name for rule in inventory.firewall_rules[make.NETWORK]] == ["allow", "deny"]
    assert [one.name for one in inventory.policies] == ["policy-7"]
    assert inventory.project_numbers == {"1234": "svc", "5678": "host"}
    assert inventory.scope == make.ORGANIZATION
    assert inventory.gaps == ()
    assert inventory.counts["clusters"] == 2
    assert inventory.counts["node_pools"] == 3
    assert inventory.read_time == make.TIME


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
@pytest.mark.parametrize("envelope", ["camelCase", "snake_case", "BigQuery"])
@pytest.mark.parametrize("container", ["lines", "array", "minified", "page", "documents", "page on a line"])
def test_the_container_does_not_matter(
    container: str, envelope: str, compression: str, tmp_path: Path
) -> None:
    spelt = {"snake_case": make.to_snake, "BigQuery": make.to_row}
    assets = list(map(spelt.get(envelope, make.unchanged), make.organisation()))
    contents: dict[str, bytes | str] = {
        "lines": make.ndjson(assets),
        "array": json.dumps(assets, indent=2),
        "minified": json.dumps(assets, separators=(",", ":")),
        "page": json.dumps({"assets": assets, "readTime": make.TIME}, indent=2),
        "documents": "\n".join(json.dumps(one, indent=4) for one in assets),
        "page on a line": json.dumps({"assets": assets}),
    }
    source = make.write(tmp_path / "no-ending", contents[container], compression=compression)
    assert _facts(load([source])) == _expected()


def test_search_results_hold_the_same_but_for_the_place_of_a_project(tmp_path: Path) -> None:
    assets = make.organisation()
    listed = load([make.write(tmp_path / "listed", json.dumps(assets))])
    found = load([make.write(tmp_path / "found", json.dumps([*map(make.to_search_result, assets)]))])
    assert [found.decode(one).data for one in found.clusters] == [
        listed.decode(one).data for one in listed.clusters
    ]
    assert found.firewall_rules == listed.firewall_rules
    assert (found.networks, found.subnetworks) == (listed.networks, listed.subnetworks)
    assert found.project_numbers == listed.project_numbers
    assert listed.ancestors["svc"] == (*make.ANCESTORS,)
    assert "svc" not in found.ancestors
    assert not found.coverage.hierarchy_read("svc")
    # A query may have left any of them out.
    assert listed.coverage.read(model.FIREWALL, "host")
    assert not found.coverage.read(model.FIREWALL, "host")
    assert "nothing says" in found.coverage.why_not(model.FIREWALL, "host").reason


def test_a_sharded_folder_is_one_export(tmp_path: Path) -> None:
    for index, one in enumerate(make.organisation()):
        make.write(tmp_path / "export" / str(one["assetType"]) / str(index), make.ndjson([one]))
    assert _facts(load([str(tmp_path / "export")])) == _expected()


def test_lines_may_be_blank_and_the_last_one_unended(tmp_path: Path) -> None:
    content = b"\n\n" + make.ndjson(make.organisation()).replace(b"\n", b"\r\n\n").rstrip()
    assert _facts(load([make.write(tmp_path / "f", content)])) == _expected()


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    for content in (make.ndjson(make.organisation()), json.dumps(make.organisation()).encode()):
        assert _facts(load([make.write(tmp_path / "f", b"\xef\xbb\xbf" + content)])) == _expected()


def test_an_array_larger_than_any_window_is_cut_right(tmp_path: Path) -> None:
    text = 'a "quoted" brace } ] , \\ and é ' * 2000
    assets = [make.firewall(f"r{index}", description=text) for index in range(60)]
    lines = load([make.write(tmp_path / "lines", make.ndjson(assets))])
    for indent in (None, 2):
        array = load([make.write(tmp_path / "array", json.dumps(assets, indent=indent, ensure_ascii=False))])
        assert array.digest == lines.digest
        assert array.counts["firewalls"] == 60


def test_a_file_given_twice_counts_once(tmp_path: Path) -> None:
    source = make.write(tmp_path / "folder" / "f", make.ndjson(make.organisation()))
    link = tmp_path / "link"
    link.symlink_to(source)
    inventory = load([source, str(tmp_path / "folder"), str(link), source])
    assert {**_facts(inventory)} == _expected()


def test_progress_is_told_the_bytes_read(tmp_path: Path) -> None:
    first = make.write(tmp_path / "1", make.ndjson(make.organisation()), compression="gz")
    second = make.write(tmp_path / "2", json.dumps(make.organisation()))
    seen: list[int] = []
    load([first, second], progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == (tmp_path / "1").stat().st_size + (tmp_path / "2").stat().st_size


def test_standard_input_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    class Input:
        buffer = io.BytesIO(make.ndjson(make.organisation()))

    monkeypatch.setattr(sys, "stdin", Input())
    assert _facts(load(["-"])) == _expected()


def test_the_demo_ships_with_the_package() -> None:
    inventory = load(["demo"])
    assert inventory.clusters
    assert inventory.sources == ("demo",)
    assert inventory.scope.startswith("organizations/")


# gcloud


def test_a_gcloud_list_of_clusters_takes_names_from_self_links(tmp_path: Path) -> None:
    b = make.cluster("b", location="zones/europe-west1-b")
    source = make.write(tmp_path / "f", [make.api(make.cluster("a")), make.api(b)])
    inventory = load([source])
    assert [entry.name for entry in inventory.clusters] == [b["name"], make.cluster("a")["name"]]
    assert inventory.coverage.read(model.CLUSTER, "svc")
    assert not inventory.coverage.read(model.CLUSTER, "other")
    assert not inventory.coverage.every_cluster_read()


def test_describing_a_cluster_is_no_list_of_clusters(tmp_path: Path) -> None:
    inventory = load([make.write(tmp_path / "f", make.api(make.cluster("a")))])
    assert [entry.key for entry in inventory.clusters] == [KEY_A]
    assert not inventory.coverage.read(model.CLUSTER, "svc")


def test_a_rest_answer_with_missing_zones_is_a_gap_that_names_them(tmp_path: Path) -> None:
    answer = {"clusters": [make.api(make.cluster("a"))], "missingZones": ["europe-west1-d", "europe-west1-c"]}
    inventory = load([make.write(tmp_path / "f", answer)])
    assert len(inventory.clusters) == 1
    assert any("europe-west1-c, europe-west1-d" in gap.reason for gap in inventory.gaps)
    assert not inventory.coverage.read(model.CLUSTER, "svc")


def test_a_rest_answer_without_missing_zones_lists_the_project(tmp_path: Path) -> None:
    inventory = load([make.write(tmp_path / "f", {"clusters": [make.api(make.cluster("a"))]})])
    assert inventory.coverage.read(model.CLUSTER, "svc")


@pytest.mark.parametrize("form", ["list", "describe", "rest"])
@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (make.network(), model.NETWORK),
        (make.subnetwork(), model.SUBNETWORK),
        (make.firewall(), model.FIREWALL),
        (make.policy(), model.FIREWALL_POLICY),
    ],
)
def test_compute_resources_are_the_same_from_gcloud(
    one: make.Asset, kind: str, form: str, tmp_path: Path
) -> None:
    resource = make.api(one)
    content: object = {
        "list": [resource],
        "describe": resource,
        "rest": {"kind": f"{resource['kind']}List", "items": [resource]},
    }[form]
    mine = load([make.write(tmp_path / "f", content)])
    theirs = from_assets([one])
    assert mine.networks == theirs.networks
    assert mine.subnetworks == theirs.subnetworks
    assert mine.firewall_rules == theirs.firewall_rules
    assert mine.policies == theirs.policies
    listed = {
        "list": kind in (model.NETWORK, model.SUBNETWORK, model.FIREWALL),
        "describe": False,
        "rest": kind in (model.NETWORK, model.FIREWALL),
    }
    assert mine.coverage.read(kind, "host") is listed[form]


def test_an_empty_rest_list_says_that_there_is_none(tmp_path: Path) -> None:
    link = "https://www.googleapis.com/compute/v1/projects/host/global/firewalls"
    empty = make.write(tmp_path / "f", {"kind": "compute#firewallList", "selfLink": link})
    inventory = load([empty])
    assert inventory.coverage.read(model.FIREWALL, "host")
    assert not inventory.coverage.read(model.FIREWALL, "svc")


def test_a_page_of_a_rest_list_is_not_the_list(tmp_path: Path) -> None:
    answer = {"kind": "compute#firewallList", "items": [make.api(make.firewall())], "nextPageToken": "x"}
    inventory = load([make.write(tmp_path / "f", answer)])
    assert not inventory.coverage.read(model.FIREWALL, "host")
    assert any("one page" in gap.reason for gap in inventory.gaps)


def test_a_page_that_names_another_page_is_not_the_whole_export(tmp_path: Path) -> None:
    first = make.write(tmp_path / "1", {"assets": make.organisation()[:7], "nextPageToken": "x"})
    second = make.write(tmp_path / "2", {"assets": make.organisation()[7:]})
    part, whole = load([first]), load([first, second])
    assert not part.coverage.read(model.NETWORK, "host")
    assert any("last page" in gap.reason for gap in part.gaps)
    assert _facts(whole) == _expected()


def test_an_aggregated_list_of_subnetworks_is_read(tmp_path: Path) -> None:
    answer = {
        "kind": "compute#subnetworkAggregatedList",
        "items": {
            "regions/europe-west1": {"subnetworks": [make.api(make.subnetwork())]},
            "regions/us-east1": {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
        },
    }
    inventory = load([make.write(tmp_path / "f", answer)])
    assert list(inventory.subnetworks) == [make.SUBNETWORK]
    assert inventory.coverage.read(model.SUBNETWORK, "host")


def test_a_list_of_policies_without_rules_is_a_gap_and_not_an_empty_policy(tmp_path: Path) -> None:
    resource = {
        "kind": "compute#firewallPolicy",
        "name": "p",
        "selfLink": "https://www.googleapis.com/compute/v1/projects/host/global/firewallPolicies/p",
    }
    inventory = load([make.write(tmp_path / "f", [resource])])
    assert inventory.policies[0].problems
    assert any(gap.asset_type == model.FIREWALL_POLICY and "rules" in gap.reason for gap in inventory.gaps)
    assert not inventory.coverage.read(model.FIREWALL_POLICY, "host")


def test_node_pools_listed_by_gcloud_complete_a_cluster_without_any(tmp_path: Path) -> None:
    cluster = make.cluster("a")
    del cluster["resource"]["data"]["nodePools"]
    pools = [make.api(make.node_pool(cluster, name)) for name in ("x", "y")]
    bare = make.write(tmp_path / "1", make.api(cluster))
    listed = load([bare, make.write(tmp_path / "2", pools)])
    described = load([bare, make.write(tmp_path / "3", pools[0])])
    data = listed.decode(listed.clusters[0]).data
    assert data is not None
    assert [one["name"] for one in data["nodePools"]] == ["x", "y"]  # type: ignore[union-attr, call-overload, index]
    data = described.decode(described.clusters[0]).data
    assert data is not None
    assert "nodePools" not in data
    assert any(gap.asset_type == model.NODE_POOL for gap in described.gaps)


# get-effective-firewalls


def _effective(**rest: Any) -> dict[str, Any]:
    policy = {
        "name": "7",
        "type": "HIERARCHY",
        "rules": make.policy()["resource"]["data"]["rules"],
    }
    return {"firewalls": [make.api(make.firewall())], "firewallPolicys": [policy], **rest}


@pytest.mark.parametrize("spelling", ["firewallPolicys", "firewallPolicies"])
def test_effective_firewalls_name_their_network_through_their_rules(spelling: str, tmp_path: Path) -> None:
    answer = _effective()
    answer[spelling] = answer.pop("firewallPolicys")
    inventory = load([make.write(tmp_path / "f", answer)])
    (found,) = inventory.effective[make.NETWORK]
    assert (found.region, len(found.rules), len(found.policies)) == ("", 1, 1)


def test_effective_firewalls_without_rules_belong_to_the_only_network(tmp_path: Path) -> None:
    answer = make.write(tmp_path / "f", _effective(firewalls=[]))
    clusters = make.write(tmp_path / "c", [make.api(make.cluster("a"))])
    assert list(load([answer, clusters]).effective) == [make.NETWORK]
    other = make.write(tmp_path / "n", make.api(make.network("projects/host/global/networks/other")))
    inventory = load([answer, clusters, other])
    assert not inventory.effective
    assert any("network" in gap.hint and gap.scope.startswith(answer) for gap in inventory.gaps)
    named = make.write(tmp_path / "g", _effective(firewalls=[], network=make.NETWORK))
    assert list(load([named, clusters, other]).effective) == [make.NETWORK]


def test_a_regional_answer_takes_the_only_region_of_its_clusters(tmp_path: Path) -> None:
    policies = [{"name": "r", "type": "NETWORK_REGIONAL", "rules": []}]
    answer = make.write(tmp_path / "f", _effective(firewallPolicys=policies))
    one = make.write(tmp_path / "1", [make.api(make.cluster("a"))])
    two = make.write(tmp_path / "2", [make.api(make.cluster("z", location="locations/us-east1"))])
    assert [each.region for each in load([answer, one]).effective[make.NETWORK]] == ["europe-west1"]
    inventory = load([answer, one, two])
    assert not inventory.effective
    assert any("region" in gap.hint for gap in inventory.gaps)
    stated = make.write(tmp_path / "g", _effective(firewallPolicys=policies, region="us-east1"))
    assert [each.region for each in load([stated, one, two]).effective[make.NETWORK]] == ["us-east1"]


def test_two_different_answers_for_one_network_are_a_gap(tmp_path: Path) -> None:
    first = make.write(tmp_path / "1", _effective())
    second = make.write(tmp_path / "2", _effective(firewallPolicys=[]))
    inventory = load([first, second])
    assert not inventory.effective
    assert any("different answers" in gap.reason for gap in inventory.gaps)


# What it is not


@pytest.mark.parametrize(
    "content",
    [
        {"version": "2.1.0", "runs": []},
        {"schema": "gke-auditor/report/v1"},
        [1, 2, 3],
        "- a\n- b\n",
        {"kind": "compute#instance", "selfLink": "https://www.googleapis.com/compute/v1/projects/p/x/y"},
    ],
)
def test_a_file_of_no_known_kind_is_an_error_when_it_is_the_only_one(content: object, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no known kind") as caught:
        load([make.write(tmp_path / "f", content)])
    assert caught.value.hint


def test_a_source_of_no_known_kind_beside_others_is_a_gap(tmp_path: Path) -> None:
    good = make.write(tmp_path / "g", make.ndjson(make.organisation()))
    odd = make.write(tmp_path / "o", {"version": "2.1.0", "runs": []})
    (gap,) = load([odd, good]).gaps
    assert (gap.scope, gap.reason) == (f"{odd}:1", "is of no known kind")
    with pytest.raises(SourceError, match="no known kind"):
        load([odd, good], strict=True)
    with pytest.raises(SourceError, match="no known kind"):
        load([odd, make.write(tmp_path / "p", {"version": "2.1.0"})])


@pytest.mark.parametrize("content", ["just some words", "<html>", "42", "# a comment\n", '{"name": cut'])
def test_a_source_that_cannot_be_parsed_is_an_error_beside_others_too(content: str, tmp_path: Path) -> None:
    good = make.write(tmp_path / "g", make.ndjson(make.organisation()))
    with pytest.raises(SourceError, match=r"neither JSON nor YAML|cannot be parsed"):
        load([good, make.write(tmp_path / "f", content)])


@pytest.mark.parametrize("content", ['{"name": cut', '[{"name": "//x"}, {"na'])
def test_a_broken_file_of_a_folder_is_a_gap_and_withdraws_what_absence_means(
    content: str, tmp_path: Path
) -> None:
    make.write(tmp_path / "0", make.ndjson(make.organisation()))
    shard = make.write(tmp_path / "1", content)
    inventory = load([str(tmp_path)])
    assert any(gap.scope.startswith(shard) for gap in inventory.gaps)
    assert not inventory.coverage.read(model.FIREWALL, "host")
    with pytest.raises(SourceError):
        load([str(tmp_path)], strict=True)


def test_a_value_of_no_known_kind_among_others_is_a_gap(tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", [*make.organisation(), {"what": "is this"}, 3])
    inventory = load([source])
    (gap,) = inventory.gaps
    assert f"{source}[element 12]" in gap.reason
    assert f"{source}[element 13]" in gap.reason
    lines = make.write(tmp_path / "g", make.ndjson(make.organisation()) + b'"odd"\n')
    assert [gap.scope for gap in load([lines]).gaps] == [f"{lines}:12"]
    many = load([make.write(tmp_path / "h", [*make.organisation(), *range(500)])])
    assert max(len(gap.reason) for gap in many.gaps) < 2000


def test_types_of_no_use_are_counted_and_place_their_project(tmp_path: Path) -> None:
    disk = make.compute("compute.googleapis.com/Disk", "projects/elsewhere/zones/z/disks/d", {})
    inventory = load([make.write(tmp_path / "f", make.ndjson([disk, make.cluster("a")]))])
    assert inventory.counts["other_assets"] == 1
    assert inventory.ancestors["elsewhere"] == tuple(make.ANCESTORS)


def test_kubernetes_yaml_and_json_are_the_same(tmp_path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "ip-masq-agent", "namespace": "kube-system", "creationTimestamp": "2024-01-01"},
        "data": {"config": "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n", "on": "yes"},
    }
    clusters = make.write(tmp_path / "c", [make.api(make.cluster("a"))])
    found = [
        load([clusters, make.write(tmp_path / "k", content)])
        for content in (json.dumps(config), json.dumps(config, indent=2), yaml.safe_dump(config))
    ]
    decoded = [one.decode(one.clusters[0]) for one in found]
    assert decoded[0] == decoded[1] == decoded[2]
    assert decoded[0].kubernetes.objects[0].data == config
    assert len({one.digest for one in found}) == 1


@pytest.mark.parametrize("key", ["readTime", "read_time"])
def test_the_read_time_of_a_page_is_that_of_the_inventory(key: str, tmp_path: Path) -> None:
    page = make.write(tmp_path / "p", {"assets": make.organisation(), key: "2026-03-04T05:06:07Z"})
    assert load([page]).read_time == "2026-03-04T05:06:07Z"
    assert load([make.write(tmp_path / "q", {"assets": make.organisation(), key: 5})]).read_time == make.TIME
