"""Assets in the shape that Cloud Asset Inventory lists them: envelopes around the APIs' own JSON.

Field names and presence follow the container v1 and compute v1 REST APIs: a false, a zero and an empty list
are left out by the container API, an empty message is `{}`, int64 is a string, references in compute data
are URLs. Everything is derived from its arguments, so that the same call gives the same asset.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import uuid
from dataclasses import dataclass
from typing import Any

Asset = dict[str, Any]

COMPUTE = "https://www.googleapis.com/compute/v1/"
EVERYDAY_AND_RARE = ("tcp", "udp", "icmp", "esp", "ah", "sctp")
"""What GKE's own `-all` rule opens (GKE documentation, "Automatically created firewall rules")."""


def digest(*parts: str) -> str:
    """64 hexadecimal digits that stand for `parts`, as a cluster's id looks."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def number(*parts: str) -> str:
    """A numeric resource id of 19 digits that stands for `parts`."""
    return str(10**18 + int(digest(*parts)[:15], 16) % (8 * 10**18))


@dataclass(frozen=True, slots=True)
class Project:
    """A project: ID, number, and what is above it, nearest first (`folders/N`, `organizations/N`)."""

    id: str
    number: str
    above: tuple[str, ...]
    name: str = ""

    @property
    def ancestors(self) -> list[str]:
        """`ancestors` of every asset in the project."""
        return [f"projects/{self.number}", *self.above]


@dataclass(frozen=True, slots=True)
class Pool:
    """A node pool. `pod_cidr` None leaves the range's CIDR out, `pod_range` None the range altogether."""

    name: str
    version: str
    machine: str = "e2-standard-8"
    nodes: int = 3
    image: str = "COS_CONTAINERD"
    windows: str = ""
    tags: tuple[str, ...] = ()
    service_account: str = "default"
    secure_tags: tuple[tuple[str, str], ...] = ()
    pod_range: str | None = None
    pod_cidr: str | None = None
    max_pods: int = 110
    subnetwork: str | None = None

    @property
    def block(self) -> int:
        """Prefix length of each node's Pod block: at least twice as many addresses as Pods."""
        return 32 - (2 * self.max_pods - 1).bit_length()


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnetwork of `network` (`projects/P/global/networks/N`), secondary ranges as (name, CIDR)."""

    network: str
    region: str
    name: str
    cidr: str
    ranges: tuple[tuple[str, str], ...] = ()
    ipv6: str = ""

    @property
    def project(self) -> str:
        """The ID of the project that owns it."""
        return self.network.split("/")[1]

    @property
    def reference(self) -> str:
        """`projects/P/regions/R/subnetworks/S`."""
        return f"projects/{self.project}/regions/{self.region}/subnetworks/{self.name}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster.

    `visibility` None leaves `enableIntraNodeVisibility` out, as the API does with false. `control_plane` is
    the /28 of a control plane behind VPC peering; without one it is reached over Private Service Connect.
    """

    project: Project
    name: str
    location: str
    version: str
    subnet: Subnet
    pods: str
    services: str
    pools: tuple[Pool, ...]
    created: str
    visibility: bool | None = None
    autopilot: bool = False
    dataplane_v2: bool = True
    routes: bool = False
    status: str = "RUNNING"
    channel: str = "REGULAR"
    control_plane: str = ""
    snat_disabled: bool = False
    pods_range: str = ""
    services_range: str = ""
    more_ranges: tuple[str, ...] = ()
    dual_stack: bool = False
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def zonal(self) -> bool:
        """Whether the location is a zone."""
        return re.fullmatch(r".+-[a-z]", self.location) is not None

    @property
    def path(self) -> str:
        """The canonical path with `zones/` for zonal clusters, as the API writes it."""
        level = "zones" if self.zonal else "locations"
        return f"projects/{self.project.id}/{level}/{self.location}/clusters/{self.name}"

    @property
    def full_name(self) -> str:
        """The full resource name."""
        return f"//container.googleapis.com/{self.path}"

    @property
    def id(self) -> str:
        """`Cluster.id`, 64 hexadecimal digits."""
        return digest("cluster", self.path)

    @property
    def hash(self) -> str:
        """The part of the id in the names of GKE's firewall rules and node tags."""
        return self.id[:8]

    @property
    def node_tag(self) -> str:
        """GKE's own network tag on every node of the cluster."""
        return f"gke-{self.name}-{self.hash}-node"

    @property
    def zones(self) -> list[str]:
        """The zones of the nodes."""
        return [self.location] if self.zonal else [f"{self.location}-{zone}" for zone in "bc"]


