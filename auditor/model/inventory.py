"""What was read, and what could not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from auditor.model.record import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.model.evidence import Json
    from auditor.model.extent import Extent
    from auditor.model.network import (
        AddressGroup,
        EffectiveFirewalls,
        FirewallPolicy,
        FirewallRule,
        Network,
        Subnetwork,
    )

CLUSTER = "container.googleapis.com/Cluster"
NODE_POOL = "container.googleapis.com/NodePool"
NETWORK = "compute.googleapis.com/Network"
SUBNETWORK = "compute.googleapis.com/Subnetwork"
FIREWALL = "compute.googleapis.com/Firewall"
FIREWALL_POLICY = "compute.googleapis.com/FirewallPolicy"
ADDRESS_GROUP = "networksecurity.googleapis.com/AddressGroup"
ORGANIZATION = "cloudresourcemanager.googleapis.com/Organization"
FOLDER = "cloudresourcemanager.googleapis.com/Folder"
PROJECT = "cloudresourcemanager.googleapis.com/Project"
TAG_BINDING = "cloudresourcemanager.googleapis.com/TagBinding"
CONFIG_MAP = "k8s.io/ConfigMap"
DAEMON_SET = "apps.k8s.io/DaemonSet"
POD = "k8s.io/Pod"
EGRESS_NAT_POLICY = "networking.gke.io/EgressNATPolicy"


@record
class Gap:
    """Something that was not in the input or could not be read.

    `scope` is what is missing a part (a full resource name, `organizations/N`, or `FILE:LINE`),
    `asset_type` the type that is missing there (None: not about a type), `reason` one sentence, `hint` the
    command, permission or option that closes the gap.
    """

    scope: str
    asset_type: str | None
    reason: str
    hint: str


@record
class KubernetesObject:
    """A Kubernetes object tied to a cluster. `asset` is its full resource name, or the file it came from.

    `data` is the object's own JSON, with `apiVersion` and `kind`; of Pods only those are kept that belong to
    an ip-masq-agent (by name or by image).
    """

    kind: str
    namespace: str
    name: str
    data: dict[str, Json]
    asset: str


@record
class KubernetesEvidence:
    """What is known of a cluster's Kubernetes objects.

    `listed` holds the kinds (`ConfigMap`, `DaemonSet`, `EgressNATPolicy`, as in `KubernetesObject.kind`) of
    which every object of kube-system (or, for cluster-scoped kinds, every one) is in `objects`, so that an
    absence means that there is none. `objects` are sorted by kind, namespace and name.
    """

    objects: tuple[KubernetesObject, ...] = ()
    listed: frozenset[str] = frozenset()


@record
class ClusterEntry:
    """A cluster of the inventory, not yet decoded.

    `name` is the full resource name as the inventory has it, `key` the canonical reference
    (`projects/P/locations/L/clusters/C`), `ancestors` nearest first as in Cloud Asset Inventory
    (`projects/NUMBER`, `folders/N`, `organizations/N`), `network` the key of its network; empty if unknown.
    """

    name: str
    key: str
    project: str
    location: str
    short_name: str
    update_time: str
    ancestors: tuple[str, ...]
    network: str


@record
class Cluster:
    """A decoded cluster.

    `data` is the container API's JSON after the oddities of its source were undone: integers are integers,
    `nodePools` holds each pool once (merged from NodePool assets, sorted by name where any was) and is absent
    if the pools are not known: no pool was in the input although the API would have sent them, or two sources
    contradict each other. A value that does not fit its field's type is left as it was, and the inventory has
    a gap that names it. `data` is None if the asset carries no `resource.data`, or if two sources contradict
    each other.
    """

    entry: ClusterEntry
    data: dict[str, Json] | None
    kubernetes: KubernetesEvidence


class Coverage(Protocol):
    """What was looked at: whether an absence means that there is none."""

    def read(self, asset_type: str, project: str) -> bool:
        """Whether all assets of the type in the project (ID; empty: the whole organisation) were read."""
        ...

    def hierarchy_read(self, project: str) -> bool:
        """Whether every policy of the folders and the organisation above the project was read."""
        ...

    def every_cluster_read(self) -> bool:
        """Whether every cluster that may use the networks of this inventory was read."""
        ...

    def why_not(self, asset_type: str, project: str) -> Gap:
        """The gap to name when `read` is False: reason and hint for a reader."""
        ...

    def extent(self, asset_type: str, projects: Iterable[str]) -> Extent:
        """Where every asset of the type was read; `projects` are further projects (IDs) that are known."""
        ...


class Inventory(Protocol):
    """Everything that was read. Mappings are keyed by canonical references with project IDs.

    `firewall_rules` are by network, sorted by asset name. `policies` are sorted by asset name; one with
    `problems` is not known in full (a list output without its rules) and may decide anything. `effective` is
    by network, the global answer first.
    `ancestors` maps a project ID to its ancestors, nearest first (`projects/NUMBER`, `folders/N`, …,
    `organizations/N`); a project that is not in it has an unknown place in the hierarchy.
    `project_numbers` maps a project number to the project's ID.
    `counts` has one entry for each kind of thing read (`clusters`, `node_pools`, `firewalls`, …).
    `scope` says in a few words what was audited (`organizations/N`, a project, or the file names);
    `complete` is True if the user gave their word that the input holds everything.
    `digest` is `sha256:` and hexadecimal digits, over the assets sorted by name, without sources and times.
    """

    sources: tuple[str, ...]
    scope: str
    complete: bool
    read_time: str | None
    digest: str
    counts: Mapping[str, int]
    gaps: tuple[Gap, ...]
    clusters: tuple[ClusterEntry, ...]
    networks: Mapping[str, Network]
    subnetworks: Mapping[str, Subnetwork]
    firewall_rules: Mapping[str, tuple[FirewallRule, ...]]
    policies: tuple[FirewallPolicy, ...]
    effective: Mapping[str, tuple[EffectiveFirewalls, ...]]
    address_groups: Mapping[str, AddressGroup]
    ancestors: Mapping[str, tuple[str, ...]]
    project_numbers: Mapping[str, str]

    @property
    def coverage(self) -> Coverage:
        """What was looked at."""
        ...

    def decode(self, entry: ClusterEntry) -> Cluster:
        """The cluster's data, read back and brought to form. Cheap to repeat, nothing is kept."""
        ...

    def resolve(self, reference: str) -> str:
        """A reference of any spelling as a key of these mappings (canonical, project number -> ID)."""
        ...
