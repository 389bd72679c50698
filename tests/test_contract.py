"""What a user who reads nothing but the documentation expects of the commands, on small inventories."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditor.cli import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]

ORGANIZATION = ["organizations/99"]
FOLDER = ["folders/55", *ORGANIZATION]
HOST = ["projects/100", *FOLDER]
SERVICE = ["projects/200", "folders/66", *ORGANIZATION]
COMPUTE = "//compute.googleapis.com/"
URL = "https://www.googleapis.com/compute/v1/"
NETWORK = "projects/host/global/networks/vpc"
SUBNETWORK = "projects/host/regions/europe-west1/subnetworks/nodes"
CLUSTER = "//container.googleapis.com/projects/svc/locations/europe-west1/clusters/main"


def asset(kind: str, name: str, data: Json, ancestors: list[str]) -> Json:
    return {
        "name": name,
        "assetType": kind,
        "resource": {"version": "v1", "data": data},
        "ancestors": ancestors,
    }


def compute(kind: str, path: str, ancestors: list[str] | None = None, **data: Any) -> Json:
    data = {"name": path.rpartition("/")[2], **data}
    return asset(
        f"compute.googleapis.com/{kind}", COMPUTE + path, data, HOST if ancestors is None else ancestors
    )


def vpc_rule(name: str, **fields: Any) -> Json:
    return compute("Firewall", f"projects/host/global/firewalls/{name}", network=URL + NETWORK, **fields)


def policy_rule(priority: int, direction: str, action: str, **match: Any) -> Json:
    match = {"layer4Configs": [{"ipProtocol": "all"}], **match}
    return {"priority": priority, "direction": direction, "action": action, "match": match}


def hierarchical(number: str, *rules: Json, target: str = "folders/55") -> Json:
    return compute(
        "FirewallPolicy",
        f"locations/global/firewallPolicies/{number}",
        ORGANIZATION,
        shortName=f"policy-{number}",
        associations=[{"name": "a", "attachmentTarget": target}],
        rules=list(rules),
    )


def organisation() -> list[Json]:
    """Everything around one cluster of a service project, whose Pods the firewall lets reach each other."""
    manager = "cloudresourcemanager.googleapis.com"
    return [
        asset(f"{manager}/Organization", f"//{manager}/organizations/99", {}, ORGANIZATION),
        asset(
            f"{manager}/Project",
            f"//{manager}/projects/host",
            {"projectId": "host", "projectNumber": "100"},
            HOST,
        ),
        asset(f"{manager}/TagBinding", f"//{manager}/tagBindings/one", {}, SERVICE),
        compute("Network", NETWORK),
        compute(
            "Subnetwork",
            SUBNETWORK,
            network=URL + NETWORK,
            ipCidrRange="10.4.0.0/20",
            secondaryIpRanges=[{"rangeName": "pods", "ipCidrRange": "10.8.0.0/16"}],
            logConfig={"enable": True, "flowSampling": 1, "metadata": "INCLUDE_ALL_METADATA"},
        ),
        vpc_rule(
            "gke-main-c10b95be-all",
            sourceRanges=["10.8.0.0/16"],
            targetTags=["gke-main-c10b95be-node"],
            allowed=[{"IPProtocol": name} for name in ("tcp", "udp", "sctp", "icmp", "esp", "ah")],
        ),
        hierarchical("1", target="organizations/99"),
    ]


def pool(name: str = "a", **fields: Any) -> Json:
    return {
        "name": name,
        "version": "1.30.5-gke.100",
        "config": {"imageType": "COS_CONTAINERD", "serviceAccount": "default"},
        "networkConfig": {"podRange": "pods", "podIpv4CidrBlock": "10.8.0.0/16"},
        "podIpv4CidrSize": 24,
        **fields,
    }


def cluster(**fields: Any) -> Json:
    """The cluster; a field that is None is left out, objects are merged with the ordinary ones."""
    data: Json = {
        "name": "main",
        "id": "c10b95be" + "0" * 56,
        "location": "europe-west1",
        "status": "RUNNING",
        "currentMasterVersion": "1.30.5-gke.100",
        "ipAllocationPolicy": {"clusterIpv4CidrBlock": "10.8.0.0/16", "clusterSecondaryRangeName": "pods"},
        "networkConfig": {
            "network": NETWORK,
            "subnetwork": SUBNETWORK,
            "enableIntraNodeVisibility": True,
        },
        "nodePools": [pool()],
    }
    for key, value in fields.items():
        data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) else value
    kept = {key: value for key, value in data.items() if value is not None}
    return asset("container.googleapis.com/Cluster", CLUSTER, kept, SERVICE)


def kubernetes(kind: str, tail: str, **fields: Any) -> Json:
    return asset(kind, f"{CLUSTER}/k8s/{tail}", fields, SERVICE)


class Scan:
    """A finished scan: exit code, report, standard error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.err = code, err
        self.report: Json = json.loads(out) if out else {}

    def verdicts(self, rule: str) -> set[str]:
        return {one["verdict"] for one in self.results(rule)}

    def results(self, rule: str) -> list[Json]:
        return [one for one in self.report["results"] if one["rule"] == rule]

    @property
    def cluster(self) -> Json:
        (found,) = self.report["clusters"]
        return dict(found)


