"""Collections from a server on loopback, with faults: what is served arrives once, or it is a gap."""

from __future__ import annotations

import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from auditor.cli import cli
from auditor.model import inventory as model
from auditor.sources import wording
from auditor.sources.live import collect as collecting
from auditor.sources.live import retry
from tests.sources import assets as make
from tests.sources.live.emulator import Emulator, Status
from tests.sources.live.organisation import ORGANIZATION, Snapshot, names, organisation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sources.live.emulator import Request

EVERYTHING = names(organisation())
CLUSTER_NAME = "//container.googleapis.com/projects/svc/locations/europe-west1/clusters/c000"


def collect(folder: Path, *arguments: str, name: str = "s.ndjson.zst") -> tuple[int, Path]:
    """Run the command; its exit code and the path of the snapshot."""
    output = folder / name
    scopes = arguments if any("/" in one for one in arguments) else (ORGANIZATION, *arguments)
    with pytest.raises(SystemExit) as exit_:
        cli(["collect", *scopes, "--output", str(output)])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, output


def once(which: Callable[[Request], bool], status: Status) -> Callable[[Request], Status | None]:
    """A fault that happens to the first request it fits."""
    return times(1, which, status)


def times(count: int, which: Callable[[Request], bool], status: Status) -> Callable[[Request], Status | None]:
    lock = threading.Lock()
    left = [count]

    def fault(request: Request) -> Status | None:
        with lock:
            if left[0] and which(request):
                left[0] -= 1
                return status
        return None

    return fault


def always(which: Callable[[Request], bool], status: Status) -> Callable[[Request], Status | None]:
    return lambda request: status if which(request) else None


