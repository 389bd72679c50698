"""Inventories in the shapes that others publish: whole answers of the APIs, alone and together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditor.cli import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]

PROJECT, LOCATION = "blog-prod", "europe-west4"
NETWORK = f"projects/{PROJECT}/global/networks/default"
SUBNET = f"projects/{PROJECT}/regions/{LOCATION}/subnetworks/default"
PLACE = f"projects/{PROJECT}/locations/{LOCATION}"
COMPUTE = "https://www.googleapis.com/compute/v1/"
ALL = ("ah", "sctp", "tcp", "udp", "icmp", "esp")


def pool(name: str, **fields: Any) -> Json:
    config = {"imageType": "COS_CONTAINERD", "serviceAccount": "default", **fields.pop("config", {})}
    return {
        "name": name,
        "version": "1.24.10-gke.2300",
        "status": "RUNNING",
        "config": {**config, "windowsNodeConfig": {}},
        "maxPodsConstraint": {"maxPodsPerNode": "110"},
        "podIpv4CidrSize": 24,
        **fields,
    }


def cluster(name: str, id_: str, cidr: str, *pools: Json, **fields: Any) -> Json:
    """A cluster as ListClusters answers: defaults left out, int64 as text, empty messages as `{}`."""
    return {
        "name": name,
        "id": id_.ljust(64, "0"),
        "selfLink": f"https://container.googleapis.com/v1/{PLACE}/clusters/{name}",
        "location": LOCATION,
        "zone": LOCATION,
        "status": "RUNNING",
        "network": "default",
        "clusterIpv4Cidr": cidr,
        "currentMasterVersion": "1.24.10-gke.2300",
        "networkConfig": {
            "network": NETWORK,
            "subnetwork": SUBNET,
            "defaultSnatStatus": {},
            **fields.pop("networkConfig", {}),
        },
        "ipAllocationPolicy": {
            "useIpAliases": True,
            "clusterIpv4CidrBlock": cidr,
            **fields.pop("ipAllocationPolicy", {}),
        },
        **({"nodePools": list(pools)} if pools else {}),
        **fields,
    }


def rule(name: str, **fields: Any) -> Json:
    return {
        "kind": "compute#firewall",
        "name": name,
        "network": COMPUTE + NETWORK,
        "selfLink": f"{COMPUTE}projects/{PROJECT}/global/firewalls/{name}",
        "direction": "INGRESS",
        "priority": 1000,
        "disabled": False,
        "logConfig": {"enable": False},
        **fields,
    }


def made_by_gke(name: str, id_: str, cidr: str) -> list[Json]:
    tag = f"gke-{name}-{id_[:8]}-node"
    prefix = f"gke-{name}-{id_[:8]}"
    return [
        rule(
            f"{prefix}-all",
            sourceRanges=[cidr],
            targetTags=[tag],
            allowed=[{"IPProtocol": one} for one in ALL],
        ),
        rule(
            f"{prefix}-vms",
            sourceRanges=["10.128.0.0/9"],
            targetTags=[tag],
            allowed=[{"IPProtocol": "icmp"}, {"IPProtocol": "tcp", "ports": ["1-65535"]}],
        ),
        rule(
            f"{prefix}-inkubelet",
            priority=999,
            sourceRanges=[cidr],
            sourceTags=[tag],
            targetTags=[tag],
            allowed=[{"IPProtocol": "tcp", "ports": ["10255"]}],
        ),
        rule(
            f"{prefix}-exkubelet",
            sourceRanges=["0.0.0.0/0"],
            targetTags=[tag],
            denied=[{"IPProtocol": "tcp", "ports": ["10255"]}],
        ),
    ]


PLAIN, PILOT, TWO = ("web", "c10b95be77"), ("pilot", "86b60f8a11"), ("two-ranges", "12cd17cd42")

CLUSTERS = {
    "clusters": [
        cluster(*PLAIN, "10.0.0.0/14", pool("default-pool")),
        cluster(
            *PILOT, "10.60.0.0/17", autopilot={"enabled": True},
            networkConfig={"enableIntraNodeVisibility": True, "datapathProvider": "ADVANCED_DATAPATH"},
        ),
        cluster(
            *TWO, "10.4.0.0/14",
            pool("default-pool", config={"tags": ["two-custom-tag"], "serviceAccount": "two@blog.example"}),
            pool(
                "small-nodes",
                networkConfig={"podRange": "two-ranges-pods-e13eff26", "podIpv4CidrBlock": "10.112.0.0/14"},
                maxPodsConstraint={"maxPodsPerNode": "8"},
                podIpv4CidrSize=28,
            ),
            ipAllocationPolicy={"useRoutes": True, "useIpAliases": False, "clusterIpv4CidrBlock": ""},
        ),
    ]
}  # fmt: skip
EFFECTIVE = {
    "firewalls": [
        rule(
            "default-allow-internal",
            priority=65534,
            sourceRanges=["10.128.0.0/9"],
            allowed=[{"IPProtocol": "tcp", "ports": ["0-65535"]}, {"IPProtocol": "udp"}],
        ),
        rule(
            "default-allow-icmp",
            priority=65534,
            sourceRanges=["0.0.0.0/0"],
            allowed=[{"IPProtocol": "icmp"}],
        ),
        rule(
            "two-custom-deny",
            priority=900,
            sourceRanges=["10.0.0.0/8"],
            targetTags=["two-custom-tag"],
            denied=[{"IPProtocol": "tcp", "ports": ["1-1000"]}],
        ),
        *made_by_gke("web", "44734575", "10.0.0.0/14"),
        *made_by_gke(*PLAIN, "10.0.0.0/14"),
        *made_by_gke(*PILOT, "10.60.0.0/17"),
        *made_by_gke(*TWO, "10.4.0.0/14"),
    ],
    "firewallPolicys": [],
}  # fmt: skip
VPC = {
    "kind": "compute#network",
    "name": "default",
    "selfLink": COMPUTE + NETWORK,
    "autoCreateSubnetworks": True,
    "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
}
SUBNETS = {
    "kind": "compute#subnetworkList",
    "items": [
        {
            "kind": "compute#subnetwork",
            "name": "default",
            "selfLink": COMPUTE + SUBNET,
            "network": COMPUTE + NETWORK,
            "region": f"{COMPUTE}projects/{PROJECT}/regions/{LOCATION}",
            "ipCidrRange": "10.164.0.0/20",
            "secondaryIpRanges": [{"rangeName": "two-ranges-pods-e13eff26", "ipCidrRange": "10.112.0.0/14"}],
            "enableFlowLogs": False,
        }
    ],
}


@pytest.fixture
def scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Json]]:
    def call(*documents: object) -> tuple[int, Json]:
        files = []
        for number, document in enumerate(documents):
            file = tmp_path / f"{number}.json"
            file.write_text(json.dumps(document), encoding="utf-8")
            files.append(str(file))
        with pytest.raises(SystemExit) as exit_:
            cli(["scan", *files, "--output", "json=-", "--now", "2026-11-22", "--quiet"])
        return int(exit_.value.code or 0), json.loads(capsys.readouterr().out)

    return call


def verdicts(report: Json, rule_: str) -> dict[str, str]:
    return {
        one["resource"]["name"].rpartition("/")[2]: one["verdict"]
        for one in report["results"]
        if one["rule"] == rule_
    }


def same_node(report: Json, name: str) -> Json:
    found: Json = next(c for c in report["clusters"] if c["name"].endswith(f"/{name}"))["traffic"][
        "same_node"
    ]
    return found


def test_a_listing_alone_tells_visibility_and_versions_and_nothing_about_the_firewall(
    scan: Callable[..., tuple[int, Json]],
) -> None:
    code, report = scan(CLUSTERS)
    assert code == 1
    assert verdicts(report, "intranode-visibility-disabled") == {
        "web": "fail",
        "pilot": "pass",
        "two-ranges": "fail",
    }
    assert set(verdicts(report, "gke-version-unsupported").values()) == {"pass"}
    assert set(verdicts(report, "windows-node-pool").values()) == {"pass"}
    assert set(verdicts(report, "pod-traffic-denied").values()) == {"unknown"}
    assert {one["readiness"] for one in report["clusters"]} == {"unknown"}


def test_with_the_effective_firewalls_the_forgotten_range_and_the_tagged_pool_are_found(
    scan: Callable[..., tuple[int, Json]],
) -> None:
    _, report = scan(CLUSTERS, EFFECTIVE, VPC, SUBNETS)
    assert same_node(report, "web")["verdict"] == "allowed"
    assert same_node(report, "pilot")["verdict"] == "allowed"
    found = same_node(report, "two-ranges")
    assert found["verdict"] == "partial"
    denied = {
        (box["source_pools"][0], box["protocol"], box["ports"], box["decided_by"]["rule"])
        for box in found["denied"]
    }
    # The deny at 900 aims at a tag that one pool carries; the other pool's range no rule of GKE's covers.
    assert denied == {
        ("default-pool", "tcp", "1-1000", "two-custom-deny"),
        *(
            ("small-nodes", protocol, ports, "implied deny ingress")
            for protocol, ports in (
                ("tcp", "1-10254"), ("tcp", "10256-65535"), ("udp", "1-65535"), ("sctp", "1-65535"),
                ("esp", None), ("ah", None),
            )
        ),
        ("small-nodes", "tcp", "10255", "gke-two-ranges-12cd17cd-exkubelet"),
    }  # fmt: skip
    assert found["by_protocol"]["icmp"] == "allowed"
    assert all(
        box["source"] == box["destination"] == "10.112.0.0/14"
        for box in found["denied"]
        if box["source_pools"] == ["small-nodes"]
    )
    assert verdicts(report, "same-node-traffic-would-be-denied") == {
        "web": "pass",
        "pilot": "not_applicable",
        "two-ranges": "fail",
    }
    assert {one["name"].rpartition("/")[2]: one["readiness"] for one in report["clusters"]} == {
        "web": "unknown",
        "pilot": "unknown",
        "two-ranges": "blocked",
    }


def test_the_rules_of_a_deleted_namesake_are_not_the_clusters(
    scan: Callable[..., tuple[int, Json]],
) -> None:
    only_stale = {**EFFECTIVE, "firewalls": made_by_gke("web", "44734575", "10.0.0.0/14")}
    _, report = scan({"clusters": CLUSTERS["clusters"][:1]}, only_stale, VPC, SUBNETS)
    assert same_node(report, "web")["verdict"] == "denied"


def test_each_answer_alone_is_read_without_error_and_leaves_a_gap(
    scan: Callable[..., tuple[int, Json]],
) -> None:
    for document in (EFFECTIVE, VPC, SUBNETS):
        code, report = scan(document)
        assert code == 3
        assert report["clusters"] == []
        assert any("no cluster" in gap["reason"] for gap in report["inventory"]["gaps"])


def test_an_export_with_snake_case_envelopes_and_doubled_keys_is_one_asset_each(
    scan: Callable[..., tuple[int, Json]],
) -> None:
    data = {
        **rule("deny-all", direction="EGRESS", priority=65534),
        "denied": [{"IPProtocol": "all", "ipProtocol": "all"}],
        "destinationRange": ["0.0.0.0/0"],
        "destinationRanges": ["0.0.0.0/0"],
    }
    asset = {
        "name": f"//compute.googleapis.com/projects/{PROJECT}/global/firewalls/deny-all",
        "asset_type": "compute.googleapis.com/Firewall",
        "resource": {"version": "v1", "discovery_name": "Firewall", "data": data},
        "update_time": "2024-05-01T00:00:00Z",
    }
    _, report = scan(CLUSTERS, VPC, [asset])
    assert report["inventory"]["counts"]["firewalls"] == 1
    for box in same_node(report, "web")["denied"]:
        assert box["decided_by"] == {
            "asset": asset["name"], "rule": "deny-all", "priority": 65534, "stage": "vpc", "action": "deny",
        }  # fmt: skip


def test_pools_of_a_planned_cluster_whose_template_was_never_filled_in_are_a_gap(
    scan: Callable[..., tuple[int, Json]],
) -> None:
    asset = {
        "name": "//container.googleapis.com/projects/{{.Provider.project}}/zones/z/clusters/c/nodePools/p",
        "asset_type": "container.googleapis.com/NodePool",
        "resource": {"version": "v1", "data": pool("p")},
    }
    code, report = scan([asset])
    assert code == 3
    assert any("template" in gap["reason"] for gap in report["inventory"]["gaps"])
