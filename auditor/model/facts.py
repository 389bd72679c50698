"""What is known about one cluster: the facts that rules and reports read.

A field that is None is unknown; its `Unknown` entry says why. Rules see each fact under its name in
`ClusterFacts`, field by field; a None is left out there, so that an expression which needs it cannot be
decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from auditor.model.record import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.evidence import Evidence, Unknown
    from auditor.model.traffic import KnownTraffic, Repair, ScopeTraffic


@record
class Visibility:
    """Effective intra-node visibility.

    `basis` says what decided it (`field`, `field absent`, `Autopilot default`) or kept it from being decided
    (`networkConfig is absent`, `networkConfig is not an object`, `field unreadable`, `mode unreadable`).
    `mechanism` is what realises it when it is on (`netd`, `eBPF`), None if that depends on something unknown.
    """

    state: Literal["on", "off"] | None
    basis: str
    mechanism: Literal["netd", "eBPF"] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class PoolVersion:
    """The GKE version of one node pool, as the API spells it; None where it cannot be parsed or is absent."""

    name: str
    version: str | None


@record
class Versions:
    """The GKE versions of the control plane and of every node pool.

    Pools are None if none of them is known; where `unknowns` tell of them, there may be more.
    """

    control_plane: str | None
    pools: tuple[PoolVersion, ...] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class WindowsPools:
    """The node pools that run Windows Server, by name.

    A non-empty value is certain, though there may be more; None: whether there are any is unknown.
    """

    pools: tuple[str, ...] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class PodRange:
    """One range that Pods of this cluster draw their addresses from.

    `cidr` is canonical text, `family` 4 or 6, `origin` words for a reader (`cluster default`,
    `pool gpu`, `additional range pods-2`), `pools` the node pools that use it today, `in_use` whether
    Pods can carry its addresses today (an additional range that no pool uses is for future pools).
    """

    cidr: str
    family: Literal[4, 6]
    origin: str
    pools: tuple[str, ...]
    in_use: bool


@record
class UnresolvedRange:
    """A Pod range known by name alone: the Subnetwork that defines it is not in the inventory."""

    name: str
    subnetwork: str
    pools: tuple[str, ...]
    reason: str


@record
class PoolPods:
    """The Pod addresses of one node pool.

    `ranges` are CIDRs, `ipv4_block` and `ipv6_block` the prefix lengths of the block that each node gets
    (None: the pool has no Pods of that family). `resolved` is False if some range of the pool is unresolved.
    On an Autopilot cluster whose node pools the API does not show, one named `autopilot` stands for them.
    """

    name: str
    ranges: tuple[str, ...]
    ipv4_block: int | None
    ipv6_block: int | None
    resolved: bool


@record
class Pods:
    """Every Pod range of the cluster with its origin, and the pools that draw from them."""

    ranges: tuple[PodRange, ...]
    pools: tuple[PoolPods, ...]
    unresolved: tuple[UnresolvedRange, ...]
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class NodeClass:
    """What the firewall sees of the nodes of some pools: one distinct target identity.

    `network` is a canonical reference (`projects/P/global/networks/N`), `region` a region name, `tags` the
    user-given network tags (GKE's own node tag is `gke-<cluster>-<hash>-node` and matched by `cluster_hash`,
    the first eight hexadecimal characters of the cluster id, with `cluster_name` or a prefix of it).
    `service_account` is an e-mail address. None is unknown.
    """

    pools: tuple[str, ...]
    network: str | None
    region: str
    tags: tuple[str, ...]
    cluster_name: str
    cluster_hash: str | None
    service_account: str | None
    secure_tags: tuple[str, ...] | None


@record
class NodeClasses:
    """The distinct firewall target identities of the nodes (None: pools are not in the inventory)."""

    classes: tuple[NodeClass, ...] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class Uncovered:
    """The part of one Pod range outside the non-masquerade set, as CIDRs, and the pools that use it."""

    range: str
    parts: tuple[str, ...]
    origin: str
    pools: tuple[str, ...]


@record
class Masquerade:
    """Source NAT of Pod packets: the evidence, the non-masquerade set, the Pod ranges it leaves uncovered.

    `basis` names the row of the vendor's truth table that applies (`ip-masq-agent ConfigMap`,
    `ip-masq-agent defaults`, `default SNAT`, `default SNAT disabled`, `EgressNATPolicy`), None if unknown.
    `non_masquerade` are CIDRs; `("0.0.0.0/0",)` where nothing is translated. `uncovered` is empty if every
    Pod range is wholly inside the set, None if that cannot be told; a non-empty value is certain.
    """

    basis: str | None
    non_masquerade: tuple[str, ...] | None
    uncovered: tuple[Uncovered, ...] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class SubnetFlowLogs:
    """VPC Flow Logs of one node subnetwork, as its own configuration states them.

    `subnetwork` is a full resource name, `name` its last part. `sampling` is 0..1, `metadata` the API's
    enum, `filter` the filter expression (empty: none). None is unknown; all but `enabled` are None when off.
    """

    subnetwork: str
    name: str
    region: str
    project: str
    pools: tuple[str, ...]
    enabled: bool | None
    sampling: float | None
    metadata: str | None
    aggregation: str | None
    filter: str | None


@record
class FlowLogs:
    """VPC Flow Logs on the cluster's node subnetworks; `subnets` is None if those are not known."""

    subnets: tuple[SubnetFlowLogs, ...] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class ClusterNetwork:
    """The VPC network of the nodes: canonical reference, owning project, MTU in bytes; None is unknown.

    `enforcement_order` says whether network firewall policies come after the VPC rules
    (`AFTER_CLASSIC_FIREWALL`, the default) or before them (`BEFORE_CLASSIC_FIREWALL`).
    """

    network: str | None
    project: str | None
    shared: bool | None
    mtu: int | None
    enforcement_order: Literal["AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL"] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class UnloggedRule:
    """A VPC or policy rule that decides packets and logs nothing.

    `text` describes the rule, `switch` is the path of its logging in the asset, `command` turns it on.
    """

    asset: str
    name: str
    text: str
    switch: str
    command: str


