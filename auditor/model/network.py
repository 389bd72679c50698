"""VPC networks, subnetworks, firewall rules and policies: typed, for the analysis.

All references are canonical (`projects/P/global/networks/N`; see `names.canonical`), all `asset` fields are
full resource names. Field names and meanings are those of the Compute API v1.
"""

from __future__ import annotations

from typing import Literal

from auditor.model.record import record

Direction = Literal["INGRESS", "EGRESS"]
Action = Literal["allow", "deny", "goto_next", "apply_security_profile_group"]
PolicyKind = Literal["hierarchical", "system", "network_global", "network_regional"]
Aspect = Literal["direction", "priority", "action", "layer4", "source", "destination", "target", "disabled"]
"""A part of a rule. Where one is unclear, the analysis takes every reading of it as possible."""


@record
class Network:
    """A VPC network. `enforcement_order` is the order of VPC rules and network policies.

    `mtu` (bytes) and `enforcement_order` are None if the asset states something that is no such value.
    """

    asset: str
    key: str
    name: str
    project: str
    mtu: int | None
    enforcement_order: Literal["AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL"] | None
    problems: tuple[str, ...] = ()


@record
class FlowLogConfig:
    """Subnetwork.logConfig, defaults filled in; `enabled` None if the subnetwork states nothing at all."""

    enabled: bool | None
    aggregation: str
    sampling: float
    metadata: str
    filter: str


@record
class Subnetwork:
    """A subnetwork: node range, secondary ranges by name, IPv6 ranges, flow logs."""

    asset: str
    key: str
    name: str
    project: str
    region: str
    network: str
    ip_cidr_range: str
    secondary_ranges: dict[str, str]
    ipv6_ranges: tuple[str, ...]
    flow_logs: FlowLogConfig
    problems: tuple[str, ...] = ()


@record
class Layer4:
    """One protocol with its destination ports.

    `protocol` is an IANA number, None for any protocol. `ports` are inclusive ranges, empty for all ports.
    """

    protocol: int | None
    ports: tuple[tuple[int, int], ...]


@record
class FirewallRule:
    """A VPC firewall rule. Empty tuples are absent fields.

    `problems` lists parts of the asset that could not be understood (a malformed range, an unknown
    protocol), `unclear` the aspects of the rule they make uncertain: there it may or may not match. Ranges
    are as the asset spells them, malformed ones included. `logging` is None where that is not known.
    `address` is that of the Terraform resource that plans the rule, empty for any other.
    """

    asset: str
    name: str
    network: str
    direction: Direction
    priority: int
    action: Literal["allow", "deny"]
    layer4: tuple[Layer4, ...]
    source_ranges: tuple[str, ...]
    destination_ranges: tuple[str, ...]
    source_tags: tuple[str, ...]
    source_service_accounts: tuple[str, ...]
    target_tags: tuple[str, ...]
    target_service_accounts: tuple[str, ...]
    disabled: bool
    logging: bool | None
    problems: tuple[str, ...] = ()
    unclear: frozenset[Aspect] = frozenset()
    address: str = ""


@record
class SecureTag:
    """A secure tag value (`tagValues/N`) as a rule names it; an ineffective one matches nothing.

    `effective` is None if the rule does not say which it is.
    """

    name: str
    effective: bool | None


@record
class PolicyEndpoint:
    """One side of a policy rule's match. Empty tuples are absent fields; the lists are ORed.

    `network_context` is the upper-case API value (`INTERNET`, `NON_INTERNET`, `INTRA_VPC`, `VPC_NETWORKS`)
    or empty; `networks` are canonical references.
    """

    ip_ranges: tuple[str, ...]
    address_groups: tuple[str, ...]
    fqdns: tuple[str, ...]
    region_codes: tuple[str, ...]
    threat_intelligences: tuple[str, ...]
    secure_tags: tuple[SecureTag, ...]
    network_context: str
    networks: tuple[str, ...]


@record
class PolicyRule:
    """A rule of a firewall policy. `label` is its rule name or description, whichever is there.

    `problems`, `unclear` and `address` are as in `FirewallRule`.
    """

    priority: int
    direction: Direction
    action: Action
    label: str
    disabled: bool
    logging: bool
    target_type: str
    target_resources: tuple[str, ...]
    target_service_accounts: tuple[str, ...]
    target_secure_tags: tuple[SecureTag, ...]
    target_forwarding_rules: tuple[str, ...]
    layer4: tuple[Layer4, ...]
    source: PolicyEndpoint
    destination: PolicyEndpoint
    problems: tuple[str, ...] = ()
    unclear: frozenset[Aspect] = frozenset()
    address: str = ""


@record
class Association:
    """Where a policy applies: `target` is `organizations/N`, `folders/N` or a canonical network reference.

    An empty `target` could not be understood: the policy may apply anywhere.
    """

    name: str
    target: str
    priority: int


@record
class FirewallPolicy:
    """A firewall policy with its rules inline; `region` is set for regional ones, else empty.

    A policy with `problems` may hold rules that are not in `rules` (`gcloud … list` can leave them out).
    """

    asset: str
    name: str
    kind: PolicyKind
    region: str
    associations: tuple[Association, ...]
    rules: tuple[PolicyRule, ...]
    problems: tuple[str, ...] = ()


@record
class EffectiveFirewalls:
    """The answer of getEffectiveFirewalls: authoritative for its network, policies in evaluation order.

    `region` is empty for the global call, which does not show regional policies.
    """

    network: str
    region: str
    rules: tuple[FirewallRule, ...]
    policies: tuple[FirewallPolicy, ...]


@record
class AddressGroup:
    """A Network Security address group: its CIDR items.

    `key` is `(projects|organizations)/X/locations/L/addressGroups/G`. A group with `problems` may hold more.
    """

    asset: str
    key: str
    items: tuple[str, ...]
    problems: tuple[str, ...] = ()
