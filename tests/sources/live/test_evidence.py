"""Evidence from the Kubernetes API of a cluster: trusted, bounded, and a gap where it cannot be had."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from auditor.cli import cli
from auditor.model import inventory as model
from auditor.sources import load
from auditor.sources.live import calls
from auditor.sources.live.http import Deadline, Reader
from tests.sources import assets as make
from tests.sources.live.emulator import Emulator, Status
from tests.sources.live.kubernetes_server import Authority, KubernetesServer, status_of
from tests.sources.live.organisation import ORGANIZATION, Snapshot, organisation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/ip-masq-agent"
NAT_POLICIES = "/apis/networking.gke.io/v1/egressnatpolicies"
CLUSTER = make.cluster("main")["name"]

AGENT: dict[str, Any] = {
    "metadata": {
        "name": "ip-masq-agent",
        "namespace": "kube-system",
        "annotations": {"secret": "s3cret"},
        "managedFields": [],
    },
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "agent",
                        "image": "gke.gcr.io/ip-masq-agent:v2.9",
                        "args": ["--nomasq-all-reserved-ranges"],
                        "env": [{"name": "PASSWORD", "value": "s3cret"}],
                        "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
                    }
                ],
                "volumes": [
                    {
                        "name": "config",
                        "configMap": {
                            "name": "ip-masq-agent",
                            "optional": True,
                            "items": [{"key": "config", "path": "ip-masq-agent"}],
                        },
                    },
                    {"name": "token", "secret": {"secretName": "s3cret"}},
                ],
            }
        }
    },
    "status": {"desiredNumberScheduled": 3},
}
CONFIG = {
    "kind": "ConfigMap",
    "apiVersion": "v1",
    "metadata": {"name": "ip-masq-agent", "namespace": "kube-system"},
    "data": {"config": "nonMasqueradeCIDRs: [10.0.0.0/8]"},
}


def listed(kind: str, *items: Any, token: str = "") -> tuple[int, Any]:
    metadata = {"continue": token} if token else {}
    return 200, {"kind": f"{kind}List", "apiVersion": "v1", "metadata": metadata, "items": list(items)}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[KubernetesServer]:
    folder = tmp_path / "tls"
    folder.mkdir()
    with KubernetesServer(folder, authority) as running:
        running.answers[DAEMON_SETS] = listed("DaemonSet", AGENT, {"metadata": {"name": "other"}})
        running.answers[CONFIG_MAP] = (200, CONFIG)
        yield running


def add_cluster(emulator: Emulator, server: KubernetesServer, authority: Authority, **fields: Any) -> None:
    emulator.add(
        make.cluster(
            "main",
            **{
                "endpoint": server.address,
                "masterAuth": {"clusterCaCertificate": authority.stated},
                **fields,
            },
        )
    )


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator whose only clusters are those that a test adds."""
    assets = [one for one in organisation() if "/clusters/" not in one["name"]]
    with Emulator(assets) as running:
        monkeypatch.setenv("CLOUD_ASSET_EMULATOR_HOST", running.address)
        monkeypatch.setenv("CONTAINER_EMULATOR_HOST", running.address)
        yield running


def collect(folder: Path, *arguments: str) -> tuple[int, Snapshot]:
    output = folder / "s.ndjson"
    with pytest.raises(SystemExit) as exit_:
        cli(["collect", ORGANIZATION, "--output", str(output), "--kubernetes-evidence", "-q", *arguments])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, Snapshot(output)