def lists(kind: str, *, first: bool | None = None) -> Callable[[Request], bool]:
    """Requests for a type: the first page, a later one, or any."""
    return lambda request: kind in request.types and (first is None or (request.token == "") is first)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are given up after a second, not after two minutes."""
    monkeypatch.setattr(collecting, "Caller", partial(retry.Caller, bound=1.0))


def test_everything_that_is_served_arrives_once(emulator: Emulator, tmp_path: Path) -> None:
    code, output = collect(tmp_path)
    snapshot = Snapshot(output)
    assert code == 0
    assert snapshot.names == EVERYTHING
    assert snapshot.gaps == []
    assert not list(tmp_path.glob("*.partial*"))
    assert {one.name for one in tmp_path.iterdir()} == {output.name}


def test_requests_are_as_the_api_wants_them(emulator: Emulator, tmp_path: Path) -> None:
    collect(tmp_path)
    requests = emulator.of("ListAssets")
    assert {one.page_size for one in requests} == {1000}
    assert {one.parent for one in requests} == {ORGANIZATION}
    assert len({one.read_time for one in requests}) == 1
    assert requests[0].read_time == Snapshot(tmp_path / "s.ndjson.zst").header["read_time"]


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED"])
@pytest.mark.parametrize("first", [True, False])
def test_failures_that_pass_cost_nothing(emulator: Emulator, tmp_path: Path, code: str, first: bool) -> None:
    emulator.faults.append(times(3, lists(model.FIREWALL, first=first), Status(code)))
    exit_code, output = collect(tmp_path)
    assert exit_code == 0
    assert Snapshot(output).names == EVERYTHING


def test_a_call_is_not_made_again_before_the_server_wants_it(emulator: Emulator, tmp_path: Path) -> None:
    fault = once(lists(model.FIREWALL, first=False), Status("RESOURCE_EXHAUSTED", retry_after=1.5))
    emulator.faults.append(fault)
    assert collect(tmp_path)[0] == 0
    asked: dict[str, list[float]] = {}
    for one in emulator.of("ListAssets"):
        if model.FIREWALL in one.types:
            asked.setdefault(one.token, []).append(one.time)
    (again,) = [moments for moments in asked.values() if len(moments) > 1]
    assert again[1] - again[0] >= 1.5


@pytest.mark.usefixtures("impatient")
def test_a_failure_that_does_not_pass_is_a_gap(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.append(always(lists(model.FIREWALL), Status("UNAVAILABLE", "try later")))
    code, output = collect(tmp_path)
    snapshot = Snapshot(output)
    assert code == 3
    assert [(gap["scope"], gap["asset_type"]) for gap in snapshot.gaps] == [(ORGANIZATION, model.FIREWALL)]
    assert "try later" in snapshot.gaps[0]["reason"]
    assert snapshot.names == [one for one in EVERYTHING if "/firewalls/" not in one]
    assert model.FIREWALL not in snapshot.header["asset_types"]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_wants_more_patience_than_there_is_makes_a_gap_at_once(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.faults.append(always(lists(model.NETWORK), Status("UNAVAILABLE", retry_after=300)))
    begun = time.monotonic()
    assert collect(tmp_path)[0] == 3
    assert time.monotonic() - begun < 10
    assert len([one for one in emulator.of("ListAssets") if model.NETWORK in one.types]) == 1


def test_an_expired_page_token_begins_the_listing_again(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.append(
        once(
            lambda one: model.FIREWALL in one.types and one.token == "20",
            Status("INVALID_ARGUMENT", "page token expired"),
        )
    )
    code, output = collect(tmp_path)
    assert code == 0
    assert Snapshot(output).names == EVERYTHING
    tokens = [one.token for one in emulator.of("ListAssets") if model.FIREWALL in one.types]
    assert tokens == ["", "10", "20", "", "10", "20"]


def test_a_page_token_that_expires_twice_is_a_gap(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.append(
        always(
            lambda one: model.FIREWALL in one.types and one.token == "20",
            Status("INVALID_ARGUMENT", "page token expired"),
        )
    )
    code, output = collect(tmp_path)
    snapshot = Snapshot(output)
    assert code == 3
    assert [gap["asset_type"] for gap in snapshot.gaps] == [model.FIREWALL]
    assert len(snapshot.names) == len(EVERYTHING) - 10
    assert len([one for one in emulator.of("ListAssets") if one.token == "20"]) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status("INVALID_ARGUMENT", "unsupported type"), "unsupported type"),
        (Status("PERMISSION_DENIED", "no"), "cloudasset.assets.listResource"),
        (
            Status(
                "PERMISSION_DENIED",
                "disabled",
                reason="SERVICE_DISABLED",
                metadata={"service": "networksecurity.googleapis.com", "consumer": "projects/77"},
            ),
            "networksecurity.googleapis.com",
        ),
    ],
)
def test_a_type_that_is_refused_takes_no_other_along(
    emulator: Emulator, tmp_path: Path, status: Status, words: str
) -> None:
    emulator.faults.append(always(lists(model.FIREWALL_POLICY), status))
    code, output = collect(tmp_path)
    snapshot = Snapshot(output)
    assert code == 3
    (gap,) = snapshot.gaps
    assert gap["asset_type"] == model.FIREWALL_POLICY
    assert words in gap["reason"]
    assert gap["hint"]
    assert snapshot.names == [one for one in EVERYTHING if "/firewallPolicies/" not in one]


CODES = (
    "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT",
    "PERMISSION_DENIED", "FAILED_PRECONDITION", "UNAUTHENTICATED", "NOT_FOUND", "UNKNOWN", "ABORTED",
    "DATA_LOSS",
)  # fmt: skip


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seed", range(12))
def test_whatever_fails_each_asset_arrives_once_or_its_type_is_a_gap(
    emulator: Emulator, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test that fails must fail again
    lock = threading.Lock()
    stubborn = {kind: chance.choice(CODES) for kind in wording.USED if chance.random() < 0.2}

    def fault(request: Request) -> Status | None:
        with lock:
            if request.method != "ListAssets":
                return None
            lasting = next((stubborn[kind] for kind in request.types if kind in stubborn), None)
            if lasting is not None and chance.random() < 0.7:
                return Status(lasting)
            return Status(chance.choice(CODES[:4])) if chance.random() < 0.15 else None

    emulator.page = 4
    emulator.faults.append(fault)
    code, output = collect(tmp_path, *chance.choice([(ORGANIZATION,), (ORGANIZATION, "folders/55")]))
    if code == 2:
        assert not list(tmp_path.iterdir())
        return
    snapshot = Snapshot(output)
    assert sorted(set(snapshot.names)) == snapshot.names
    gaps = {gap["asset_type"] for gap in snapshot.gaps}
    missing = {asset["name"]: asset["assetType"] for asset in organisation()}
    for name in snapshot.names:
        del missing[name]
    assert set(missing.values()) <= gaps
    assert code == (3 if gaps else 0)
    complete = set(snapshot.header["asset_types"])
    assert complete | gaps >= set(wording.USED)


def test_a_refused_type_among_types_listed_together_is_told_apart(emulator: Emulator, tmp_path: Path) -> None:
    scopes = [f"projects/{name}" for name in ("host", "svc", "p1", "p2", "p3", "p4")]
    emulator.faults.append(always(lists(model.SUBNETWORK), Status("INVALID_ARGUMENT", "unsupported")))
    code, output = collect(tmp_path, *scopes)
    snapshot = Snapshot(output)
    assert code == 3
    assert {gap["asset_type"] for gap in snapshot.gaps} == {model.SUBNETWORK}
    below = {one for one in EVERYTHING if "/projects/" in one and "/subnetworks/" not in one}
    assert below <= set(snapshot.names)


def test_nothing_to_read_is_an_error_with_the_remedy(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.faults.append(always(lambda _: True, Status("PERMISSION_DENIED", "denied on the resource")))
    code, output = collect(tmp_path)
    told = capsys.readouterr().err
    assert code == 2
    assert not list(tmp_path.iterdir())
    assert "cloudasset.assets.listResource" in told
    assert "hint: gcloud organizations add-iam-policy-binding 99" in told
    assert not output.exists()


def test_credentials_that_are_not_accepted_lead_to_the_login(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.faults.append(always(lambda _: True, Status("UNAUTHENTICATED", "expired")))
    assert collect(tmp_path)[0] == 2
    assert "gcloud auth application-default login" in capsys.readouterr().err


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there_is_an_error(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.stop()
    assert collect(tmp_path)[0] == 2
    assert "nothing could be read" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_server_that_goes_away_and_comes_back_loses_nothing(emulator: Emulator, tmp_path: Path) -> None:
    def cut(request: Request) -> None:
        if model.FIREWALL in request.types and request.token == "10" and not cut_already.is_set():
            cut_already.set()
            threading.Thread(target=restart).start()
            time.sleep(0.5)

    def restart() -> None:
        port = emulator.port
        emulator.stop()
        time.sleep(0.5)
        emulator.start(port)

    cut_already = threading.Event()
    emulator.faults.append(cut)
    code, output = collect(tmp_path)
    assert cut_already.is_set()
    assert code == 0
    assert Snapshot(output).names == EVERYTHING


@pytest.mark.parametrize("variable", ["CLOUD_ASSET_EMULATOR_HOST", "CONTAINER_EMULATOR_HOST"])
@pytest.mark.parametrize(
    "address",
    ["cloudasset.googleapis.com:443", "10.0.0.1:80", "127.0.0.1.example.com:80", "0.0.0.0:80", "127.0.0.1",
     "localhost:x", "[::2]:80", "2130706433:80", "http://127.0.0.1:80"],
)  # fmt: skip
def test_an_emulator_elsewhere_is_refused_before_any_call(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    address: str,
) -> None:
    monkeypatch.setenv(variable, address)
    assert collect(tmp_path)[0] == 2
    assert variable in capsys.readouterr().err
    assert emulator.requests == []
    assert not list(tmp_path.iterdir())


def test_an_emulator_by_the_name_of_this_machine_will_do(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_ASSET_EMULATOR_HOST", f"localhost:{emulator.port}")
    monkeypatch.setenv("CONTAINER_EMULATOR_HOST", "")
    assert collect(tmp_path)[0] == 0
    assert emulator.of("ListClusters") == []


@pytest.mark.parametrize(
    "scope", ["organizations/x", "projects/Upper", "folders/1a", "clusters/9", "projects/"]
)
def test_what_is_no_scope_is_refused_before_any_call(emulator: Emulator, tmp_path: Path, scope: str) -> None:
    assert collect(tmp_path, scope)[0] == 2
    assert emulator.requests == []


def test_several_scopes_hold_each_asset_once(emulator: Emulator, tmp_path: Path) -> None:
    code, output = collect(tmp_path, ORGANIZATION, "folders/55", "projects/svc")
    assert code == 0
    assert Snapshot(output).names == EVERYTHING


def test_an_organisation_without_assets_is_complete(emulator: Emulator, tmp_path: Path) -> None:
    code, output = collect(tmp_path, "organizations/12")
    snapshot = Snapshot(output)
    assert code == 0
    assert snapshot.names == []
    assert model.CLUSTER in snapshot.header["asset_types"]


def test_secrets_stay_behind(emulator: Emulator, tmp_path: Path) -> None:
    secrets = {"password": "hunter2", "clientKey": "k3y", "clusterCaCertificate": "c3rt", "username": "adm1n"}
    metadata = {"startup-script": "curl s3cret", "disable-legacy-endpoints": "true"}
    cluster = make.cluster("secretive", masterAuth=secrets)
    cluster["resource"]["data"]["nodePools"] = [
        make.pool(
            config={
                "metadata": metadata,
                "tags": ["kept"],
                "linuxNodeConfig": {"customNodeInit": {"initScript": {"args": ["s3cret"]}}},
                "somethingNew": "s3cret",
            }
        )
    ]
    emulator.add(cluster)
    emulator.add(make.node_pool(cluster, "p", config={"metadata": metadata, "imageType": "COS_CONTAINERD"}))
    emulator.clusters["svc"] = [cluster_of_api("more", masterAuth=secrets, nodeConfig={"metadata": metadata})]
    code, output = collect(tmp_path, name="s.ndjson")
    text = output.read_text()
    assert code == 0
    for secret in ("hunter2", "k3y", "c3rt", "adm1n", "s3cret"):
        assert secret not in text
    kept = Snapshot(output).asset(cluster["name"])["resource"]["data"]
    assert kept["masterAuth"] == dict.fromkeys(secrets, "(dropped)")
    assert kept["nodePools"][0]["config"] == {
        "metadata": {"startup-script": "(dropped)", "disable-legacy-endpoints": "true"},
        "tags": ["kept"],
        "linuxNodeConfig": {"customNodeInit": {"initScript": {"args": ["(dropped)"]}}},
    }
    assert kept["networkConfig"]["enableIntraNodeVisibility"] is True


@pytest.mark.parametrize("name", ["s.ndjson", "s.ndjson.gz", "s.ndjson.zst"])
def test_the_ending_says_how_it_is_compressed(emulator: Emulator, tmp_path: Path, name: str) -> None:
    code, output = collect(tmp_path, name=name)
    magic = {"s.ndjson": b'{"ki', "s.ndjson.gz": b"\x1f\x8b", "s.ndjson.zst": b"\x28\xb5\x2f\xfd"}[name]
    assert code == 0
    assert output.read_bytes().startswith(magic)
    with pytest.raises(SystemExit) as exit_:
        cli(["scan", str(output), "--quiet"])
    assert exit_.value.code == 1


def test_a_scan_of_a_scope_and_of_its_snapshot_say_the_same(emulator: Emulator, tmp_path: Path) -> None:
    _, output = collect(tmp_path)
    reports = []
    for source in (str(output), ORGANIZATION):
        report = tmp_path / "report.json"
        with pytest.raises(SystemExit):
            cli(["scan", source, "--output", f"json={report}", "--now", "2026-11-22", "--quiet"])
        found = orjson.loads(report.read_bytes())
        found["inventory"].pop("sources")
        found["inventory"].pop("read_time")
        reports.append(found)
    assert reports[0] == reports[1]


def test_a_scope_that_cannot_be_read_ends_a_scan(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.faults.append(always(lambda _: True, Status("PERMISSION_DENIED", "no")))
    with pytest.raises(SystemExit) as exit_:
        cli(["scan", ORGANIZATION])
    assert exit_.value.code == 2
    assert "hint: gcloud organizations" in capsys.readouterr().err


def test_a_packet_can_be_followed_in_a_live_scope(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli(
            [
                "trace",
                ORGANIZATION,
                "--cluster",
                "nobody",
                "--from",
                "10.0.0.1",
                "--to",
                "10.0.0.2",
                "--protocol",
                "icmp",
            ]
        )
    assert exit_.value.code == 2
    assert "no cluster 'nobody'" in capsys.readouterr().err
    assert emulator.of("ListAssets")


# The Kubernetes Engine API


def cluster_of_api(name: str = "c000", **fields: Any) -> dict[str, Any]:
    link = f"https://container.googleapis.com/v1/projects/svc/locations/europe-west1/clusters/{name}"
    return {"name": name, "location": "europe-west1", "selfLink": link, **fields}


def test_zones_that_did_not_answer_are_a_gap(emulator: Emulator, tmp_path: Path) -> None:
    emulator.missing_zones["svc"] = ["europe-west1-b", "europe-west1-c"]
    code, output = collect(tmp_path)
    snapshot = Snapshot(output)
    assert code == 3
    (gap,) = snapshot.gaps
    assert gap["scope"] == "projects/svc"
    assert "europe-west1-b, europe-west1-c" in gap["reason"]
    assert snapshot.names == EVERYTHING


def test_an_emulator_without_the_kubernetes_engine_api_is_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator(organisation())
    emulator.serves_container = False
    with emulator:
        monkeypatch.setenv("CLOUD_ASSET_EMULATOR_HOST", emulator.address)
        monkeypatch.setenv("CONTAINER_EMULATOR_HOST", emulator.address)
        assert collect(tmp_path)[0] == 0


def test_projects_that_refuse_their_clusters_are_one_gap(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.append(
        always(lambda one: one.method == "ListClusters", Status("PERMISSION_DENIED", "no"))
    )
    code, output = collect(tmp_path)
    (gap,) = Snapshot(output).gaps
    assert code == 3
    # Of the type that it leaves in doubt: one that names no type would cast doubt on all.
    assert gap["asset_type"] == "container.googleapis.com/Cluster"
    assert "container.clusters.list" in gap["reason"]
    assert "--cluster-api=never" in gap["hint"]
    assert collect(tmp_path, "--cluster-api=never")[0] == 0


def test_of_many_projects_only_those_with_incomplete_clusters_are_asked_about(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("auditor.sources.live.clusters.MANY", 2)
    for project in ("p1", "p2"):
        emulator.add(make.cluster("ordinary", project=project))
    emulator.add(make.cluster("bare", project="p3", data={"name": "bare"}))
    assert collect(tmp_path)[0] == 0
    assert [one.parent for one in emulator.of("ListClusters")] == ["projects/p3/locations/-"]
    assert "note: 3 projects are not compared" in capsys.readouterr().err
    assert collect(tmp_path, "--cluster-api=always")[0] == 0
    assert len(emulator.of("ListClusters")) == 1 + 4
    assert "note" not in capsys.readouterr().err


def test_the_api_fills_in_what_the_inventory_lacks(emulator: Emulator, tmp_path: Path) -> None:
    bare = make.cluster("bare")
    bare["resource"]["data"] = {"name": "bare", "status": "RUNNING"}
    emulator.add(bare)
    emulator.add(make.asset(model.CLUSTER, make.cluster("empty")["name"], None))
    config = {"network": make.NETWORK, "enableIntraNodeVisibility": True}
    emulator.clusters["svc"] = [
        cluster_of_api("bare", networkConfig=config, status="ERROR"),
        cluster_of_api("empty", networkConfig=config, masterAuth={"password": "hunter2"}),
        cluster_of_api("new", networkConfig=config, createTime="2020-01-01T00:00:00Z"),
        cluster_of_api("too-new", networkConfig=config, createTime="2999-01-01T00:00:00Z"),
        cluster_of_api("c000"),
    ]
    code, output = collect(tmp_path, name="s.ndjson")
    snapshot = Snapshot(output)
    data = {
        one["name"].rsplit("/", 1)[1]: one["resource"]["data"]
        for one in snapshot.assets
        if "/clusters/" in one["name"]
    }
    assert code == 0
    assert data["bare"]["networkConfig"]["enableIntraNodeVisibility"] is True
    assert data["bare"]["status"] == "RUNNING"
    assert data["empty"]["networkConfig"]["enableIntraNodeVisibility"] is True
    assert data["new"]["networkConfig"]["enableIntraNodeVisibility"] is True
    assert "too-new" not in data
    assert data["c000"] == {**make.cluster("c000")["resource"]["data"]}
    assert "hunter2" not in output.read_text()
    assert snapshot.asset(bare["name"].replace("bare", "new"))["ancestors"] == make.ANCESTORS


def test_an_inventory_that_is_behind_gives_way_to_the_api(emulator: Emulator, tmp_path: Path) -> None:
    emulator.add(make.cluster("old", etag="1", status="RUNNING"))
    emulator.add(make.cluster("same", etag="1", status="RUNNING"))
    emulator.clusters["svc"] = [
        cluster_of_api("old", etag="2", status="ERROR"),
        cluster_of_api("same", etag="1", status="ERROR"),
    ]
    _, output = collect(tmp_path)
    snapshot = Snapshot(output)
    states = {
        one: snapshot.asset(make.cluster(one)["name"])["resource"]["data"]["status"]
        for one in ("old", "same")
    }
    assert states == {"old": "ERROR", "same": "RUNNING"}


# Scopes below the organization


def test_a_project_brings_its_host_project_and_the_policies_above(emulator: Emulator, tmp_path: Path) -> None:
    emulator.add(_firewall_of("elsewhere"))
    code, output = collect(tmp_path, "projects/svc")
    snapshot = Snapshot(output)
    assert code == 0
    assert make.network()["name"] in snapshot.names
    assert make.policy()["name"] in snapshot.names
    assert not any("elsewhere" in name for name in snapshot.names)
    assert snapshot.header["hierarchies"] == [ORGANIZATION]
    assert {one["scope"] for one in snapshot.header["listed"]} == {"projects/host"}


def _firewall_of(project: str) -> make.Asset:
    asset = make.firewall("foreign", network_path=f"projects/{project}/global/networks/n")
    return {**asset, "ancestors": ["projects/777", ORGANIZATION]}


def test_what_lies_above_and_may_not_be_read_is_a_gap(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.append(
        always(
            lambda one: one.parent in (ORGANIZATION, "projects/host") and one.method == "ListAssets",
            Status("PERMISSION_DENIED", "no"),
        )
    )
    code, output = collect(tmp_path, "projects/svc")
    snapshot = Snapshot(output)
    assert code == 3
    assert {gap["scope"] for gap in snapshot.gaps} == {ORGANIZATION, "projects/host"}
    assert all("permission cloudasset.assets.listResource" in gap["reason"] for gap in snapshot.gaps)
    assert "hierarchies" not in snapshot.header
