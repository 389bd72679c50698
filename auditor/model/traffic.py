"""What the VPC firewalls do to packets between Pods of one cluster: the fact, its parts, its JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.evidence import Evidence, Json, Unknown

TrafficVerdict = Literal["allowed", "denied", "partial", "unknown"]
Direction = Literal["egress", "ingress"]
Stage = Literal["hierarchical", "system", "vpc", "network_global", "network_regional", "implied"]
Protocol = Literal["tcp", "udp", "sctp", "icmp", "icmpv6", "esp", "ah"]

EVERYDAY: frozenset[str] = frozenset(("tcp", "udp", "icmp", "icmpv6"))
"""The protocols that ordinary workloads use; sctp, esp and ah are the rare ones."""

NOTHING_KNOWN: Mapping[str, TrafficVerdict] = dict.fromkeys(
    ("tcp", "udp", "sctp", "icmp", "esp", "ah"), "unknown"
)
"""The verdicts by protocol about Pods of which nothing is known, not even whether they have IPv6."""

KUBELET_READ_ONLY = "GKE closes the read-only kubelet port"
"""Why a denial of tcp:10255 by a cluster's own `-exkubelet` rule harms nobody (GKE documentation,
"Automatically created firewall rules")."""


@dataclass(frozen=True, slots=True)
class Decider:
    """A rule that decides packets, or may.

    `asset` is the full resource name of the VPC rule or of the policy, `rule` the rule's name or description.
    An implied rule has neither asset nor priority; nor has a candidate that stands for rules nobody has read
    (then `action` is None too, and `rule` says what is missing). `logging` is None where there is no switch.
    `address` is that of the Terraform resource that plans the rule, empty for any other.
    """

    asset: str | None
    rule: str
    priority: int | None
    stage: Stage
    action: Literal["allow", "deny", "inspect"] | None
    logging: bool | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Witness:
    """One packet of a box; source and destination differ. `port` is None for protocols without ports."""

    source: str
    destination: str
    protocol: Protocol
    port: int | None
    source_pool: str
    destination_pool: str


@dataclass(frozen=True, slots=True)
class Box:
    """Packets that one direction treats alike: source range x destination range x protocol x ports.

    Ranges are CIDRs, or `A-B`; `ports` is `N` or `A-B`, None for protocols without ports. Between any two
    nodes a box means source_pools x destination_pools, on one node the pairs within one pool and one node
    block. A denied box has `decided_by`; an undecided one the `candidates` that may decide it. For a denied
    one, `candidates` are the rules that decide it under some reading, in order, the last being `decided_by`.
    `benign` says why a denial harms nobody, if it does not. `witness` is None if the only packets have
    one address as source and destination.
    """

    direction: Direction
    source: str
    destination: str
    protocol: Protocol
    ports: str | None
    source_pools: tuple[str, ...]
    destination_pools: tuple[str, ...]
    decided_by: Decider | None
    candidates: tuple[Decider, ...]
    witness: Witness | None
    benign: str | None


@dataclass(frozen=True, slots=True)
class ScopeTraffic:
    """The answer for one scope: packets on one node, or between any two nodes of the cluster.

    `denied` and `undecided` together are exactly the packets that are not surely allowed; within one
    direction boxes are disjoint. `by_protocol` has the verdict of each protocol. `everyday` and `rare` are
    the verdicts over the everyday protocols and the rest, where benign boxes count as allowed. `deciders`
    are the rules that decide packets of the scope for certain, implied rules left out. `reasons` say why
    something is undecided.
    """

    verdict: TrafficVerdict
    by_protocol: Mapping[str, TrafficVerdict]
    everyday: TrafficVerdict
    rare: TrafficVerdict
    denied: tuple[Box, ...]
    undecided: tuple[Box, ...]
    deciders: tuple[Decider, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """The firewall analysis of one cluster.

    `same_node` is what intra-node visibility subjects to the firewall, `any_node` what the VPC does to the
    Pods of the cluster at all.
    """

    same_node: ScopeTraffic
    any_node: ScopeTraffic
    evidence: tuple[Evidence, ...] = ()
    unknowns: tuple[Unknown, ...] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """The smallest change that permits a set of denied packets in one direction.

    `command` and `terraform` are ready to paste, empty where nobody but Google can make the change; `owner`
    says who has to make it.
    """

    direction: Direction
    decided_by: Decider
    text: str
    command: str
    terraform: str
    owner: str


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A rule that matches Pod packets and never decides one: the rules in `by`, before it, decide all."""

    asset: str
    name: str
    priority: int
    by: tuple[Decider, ...]


def decider_json(decider: Decider | None) -> dict[str, Json] | None:
    """`{"asset", "rule", "priority", "stage", "action"}`, and `address` if Terraform plans the rule."""
    if decider is None:
        return None
    found: dict[str, Json] = {
        "asset": decider.asset,
        "rule": decider.rule,
        "priority": decider.priority,
        "stage": decider.stage,
        "action": decider.action,
    }
    if decider.address:
        found["address"] = decider.address
    return found


def witness_json(witness: Witness | None) -> dict[str, Json] | None:
    """`{"source", "destination", "protocol", "port", "source_pool", "destination_pool"}`."""
    if witness is None:
        return None
    return {
        "source": witness.source,
        "destination": witness.destination,
        "protocol": witness.protocol,
        "port": witness.port,
        "source_pool": witness.source_pool,
        "destination_pool": witness.destination_pool,
    }


def box_json(box: Box) -> dict[str, Json]:
    """A box as reports print it; `candidates` only where nothing is decided, `benign` only where it is."""
    found: dict[str, Json] = {
        "direction": box.direction,
        "source": box.source,
        "destination": box.destination,
        "protocol": box.protocol,
        "ports": box.ports,
        "source_pools": list(box.source_pools),
        "destination_pools": list(box.destination_pools),
        "decided_by": decider_json(box.decided_by),
    }
    if box.decided_by is None:
        found["candidates"] = [decider_json(candidate) for candidate in box.candidates]
    found["witness"] = witness_json(box.witness)
    if box.benign is not None:
        found["benign"] = box.benign
    return found


def scope_json(scope: ScopeTraffic) -> dict[str, Json]:
    """One scope as reports print it, complete."""
    return {
        "verdict": scope.verdict,
        "by_protocol": dict(scope.by_protocol),
        "denied": [box_json(box) for box in scope.denied],
        "undecided": [box_json(box) for box in scope.undecided],
        "reasons": list(scope.reasons),
    }


def traffic_json(traffic: Traffic) -> dict[str, Json]:
    """`{"same_node": …, "any_node": …}`."""
    return {"same_node": scope_json(traffic.same_node), "any_node": scope_json(traffic.any_node)}
