"""Clusters and node pools of the Terraform provider -> the container API's JSON.

Arguments are named after the API's fields (Terraform provider documentation, google_container_cluster and
google_container_node_pool); what is named otherwise stands in the tables below. A field that no argument
stands for is not part of the plan: it is marked, so that nobody takes it for the API's default.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditor.model.deferred import after_apply, not_planned, text_of
from auditor.sources import schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.evidence import Json

Object = dict[str, "Json"]

_UPPER = re.compile(r"([A-Z])")

_CLUSTER_NAMES = {
    "currentMasterVersion": "master_version",
    "currentNodeVersion": "node_version",
    "locations": "node_locations",
    "enableKubernetesAlpha": "enable_kubernetes_alpha",
}
_NETWORK_NAMES = {
    "enableIntraNodeVisibility": "enable_intranode_visibility",
    "enableL4ilbSubsetting": "enable_l4_ilb_subsetting",
    "disableL4LbFirewallReconciliation": "disable_l4_lb_firewall_reconciliation",
    "networkPerformanceConfig": "network_performance_config",
}
_POOL_NAMES = {"config": "node_config", "locations": "node_locations"}
_OTHER_NAMES = {
    "taints": "taint",
    "accelerators": "guest_accelerator",
    "osVersion": "osversion",
    "disable": "disabled",
    "additionalIpRangesConfigs": "additional_ip_ranges_config",
}
# Fields that are left out as the API leaves out its defaults: the state of a resource, deprecated twins, and
# what is put together below.
_LEFT_OUT = frozenset(
    (
        "status", "statusMessage", "conditions", "selfLink", "zone", "nodePools", "networkConfig",
        "autopilot",
        "defaultMaxPodsConstraint", "maxPodsConstraint", "podIpv4CidrSize", "nodeIpv4CidrSize",
        "instanceGroupUrls", "currentNodeCount", "createTime", "expireTime", "etag", "labelFingerprint",
        "updateInfo", "kubeletCertInfo", "nodeIpv4Cidr", "subnetIpv6CidrBlock", "podRangeInfo", "network",
        "subnetwork", "name", "location", "useIpAliases", "useRoutes", "createSubnetwork", "subnetworkName",
        "createPodRange", "podIpv4RangeUtilization", "defaultPodIpv4RangeUtilization",
    )
)  # fmt: skip
# Arguments that every release of the provider has: where one is absent, it is not stated.
_ALWAYS = frozenset(
    (
        "enable_intranode_visibility", "datapath_provider", "default_snat_status", "ip_allocation_policy",
        "cluster_ipv4_cidr", "cluster_ipv4_cidr_block", "cluster_secondary_range_name",
        "additional_pod_ranges_config", "additional_ip_ranges_config", "stack_type",
        "enable_multi_networking",
        "pod_cidr_overprovision_config", "disabled", "pod_range_names", "node_pool_auto_config",
        "network_tags",
        "tags", "resource_manager_tags", "windows_node_config", "network_config", "pod_range",
        "pod_ipv4_cidr_block", "osversion", "additional_node_network_configs",
        "additional_pod_network_configs",
        "enabled", "node_locations", "node_config", "cluster_autoscaling",
    )
)  # fmt: skip
_SECRET = frozenset(("masterAuth",))


def cluster(values: Object, address: str, *, fill: bool, partial: bool = False) -> Object:
    """The fields of a Cluster that a google_container_cluster states; None stands for one that is unset.

    With `fill` fields that Terraform has no argument for are marked, for a cluster of which nothing else is
    known. References and node pools are the caller's work.
    """
    made = _Conversion(fill=fill, partial=partial)
    found = made.message(schema.message("Cluster"), values, address, _CLUSTER_NAMES)
    # The path that the provider calls `id` is not the API's.
    found.pop("id", None)
    if fill:
        found["id"] = not_planned(address)
    found["networkConfig"] = made.message(schema.message("NetworkConfig"), values, address, _NETWORK_NAMES)
    found["autopilot"] = {"enabled": made.argument(values, "enable_autopilot", address)}
    most = made.argument(values, "default_max_pods_per_node", address)
    found["defaultMaxPodsConstraint"] = None if most in (None, 0) else {"maxPodsPerNode": most}
    policy = found.get("ipAllocationPolicy")
    mode = values.get("networking_mode")
    if isinstance(policy, dict):
        policy["useIpAliases"] = True if mode in (None, "VPC_NATIVE") else None
    return found


def node_pool(values: Object, address: str, *, fill: bool, partial: bool = False) -> Object:
    """The fields of a NodePool that a google_container_node_pool, or a `node_pool` block, states."""
    made = _Conversion(fill=fill, partial=partial)
    found = made.message(schema.message("NodePool"), values, address, _POOL_NAMES)
    most = made.argument(values, "max_pods_per_node", address)
    found["maxPodsConstraint"] = None if most in (None, 0) else {"maxPodsPerNode": most}
    return found


def merged(base: Object, planned: Mapping[str, Json]) -> Object:
    """A resource with planned fields in place of its own; None takes a field away."""
    found = dict(base)
    for name, value in planned.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            inner = found.get(name)
            found[name] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            found[name] = value
    return found


class _Conversion:
    def __init__(self, *, fill: bool, partial: bool) -> None:
        self._fill = fill
        self._partial = partial

    def argument(self, values: Object, name: str, path: str) -> Json:
        if name not in values and self._partial:
            return after_apply(f"{path}.{name}")
        return values.get(name)

    def message(
        self, fields: schema.Fields, values: Object, path: str, names: Mapping[str, str] | None = None
    ) -> Object:
        scalars, others = fields
        found: Object = {}
        for field in (*scalars, *others):
            if field in _LEFT_OUT:
                continue
            name = (names or {}).get(field) or _OTHER_NAMES.get(field) or _UPPER.sub(r"_\1", field).lower()
            if field in _SECRET or name not in values:
                if self._partial:
                    found[field] = after_apply(f"{path}.{name}")
                elif self._fill and (field in _SECRET or name not in _ALWAYS):
                    found[field] = not_planned(path)
                continue
            value = values[name]
            if text_of(value) is not None:
                found[field] = value
            elif value is None or value in ("", []):
                found[field] = None
            elif field == "resourceManagerTags":
                found[field] = {"tags": value}
            elif field in others:
                found[field] = self._nested(others[field], value, f"{path}.{name}")
            else:
                found[field] = value
        return found

    def _nested(self, field: schema.Field, value: Json, path: str) -> Json:
        if field.fields is None or not isinstance(value, list | dict):
            return value
        items: list[Json] = list(value) if isinstance(value, list) else [value]
        converted: list[Object] = []
        for index, one in enumerate(items):
            if text_of(one) is not None:
                # One of the blocks is not known at all, and so neither is the list of them.
                return one
            inner = one if isinstance(one, dict) else {}
            converted.append(self.message(field.fields, inner, f"{path}[{index}]"))
        if field.kind is list:
            return [unset_removed(one) for one in converted]
        if len(converted) == 1:
            return converted[0]
        return value


def unset_removed(value: Object) -> Object:
    """The fields that are set."""
    return merged({}, value)