def asset(
    name: str,
    kind: str,
    data: Asset | None,
    ancestors: list[str],
    updated: str,
    *,
    version: str = "v1",
    location: str | None = None,
    parent: str | None = None,
) -> Asset:
    """One asset; `data` None leaves `resource.data` out, as where content could not be read."""
    service, _, discovery = kind.partition("/")
    documents = {
        "compute.googleapis.com": f"https://www.googleapis.com/discovery/v1/apis/compute/{version}/rest",
        "cloudresourcemanager.googleapis.com": f"https://cloudresourcemanager.googleapis.com/$discovery/rest?version={version}",
        "container.googleapis.com": "https://container.googleapis.com/$discovery/rest",
        "networksecurity.googleapis.com": f"https://networksecurity.googleapis.com/$discovery/rest?version={version}",
    }
    resource: Asset = {"version": version}
    if service in documents:
        resource |= {"discoveryDocumentUri": documents[service], "discoveryName": discovery}
    resource["parent"] = parent or f"//cloudresourcemanager.googleapis.com/{ancestors[0]}"
    if location:
        resource["location"] = location
    if data is not None:
        resource["data"] = data
    return {
        "name": name,
        "assetType": kind,
        "resource": resource,
        "ancestors": ancestors,
        "updateTime": updated,
    }


def organization(org: str, domain: str, updated: str) -> Asset:
    """The organization resource, `org` its number."""
    data = {
        "creationTime": "2019-03-04T08:11:52.601Z",
        "displayName": domain,
        "lifecycleState": "ACTIVE",
        "name": f"organizations/{org}",
        "owner": {"directoryCustomerId": "C0" + digest(org)[:7]},
    }
    return _resource_manager(
        f"organizations/{org}", "Organization", data, [f"organizations/{org}"], updated, "v1"
    )


def folder(folder_number: str, display_name: str, above: tuple[str, ...], updated: str) -> Asset:
    """A folder below `above[0]`."""
    data = {
        "createTime": "2019-03-04T08:20:17.048Z",
        "displayName": display_name,
        "lifecycleState": "ACTIVE",
        "name": f"folders/{folder_number}",
        "parent": above[0],
    }
    name = f"folders/{folder_number}"
    return _resource_manager(name, "Folder", data, [name, *above], updated, "v2")


def project(of: Project, updated: str) -> Asset:
    """The project resource."""
    kind, _, parent = of.above[0].partition("/")
    data = {
        "createTime": "2020-02-18T13:40:05.327Z",
        "lifecycleState": "ACTIVE",
        "name": of.name or of.id,
        "parent": {"id": parent, "type": kind.removesuffix("s")},
        "projectId": of.id,
        "projectNumber": of.number,
    }
    return _resource_manager(
        f"projects/{of.id}", "Project", data, of.ancestors, updated, "v1", parent=of.above[0]
    )


def _resource_manager(
    path: str, kind: str, data: Asset, ancestors: list[str], updated: str, version: str, parent: str = ""
) -> Asset:
    host = "//cloudresourcemanager.googleapis.com/"
    above = parent or (ancestors[1] if len(ancestors) > 1 else "")
    made = asset(
        host + path,
        f"cloudresourcemanager.googleapis.com/{kind}",
        data,
        ancestors,
        updated,
        version=version,
        parent=host + above,
    )
    if not above:
        del made["resource"]["parent"]
    return made


def tag_binding(project_: Project, target: str, tag_value: str, updated: str) -> Asset:
    """The binding of a secure tag value to a resource, `target` its full resource name."""
    quoted = target.replace("/", "%2F")
    return asset(
        f"//cloudresourcemanager.googleapis.com/tagBindings/{quoted}/{tag_value}",
        "cloudresourcemanager.googleapis.com/TagBinding",
        {"name": f"tagBindings/{quoted}/{tag_value}", "parent": target, "tagValue": tag_value},
        project_.ancestors,
        updated,
        version="v3",
    )


