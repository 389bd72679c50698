"""How gaps are worded: what an asset type is called, and the commands that fetch it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from auditor.model import inventory as model
from auditor.model.inventory import Gap

if TYPE_CHECKING:
    from collections.abc import Sequence

USED = (
    model.CLUSTER,
    model.NODE_POOL,
    model.NETWORK,
    model.SUBNETWORK,
    model.FIREWALL,
    model.FIREWALL_POLICY,
    model.ADDRESS_GROUP,
    model.ORGANIZATION,
    model.FOLDER,
    model.PROJECT,
    model.TAG_BINDING,
)
"""The asset types to ask Cloud Asset Inventory for."""

NOUN = {
    model.CLUSTER: "cluster",
    model.NODE_POOL: "node pool",
    model.NETWORK: "VPC network",
    model.SUBNETWORK: "subnetwork",
    model.FIREWALL: "VPC firewall rule",
    model.FIREWALL_POLICY: "firewall policy",
    model.ADDRESS_GROUP: "address group",
    model.ORGANIZATION: "organization",
    model.FOLDER: "folder",
    model.PROJECT: "project",
    model.TAG_BINDING: "tag binding",
    model.CONFIG_MAP: "ConfigMap",
    model.DAEMON_SET: "DaemonSet",
    model.POD: "Pod",
    model.EGRESS_NAT_POLICY: "EgressNATPolicy",
}

_KUBERNETES = {
    model.CONFIG_MAP: "kubectl -n kube-system get configmaps -o json",
    model.DAEMON_SET: "kubectl -n kube-system get daemonsets -o json",
    model.POD: "kubectl -n kube-system get pods -o json",
    model.EGRESS_NAT_POLICY: "kubectl get egressnatpolicies.networking.gke.io -o json",
}


def noun(asset_type: str) -> str:
    """What an asset of the type is called."""
    return NOUN.get(asset_type, f"{asset_type} asset")


def some(names: Sequence[str], limit: int = 5) -> str:
    """Names as a list for a sentence; how many are left out is said."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def count(number: int, one: str) -> str:
    """`1 cluster`, `2 clusters`."""
    return f"{number} {one}" if number == 1 else f"{number:,} {one}s"


def export(asset_types: Sequence[str], organization: str = "") -> str:
    """The command that lists assets of the types for the whole organization."""
    number = organization.removeprefix("organizations/") or "ORGANIZATION"
    return (
        f"gcloud asset list --organization={shlex.quote(number)} --content-type=resource "
        f"--asset-types={','.join(asset_types)} --format=json > assets.json"
    )


def not_read(asset_type: str, scope: str, organization: str, reason: str) -> Gap:
    """The gap for a type that does not occur in the input."""
    if asset_type in _KUBERNETES:
        hint = f"write it with `{_KUBERNETES[asset_type]}` and give it with --kubernetes CLUSTER=FILE"
    elif asset_type == model.TAG_BINDING:
        hint = f"export this type too: `{export([asset_type], organization)}` (--complete does not cover it)"
    else:
        hint = (
            f"export this type too: `{export([asset_type], organization)}`; or, if the input holds every "
            "asset of the organization, say so with --complete"
        )
    return Gap(scope, asset_type, reason, hint)


def describe(reference: str) -> str:
    """The gcloud command that prints the network, subnetwork or cluster a canonical reference names."""
    parts = reference.split("/")
    project = shlex.quote(parts[1]) if len(parts) > 1 else "PROJECT"
    name = shlex.quote(parts[-1])
    if "/subnetworks/" in reference and len(parts) > 3:
        region = shlex.quote(parts[3])
        return (
            f"gcloud compute networks subnets describe {name} --region={region} --project={project} "
            "--format=json"
        )
    if "/clusters/" in reference and len(parts) > 3:
        location = shlex.quote(parts[3])
        return (
            f"gcloud container clusters describe {name} --location={location} --project={project} "
            "--format=json"
        )
    return f"gcloud compute networks describe {name} --project={project} --format=json"
