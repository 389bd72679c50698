"""The smallest changes that permit denied Pod packets."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from shlex import quote
from typing import TYPE_CHECKING

from auditor.firewall.analyzer import ClusterPods
from auditor.firewall.intervals import aligned, union
from auditor.model.addresses import parse_range, range_text
from auditor.model.names import canonical, last, project_of
from auditor.model.traffic import Repair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.firewall.analyzer import Analyzer
    from auditor.model.addresses import Family
    from auditor.model.facts import NodeClasses, Pods
    from auditor.model.network import FirewallPolicy
    from auditor.model.traffic import Box, Decider, Direction, ScopeTraffic

_ORDINARY_PRIORITY = 1000
"""Where GKE puts its own rules. Packets that meet the implied rule match nothing, so that any would do."""

_ALL_PORTS = "1-65535"


@dataclass(frozen=True, slots=True)
class Opening:
    """A product of packets, as one rule can state it: CIDRs of one IP version, protocols with their ports."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    layer4: tuple[tuple[str, tuple[str, ...]], ...]


def openings(boxes: Iterable[Box]) -> tuple[Opening, ...]:
    """Products that hold exactly the packets of the boxes, between any two nodes; few, but not the fewest."""
    flows: dict[tuple[str, str], dict[str, list[tuple[int, int]]]] = {}
    for box in boxes:
        ports = flows.setdefault((box.source, box.destination), {}).setdefault(box.protocol, [])
        if box.ports is not None:
            low, _, high = box.ports.partition("-")
            ports.append((int(low), int(high or low)))
    by_source: dict[tuple[str, _Layer4], set[str]] = {}
    for (source, destination), protocols in flows.items():
        by_source.setdefault((source, _layer4(protocols)), set()).add(destination)
    products: dict[tuple[int, frozenset[str], _Layer4], set[str]] = {}
    for (source, layer4), destinations in by_source.items():
        products.setdefault((_family(source), frozenset(destinations), layer4), set()).add(source)
    found = [
        Opening(_cidrs(sources), _cidrs(destinations), layer4)
        for (_, destinations, layer4), sources in products.items()
    ]
    return tuple(sorted(found, key=lambda o: (o.sources, o.destinations, o.layer4)))


_Layer4 = tuple[tuple[str, tuple[str, ...]], ...]


def _layer4(protocols: dict[str, list[tuple[int, int]]]) -> _Layer4:
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, spans in protocols.items():
        texts = tuple(str(a) if a == b else f"{a}-{b}" for a, b in union(spans))
        # Firewalls know ICMPv6 by its number alone (Compute API v1, Firewall).
        found.append(("58" if name == "icmpv6" else name, () if texts == (_ALL_PORTS,) else texts))
    return tuple(sorted(found))


def _ends(text: str) -> tuple[Family, int, int]:
    """IP version, first and last address of a box's range."""
    low, _, high = text.partition("-")
    first, second = parse_range(low), parse_range(high or low)
    if first is None or second is None:
        raise ValueError(text)
    return first.family, first.low, second.high


def _family(text: str) -> Family:
    return _ends(text)[0]


def _cidrs(texts: Iterable[str]) -> tuple[str, ...]:
    ends = [_ends(text) for text in texts]
    family = ends[0][0]
    spans = union((low, high) for _, low, high in ends)
    return tuple(range_text(family, *part) for span in spans for part in aligned(*span))


