"""A small inventory in memory, and the parts it is made of, for tests of facts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from auditor.facts.derive import Deriver
from auditor.model.extent import Extent
from auditor.model.inventory import (
    Cluster,
    ClusterEntry,
    Gap,
    KubernetesEvidence,
    KubernetesObject,
)
from auditor.model.names import canonical
from auditor.model.network import FirewallRule, FlowLogConfig, Network, Subnetwork

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.model.facts import ClusterFacts
    from auditor.model.inventory import Coverage
    from auditor.model.network import AddressGroup, EffectiveFirewalls, FirewallPolicy

PROJECT = "shop-prod"
NUMBER = "123456789012"
NETWORK = f"projects/{PROJECT}/global/networks/vpc"
SUBNETWORK = f"projects/{PROJECT}/regions/europe-west1/subnetworks/nodes"
ASSET = f"//container.googleapis.com/projects/{PROJECT}/locations/europe-west1/clusters/checkout"
IDENTIFIER = "abcdef0123456789" * 4
VERSION = "1.33.5-gke.100"


def data(**changes: Any) -> dict[str, Any]:
    """An ordinary VPC-native Standard cluster, as the container API sends it; None leaves a field out."""
    ordinary: dict[str, Any] = {
        "name": "checkout",
        "id": IDENTIFIER,
        "location": "europe-west1",
        "status": "RUNNING",
        "currentMasterVersion": VERSION,
        "autopilot": {},
        "clusterIpv4Cidr": "10.8.0.0/14",
        "ipAllocationPolicy": {
            "useIpAliases": True,
            "stackType": "IPV4",
            "clusterIpv4CidrBlock": "10.8.0.0/14",
            "clusterSecondaryRangeName": "pods",
        },
        "networkConfig": {
            "network": NETWORK,
            "subnetwork": SUBNETWORK,
            "defaultSnatStatus": {},
            "enableIntraNodeVisibility": True,
        },
        "nodePools": [pool("default-pool")],
    }
    ordinary.update(changes)
    return {key: value for key, value in ordinary.items() if value is not None}


def pool(name: str, **changes: Any) -> dict[str, Any]:
    """An ordinary node pool in the cluster's default Pod range; None leaves a field out."""
    ordinary: dict[str, Any] = {
        "name": name,
        "version": VERSION,
        "config": {"imageType": "COS_CONTAINERD", "serviceAccount": "default", "windowsNodeConfig": {}},
        "networkConfig": {"podRange": "pods", "podIpv4CidrBlock": "10.8.0.0/14"},
        "podIpv4CidrSize": 24,
        "maxPodsConstraint": {"maxPodsPerNode": 110},
    }
    ordinary.update(changes)
    return {key: value for key, value in ordinary.items() if value is not None}


def subnetwork(key: str = SUBNETWORK, **changes: Any) -> Subnetwork:
    """An ordinary subnetwork, which states nothing about flow logs."""
    parts = key.split("/")
    ordinary = Subnetwork(
        asset=f"//compute.googleapis.com/{key}",
        key=key,
        name=parts[-1],
        project=parts[1],
        region=parts[3],
        network=NETWORK,
        ip_cidr_range="10.132.0.0/20",
        secondary_ranges={"pods": "10.8.0.0/14", "pods-2": "10.64.0.0/16"},
        ipv6_ranges=(),
        flow_logs=flow_logs(None),
    )
    return replace(ordinary, **changes)


def flow_logs(enabled: bool | None, **changes: Any) -> FlowLogConfig:
    """The API's defaults."""
    return replace(FlowLogConfig(enabled, "INTERVAL_5_SEC", 0.5, "EXCLUDE_ALL_METADATA", ""), **changes)


def network(key: str = NETWORK, mtu: int | None = 1460) -> Network:
    return Network(
        asset=f"//compute.googleapis.com/{key}",
        key=key,
        name=key.rpartition("/")[2],
        project=key.split("/")[1],
        mtu=mtu,
        enforcement_order="AFTER_CLASSIC_FIREWALL",
    )


def firewall_rule(name: str) -> FirewallRule:
    """An ingress rule of that name, as GKE's own are."""
    return FirewallRule(
        asset=f"//compute.googleapis.com/projects/{PROJECT}/global/firewalls/{name}",
        name=name,
        network=NETWORK,
        direction="INGRESS",
        priority=1000,
        action="allow",
        layer4=(),
        source_ranges=("10.8.0.0/14",),
        destination_ranges=(),
        source_tags=(),
        source_service_accounts=(),
        target_tags=(),
        target_service_accounts=(),
        disabled=False,
        logging=False,
    )


