"""Small organisations in memory, from plain Cloud Asset Inventory dictionaries.

`organisation(assets)` builds an object with the shape of `auditor.model.inventory.Inventory` through the
package's own parsers; `node_class`, `pool_pods` and `cluster` build the facts that the analysis takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from auditor.model.extent import Extent
from auditor.model.facts import NodeClass, NodeClasses, Pods, PoolPods
from auditor.model.inventory import (
    ADDRESS_GROUP,
    FIREWALL,
    FIREWALL_POLICY,
    NETWORK,
    PROJECT,
    SUBNETWORK,
    Cluster,
    ClusterEntry,
    Gap,
)
from auditor.model.names import canonical, project_of
from auditor.sources.compute import (
    parse_address_group,
    parse_effective,
    parse_firewall,
    parse_network,
    parse_policy,
    parse_subnetwork,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditor.model.network import (
        AddressGroup,
        EffectiveFirewalls,
        FirewallPolicy,
        FirewallRule,
        Network,
        Subnetwork,
    )

NETWORK_KEY = "projects/host/global/networks/vpc"
COMPUTE = "//compute.googleapis.com/"


@dataclass(frozen=True)
class StatedCoverage:
    """Coverage as a test states it: everything was read but `unread` types and, if so said, the hierarchy."""

    unread: frozenset[str] = frozenset()
    hierarchy: bool = True

    def read(self, asset_type: str, project: str) -> bool:
        return asset_type not in self.unread

    def hierarchy_read(self, project: str) -> bool:
        return self.hierarchy

    def every_cluster_read(self) -> bool:
        return True

    def why_not(self, asset_type: str, project: str) -> Gap:
        return Gap(f"projects/{project}", asset_type, f"{asset_type} assets were not read", "export them")

    def extent(self, asset_type: str, projects: Iterable[str]) -> Extent:
        return Extent(projects=frozenset(project for project in projects if self.read(asset_type, project)))


@dataclass
class Organisation:
    """An inventory made of a few assets; satisfies `auditor.model.inventory.Inventory`."""

    coverage: StatedCoverage
    networks: Mapping[str, Network]
    subnetworks: Mapping[str, Subnetwork]
    firewall_rules: Mapping[str, tuple[FirewallRule, ...]]
    policies: tuple[FirewallPolicy, ...]
    effective: Mapping[str, tuple[EffectiveFirewalls, ...]]
    address_groups: Mapping[str, AddressGroup]
    ancestors: Mapping[str, tuple[str, ...]]
    project_numbers: Mapping[str, str]
    numbers: Mapping[str, str]
    """Project number -> project ID."""
    clusters: tuple[ClusterEntry, ...] = ()
    sources: tuple[str, ...] = ("memory",)
    scope: str = "organizations/1"
    complete: bool = True
    read_time: str | None = None
    digest: str = "sha256:0"
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    gaps: tuple[Gap, ...] = ()

    def decode(self, entry: ClusterEntry) -> Cluster:
        raise KeyError(entry.name)

    def resolve(self, reference: str) -> str:
        return resolved(reference, self.numbers)


def resolved(reference: str, numbers: Mapping[str, str]) -> str:
    """A canonical reference with its project number replaced by the ID, where that is known."""
    parts = canonical(reference).split("/")
    if len(parts) > 1 and parts[0] == "projects":
        parts[1] = numbers.get(parts[1], parts[1])
    return "/".join(parts)


def organisation(
    assets: Sequence[Mapping[str, Any]],
    *,
    effective: Sequence[Mapping[str, Any]] = (),
    unread: frozenset[str] = frozenset(),
    hierarchy_read: bool = True,
) -> Organisation:
    """An inventory of these assets: `{"name", "assetType", "resource": {"data"}, "ancestors"}` each.

    `effective` holds `{"network": key, "region": name or "", "data": answer of getEffectiveFirewalls}`,
    `unread` the asset types that were not looked at. A project's number is known from its Project asset
    (`data.projectNumber`), its place in the hierarchy from the `ancestors` of any of its assets.
    """
    numbers = {
        str(a["resource"]["data"]["projectNumber"]): str(a["resource"]["data"]["projectId"])
        for a in assets
        if a["assetType"] == PROJECT
    }
    networks: dict[str, Network] = {}
    subnetworks: dict[str, Subnetwork] = {}
    rules: dict[str, list[FirewallRule]] = {}
    policies: list[FirewallPolicy] = []
    groups: dict[str, AddressGroup] = {}
    ancestors: dict[str, tuple[str, ...]] = {}
    for asset in assets:
        name, kind = asset["name"], asset["assetType"]
        data = asset["resource"]["data"]
        key = resolved(name, numbers)
        if asset.get("ancestors") and project_of(key):
            ancestors.setdefault(project_of(key), tuple(asset["ancestors"]))
        if kind == NETWORK:
            networks[key] = parse_network(name, data)
        elif kind == SUBNETWORK:
            subnetworks[key] = parse_subnetwork(name, data)
        elif kind == FIREWALL:
            rule = parse_firewall(name, data)
            rules.setdefault(resolved(rule.network, numbers), []).append(rule)
        elif kind == FIREWALL_POLICY:
            policies.append(parse_policy(name, data))
        elif kind == ADDRESS_GROUP:
            groups[key] = parse_address_group(name, data)
    answers: dict[str, list[EffectiveFirewalls]] = {}
    for entry in effective:
        key = resolved(entry["network"], numbers)
        answers.setdefault(key, []).append(parse_effective(entry["data"], key, entry["region"]))
    return Organisation(
        coverage=StatedCoverage(unread, hierarchy_read),
        networks=networks,
        subnetworks=subnetworks,
        firewall_rules={key: tuple(found) for key, found in rules.items()},
        policies=tuple(policies),
        effective={key: tuple(found) for key, found in answers.items()},
        address_groups=groups,
        ancestors=ancestors,
        project_numbers={name: number for number, name in numbers.items()},
        numbers=numbers,
    )


def asset(kind: str, name: str, data: Mapping[str, Any], *ancestors: str) -> dict[str, Any]:
    """One asset as Cloud Asset Inventory lists it."""
    return {"name": name, "assetType": kind, "resource": {"data": dict(data)}, "ancestors": list(ancestors)}


def network(
    key: str = NETWORK_KEY,
    order: str = "AFTER_CLASSIC_FIREWALL",
    ancestors: Sequence[str] = ("projects/100", "folders/10", "organizations/1"),
) -> dict[str, Any]:
    """A Network asset whose project lies in the folders and organisation given."""
    data = {"networkFirewallPolicyEnforcementOrder": order}
    return asset(NETWORK, COMPUTE + key, data, *ancestors)


def vpc_rule(name: str, network: str = NETWORK_KEY, **data: Any) -> dict[str, Any]:
    """A Firewall asset; `allowed` and `denied` may be texts such as `tcp:80-90,443 udp icmp`."""
    project = project_of(network)
    fields = {"name": name, "network": f"https://www.googleapis.com/compute/v1/{network}", **data}
    for key in ("allowed", "denied"):
        if isinstance(fields.get(key), str):
            fields[key] = layer4(fields[key], "IPProtocol")
    return asset(FIREWALL, f"{COMPUTE}projects/{project}/global/firewalls/{name}", fields)


def layer4(text: str, key: str = "ipProtocol") -> list[dict[str, Any]]:
    """`tcp:80-90,443 udp` as the API lists it."""
    entries: list[dict[str, Any]] = []
    for word in text.split():
        protocol, _, ports = word.partition(":")
        entries.append({key: protocol, "ports": ports.split(",")} if ports else {key: protocol})
    return entries


def policy(
    name: str, rules: Sequence[Mapping[str, Any]], *targets: str | tuple[str, int], **data: Any
) -> dict[str, Any]:
    """A FirewallPolicy asset: hierarchical if `name` is a number, else a network policy (`regions/R/NAME`).

    `targets` are where it is associated (`folders/10`, a network key), each with an optional priority.
    """
    place, _, short = name.rpartition("/")
    if name.isdigit():
        full = f"{COMPUTE}locations/global/firewallPolicies/{name}"
    else:
        full = f"{COMPUTE}projects/host/{place or 'global'}/firewallPolicies/{short}"
    associations = [
        {"name": f"a{i}-{name}", "attachmentTarget": t[0] if isinstance(t, tuple) else t}
        | ({"priority": t[1]} if isinstance(t, tuple) else {})
        for i, t in enumerate(targets)
    ]
    return asset(
        FIREWALL_POLICY, full, {"name": short, "associations": associations, "rules": list(rules), **data}
    )


def policy_rule(
    priority: int, direction: str, action: str, layer_4: str = "all", **data: Any
) -> dict[str, Any]:
    """A rule of a firewall policy; keywords that start with `src` or `dest` belong to its match."""
    match = {key: value for key, value in data.items() if key.startswith(("src", "dest"))}
    rest = {key: value for key, value in data.items() if key not in match}
    match["layer4Configs"] = layer4(layer_4)
    return {"priority": priority, "direction": direction, "action": action, "match": match, **rest}


def pool_pods(
    name: str, *ranges: str, ipv4_block: int | None = 24, ipv6_block: int | None = 112, resolved: bool = True
) -> PoolPods:
    """The Pod addresses of one pool."""
    return PoolPods(name, ranges, ipv4_block, ipv6_block, resolved)


def node_class(*pools: str, **fields: Any) -> NodeClass:
    """A node identity; whatever is not given is ordinary and known."""
    ordinary: dict[str, Any] = {
        "network": NETWORK_KEY,
        "region": "europe-west1",
        "tags": (),
        "cluster_name": "shop",
        "cluster_hash": "aaaaaaaa",
        "service_account": "200-compute@developer.gserviceaccount.com",
        "secure_tags": (),
    }
    return NodeClass(pools=pools, **(ordinary | fields))


def cluster(
    pools: Sequence[PoolPods], classes: Sequence[NodeClass] | None = None
) -> tuple[Pods, NodeClasses]:
    """The facts of one cluster; without `classes`, one ordinary class of all pools."""
    known = (node_class(*(pool.name for pool in pools)),) if classes is None else tuple(classes)
    return Pods((), tuple(pools), (), ()), NodeClasses(known, ())