def network(
    owner: Project,
    name: str,
    updated: str,
    *,
    mtu: int = 1460,
    order: str = "AFTER_CLASSIC_FIREWALL",
    auto: bool = False,
) -> Asset:
    """A VPC network; `auto` for one of auto mode."""
    path = f"projects/{owner.id}/global/networks/{name}"
    identity = number("network", path)
    data = {
        "autoCreateSubnetworks": auto,
        "creationTimestamp": "2020-02-18T05:52:31.114-08:00",
        "id": identity,
        "mtu": mtu,
        "name": name,
        "networkFirewallPolicyEnforcementOrder": order,
        "routingConfig": {"bgpBestPathSelectionMode": "LEGACY", "routingMode": "GLOBAL"},
        "selfLink": COMPUTE + path,
        "selfLinkWithId": f"{COMPUTE}projects/{owner.id}/global/networks/{identity}",
    }
    return asset(
        f"//compute.googleapis.com/{path}",
        "compute.googleapis.com/Network",
        data,
        owner.ancestors,
        updated,
        location="global",
    )


def subnetwork(owner: Project, subnet: Subnet, updated: str, flow_logs: Asset | None = None) -> Asset:
    """A subnetwork; `flow_logs` are the fields of `logConfig` beside `enable`, None for no flow logs."""
    data = {
        "creationTimestamp": "2020-02-19T01:17:45.902-08:00",
        "enableFlowLogs": flow_logs is not None,
        "fingerprint": digest("subnetwork", subnet.reference)[:11] + "=",
        "gatewayAddress": str(ipaddress.ip_network(subnet.cidr)[1]),
        "id": number("subnetwork", subnet.reference),
        "ipCidrRange": subnet.cidr,
        "logConfig": {"enable": False} if flow_logs is None else {"enable": True, **flow_logs},
        "name": subnet.name,
        "network": COMPUTE + subnet.network,
        "privateIpGoogleAccess": True,
        "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
        "purpose": "PRIVATE",
        "region": f"{COMPUTE}projects/{subnet.project}/regions/{subnet.region}",
        "selfLink": COMPUTE + subnet.reference,
        "stackType": "IPV4_IPV6" if subnet.ipv6 else "IPV4_ONLY",
    }
    if subnet.ranges:
        data["secondaryIpRanges"] = [{"ipCidrRange": cidr, "rangeName": name} for name, cidr in subnet.ranges]
    if subnet.ipv6:
        data |= {
            "internalIpv6Prefix": subnet.ipv6,
            "ipv6AccessType": "INTERNAL",
            "ipv6CidrRange": subnet.ipv6,
        }
    return asset(
        f"//compute.googleapis.com/{subnet.reference}",
        "compute.googleapis.com/Subnetwork",
        data,
        owner.ancestors,
        updated,
        location=subnet.region,
    )


def firewall(
    owner: Project,
    network_name: str,
    name: str,
    updated: str,
    *,
    action: str,
    protocols: tuple[str, ...],
    direction: str = "INGRESS",
    priority: int = 1000,
    sources: tuple[str, ...] = (),
    destinations: tuple[str, ...] = (),
    source_tags: tuple[str, ...] = (),
    target_tags: tuple[str, ...] = (),
    target_accounts: tuple[str, ...] = (),
    logged: bool = False,
    disabled: bool = False,
    description: str = "",
) -> Asset:
    """A VPC firewall rule. `protocols` are `tcp` or, with ports, `tcp:80,8000-8080`."""
    path = f"projects/{owner.id}/global/firewalls/{name}"
    layer4 = []
    for protocol in protocols:
        of, _, ports = protocol.partition(":")
        layer4.append({"IPProtocol": of, "ports": ports.split(",")} if ports else {"IPProtocol": of})
    data: Asset = {
        "allowed" if action == "allow" else "denied": layer4,
        "creationTimestamp": "2022-06-14T02:31:09.377-07:00",
        "description": description,
        "direction": direction,
        "disabled": disabled,
        "id": number("firewall", path),
        "logConfig": {"enable": True, "metadata": "INCLUDE_ALL_METADATA"} if logged else {"enable": False},
        "name": name,
        "network": f"{COMPUTE}projects/{owner.id}/global/networks/{network_name}",
        "priority": priority,
        "selfLink": COMPUTE + path,
    }
    lists = {
        "sourceRanges": sources,
        "destinationRanges": destinations,
        "sourceTags": source_tags,
        "targetTags": target_tags,
        "targetServiceAccounts": target_accounts,
    }
    data |= {field: list(values) for field, values in lists.items() if values}
    return asset(
        f"//compute.googleapis.com/{path}", "compute.googleapis.com/Firewall", data, owner.ancestors, updated
    )