def kubernetes(*objects: dict[str, Any], listed: tuple[str, ...] = ()) -> KubernetesEvidence:
    """Evidence of the objects, given as Kubernetes prints them."""
    return KubernetesEvidence(
        tuple(
            KubernetesObject(
                kind=one["kind"],
                namespace=one.get("metadata", {}).get("namespace", ""),
                name=one["metadata"]["name"],
                data=one,
                asset=f"{ASSET}/k8s/{one['metadata']['name']}",
            )
            for one in objects
        ),
        frozenset(listed),
    )


@dataclass
class FakeCoverage:
    """Says what each field says."""

    types: frozenset[str] = frozenset()
    clusters: bool = True

    def read(self, asset_type: str, project: str) -> bool:
        return asset_type in self.types

    def hierarchy_read(self, project: str) -> bool:
        return True

    def every_cluster_read(self) -> bool:
        return self.clusters

    def why_not(self, asset_type: str, project: str) -> Gap:
        return Gap(f"projects/{project}", asset_type, "the input holds none", "gcloud asset list")

    def extent(self, asset_type: str, projects: Iterable[str]) -> Extent:
        return Extent(projects=frozenset(project for project in projects if self.read(asset_type, project)))


@dataclass
class FakeInventory:
    """The part of an inventory that facts look at."""

    clusters: tuple[ClusterEntry, ...] = ()
    contents: dict[str, Cluster] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    subnetworks: Mapping[str, Subnetwork] = field(default_factory=dict)
    firewall_rules: Mapping[str, tuple[FirewallRule, ...]] = field(default_factory=dict)
    effective: Mapping[str, tuple[EffectiveFirewalls, ...]] = field(default_factory=dict)
    ancestors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    project_numbers: Mapping[str, str] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=FakeCoverage)
    sources: tuple[str, ...] = ()
    scope: str = ""
    complete: bool = False
    read_time: str | None = None
    digest: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    policies: tuple[FirewallPolicy, ...] = ()
    address_groups: Mapping[str, AddressGroup] = field(default_factory=dict)
    decoded: list[str] = field(default_factory=list)

    def decode(self, entry: ClusterEntry) -> Cluster:
        self.decoded.append(entry.name)
        return self.contents[entry.name]

    def resolve(self, reference: str) -> str:
        parts = canonical(reference).split("/")
        if len(parts) > 1 and parts[0] == "projects":
            parts[1] = self.project_numbers.get(parts[1], parts[1])
        return "/".join(parts)


def entry(name: str = "checkout", project: str = PROJECT, location: str = "europe-west1") -> ClusterEntry:
    key = f"projects/{project}/locations/{location}/clusters/{name}"
    return ClusterEntry(
        name=f"//container.googleapis.com/{key}",
        key=key,
        project=project,
        location=location,
        short_name=name,
        update_time="",
        ancestors=(f"projects/{NUMBER}", "organizations/1"),
        network="",
    )


def inventory(
    *,
    subnetworks: tuple[Subnetwork, ...] | None = None,
    networks: tuple[Network, ...] | None = None,
    **changes: Any,
) -> FakeInventory:
    """An inventory with the ordinary subnetwork and network, or with those given."""
    subnetworks = (subnetwork(),) if subnetworks is None else subnetworks
    networks = (network(),) if networks is None else networks
    return FakeInventory(
        subnetworks={one.key: one for one in subnetworks},
        networks={one.key: one for one in networks},
        **changes,
    )


def facts(
    contents: dict[str, Any] | None = None,
    *,
    evidence: KubernetesEvidence | None = None,
    within: FakeInventory | None = None,
    at: ClusterEntry | None = None,
) -> ClusterFacts:
    """The facts of one cluster: the ordinary one in the ordinary inventory unless told otherwise."""
    cluster = Cluster(
        at or entry(), data() if contents is None else contents, evidence or KubernetesEvidence()
    )
    return Deriver(within or inventory()).cluster(cluster)


def reasons(unknowns: tuple[Any, ...], path: str) -> str:
    """What the unknowns say about a path."""
    return " ".join(one.reason for one in unknowns if one.path == path)