def test_the_agent_and_its_configuration_come_into_the_snapshot(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    add_cluster(alone, server, authority)
    code, snapshot = collect(tmp_path)
    assert code == 0
    assert f"{CLUSTER}/k8s/namespaces/kube-system/configmaps/ip-masq-agent" in snapshot.names
    agent = snapshot.asset(f"{CLUSTER}/k8s/namespaces/kube-system/daemonsets/ip-masq-agent")
    assert agent["assetType"] == model.DAEMON_SET
    assert not any(name.endswith("/other") for name in snapshot.names)
    assert snapshot.header["listed"] == [
        {"scope": CLUSTER, "asset_types": [model.DAEMON_SET, model.CONFIG_MAP]}
    ]
    text = (tmp_path / "s.ndjson").read_text()
    assert "s3cret" not in text
    assert authority.stated not in text
    assert server.methods == {"GET"}
    assert server.tokens == {None}


def test_a_scan_knows_what_was_listed(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    add_cluster(alone, server, authority)
    collect(tmp_path)
    inventory = load([str(tmp_path / "s.ndjson")])
    evidence = inventory.decode(inventory.clusters[0]).kubernetes
    assert {one.kind for one in evidence.objects} == {"ConfigMap", "DaemonSet"}
    assert evidence.listed == {"ConfigMap", "DaemonSet"}


def test_no_agent_and_no_configuration_is_evidence_too(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    server.answers = {DAEMON_SETS: listed("DaemonSet")}
    add_cluster(alone, server, authority)
    code, snapshot = collect(tmp_path)
    assert code == 0
    assert not any("/k8s/" in name for name in snapshot.names)
    inventory = load([str(tmp_path / "s.ndjson")])
    assert inventory.decode(inventory.clusters[0]).kubernetes.listed == {"ConfigMap", "DaemonSet"}


def test_a_long_list_is_read_to_its_end(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    server.answers[DAEMON_SETS] = listed("DaemonSet", {"metadata": {"name": "other"}}, token="a/b")
    server.answers[f"{DAEMON_SETS}?continue=a%2Fb"] = listed("DaemonSet", AGENT)
    add_cluster(alone, server, authority)
    code, snapshot = collect(tmp_path)
    assert code == 0
    assert f"{CLUSTER}/k8s/namespaces/kube-system/daemonsets/ip-masq-agent" in snapshot.names


def test_an_autopilot_cluster_is_asked_for_its_policies(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    policy = {"metadata": {"name": "default"}, "spec": {"action": "NoSNAT", "destinations": []}}
    server.answers[NAT_POLICIES] = listed("EgressNATPolicy", policy)
    add_cluster(alone, server, authority, autopilot={"enabled": True})
    code, snapshot = collect(tmp_path)
    assert code == 0
    assert server.requests == [NAT_POLICIES]
    assert snapshot.asset(f"{CLUSTER}/k8s/egressnatpolicies/default")["resource"]["data"]["spec"]


def test_a_cluster_that_does_not_know_the_kind_has_none(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    server.answers = {}
    add_cluster(alone, server, authority, autopilot={"enabled": True})
    code, snapshot = collect(tmp_path)
    assert code == 0
    assert snapshot.header["listed"] == [{"scope": CLUSTER, "asset_types": [model.EGRESS_NAT_POLICY]}]


def the_gap(snapshot: Snapshot) -> dict[str, Any]:
    (gap,) = snapshot.gaps
    assert gap["scope"] == CLUSTER
    assert gap["hint"]
    return gap


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, status_of(401, "Unauthorized")), "401: it is Unauthorized"),
        ((403, status_of(403, "Forbidden")), "403: it is Forbidden"),
        ((404, b"not here"), "404"),
        ((200, b"{not json"), "no JSON"),
        ((200, b"[]"), "no JSON object"),
        ((200, {"kind": "PodList", "items": []}), "no list of DaemonSet"),
        ((200, {"kind": "DaemonSetList", "items": [7]}), "something else"),
        ((302, b""), "302"),
        ((500, b""), "500"),
    ],
)
def test_an_answer_that_is_none_is_a_gap(
    alone: Emulator,
    server: KubernetesServer,
    authority: Authority,
    tmp_path: Path,
    answer: tuple[int, Any],
    words: str,
) -> None:
    server.answers[DAEMON_SETS] = answer
    add_cluster(alone, server, authority)
    code, snapshot = collect(tmp_path, "--kubernetes-timeout", "3")
    gap = the_gap(snapshot)
    assert code == 3
    assert words in gap["reason"]
    assert gap["asset_type"] == model.DAEMON_SET
    if answer[0] in (401, 403):
        assert "--role=roles/container.viewer" in gap["hint"]
    assert "listed" not in snapshot.header


def test_a_configuration_that_may_not_be_read_leaves_the_agent(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    server.answers[CONFIG_MAP] = (403, status_of(403, "Forbidden"))
    add_cluster(alone, server, authority)
    code, snapshot = collect(tmp_path)
    assert code == 3
    assert the_gap(snapshot)["asset_type"] == model.CONFIG_MAP
    assert snapshot.header["listed"] == [{"scope": CLUSTER, "asset_types": [model.DAEMON_SET]}]


def test_another_authority_is_not_trusted(alone: Emulator, server: KubernetesServer, tmp_path: Path) -> None:
    add_cluster(alone, server, Authority())
    code, snapshot = collect(tmp_path)
    assert code == 3
    assert "certificate" in the_gap(snapshot)["reason"]
    assert server.requests == []


@pytest.mark.parametrize("stated", ["", "bm8gY2VydGlmaWNhdGU=", "***"])
def test_without_an_authority_nobody_is_asked(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path, stated: str
) -> None:
    add_cluster(alone, server, authority, masterAuth={"clusterCaCertificate": stated})
    code, snapshot = collect(tmp_path)
    assert code == 3
    assert "certificate authority" in the_gap(snapshot)["reason"]
    assert server.requests == []


@pytest.mark.parametrize("drip", [False, True])
def test_a_slow_cluster_holds_nothing_up(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path, drip: bool
) -> None:
    if drip:
        server.drip = 0.2  # each byte in time, and never the whole
    else:
        server.answers = {}
        server.answers = _Silence()
    add_cluster(alone, server, authority)
    begun = time.monotonic()
    code, snapshot = collect(tmp_path, "--kubernetes-timeout", "1.5")
    assert time.monotonic() - begun < 10
    assert code == 3
    assert "in time" in the_gap(snapshot)["reason"]


class _Silence(dict[str, Any]):
    def get(self, *_: Any) -> Any:
        time.sleep(4)
        return 200, {}


def test_an_address_that_nobody_listens_at_is_a_gap(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    add_cluster(alone, server, authority, endpoint="127.0.0.1:9")
    code, snapshot = collect(tmp_path)
    assert code == 3
    assert "cannot be reached" in the_gap(snapshot)["reason"]


def test_with_an_emulator_nothing_leaves_this_machine(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    dns = {"dnsEndpointConfig": {"endpoint": "x.us-central1.gke.goog", "allowExternalTraffic": True}}
    add_cluster(alone, server, authority, endpoint="192.0.2.1", controlPlaneEndpointsConfig=dns)
    code, snapshot = collect(tmp_path)
    assert code == 3
    assert "no endpoint" in the_gap(snapshot)["reason"]


def test_the_endpoint_and_the_authority_may_come_from_the_kubernetes_engine_api(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    alone.add(make.cluster("main"))
    link = "https://container.googleapis.com/v1/projects/svc/locations/europe-west1/clusters/main"
    alone.clusters["svc"] = [
        {
            "name": "main",
            "selfLink": link,
            "endpoint": server.address,
            "masterAuth": {"clusterCaCertificate": authority.stated},
        }
    ]
    code, snapshot = collect(tmp_path)
    assert code == 0
    assert f"{CLUSTER}/k8s/namespaces/kube-system/daemonsets/ip-masq-agent" in snapshot.names


def test_a_cluster_that_is_being_made_or_deleted_is_not_asked(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    add_cluster(alone, server, authority, status="STOPPING")
    code, snapshot = collect(tmp_path)
    assert code == 0
    assert server.requests == []
    assert "listed" not in snapshot.header


def test_without_a_token_there_is_a_gap(
    alone: Emulator,
    server: KubernetesServer,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from google.auth.exceptions import RefreshError

    from auditor.sources.live.endpoints import Access

    error: Any = RefreshError

    def expired(_: Access) -> str:
        raise error("reauthentication is needed")

    monkeypatch.setattr(Access, "token", expired)
    add_cluster(alone, server, authority)
    code, snapshot = collect(tmp_path)
    assert code == 3
    assert "reauthentication is needed" in the_gap(snapshot)["reason"]
    assert server.requests == []


def test_without_the_option_no_cluster_is_asked(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    add_cluster(alone, server, authority)
    with pytest.raises(SystemExit) as exit_:
        cli(["collect", ORGANIZATION, "--output", str(tmp_path / "s.ndjson"), "-q"])
    assert exit_.value.code == 0
    assert server.requests == []


def test_pods_tell_of_an_agent_that_could_not_be_asked_about(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    server.answers[DAEMON_SETS] = (403, status_of(403, "Forbidden"))
    add_cluster(alone, server, authority)
    name = f"{CLUSTER}/k8s/namespaces/kube-system/pods/ip-masq-agent-x1y2z"
    alone.search_results = [
        {"name": name, "assetType": model.POD, "labels": {"k8s-app": "ip-masq-agent"}},
        {"name": name.replace("main", "elsewhere"), "assetType": model.POD},
        {"name": name.replace("kube-system", "default"), "assetType": model.POD},
    ]
    code, snapshot = collect(tmp_path)
    assert code == 3
    pods = [one for one in snapshot.assets if one["assetType"] == model.POD]
    assert [one["name"] for one in pods] == [name]
    inventory = load([str(tmp_path / "s.ndjson")])
    (pod,) = inventory.decode(inventory.clusters[0]).kubernetes.objects
    assert pod.data["metadata"] == {
        "name": "ip-masq-agent-x1y2z",
        "namespace": "kube-system",
        "labels": {"k8s-app": "ip-masq-agent"},
    }


def test_a_search_that_is_refused_is_a_gap(
    alone: Emulator, server: KubernetesServer, authority: Authority, tmp_path: Path
) -> None:
    server.answers[DAEMON_SETS] = (403, status_of(403, "Forbidden"))
    add_cluster(alone, server, authority)
    alone.faults.append(
        lambda one: Status("PERMISSION_DENIED") if one.method == "SearchAllResources" else None
    )
    code, snapshot = collect(tmp_path)
    assert code == 3
    (gap,) = [one for one in snapshot.gaps if one["asset_type"] == model.POD]
    assert "cloudasset.assets.searchAllResources" in gap["reason"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/kube-system/secrets/x",
        "/api/v1/namespaces/kube-system/configmaps",
        "/api/v1/namespaces/kube-system/configmaps/../secrets/x",
        "/api/v1/namespaces/default/configmaps/x",
        f"{DAEMON_SETS}?watch=1",
        "//example.com/",
    ],
)
def test_paths_that_are_not_listed_are_refused(server: KubernetesServer, path: str) -> None:
    reader = Reader(f"https://{server.address}", lambda: "")
    with pytest.raises(calls.ForbiddenCallError):
        reader.get(path, Deadline.after(5))
    reader.close()
    assert server.requests == []


def test_the_token_goes_to_the_cluster_alone(
    server: KubernetesServer, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from auditor.sources.live.evidence import _context

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    reader = Reader(f"https://{server.address}", lambda: "t0ken", _context(authority.stated))
    assert orjson.loads(reader.get(CONFIG_MAP, Deadline.after(5))) == CONFIG
    reader.close()
    assert server.tokens == {"Bearer t0ken"}
