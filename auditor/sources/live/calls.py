"""Every call that this program can make to Google Cloud or to a cluster: all of them read, none writes.

The channel in `channel.py` and the session in `http.py` refuse whatever is not listed here.
"""

from __future__ import annotations

from dataclasses import dataclass

ASSET_HOST = "cloudasset.googleapis.com"
CONTAINER_HOST = "container.googleapis.com"
COMPUTE_HOST = "compute.googleapis.com"


@dataclass(frozen=True, slots=True)
class Call:
    """A call: what it is named, which permission it needs, and the smallest predefined role that has it.

    `quota` is the published limit in calls a minute (0: none that concerns us).
    """

    name: str
    permission: str
    role: str
    quota: int = 0


LIST_ASSETS = Call(
    "/google.cloud.asset.v1.AssetService/ListAssets",
    "cloudasset.assets.listResource",
    "roles/cloudasset.viewer",
    100,
)
SEARCH_RESOURCES = Call(
    "/google.cloud.asset.v1.AssetService/SearchAllResources",
    "cloudasset.assets.searchAllResources",
    "roles/cloudasset.viewer",
    400,
)
LIST_CLUSTERS = Call(
    "/google.container.v1.ClusterManager/ListClusters",
    "container.clusters.list",
    "roles/container.clusterViewer",
    3000,
)
GRPC = {call.name: call for call in (LIST_ASSETS, SEARCH_RESOURCES, LIST_CLUSTERS)}
"""The gRPC methods."""

CONFIG_MAP = Call(
    r"/api/v1/namespaces/kube-system/configmaps/[^/?]+", "container.configMaps.get", "roles/container.viewer"
)
DAEMON_SETS = Call(
    r"/apis/apps/v1/namespaces/kube-system/daemonsets(\?continue=[^&]+)?",
    "container.daemonSets.list",
    "roles/container.viewer",
)
NAT_POLICIES = Call(
    r"/apis/networking\.gke\.io/v1/egressnatpolicies(\?continue=[^&]+)?",
    "container.thirdPartyObjects.list",
    "roles/container.viewer",
)
NETWORK_FIREWALLS = Call(
    r"/compute/v1/projects/[^/?]+/global/networks/[^/?]+/getEffectiveFirewalls",
    "compute.networks.getEffectiveFirewalls",
    "roles/compute.networkViewer",
)
REGION_FIREWALLS = Call(
    r"/compute/v1/projects/[^/?]+/regions/[^/?]+/firewallPolicies/getEffectiveFirewalls\?network=[^&]+",
    "compute.networks.getRegionEffectiveFirewalls",
    "roles/compute.networkViewer",
)
HTTP = (CONFIG_MAP, DAEMON_SETS, NAT_POLICIES, NETWORK_FIREWALLS, REGION_FIREWALLS)
"""The paths of HTTP GET requests, as regular expressions; the method is always GET."""


class ForbiddenCallError(RuntimeError):
    """A call that is not in the list above. Nothing was sent."""
