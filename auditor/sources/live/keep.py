"""What is kept of each asset: an allow-list by asset type. Whatever is not on it never reaches the disk.

The lists are of JSON fields as the APIs name them. For clusters and node pools it is every field that the
Container API defines, and of those in `SENSITIVE` only that they are set; for other types it is the fields
that the analysis reads, and the few that tell a reader which thing it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from auditor.model import inventory as model
from auditor.sources import schema

Keep = dict[str, "Keep | None"]
"""Fields to keep; None keeps a field whole, a `Keep` is about the object, or each of the list, in it."""

HIDDEN: Final[Keep] = {}
"""Stands for a field of which only is kept that there is something (compared by identity)."""

DROPPED = "(dropped)"
"""What stands in the place of a value that is not kept."""

SENSITIVE: dict[str, tuple[str, ...]] = {
    "ContainerdConfig.RegistryHostConfig.RegistryHeader": ("value",),
    "LinuxNodeConfig.CustomNodeInit.InitScript": ("args",),
    "MasterAuth": ("clientCertificate", "clientKey", "clusterCaCertificate", "password", "username"),
    "NodeConfig": ("metadata",),
}
"""Fields of the Container API's messages that may hold certificates, passwords, keys or scripts.

Their values are replaced and not left out: to a rule an absent field is one that is empty.
"""

FIELDS: dict[str, tuple[str, ...]] = {
    model.NETWORK: (
        "autoCreateSubnetworks", "id", "mtu", "name", "networkFirewallPolicyEnforcementOrder", "selfLink",
    ),
    model.SUBNETWORK: (
        "enableFlowLogs", "externalIpv6Prefix", "id", "internalIpv6Prefix", "ipCidrRange", "ipv6AccessType",
        "ipv6CidrRange", "logConfig", "name", "network", "purpose", "region", "role", "secondaryIpRanges",
        "selfLink", "stackType", "state",
    ),
    model.FIREWALL: (
        "allowed", "denied", "description", "destinationRange", "destinationRanges", "direction", "disabled",
        "enableLogging", "id", "logConfig", "name", "network", "priority", "selfLink", "sourceRange",
        "sourceRanges", "sourceServiceAccount", "sourceServiceAccounts", "sourceTag", "sourceTags",
        "targetServiceAccount", "targetServiceAccounts", "targetTag", "targetTags",
    ),
    model.FIREWALL_POLICY: (
        "associations", "description", "displayName", "id", "name", "packetMirroringRules", "parent",
        "policySource", "policyType", "priority", "region", "rules", "selfLink", "shortName", "type",
    ),
    model.ADDRESS_GROUP: ("capacity", "items", "name", "purpose", "selfLink", "type"),
    model.ORGANIZATION: ("displayName", "lifecycleState", "name", "organizationId", "state"),
    model.FOLDER: ("displayName", "lifecycleState", "name", "parent", "state"),
    model.PROJECT: ("lifecycleState", "name", "parent", "projectId", "projectNumber", "state"),
    model.TAG_BINDING: ("name", "parent", "tagValue", "tagValueNamespacedName"),
}  # fmt: skip
"""Fields kept of the assets that are no clusters or node pools, at the top of `resource.data`."""

CERTIFICATE: Keep = {"masterAuth": {"clusterCaCertificate": None}}
"""What is read of a cluster, and not kept, to speak to its Kubernetes API."""


@cache
def of_type(asset_type: str) -> Keep | None:
    """What is kept of `resource.data` of an asset type; None for a type that is not collected."""
    if asset_type == model.CLUSTER:
        return of_message("Cluster")
    if asset_type == model.NODE_POOL:
        return of_message("NodePool")
    fields = FIELDS.get(asset_type)
    return None if fields is None else dict.fromkeys(fields)


@cache
def of_message(name: str) -> Keep:
    """What is kept of a message of google.container.v1."""
    sensitive = SENSITIVE.get(name, ())
    return {
        field: HIDDEN if field in sensitive else None if inner is None else of_message(inner)
        for field, inner in schema.messages_of(name).items()
    }


def hidden(value: Any) -> Any:
    """A value of which only the form is left: texts are replaced, but for the truth values among them."""
    if isinstance(value, dict):
        return {key: hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [hidden(inner) for inner in value]
    if isinstance(value, str) and value.lower() not in ("", "true", "false"):
        return DROPPED
    return value


def pruned(value: object, keep: Keep) -> dict[str, object]:
    """An object with the kept fields alone."""
    if not isinstance(value, dict):
        return {}
    found: dict[str, object] = {}
    for key, inner in value.items():
        if key not in keep:
            continue
        below = keep[key]
        if below is None:
            found[key] = inner
        elif below is HIDDEN:
            found[key] = hidden(inner)
        elif isinstance(inner, dict):
            found[key] = pruned(inner, below)
        elif isinstance(inner, list):
            found[key] = [pruned(one, below) if isinstance(one, dict) else one for one in inner]
        else:
            found[key] = inner
    return found