def gke_firewalls(
    owner: Project,
    cluster: Cluster,
    updated: str,
    *,
    pods: tuple[str, ...],
    logged: bool = False,
    kubelet: bool = False,
) -> list[Asset]:
    """The rules that GKE makes for a cluster in the project of its network.

    `pods` are the Pod ranges of `-all`. `kubelet` adds the pair about the read-only kubelet port, which knows
    the cluster's default range alone. Source: GKE documentation, "Automatically created firewall rules".
    """
    name = cluster.subnet.network.rsplit("/", 1)[-1]
    prefix = f"gke-{cluster.name}-{cluster.hash}"
    tag = (cluster.node_tag,)

    def rule(suffix: str, action: str, protocols: tuple[str, ...], **fields: Any) -> Asset:
        return firewall(
            owner,
            name,
            f"{prefix}-{suffix}",
            updated,
            action=action,
            protocols=protocols,
            target_tags=tag,
            **fields,
        )

    nodes = "10.128.0.0/9" if name == "default" else cluster.subnet.cidr
    rules = [
        rule("all", "allow", EVERYDAY_AND_RARE, sources=pods, logged=logged),
        rule("vms", "allow", ("tcp:1-65535", "udp:1-65535", "icmp"), sources=(nodes,)),
    ]
    if cluster.control_plane:
        rules.append(rule("master", "allow", ("tcp:10250,443",), sources=(cluster.control_plane,)))
    if kubelet:
        rules += [
            rule(
                "inkubelet", "allow", ("tcp:10255",), priority=999, sources=(cluster.pods,), source_tags=tag
            ),
            rule("exkubelet", "deny", ("tcp:10255",), sources=("0.0.0.0/0",)),
        ]
    if cluster.dual_stack:
        rules.append(
            firewall(
                owner,
                name,
                f"gke-{cluster.hash}-ipv6-all",
                updated,
                action="allow",
                protocols=("tcp", "udp", "58", "esp", "ah", "sctp"),
                sources=(cluster.subnet.ipv6,),
                target_tags=tag,
                logged=logged,
            )
        )
    return rules


def policy_rule(
    priority: int,
    direction: str,
    action: str,
    name: str,
    match: Asset,
    *,
    protocols: tuple[str, ...] = ("all",),
    logged: bool = False,
    **fields: Any,
) -> Asset:
    """A rule of a firewall policy; `fields` are further fields in the API's own spelling."""
    layer4 = []
    for protocol in protocols:
        of, _, ports = protocol.partition(":")
        layer4.append({"ipProtocol": of, "ports": ports.split(",")} if ports else {"ipProtocol": of})
    return {
        "action": action,
        "description": name,
        "direction": direction,
        "disabled": False,
        "enableLogging": logged,
        "kind": "compute#firewallPolicyRule",
        "match": {**match, "layer4Configs": layer4},
        "priority": priority,
        **fields,
    }


PREDEFINED = [
    policy_rule(2147483644, "EGRESS", "goto_next", "default egress rule ipv6", {"destIpRanges": ["::/0"]}),
    policy_rule(2147483645, "INGRESS", "goto_next", "default ingress rule ipv6", {"srcIpRanges": ["::/0"]}),
    policy_rule(2147483646, "EGRESS", "goto_next", "default egress rule", {"destIpRanges": ["0.0.0.0/0"]}),
    policy_rule(2147483647, "INGRESS", "goto_next", "default ingress rule", {"srcIpRanges": ["0.0.0.0/0"]}),
]
"""The four rules every firewall policy ends with."""