def repairs(analyzer: Analyzer, pods: Pods, classes: NodeClasses, scope: ScopeTraffic) -> tuple[Repair, ...]:
    """What would permit the denied packets of one scope, benign ones left out.

    One repair for each direction, deciding rule and kind of nodes. Each opens the packets of its boxes
    between any two of the nodes it names, and nothing else: firewalls cannot tell one node's Pods from
    another's. A packet that both directions deny needs both repairs.
    """
    cluster = ClusterPods(pods, classes.classes or ())
    kinds = {name: id(node) for name, node in zip(cluster.names, cluster.classes, strict=True)}
    groups: dict[tuple[Direction, Decider, Decider, frozenset[int]], list[Box]] = {}
    for box in scope.denied:
        if box.benign is None and box.decided_by is not None:
            nodes = frozenset(kinds[name] for name in _target_pools(box))
            # A rule that may deny before the one that does would still deny: the change belongs above both.
            groups.setdefault((box.direction, box.candidates[0], box.decided_by, nodes), []).append(box)
    taken: dict[str, set[int]] = {}
    return tuple(
        _Change(analyzer, cluster, first, boxes, taken).repair() for (_, first, _, _), boxes in groups.items()
    )


def _target_pools(box: Box) -> tuple[str, ...]:
    """The pools at whose nodes the packets are denied."""
    return box.source_pools if box.direction == "egress" else box.destination_pools