@record
class PodPackets:
    """What the firewall does to packets between Pods in one scope, as rules ask for it.

    `everyday_denied` says whether some tcp, udp, icmp or icmpv6 packets are surely denied, `rare_denied` the
    same of sctp, esp and ah; benign denials do not count; None if it cannot be told. `everyday_denials` and
    `rare_denials` are sentences that name the denied packets and what denies them (empty: nothing is).
    `unlogged` are the VPC and policy rules that surely decide packets and log nothing, None if there is none
    for certain and not every decider is known. `repairs` permit the denied packets, one change
    each; `repair_commands` are their commands. `analysis` is the whole answer; `verdict` and
    `by_protocol` are its own, None or without the protocol where it says `unknown`, so that a rule that reads
    them there is undecided.
    """

    everyday_denied: bool | None
    rare_denied: bool | None
    everyday_denials: str
    rare_denials: str
    unlogged: tuple[UnloggedRule, ...] | None
    repairs: tuple[Repair, ...]
    repair_commands: tuple[str, ...]
    analysis: ScopeTraffic
    verdict: KnownTraffic | None = None
    by_protocol: Mapping[str, KnownTraffic] | None = None


@record
class PodTraffic:
    """The firewall analysis: packets between Pods on one node, and between any two nodes of the cluster."""

    same_node: PodPackets
    any_node: PodPackets
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


KnownReadiness = Literal["unsupported", "degraded", "blocked", "ready", "working"]


@record
class Readiness:
    """One word for a cluster, and why.

    `state` is `unsupported`, `degraded`, `blocked`, `ready`, `working` or `unknown`.
    """

    state: KnownReadiness | Literal["unknown"]
    reasons: tuple[str, ...]


@record
class ClusterReadiness:
    """The readiness of a cluster, as rules ask for it.

    `told` is the whole answer; `state` and `reasons` are its own, None where it says `unknown`, so that a
    rule that reads them there is undecided. `evidence` and `unknowns` are those of the facts it rests on.
    """

    state: KnownReadiness | None
    reasons: tuple[str, ...] | None
    told: Readiness
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class ClusterFacts:
    """Everything derived about one cluster, under the names that rules use."""

    visibility: Visibility
    versions: Versions
    pods: Pods
    node_classes: NodeClasses
    masquerade: Masquerade
    flow_logs: FlowLogs
    network: ClusterNetwork
    windows: WindowsPools
    traffic: PodTraffic
    readiness: ClusterReadiness


@record
class StaleRule:
    """A firewall rule made by GKE for a cluster that the inventory does not hold."""

    asset: str
    name: str
    cluster_name: str
    cluster_hash: str


@record
class GkeRules:
    """The firewall rules of one network that GKE made.

    `count` is how many there are; `stale` those whose cluster hash matches no cluster, None if the clusters
    that may use the network were not all read.
    """

    count: int
    stale: tuple[StaleRule, ...] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class ShadowedRule:
    """A firewall rule that matches Pod packets and decides none; `by` names the rules that decide them."""

    asset: str
    name: str
    priority: int
    by: str


@record
class PodRules:
    """The firewall rules of one network as far as they concern packets between Pods.

    `clusters` is how many clusters of the inventory use the network, None if none is known to and one may.
    `shadowed` are the rules, GKE's own left out, that never decide a packet between Pods because earlier
    rules do, None if that cannot be told. It says nothing about other traffic.
    """

    clusters: int | None
    shadowed: tuple[ShadowedRule, ...] | None
    evidence: tuple[Evidence, ...]
    unknowns: tuple[Unknown, ...] = ()


@record
class NetworkFacts:
    """Everything derived about one VPC network, under the names that rules use."""

    gke_rules: GkeRules
    pod_rules: PodRules
