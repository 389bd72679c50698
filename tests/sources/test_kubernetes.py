"""Kubernetes objects: whose they are, and what a list of them proves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditor.errors import SourceError
from auditor.model import inventory as model
from auditor.model.inventory import Gap
from auditor.sources import from_assets, load
from auditor.sources.snapshot import Header, write
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.model.inventory import KubernetesEvidence
    from auditor.sources.inventory import AssetInventory


def _object(kind: str = "ConfigMap", name: str = "ip-masq-agent", **rest: Any) -> dict[str, Any]:
    version = {"ConfigMap": "v1", "DaemonSet": "apps/v1", "Pod": "v1"}.get(kind, "networking.gke.io/v1")
    metadata = {"name": name}
    if kind != "EgressNATPolicy":
        metadata["namespace"] = "kube-system"
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _list(*items: dict[str, Any], kind: str = "List", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "items": list(items), "metadata": metadata}


def _evidence(inventory: AssetInventory, index: int = 0) -> KubernetesEvidence:
    return inventory.decode(inventory.clusters[index]).kubernetes


def _names(evidence: KubernetesEvidence) -> list[str]:
    return [one.name for one in evidence.objects]


@pytest.fixture
def one(tmp_path: Path) -> str:
    return make.write(tmp_path / "one", [make.api(make.cluster("a"))])


@pytest.fixture
def two(tmp_path: Path) -> str:
    return make.write(tmp_path / "two", [make.api(make.cluster("a")), make.api(make.cluster("b"))])


def test_an_object_given_as_a_source_belongs_to_the_only_cluster(one: str, tmp_path: Path) -> None:
    source = make.write(tmp_path / "k", _object())
    evidence = _evidence(load([one, source]))
    assert [(each.kind, each.namespace, each.name) for each in evidence.objects] == [
        ("ConfigMap", "kube-system", "ip-masq-agent")
    ]
    assert evidence.objects[0].asset == source
    assert evidence.listed == frozenset()


def test_with_several_clusters_it_is_a_gap_that_names_the_option(two: str, tmp_path: Path) -> None:
    source = make.write(tmp_path / "k", _object())
    inventory = load([two, source])
    assert not _evidence(inventory).objects
    (gap,) = [gap for gap in inventory.gaps if gap.scope.startswith(source)]
    assert f"--kubernetes PROJECT/LOCATION/NAME={source}" in gap.hint
    assert "2 clusters" in gap.reason


@pytest.mark.parametrize(
    "cluster",
    [
        "svc/europe-west1/b",
        "//container.googleapis.com/projects/svc/locations/europe-west1/clusters/b",
        "projects/svc/zones/europe-west1/clusters/b",
    ],
)
def test_the_option_ties_a_file_to_a_cluster(cluster: str, two: str, tmp_path: Path) -> None:
    source = make.write(tmp_path / "k", _list(_object(), _object(name="kube-dns")))
    inventory = load([two], kubernetes=[(cluster, source)])
    assert not _evidence(inventory, 0).objects
    assert _names(_evidence(inventory, 1)) == ["ip-masq-agent", "kube-dns"]
    assert _evidence(inventory, 1).listed == {"ConfigMap"}


def test_a_cluster_that_is_not_there_is_an_error_that_lists_those_that_are(two: str, tmp_path: Path) -> None:
    source = make.write(tmp_path / "k", _object())
    with pytest.raises(SourceError, match="svc/europe-west1/z") as caught:
        load([two], kubernetes=[("svc/europe-west1/z", source)])
    assert "svc/europe-west1/a, svc/europe-west1/b" in caught.value.hint


def test_the_option_takes_nothing_but_kubernetes_objects(two: str, tmp_path: Path) -> None:
    for content in (make.organisation(), [1], b"", b"{"):
        with pytest.raises(SourceError):
            load([two], kubernetes=[("svc/europe-west1/a", make.write(tmp_path / "k", content))])


def test_a_list_without_the_agent_is_evidence_that_there_is_none(one: str, tmp_path: Path) -> None:
    source = make.write(tmp_path / "k", _list(_object(name="kube-root-ca.crt")))
    evidence = _evidence(load([one, source]))
    assert evidence.listed == {"ConfigMap"}
    assert _names(evidence) == ["kube-root-ca.crt"]


def test_one_object_is_no_list(one: str, tmp_path: Path) -> None:
    source = make.write(tmp_path / "k", _object(name="kube-dns"))
    assert _evidence(load([one, source])).listed == frozenset()


def test_a_list_of_another_namespace_proves_nothing(one: str, tmp_path: Path) -> None:
    other = _object()
    other["metadata"]["namespace"] = "default"
    evidence = _evidence(load([one, make.write(tmp_path / "k", _list(other))]))
    assert evidence.listed == frozenset()
    assert evidence.objects[0].namespace == "default"


def test_an_empty_list_names_no_kind_and_is_a_gap(one: str, tmp_path: Path) -> None:
    for kind in ("List", "ConfigMapList"):
        inventory = load([one, make.write(tmp_path / "k", _list(kind=kind))])
        assert _evidence(inventory).listed == frozenset()
        assert any("without items" in gap.reason for gap in inventory.gaps)


def test_an_empty_list_of_a_kind_without_namespaces_says_that_there_is_none(one: str, tmp_path: Path) -> None:
    inventory = load([one, make.write(tmp_path / "k", _list(kind="EgressNATPolicyList"))])
    assert _evidence(inventory).listed == {"EgressNATPolicy"}
    assert not any("without items" in gap.reason for gap in inventory.gaps)


def test_a_page_of_a_list_is_no_list(one: str, tmp_path: Path) -> None:
    answer = _list(_object(name="kube-dns"), **{"continue": "abc"})
    inventory = load([one, make.write(tmp_path / "k", answer)])
    assert _evidence(inventory).listed == frozenset()
    assert any("one page" in gap.reason for gap in inventory.gaps)


@pytest.mark.parametrize("items", ["x", [3], [{"apiVersion": "v1", "kind": "ConfigMap"}]])
def test_a_malformed_list_is_no_list(items: Any, one: str, tmp_path: Path) -> None:
    answer = {**_list(), "items": items}
    inventory = load([one, make.write(tmp_path / "k", answer)])
    assert _evidence(inventory).listed == frozenset()
    assert any("proves less" in gap.reason for gap in inventory.gaps)


def test_the_items_of_a_typed_list_get_its_kind(one: str, tmp_path: Path) -> None:
    item = {"metadata": {"name": "ip-masq-agent", "namespace": "kube-system"}}
    answer = {**_list(item, kind="DaemonSetList"), "apiVersion": "apps/v1"}
    evidence = _evidence(load([one, make.write(tmp_path / "k", answer)]))
    assert evidence.listed == {"DaemonSet"}
    assert evidence.objects[0].data["apiVersion"] == "apps/v1"


def test_several_documents_are_several_objects(one: str, tmp_path: Path) -> None:
    text = """