class _Change:
    """One repair in the making."""

    def __init__(
        self,
        analyzer: Analyzer,
        cluster: ClusterPods,
        first: Decider,
        boxes: list[Box],
        taken: dict[str, set[int]],
    ) -> None:
        self._analyzer = analyzer
        self._cluster = cluster
        self._direction: Direction = boxes[0].direction
        self._first = first
        self._decided_by = boxes[0].decided_by or first
        self._pools = {name for box in boxes for name in _target_pools(box)}
        self._parts = openings(boxes)
        self._taken = taken
        """The priorities that rules of a policy have, or are going to have, by the policy's asset."""
        self._node = next(
            node for name, node in zip(cluster.names, cluster.classes, strict=True) if name in self._pools
        )
        self._network = self._node.network or ""

    def repair(self) -> Repair:
        first = self._first
        if first.stage == "implied":
            return self._vpc(_ORDINARY_PRIORITY, f"before the implied {self._direction} deny")
        if first.stage == "vpc":
            if first.priority is None or first.priority == 0:
                return self._by_hand(
                    f"narrow or disable VPC firewall rule {first.rule}: nothing can come before it",
                    f"whoever manages the firewall rules of project {project_of(self._network)}",
                )
            return self._vpc(first.priority - 1, f"before VPC firewall rule {first.rule} ({first.priority})")
        if first.stage == "system":
            return self._by_hand(f"firewall policy rule {first.rule} is Google's own", "Google Cloud support")
        chain = self._analyzer.chains.chain(self._network, self._node.region)
        if first.stage != "hierarchical" and chain.unknown_order is None and chain.vpc_first:
            return self._vpc(
                _ORDINARY_PRIORITY, f"before network firewall policy rule {first.rule or first.priority}"
            )
        policy = self._analyzer.chains.policy(first.asset or "")
        if policy is None or first.priority is None:
            return self._by_hand(
                f"the rules of firewall policy {first.asset} must be seen first", "its owner"
            )
        return self._policy(policy, first.priority)

    def _by_hand(self, text: str, owner: str) -> Repair:
        return Repair(self._direction, self._decided_by, text[0].upper() + text[1:] + ".", "", "", owner)

    def _vpc(self, priority: int, where: str) -> Repair:
        project, network = project_of(self._network), last(self._network)
        option, attribute, values, whom = self._targets()
        commands: list[str] = []
        blocks: list[str] = []
        for part in self._parts:
            name = self._name(part)
            words = [
                *("gcloud", "compute", "firewall-rules", "create", name),
                *(f"--project={project}", f"--network={network}"),
                *(f"--direction={self._direction.upper()}", "--action=ALLOW", f"--priority={priority}"),
                f"--rules={_rules(part)}",
                f"--source-ranges={','.join(part.sources)}",
                f"--destination-ranges={','.join(part.destinations)}",
            ]
            if values:
                words.append(f"{option}={','.join(values)}")
            commands.append(" ".join(map(quote, words)))
            lines = [
                f"  name               = {_hcl(name)}",
                f"  project            = {_hcl(project)}",
                f"  network            = {_hcl(network)}",
                f"  direction          = {_hcl(self._direction.upper())}",
                f"  priority           = {priority}",
                f"  source_ranges      = {_hcl_list(part.sources)}",
                f"  destination_ranges = {_hcl_list(part.destinations)}",
            ]
            if values:
                lines.append(f"  {attribute} = {_hcl_list(values)}")
            for protocol, ports in part.layer4:
                lines += ["", "  allow {", f"    protocol = {_hcl(protocol)}"]
                if ports:
                    lines.append(f"    ports    = {_hcl_list(ports)}")
                lines.append("  }")
            blocks.append(_block("google_compute_firewall", name, lines))
        text = (
            f"Allow exactly the denied Pod packets with a VPC firewall rule of priority {priority} {where}, "
            f"for {whom} in network {network}."
        )
        owner = f"whoever manages the firewall rules of project {project}"
        return Repair(self._direction, self._decided_by, text, "\n".join(commands), "\n".join(blocks), owner)

    def _policy(self, policy: FirewallPolicy, priority: int) -> Repair:
        taken = self._taken.setdefault(policy.asset, {rule.priority for rule in policy.rules})
        lowest = max(-1, priority - 1 - len(taken) - len(self._parts))
        free = [p for p in range(priority - 1, lowest, -1) if p not in taken][: len(self._parts)]
        attached = sorted({association.target for association in policy.associations if association.target})
        owner = f"the owner of firewall policy {policy.name}"
        if policy.kind == "hierarchical":
            owner += f" of {', '.join(attached)}" if attached else ""
        else:
            owner += f" in project {project_of(canonical(policy.asset))}"
        if len(free) < len(self._parts):
            return self._by_hand(
                f"renumber firewall policy {policy.name}: no priority is free before its rule {priority}",
                owner,
            )
        taken.update(free)
        commands: list[str] = []
        blocks: list[str] = []
        for part, number in zip(self._parts, reversed(free), strict=True):
            commands.append(self._policy_command(policy, part, number))
            blocks.append(self._policy_block(policy, part, number))
        text = (
            f"Allow exactly the denied Pod packets in firewall policy {policy.name}, before its rule "
            f"{priority}; only {owner} can do so."
        )
        return Repair(self._direction, self._decided_by, text, "\n".join(commands), "\n".join(blocks), owner)

    def _policy_command(self, policy: FirewallPolicy, part: Opening, priority: int) -> str:
        key = canonical(policy.asset)
        kind = "firewall-policies" if policy.kind == "hierarchical" else "network-firewall-policies"
        words = [
            "gcloud",
            "compute",
            kind,
            "rules",
            "create",
            str(priority),
            f"--firewall-policy={last(key)}",
        ]
        if policy.kind != "hierarchical":
            words.append(f"--project={project_of(key)}")
            words.append(
                f"--firewall-policy-region={policy.region}" if policy.region else "--global-firewall-policy"
            )
        words += [
            *(f"--direction={self._direction.upper()}", "--action=allow"),
            f"--layer4-configs={_rules(part)}",
            f"--src-ip-ranges={','.join(part.sources)}",
            f"--dest-ip-ranges={','.join(part.destinations)}",
        ]
        if policy.kind == "hierarchical":
            words.append(f"--target-resources=https://www.googleapis.com/compute/v1/{self._network}")
        return " ".join(map(quote, words))

    def _policy_block(self, policy: FirewallPolicy, part: Opening, priority: int) -> str:
        key = canonical(policy.asset)
        kind = {
            "hierarchical": "google_compute_firewall_policy_rule",
            "network_regional": "google_compute_region_network_firewall_policy_rule",
        }.get(policy.kind, "google_compute_network_firewall_policy_rule")
        lines = [
            f"  firewall_policy = {_hcl(last(key))}",
            f"  priority        = {priority}",
            f"  direction       = {_hcl(self._direction.upper())}",
            '  action          = "allow"',
        ]
        if policy.kind == "hierarchical":
            url = f"https://www.googleapis.com/compute/v1/{self._network}"
            lines.append(f"  target_resources = {_hcl_list((url,))}")
        else:
            lines.append(f"  project         = {_hcl(project_of(key))}")
            if policy.region:
                lines.append(f"  region          = {_hcl(policy.region)}")
        lines += [
            "",
            "  match {",
            f"    src_ip_ranges  = {_hcl_list(part.sources)}",
            f"    dest_ip_ranges = {_hcl_list(part.destinations)}",
        ]
        for protocol, ports in part.layer4:
            lines += ["", "    layer4_configs {", f"      ip_protocol = {_hcl(protocol)}"]
            if ports:
                lines.append(f"      ports       = {_hcl_list(ports)}")
            lines.append("    }")
        lines.append("  }")
        return _block(kind, self._name(part), lines)

    def _name(self, part: Opening) -> str:
        """A name for a rule: the same for the same packets, and one the Compute API accepts."""
        cluster = re.sub(r"[^a-z0-9-]", "-", self._node.cluster_name.lower())[:30].strip("-")
        digest = sha256(repr((self._direction, self._network, part)).encode("utf-8", "replace"))
        return f"allow-pods-{self._direction}-{cluster}-{digest.hexdigest()[:6]}".replace("--", "-")

    def _targets(self) -> tuple[str, str, tuple[str, ...], str]:
        """Gcloud option, Terraform attribute and values that name the nodes, and the nodes in words.

        The narrowest of: a tag or account that only the pools concerned have, GKE's own tag of the cluster's
        nodes. With neither known the rule is for every VM, which the Pod ranges narrow down.
        """
        named = list(zip(self._cluster.names, self._cluster.classes, strict=True))
        inside = {id(node): node for name, node in named if name in self._pools}
        outside = [node for _, node in named if id(node) not in inside]
        tag = self._node_tag()
        if not outside and tag is not None:
            return "--target-tags", "target_tags       ", (tag,), "the nodes of the cluster"
        what = f"the nodes of {', '.join(sorted(self._pools))}"
        for name in self._node.tags:
            everywhere = all(name in node.tags for node in inside.values())
            if everywhere and not any(name in node.tags for node in outside):
                return "--target-tags", "target_tags       ", (name,), what
        accounts = {node.service_account for node in inside.values()}
        if None not in accounts and accounts.isdisjoint(node.service_account for node in outside):
            values = tuple(sorted(account for account in accounts if account is not None))
            return "--target-service-accounts", "target_service_accounts", values, what
        if tag is not None:
            return "--target-tags", "target_tags       ", (tag,), "the nodes of the cluster"
        return "", "", (), "every VM"

    def _node_tag(self) -> str | None:
        """GKE's own network tag on the nodes, as one of the network's rules spells it."""
        node = self._node
        if node.cluster_hash is None:
            return None
        chain = self._analyzer.chains.chain(node.network, node.region)
        for rules in chain.rules("INGRESS", 4):
            found = rules.node_tag(node.cluster_name, node.cluster_hash)
            if found is not None:
                return found
        return f"gke-{node.cluster_name}-{node.cluster_hash}-node"


def _rules(part: Opening) -> str:
    """`tcp:80,tcp:90-99,udp` as gcloud takes it."""
    return ",".join(
        text
        for protocol, ports in part.layer4
        for text in ([f"{protocol}:{port}" for port in ports] if ports else [protocol])
    )


def _hcl(text: str) -> str:
    """A string literal of Terraform's language, with templates in it made inert."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")


def _hcl_list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_hcl, texts))}]"


def _block(kind: str, name: str, lines: list[str]) -> str:
    body = "\n".join(lines)
    return f'resource "{kind}" "{name.replace("-", "_")}" {{\n{body}\n}}\n'