def hierarchical_policy(
    parent: str, above: tuple[str, ...], short_name: str, rules: list[Asset], updated: str
) -> Asset:
    """A policy that lives in, and is associated with, the organization or folder `parent`."""
    identity = number("policy", parent, short_name)[:12]
    path = f"locations/global/firewallPolicies/{identity}"
    data = {
        "associations": [
            {
                "attachmentTarget": parent,
                "displayName": short_name,
                "firewallPolicyId": identity,
                "name": parent.replace("/", "-"),
                "shortName": short_name,
            }
        ],
        "creationTimestamp": "2022-11-08T05:04:12.640-08:00",
        "displayName": short_name,
        "fingerprint": digest(path)[:11] + "=",
        "id": identity,
        "kind": "compute#firewallPolicy",
        "name": identity,
        "parent": parent,
        "ruleTupleCount": 2 * len(rules) + 8,
        "rules": [*rules, *PREDEFINED],
        "selfLink": COMPUTE + path,
        "shortName": short_name,
    }
    ancestors = [parent, *above]
    return asset(
        f"//compute.googleapis.com/{path}",
        "compute.googleapis.com/FirewallPolicy",
        data,
        ancestors,
        updated,
        location="global",
    )


def network_policy(
    owner: Project, name: str, networks: tuple[str, ...], rules: list[Asset], updated: str, region: str = ""
) -> Asset:
    """A network firewall policy, global or of `region`, associated with networks of `owner` by name."""
    path = f"projects/{owner.id}/{f'regions/{region}' if region else 'global'}/firewallPolicies/{name}"
    data: Asset = {
        "associations": [
            {
                "attachmentTarget": f"{COMPUTE}projects/{owner.id}/global/networks/{target}",
                "name": f"{name}-{target}",
                "priority": 1000,
                "shortName": name,
            }
            for target in networks
        ],
        "creationTimestamp": "2023-05-23T06:48:55.218-07:00",
        "fingerprint": digest(path)[:11] + "=",
        "id": number("policy", path),
        "kind": "compute#firewallPolicy",
        "name": name,
        "policyType": "VPC_POLICY",
        "ruleTupleCount": 2 * len(rules) + 8,
        "rules": [*rules, *PREDEFINED],
        "selfLink": COMPUTE + path,
    }
    if region:
        data["region"] = f"{COMPUTE}projects/{owner.id}/regions/{region}"
    return asset(
        f"//compute.googleapis.com/{path}",
        "compute.googleapis.com/FirewallPolicy",
        data,
        owner.ancestors,
        updated,
        location=region or "global",
    )


def address_group(owner: Project, name: str, items: tuple[str, ...], updated: str) -> Asset:
    """An address group of a project."""
    path = f"projects/{owner.id}/locations/global/addressGroups/{name}"
    data = {
        "capacity": 100,
        "createTime": "2024-01-30T09:15:21.553801Z",
        "items": list(items),
        "name": path,
        "purpose": ["DEFAULT"],
        "type": "IPV4",
        "updateTime": "2024-01-30T09:15:24.120377Z",
    }
    return asset(
        f"//networksecurity.googleapis.com/{path}",
        "networksecurity.googleapis.com/AddressGroup",
        data,
        owner.ancestors,
        updated,
        location="global",
    )


def kubernetes(cluster: str, ancestors: list[str], path: str, kind: str, data: Asset, updated: str) -> Asset:
    """A Kubernetes object under its cluster's full name; `path` is what follows `/k8s/`."""
    return {
        "name": f"{cluster}/k8s/{path}",
        "assetType": kind,
        "resource": {"data": data},
        "ancestors": ancestors,
        "updateTime": updated,
    }


def ip_masq_agent(cluster: str, ancestors: list[str], config: str, updated: str) -> list[Asset]:
    """ip-masq-agent's ConfigMap with `config`, and its DaemonSet. `cluster` is a full name."""
    metadata = {"name": "ip-masq-agent", "namespace": "kube-system"}
    config_map = {"apiVersion": "v1", "data": {"config": config}, "kind": "ConfigMap", "metadata": metadata}
    container = {"image": "gke.gcr.io/ip-masq-agent:v2.9.3-gke.5", "name": "ip-masq-agent"}
    daemon_set = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"labels": {"k8s-app": "ip-masq-agent"}, **metadata},
        "spec": {"template": {"spec": {"containers": [container], "hostNetwork": True}}},
    }
    path = "namespaces/kube-system/{}/ip-masq-agent"
    return [
        kubernetes(cluster, ancestors, path.format("configmaps"), "k8s.io/ConfigMap", config_map, updated),
        kubernetes(
            cluster, ancestors, path.format("daemonsets"), "apps.k8s.io/DaemonSet", daemon_set, updated
        ),
    ]


