"""A small organisation with a ready cluster, and Terraform plans about it."""

from __future__ import annotations

from typing import Any

from auditor.model import inventory as model
from tests.sources import assets as make

NETWORK = "projects/host/global/networks/vpc"
SUBNETWORK = "projects/host/regions/europe-west1/subnetworks/nodes"
CLUSTER = "//container.googleapis.com/projects/svc/locations/europe-west1/clusters/main"
HASH = "0123abcd"
PODS = "10.8.0.0/16"


def live(**cluster: Any) -> list[make.Asset]:
    """A cluster without intra-node visibility, for which nothing stands in the way of turning it on."""
    data = {
        "name": "main",
        "id": HASH + "0" * 56,
        "status": "RUNNING",
        "currentMasterVersion": "1.30.1-gke.100",
        "ipAllocationPolicy": {"useIpAliases": True, "clusterIpv4CidrBlock": PODS},
        "networkConfig": {
            "network": NETWORK,
            "subnetwork": SUBNETWORK,
            "defaultSnatStatus": {},
        },
        "nodePools": [
            {
                "name": "pool",
                "version": "1.30.1-gke.100",
                "config": {
                    "imageType": "COS_CONTAINERD",
                    "serviceAccount": "nodes@svc.iam.gserviceaccount.com",
                },
                "networkConfig": {"podIpv4CidrBlock": PODS},
            }
        ],
        **cluster,
    }
    return [
        make.asset(model.ORGANIZATION, f"//cloudresourcemanager.googleapis.com/{make.ORGANIZATION}", {}),
        _of_host(make.network(NETWORK, mtu=1460)),
        make.cluster("main", data=data),
        _of_host(make.subnetwork(SUBNETWORK, secondaryIpRanges=[{"rangeName": "pods", "ipCidrRange": PODS}])),
        _of_host(
            make.firewall(
                f"gke-main-{HASH}-all",
                network_path=NETWORK,
                allowed=[{"IPProtocol": one} for one in ("tcp", "udp", "icmp", "esp", "ah", "sctp")],
                sourceRanges=[PODS],
                targetTags=[f"gke-main-{HASH}-node"],
                logConfig={"enable": True},
            )
        ),
    ]


def _of_host(asset: make.Asset) -> make.Asset:
    return {**asset, "ancestors": ["projects/5678", *make.ANCESTORS[1:]]}


def change(
    address: str,
    after: dict[str, Any] | None,
    *,
    actions: tuple[str, ...] = ("create",),
    before: dict[str, Any] | None = None,
    unknown: dict[str, Any] | None = None,
    provider: str = "google",
) -> dict[str, Any]:
    """One of `resource_changes`."""
    local = address.rsplit("module.", 1)[-1]
    local = local.partition(".")[2] if address.startswith("module.") else local
    module = address[: len(address) - len(local)].rstrip(".")
    found: dict[str, Any] = {
        "address": address,
        "mode": "managed",
        "type": local.partition(".")[0],
        "name": local.partition(".")[2].partition("[")[0],
        "provider_name": f"registry.terraform.io/hashicorp/{provider}",
        "change": {
            "actions": list(actions),
            "before": before,
            "after": after,
            "after_unknown": {"id": True, "self_link": True, **(unknown or {})} if after is not None else {},
        },
    }
    if module:
        found["module_address"] = module
    return found


def plan(*changes: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A plan."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.5",
        "planned_values": {"root_module": {}},
        "resource_changes": list(changes),
        **rest,
    }


def state(*resources: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A state."""
    return {
        "format_version": "1.0",
        "terraform_version": "1.9.5",
        "values": {
            "root_module": {
                "resources": [
                    {
                        "address": address,
                        "mode": "managed",
                        "type": address.partition(".")[0],
                        "values": values,
                    }
                    for address, values in resources
                ]
            }
        },
    }


def firewall(**values: Any) -> dict[str, Any]:
    """The values of a google_compute_firewall as a plan shows them: null where an argument is left out."""
    return {
        "name": "deny-egress",
        "project": "host",
        "network": f"https://www.googleapis.com/compute/v1/{NETWORK}",
        "direction": "EGRESS",
        "priority": 900,
        "disabled": None,
        "allow": [],
        "deny": [],
        "source_ranges": None,
        "destination_ranges": ["0.0.0.0/0"],
        "source_tags": None,
        "source_service_accounts": None,
        "target_tags": None,
        "target_service_accounts": None,
        "log_config": [],
        **values,
    }


DENY = change(
    "google_compute_firewall.deny_egress",
    firewall(deny=[{"protocol": "all", "ports": []}]),
)
ALLOW = change(
    "google_compute_firewall.allow_pods",
    firewall(
        name="allow-pods",
        priority=800,
        allow=[{"protocol": "all", "ports": []}],
        destination_ranges=[PODS],
    ),
)