@pytest.fixture
def scan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Scan]:
    """Scan assets as a newline-delimited export, with further arguments of the command."""

    def call(assets: list[Json], *arguments: str) -> Scan:
        sources = []
        if assets:
            sources = [str(tmp_path / "assets.ndjson")]
            (tmp_path / "assets.ndjson").write_text("".join(json.dumps(one) + "\n" for one in assets))
        with pytest.raises(SystemExit) as exit_:
            cli(["scan", *sources, "--output", "json=-", "--quiet", "--now", "2026-11-27", *arguments])
        captured = capsys.readouterr()
        return Scan(int(exit_.value.code or 0), captured.out, captured.err)

    return call


def test_an_autopilot_cluster_without_the_field_passes_with_a_note(scan: Callable[..., Scan]) -> None:
    autopilot = cluster(
        autopilot={"enabled": True}, nodePools=None, networkConfig={"enableIntraNodeVisibility": None}
    )
    found = scan([*organisation(), autopilot])
    (result,) = found.results("intranode-visibility-disabled")
    assert (result["verdict"], found.cluster["visibility"]["basis"]) == ("pass", "Autopilot default")
    assert "Autopilot default" in [one["observed"] for one in result["evidence"]]


@pytest.mark.parametrize("status", ["STATUS_UNSPECIFIED", "PROVISIONING", "STOPPING", "ERROR"])
def test_a_cluster_that_does_not_run_is_not_judged(scan: Callable[..., Scan], status: str) -> None:
    found = scan([*organisation(), cluster(status=status)])
    verdicts = {one["verdict"] for one in found.report["results"] if one["resource"]["name"] == CLUSTER}
    assert verdicts == {"not_applicable"}


@pytest.mark.parametrize(
    ("destination", "verdict"), [("10.8.0.0/16", "pass"), ("10.8.0.0/17", "fail"), ("192.168.0.0/16", "fail")]
)
def test_the_egress_nat_policies_of_an_export_are_all_there_are(
    scan: Callable[..., Scan], destination: str, verdict: str
) -> None:
    policy = kubernetes(
        "networking.gke.io/EgressNATPolicy",
        "egressnatpolicies/default",
        metadata={"name": "default"},
        spec={"action": "NoSNAT", "destinations": [{"cidr": destination}]},
    )
    found = scan([*organisation(), cluster(autopilot={"enabled": True}, nodePools=None), policy])
    assert found.verdicts("masquerade-misses-pod-range") == {verdict}


