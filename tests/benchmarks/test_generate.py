"""Synthetic organisations are what was asked for, and always the same."""

from __future__ import annotations

import json
from collections import Counter
from ipaddress import IPv4Network
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.model import inventory
from benchmarks import generate
from benchmarks.generate import Shape, Template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = Shape(clusters=240, pools=5, networks=12, firewalls=2_400, policies=30, pools_as="both")


def _written(shape: Shape, folder: Path, shuffle: int | None = None) -> list[bytes]:
    target = folder / "fleet.ndjson"
    generate.write(shape, target, shuffle)
    return target.read_bytes().splitlines(keepends=True)


def _assets(shape: Shape, folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _written(shape, folder)]


def _of(assets: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    return (asset for asset in assets if asset["assetType"] == kind)


def test_there_are_as_many_of_each_kind_as_asked_for(tmp_path: Path) -> None:
    assets = _assets(SMALL, tmp_path)
    kinds = Counter(asset["assetType"] for asset in assets)
    without_data = [one for one in _of(assets, inventory.CLUSTER) if "data" not in one["resource"]]
    assert kinds[inventory.CLUSTER] == 240
    assert kinds[inventory.NODE_POOL] == (240 - len(without_data)) * 5
    assert kinds[inventory.NETWORK] == 12
    assert kinds[inventory.FIREWALL] == 2_400
    assert kinds[inventory.FIREWALL_POLICY] == 30
    assert kinds[inventory.ORGANIZATION] == 1


def test_no_two_assets_have_one_name_and_no_two_clusters_one_hash(tmp_path: Path) -> None:
    assets = _assets(SMALL, tmp_path)
    assert max(Counter(asset["name"] for asset in assets).values()) == 1
    hashes = [
        one["resource"]["data"]["id"][:8]
        for one in _of(assets, inventory.CLUSTER)
        if "data" in one["resource"]
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    ("pools_as", "embedded", "beside"), [("embedded", 5, 0), ("assets", 0, 5), ("both", 5, 5)]
)
def test_pools_are_inside_clusters_or_beside_them(
    tmp_path: Path, pools_as: str, embedded: int, beside: int
) -> None:
    shape = Shape(clusters=10, pools=5, networks=2, firewalls=0, policies=0, pools_as=pools_as)
    assets = _assets(shape, tmp_path)
    inside = [
        pool
        for one in _of(assets, inventory.CLUSTER)
        for pool in one["resource"]["data"].get("nodePools", [])
    ]
    outside = list(_of(assets, inventory.NODE_POOL))
    assert (len(inside), len(outside)) == (10 * embedded, 10 * beside)
    if pools_as == "both":
        assert [asset["resource"]["data"] for asset in outside] == inside


def test_the_same_shape_gives_the_same_bytes(tmp_path: Path) -> None:
    assert _written(SMALL, tmp_path) == _written(SMALL, tmp_path)


def test_shuffling_changes_the_order_alone_and_depends_on_the_seed(tmp_path: Path) -> None:
    plain, one, other = (_written(SMALL, tmp_path, seed) for seed in (None, 1, 2))
    assert one == _written(SMALL, tmp_path, 1)
    assert sorted(plain) == sorted(one) == sorted(other)
    assert one not in (plain, other)


def test_a_cluster_with_two_pools_has_about_five_kilobytes(tmp_path: Path) -> None:
    shape = Shape(clusters=50, pools=2, networks=5, firewalls=0, policies=0, pools_as="embedded")
    sizes = [len(line) for line in _written(shape, tmp_path) if b'"container.googleapis.com/Cluster"' in line]
    assert 4_000 <= sum(sizes) / len(sizes) <= 6_500


def test_one_cluster_of_twenty_has_a_defect_and_all_kinds_occur(tmp_path: Path) -> None:
    clusters = [one["resource"].get("data") for one in _of(_assets(SMALL, tmp_path), inventory.CLUSTER)]
    pools = [pool for data in clusters if data for pool in data["nodePools"]]
    assert sum(data is None for data in clusters) == 1
    assert sum("networkConfig" not in data for data in clusters if data) == 1
    assert sum(data["status"] == "PROVISIONING" for data in clusters if data) == 1
    versions = Counter(data["currentMasterVersion"] for data in clusters if data)
    assert all(versions[version] >= 1 for version in generate.BAD_VERSIONS.values())
    assert sum(pool["config"]["imageType"].startswith("WINDOWS") for pool in pools) == 2
    assert sum(pool["networkConfig"]["podIpv4CidrBlock"] == "" for pool in pools) == 1


def test_clusters_of_one_network_have_ranges_of_their_own_inside_their_subnetwork(tmp_path: Path) -> None:
    assets = _assets(SMALL, tmp_path)
    ranges: dict[str, list[str]] = {}
    for one in _of(assets, inventory.SUBNETWORK):
        data = one["resource"]["data"]
        ranges.setdefault(data["network"], []).extend(of["ipCidrRange"] for of in data["secondaryIpRanges"])
    assert len(ranges) == 12
    for cidrs in ranges.values():
        blocks = sorted(IPv4Network(cidr) for cidr in cidrs)
        assert all(one.broadcast_address < other.network_address for one, other in pairwise(blocks))


def test_every_cluster_refers_to_a_network_and_a_subnetwork_that_are_there(tmp_path: Path) -> None:
    assets = _assets(SMALL, tmp_path)
    names = {asset["name"] for asset in assets}
    for one in _of(assets, inventory.CLUSTER):
        networking = one["resource"].get("data", {}).get("networkConfig", {})
        for reference in (networking.get("network"), networking.get("subnetwork")):
            assert reference is None or f"//compute.googleapis.com/{reference}" in names


def test_gke_rules_carry_the_hash_of_a_cluster_in_their_network(tmp_path: Path) -> None:
    assets = _assets(SMALL, tmp_path)
    known = {
        f"gke-{data['name']}-{data['id'][:8]}"
        for one in _of(assets, inventory.CLUSTER)
        if (data := one["resource"].get("data"))
    }
    of_gke = {
        one["resource"]["data"]["targetTags"][0].removesuffix("-node")
        for one in _of(assets, inventory.FIREWALL)
        if one["resource"]["data"]["name"].startswith("gke-")
    }
    # The cluster without data has rules as well.
    assert known <= of_gke
    assert len(of_gke - known) == 1


def test_evidence_about_masquerade_is_written_on_demand(tmp_path: Path) -> None:
    shape = Shape(
        clusters=40, pools=1, networks=4, firewalls=0, policies=0, pools_as="embedded", evidence=True
    )
    assets = _assets(shape, tmp_path)
    texts = [one["resource"]["data"]["data"]["config"] for one in _of(assets, inventory.CONFIG_MAP)]
    assert len(texts) == 40
    assert sum("10.0.0.0/8" not in text for text in texts) == 1


def test_a_template_refuses_a_field_that_its_prototype_lacks() -> None:
    with pytest.raises(ValueError, match="absent"):
        Template({"a": "value"}, {"present": "value", "absent": "other"})


@given(st.text(min_size=1), st.text())
def test_a_template_leaves_all_but_its_fields_alone(text: str, value: str) -> None:
    filled = Template({"kept": f"100% %s {text}", "field": "@@mark@@"}, {"field": "@@mark@@"})
    encoded = json.dumps(value)[1:-1]
    assert json.loads(filled.fill({"field": encoded})) == {"kept": f"100% %s {text}", "field": value}


@settings(max_examples=25, deadline=None)
@given(
    clusters=st.integers(1, 60),
    pools=st.integers(0, 4),
    networks=st.integers(1, 9),
    firewalls=st.integers(0, 300),
    policies=st.integers(0, 70),
    pools_as=st.sampled_from(["assets", "embedded", "both"]),
)
def test_every_shape_can_be_made(
    tmp_path_factory: pytest.TempPathFactory,
    clusters: int,
    pools: int,
    networks: int,
    firewalls: int,
    policies: int,
    pools_as: str,
) -> None:
    shape = Shape(clusters, pools, min(networks, clusters), firewalls, policies, pools_as)
    assets = _assets(shape, tmp_path_factory.mktemp("fleet"))
    kinds = Counter(asset["assetType"] for asset in assets)
    assert kinds[inventory.CLUSTER] == clusters
    assert kinds[inventory.FIREWALL] == firewalls
    assert kinds[inventory.FIREWALL_POLICY] == policies
    assert max(Counter(asset["name"] for asset in assets).values()) == 1


def test_the_command_line_refuses_an_organisation_without_clusters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        generate.main(["--clusters", "0", "--output", "-"])
    assert stopped.value.code == 2
    assert "--clusters must be at least 1" in capsys.readouterr().err


def test_the_command_line_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    generate.main(["--clusters", "3", "--networks", "1", "--output", "-"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(json.loads(line)["assetType"] == inventory.CLUSTER for line in lines) == 3