def _node_config(pool: Pool) -> Asset:
    config: Asset = {
        "diskSizeGb": 100,
        "diskType": "pd-balanced",
        "imageType": pool.image,
        "machineType": pool.machine,
        "metadata": {"disable-legacy-endpoints": "true"},
        "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "serviceAccount": pool.service_account,
        "shieldedInstanceConfig": {"enableIntegrityMonitoring": True, "enableSecureBoot": True},
        "windowsNodeConfig": {"osVersion": pool.windows} if pool.windows else {},
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
    }
    if pool.tags:
        config["tags"] = list(pool.tags)
    if pool.secure_tags:
        config["resourceManagerTags"] = {"tags": dict(pool.secure_tags)}
    return config


def node_pool_data(cluster: Cluster, pool: Pool) -> Asset:
    """The container API's JSON of a node pool."""
    networking: Asset = {"enablePrivateNodes": True}
    if pool.pod_range:
        networking |= {"podIpv4RangeUtilization": 0.1289, "podRange": pool.pod_range}
    if pool.pod_cidr:
        networking["podIpv4CidrBlock"] = pool.pod_cidr
    if pool.subnetwork:
        networking["subnetwork"] = pool.subnetwork
    return {
        "autoscaling": {
            "enabled": True,
            "locationPolicy": "BALANCED",
            "maxNodeCount": 4 * pool.nodes,
            "minNodeCount": 1,
        },
        "config": _node_config(pool),
        "initialNodeCount": pool.nodes,
        "instanceGroupUrls": _instance_groups(cluster, pool),
        "locations": cluster.zones,
        "management": {"autoRepair": True, "autoUpgrade": True},
        "maxPodsConstraint": {"maxPodsPerNode": str(pool.max_pods)},
        "name": pool.name,
        "networkConfig": networking,
        "podIpv4CidrSize": pool.block,
        "selfLink": f"https://container.googleapis.com/v1/{cluster.path}/nodePools/{pool.name}",
        "status": "RUNNING",
        "version": pool.version,
    }


def _instance_groups(cluster: Cluster, pool: Pool) -> list[str]:
    base = f"{COMPUTE}projects/{cluster.project.id}/zones/"
    groups = [(zone, digest("group", cluster.path, pool.name, zone)[:8]) for zone in cluster.zones]
    return [
        f"{base}{zone}/instanceGroupManagers/gke-{cluster.name}-{pool.name}-{mark}-grp"
        for zone, mark in groups
    ]