apiVersion: v1
kind: ConfigMap
metadata: {name: ip-masq-agent, namespace: kube-system}
data: {config: "nonMasqueradeCIDRs: [10.0.0.0/8]"}
---
apiVersion: networking.gke.io/v1
kind: EgressNATPolicy
metadata: {name: default, creationTimestamp: 2024-05-01T00:00:00Z}
spec: {action: NoSNAT, destinations: [{cidr: 10.0.0.0/8}]}
---
---
apiVersion: v1
kind: Service
metadata: {name: s}
"""
    inventory = load([one, make.write(tmp_path / "k", text)])
    assert _names(_evidence(inventory)) == ["ip-masq-agent", "default"]
    assert _evidence(inventory).objects[1].data["metadata"]["creationTimestamp"] == "2024-05-01T00:00:00Z"  # type: ignore[index, call-overload]
    assert inventory.counts["kubernetes_objects"] == 2
    assert inventory.counts["other_assets"] == 1


def test_of_pods_only_those_of_an_agent_are_kept(one: str, tmp_path: Path) -> None:
    by_image = _object("Pod", "mine", spec={"containers": [{"image": "gcr.io/x/ip-masq-agent:v2"}]})
    odd = _object("Pod", "odd", spec={"containers": [3, {"image": 3}]})
    source = make.write(tmp_path / "k", _list(_object("Pod", "ip-masq-agent-x"), by_image, odd))
    evidence = _evidence(load([one, source]))
    assert _names(evidence) == ["ip-masq-agent-x", "mine"]
    assert evidence.listed == frozenset()


def _asset(kind: str, tail: str, data: dict[str, Any] | None, **rest: Any) -> make.Asset:
    name = f"{make.cluster('a')['name']}/k8s/{tail}"
    return make.asset(kind, name, data, **rest)


AGENT = "namespaces/kube-system/configmaps/ip-masq-agent"


def test_an_asset_line_belongs_to_the_cluster_in_its_name() -> None:
    line = _asset(model.CONFIG_MAP, AGENT, {"metadata": {"name": "ip-masq-agent"}, "data": {}})
    policy = _asset(model.EGRESS_NAT_POLICY, "egressnatpolicies/default", {"spec": {}})
    inventory = from_assets([make.cluster("a"), make.cluster("b"), line, policy])
    found = _evidence(inventory).objects
    assert [(one.kind, one.namespace, one.name) for one in found] == [
        ("ConfigMap", "kube-system", "ip-masq-agent"),
        ("EgressNATPolicy", "", "default"),
    ]
    assert found[0].asset == line["name"]
    assert found[0].data["kind"] == "ConfigMap"
    assert found[1].data["apiVersion"] == "networking.gke.io/v1"
    assert _evidence(inventory).listed == {"EgressNATPolicy"}, "read, since there is one; agents need a list"
    assert not _evidence(inventory, 1).objects
    assert not _evidence(inventory, 1).listed


def test_the_same_object_from_a_file_and_from_an_asset_has_one_digest() -> None:
    line = _asset(model.CONFIG_MAP, AGENT, _object())
    assets = from_assets([make.cluster("a"), line])
    documents = from_assets([make.cluster("a")], kubernetes_objects=[_object()])
    both = from_assets([make.cluster("a"), line], kubernetes_objects=[_object()])
    assert assets.digest == documents.digest == both.digest
    assert len(_evidence(both).objects) == 1


def test_two_versions_of_an_object_are_no_evidence(one: str, tmp_path: Path) -> None:
    first = make.write(tmp_path / "1", _list(_object(data={"config": "a"})))
    second = make.write(tmp_path / "2", _list(_object(data={"config": "b"})))
    inventory = load([one, first, second])
    assert not _evidence(inventory).objects
    assert _evidence(inventory).listed == frozenset()
    assert any(gap.asset_type == model.CONFIG_MAP for gap in inventory.gaps)


def test_objects_of_a_cluster_that_is_not_there_are_a_gap() -> None:
    line = _asset(model.CONFIG_MAP, AGENT, _object())
    inventory = from_assets([make.cluster("b"), line])
    assert any(gap.scope == make.cluster("a")["name"] for gap in inventory.gaps)


@pytest.mark.parametrize("name", ["k8s/x", f"{make.cluster('a')['name']}/what", "x/k8s/y"])
def test_an_object_of_no_valid_name_is_a_gap(name: str) -> None:
    inventory = from_assets([make.cluster("a"), make.asset(model.CONFIG_MAP, name, _object())])
    assert any(gap.asset_type == model.CONFIG_MAP for gap in inventory.gaps)


def _snapshot(path: Path, gaps: tuple[Gap, ...] = (), scope: str = make.ORGANIZATION) -> AssetInventory:
    header = Header((scope,), frozenset({model.CLUSTER, model.CONFIG_MAP, model.POD}), make.TIME, gaps)
    lines = write(header, [make.cluster("a"), make.cluster("b")])
    return load([make.write(path / "f", b"".join(lines))])


def test_a_snapshot_that_asked_for_a_kind_lists_it_for_every_cluster(tmp_path: Path) -> None:
    inventory = _snapshot(tmp_path)
    assert _evidence(inventory, 0).listed == _evidence(inventory, 1).listed == {"ConfigMap"}


def test_a_cluster_that_did_not_answer_is_not_listed(tmp_path: Path) -> None:
    gap = Gap(str(make.cluster("a")["name"]), model.CONFIG_MAP, "no answer", "ask again")
    inventory = _snapshot(tmp_path, (gap,))
    assert _evidence(inventory, 0).listed == frozenset()
    assert _evidence(inventory, 1).listed == {"ConfigMap"}


def test_a_snapshot_of_another_scope_lists_nothing_here(tmp_path: Path) -> None:
    assert _evidence(_snapshot(tmp_path, scope="projects/other")).listed == frozenset()


def test_objects_in_memory_are_all_there_are() -> None:
    asked = from_assets([make.cluster("a")], kubernetes_objects=[])
    assert _evidence(asked).listed == {"ConfigMap", "DaemonSet", "EgressNATPolicy"}
    assert _evidence(from_assets([make.cluster("a")])).listed == frozenset()