@pytest.mark.parametrize(
    ("expression", "verdicts"),
    [
        ('traffic.same_node.verdict == "allowed"', ("pass", "fail", "unknown")),
        ('traffic.any_node.by_protocol["udp"] == "allowed"', ("pass", "pass", "unknown")),
        ('traffic.any_node.by_protocol["tcp"] == "allowed"', ("pass", "fail", "pass")),
    ],
)
def test_a_rule_of_ones_own_reads_the_verdicts_about_traffic(
    scan: Callable[..., Scan], tmp_path: Path, expression: str, verdicts: tuple[str, ...]
) -> None:
    pack = tmp_path / "mine"
    pack.mkdir()
    (pack / "pack.yaml").write_text("name: mine\ntitle: Mine\ndescription: Mine.\n")
    rule = {
        "id": "pods-talk",
        "title": "Pods do not talk",
        "severity": "low",
        "since": "0.1.0",
        "description": "They should.",
        "applies_to": {"kind": "cluster"},
        "checks": [{"expect": expression, "message": "They do not."}],
        "passing": "They do.",
        "remediation": {"text": "Let them."},
        "examples": {"pass": [{"name": "ordinary"}], "fail": [{"name": "none", "firewalls": None}]},
    }
    (pack / "pods-talk.yaml").write_text(json.dumps(rule))
    denied = hierarchical("2", policy_rule(1, "EGRESS", "deny", layer4Configs=[{"ipProtocol": "tcp"}]))
    maybe = hierarchical(
        "2", policy_rule(1, "EGRESS", "deny", destFqdns=["a.b"], layer4Configs=[{"ipProtocol": "udp"}])
    )
    found = [
        scan([*organisation(), cluster(), *more], "--rules", str(pack)).verdicts("pods-talk")
        for more in ([], [denied], [maybe])
    ]
    assert found == [{one} for one in verdicts]


def test_every_protocol_is_unknown_of_a_cluster_of_which_nothing_is_known(scan: Callable[..., Scan]) -> None:
    unread = cluster()
    del unread["resource"]
    for one in (unread, cluster(nodePools=None)):
        traffic = scan([*organisation(), one]).cluster["traffic"]
        for scope in ("same_node", "any_node"):
            assert traffic[scope]["verdict"] == "unknown"
            assert traffic[scope]["by_protocol"] == dict.fromkeys(
                ("tcp", "udp", "sctp", "icmp", "esp", "ah"), "unknown"
            )


def test_the_answers_of_the_apis_of_one_project_decide_which_pods_reach_each_other(
    scan: Callable[..., Scan], tmp_path: Path
) -> None:
    """A cluster with a forgotten second Pod range and a denial for one of its pools; no asset export."""
    data = cluster(
        selfLink="https://container.googleapis.com/v1/" + CLUSTER.removeprefix("//container.googleapis.com/"),
        networkConfig={"enableIntraNodeVisibility": None},
        nodePools=[
            pool(config={"imageType": "COS_CONTAINERD", "tags": ["custom"]}),
            pool("forgotten", networkConfig={"podRange": "more", "podIpv4CidrBlock": "10.112.0.0/14"}),
        ],
    )["resource"]["data"]
    gke = organisation()[5]["resource"]["data"]
    deny = {
        "name": "test-deny",
        "network": URL + NETWORK,
        "priority": 900,
        "direction": "INGRESS",
        "sourceRanges": ["10.0.0.0/8"],
        "targetTags": ["custom"],
        "denied": [{"IPProtocol": "tcp", "ports": ["1-1000"]}],
    }
    files = {
        "clusters": {"clusters": [data]},
        "effective": {"firewalls": [gke, deny], "firewallPolicys": [{"type": "HIERARCHY", "rules": []}]},
        "network": {"kind": "compute#network", "name": "vpc", "selfLink": URL + NETWORK},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    found = scan([], *(str(tmp_path / name) for name in files))
    same = found.cluster["traffic"]["same_node"]
    assert (same["verdict"], found.cluster["readiness"]) == ("partial", "blocked")
    decided = {
        (box["source_pools"][0], box["protocol"], box["ports"], box["decided_by"]["rule"])
        for box in same["denied"]
    }
    assert ("a", "tcp", "1-1000", "test-deny") in decided
    assert {entry for entry in decided if entry[0] == "forgotten"} == {
        (
            "forgotten",
            protocol,
            "1-65535" if protocol in ("tcp", "udp", "sctp") else None,
            "implied deny ingress",
        )
        for protocol in ("tcp", "udp", "sctp", "icmp", "esp", "ah")
    }
    assert not same["undecided"]
    assert found.verdicts("same-node-traffic-would-be-denied") == {"fail"}