def cluster_data(cluster: Cluster) -> Asset:
    """The container API's JSON of a cluster, its node pools embedded."""
    subnet = cluster.subnet
    networking: Asset = {
        "defaultSnatStatus": {"disabled": True} if cluster.snat_disabled else {},
        "network": subnet.network,
        "serviceExternalIpsConfig": {},
        "subnetwork": subnet.reference,
    }
    if cluster.dataplane_v2:
        networking["datapathProvider"] = "ADVANCED_DATAPATH"
    if cluster.visibility is not None:
        networking["enableIntraNodeVisibility"] = cluster.visibility
    nodes = sum(pool.nodes for pool in cluster.pools) * len(cluster.zones)
    endpoint = str(
        ipaddress.ip_address(
            int(digest("endpoint", cluster.path)[:4], 16) + int(ipaddress.ip_address("34.76.0.0"))
        )
    )
    dns = f"gke-{digest('dns', cluster.path)[:36]}-{cluster.project.number}.{cluster.location}.gke.goog"
    data: Asset = {
        "addonsConfig": {
            "httpLoadBalancing": {},
            "kubernetesDashboard": {"disabled": True},
            "networkPolicyConfig": {"disabled": True},
        },
        "autopilot": {"enabled": True} if cluster.autopilot else {},
        "autoscaling": {"autoscalingProfile": "OPTIMIZE_UTILIZATION" if cluster.autopilot else "BALANCED"},
        "binaryAuthorization": {},
        "clusterIpv4Cidr": cluster.pods,
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": dns}},
        "createTime": cluster.created,
        "currentMasterVersion": cluster.version,
        "currentNodeVersion": min((pool.version for pool in cluster.pools), default=cluster.version),
        "databaseEncryption": {"state": "DECRYPTED"},
        "defaultMaxPodsConstraint": {"maxPodsPerNode": "110"},
        "endpoint": endpoint,
        "etag": str(uuid.UUID(digest("etag", cluster.path)[:32])),
        "id": cluster.id,
        "initialClusterVersion": cluster.version,
        "ipAllocationPolicy": _ip_allocation(cluster),
        "labelFingerprint": digest("labels", cluster.path)[:8],
        "legacyAbac": {},
        "location": cluster.location,
        "locations": cluster.zones,
        "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}},
        "loggingService": "logging.googleapis.com/kubernetes",
        "maintenancePolicy": {"resourceVersion": digest("maintenance", cluster.path)[:8]},
        "masterAuth": {"clientCertificateConfig": {}},
        "masterAuthorizedNetworksConfig": {},
        "monitoringConfig": {"managedPrometheusConfig": {"enabled": True}},
        "monitoringService": "monitoring.googleapis.com/kubernetes",
        "name": cluster.name,
        "network": subnet.network.rsplit("/", 1)[-1],
        "networkConfig": networking,
        "privateClusterConfig": {
            "enablePrivateNodes": True,
            "masterIpv4CidrBlock": cluster.control_plane,
            "privateEndpoint": str(ipaddress.ip_network(cluster.control_plane)[2]),
            "publicEndpoint": endpoint,
        }
        if cluster.control_plane
        else {"enablePrivateNodes": True, "publicEndpoint": endpoint},
        "releaseChannel": {"channel": cluster.channel} if cluster.channel else {},
        "selfLink": f"https://container.googleapis.com/v1/{cluster.path}",
        "servicesIpv4Cidr": cluster.services,
        "shieldedNodes": {"enabled": True},
        "status": cluster.status,
        "subnetwork": subnet.name,
        "workloadIdentityConfig": {"workloadPool": f"{cluster.project.id}.svc.id.goog"},
        "zone": cluster.location,
    }
    if cluster.pools:
        data |= {
            "currentNodeCount": nodes,
            "initialNodeCount": cluster.pools[0].nodes,
            "nodePools": [node_pool_data(cluster, pool) for pool in cluster.pools],
        }
    if cluster.autopilot:
        data |= {"nodePoolAutoConfig": {}, "verticalPodAutoscaling": {"enabled": True}}
    if cluster.routes:
        data["nodeIpv4CidrSize"] = 24
    if cluster.labels:
        data["resourceLabels"] = dict(cluster.labels)
    return data


def _ip_allocation(cluster: Cluster) -> Asset:
    policy: Asset = {
        "podCidrOverprovisionConfig": {},
        "stackType": "IPV4_IPV6" if cluster.dual_stack else "IPV4",
    }
    if cluster.routes:
        return policy | {"useRoutes": True}
    policy |= {
        "clusterIpv4Cidr": cluster.pods,
        "clusterIpv4CidrBlock": cluster.pods,
        "clusterSecondaryRangeName": cluster.pods_range or f"gke-{cluster.name}-pods-{cluster.hash}",
        "servicesIpv4Cidr": cluster.services,
        "servicesIpv4CidrBlock": cluster.services,
        "servicesSecondaryRangeName": cluster.services_range or f"gke-{cluster.name}-services-{cluster.hash}",
        "useIpAliases": True,
    }
    if cluster.more_ranges:
        policy["additionalPodRangesConfig"] = {"podRangeNames": list(cluster.more_ranges)}
    if cluster.dual_stack:
        policy |= {"ipv6AccessType": "INTERNAL", "subnetIpv6CidrBlock": cluster.subnet.ipv6}
    return policy


def cluster_asset(cluster: Cluster, updated: str) -> Asset:
    """The cluster with its pools embedded, as an asset."""
    kind = "container.googleapis.com/Cluster"
    data = cluster_data(cluster)
    return asset(cluster.full_name, kind, data, cluster.project.ancestors, updated, location=cluster.location)


def node_pool_asset(cluster: Cluster, pool: Pool, updated: str) -> Asset:
    """A node pool as an asset of its own."""
    return asset(
        f"{cluster.full_name}/nodePools/{pool.name}",
        "container.googleapis.com/NodePool",
        node_pool_data(cluster, pool),
        cluster.project.ancestors,
        updated,
        location=cluster.location,
        parent=cluster.full_name,
    )
