"""Random organisations built from few addresses, ports, tags and priorities, so that everything collides."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from tests.firewall.packets import PROTOCOL_NUMBERS, WITH_PORTS, Packet, Pool
from tests.firewall.simulator import (
    FIREWALL,
    GROUP,
    NETWORK,
    POLICY,
    PROJECT,
    Simulator,
    Unread,
    numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Json = dict[str, Any]

NETWORK_KEY = "projects/host/global/networks/vpc"
OTHER_NETWORK = "projects/host/global/networks/other"
REGION, OTHER_REGION = "europe-west1", "us-east1"
HOST_ANCESTORS = ["projects/100", "folders/12", "folders/11", "organizations/1"]
SERVICE_ANCESTORS = ["projects/200", "folders/22", "organizations/1"]
SPELLINGS = (
    "projects/{}",
    "https://www.googleapis.com/compute/v1/projects/{}",
    "https://compute.googleapis.com/compute/beta/projects/{}",
    "//compute.googleapis.com/projects/{}",
)

POOLS_4 = (("10.0.0.0/26",), ("10.0.0.0/27",), ("10.0.0.64/26",), ("10.0.0.0/27", "10.0.0.64/27"), ())
POOLS_6 = (("fd00::/111",), ("fd00::/112",), ("fd00::1:0/112",))
RANGES_4 = (
    *("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/8", "10.0.0.0/25", "10.0.0.0/26", "10.0.0.64/26"),
    *("10.0.0.0/27", "10.0.0.16/28", "10.0.0.5/32", "10.0.0.32/27", "10.0.0.48/29", "192.168.0.0/16"),
)
RANGES_6 = ("::/0", "::/0", "fd00::/111", "fd00::/112", "fd00::8000/113", "fd00::1:0/112", "fd00::7/128")
PORTS = ("22", "80-90", "85", "1-65535", "0-65535", "0-79", "91-65535", "10255", "65535", "1")
PROTOCOLS = (
    "tcp",
    "TCP",
    "6",
    "udp",
    "17",
    "sctp",
    "icmp",
    "1",
    "58",
    "esp",
    "50",
    "ah",
    "all",
    "ipip",
    "47",
)
TAGS = (
    "red",
    "blue",
    "gke-shop-aaaaaaaa-node",
    "gk3-sho-aaaaaaaa-node",
    "gke-shop-bbbbbbbb-node",
    "gke-x-aaaaaaaa-node",
)
ACCOUNTS = (
    "200-compute@developer.gserviceaccount.com",
    "100-compute@developer.gserviceaccount.com",
    "web@p.example",
)
SECURE_TAGS = ("tagValues/1", "tagValues/2")

PREDEFINED = (
    ("EGRESS", "destIpRanges", "::/0"),
    ("INGRESS", "srcIpRanges", "::/0"),
    ("EGRESS", "destIpRanges", "0.0.0.0/0"),
    ("INGRESS", "srcIpRanges", "0.0.0.0/0"),
)
GKE_RULE: Json = {
    "name": "gke-shop-aaaaaaaa-all",
    "selfLink": "https://www.googleapis.com/compute/v1/projects/host/global/firewalls/gke-shop-aaaaaaaa-all",
    "network": NETWORK_KEY,
    "sourceRanges": ["10.0.0.0/25"],
    "targetTags": ["gke-shop-aaaaaaaa-node"],
    "allowed": [{"IPProtocol": protocol} for protocol in ("tcp", "udp", "sctp", "icmp", "esp", "ah")],
}


@dataclass(frozen=True)
class Organisation:
    """An inventory in CAI form, what of it was not read, and the node pools of the cluster in question."""

    pools: tuple[Pool, ...]
    assets: list[Json]
    effective: list[Json] = field(default_factory=list)
    unread: Unread = field(default_factory=Unread)

    def simulator(self) -> Simulator:
        return Simulator(self.assets, self.effective, self.unread)


def asset(kind: str, reference: str, data: Json, ancestors: list[str]) -> Json:
    """A resource as Cloud Asset Inventory exports it."""
    service = kind.partition("/")[0]
    return {
        "name": f"//{service}/{reference}",
        "assetType": kind,
        "resource": {"version": "v1", "data": data},
        "ancestors": ancestors,
        "updateTime": "2026-01-01T00:00:00Z",
    }


def organisation(random: Random) -> Organisation:
    """One organisation with a cluster of one to three pools in a shared VPC network."""
    six = random.random() < 0.25
    pools = node_pools(random, six=six)
    writer = Writer(random, six=six, crowded=random.random() < 0.08)
    assets = projects()
    if random.random() < 0.85:
        assets.append(network(random))
    for number in range(writer.count(0, 9)):
        rule = writer.vpc_rule(f"rule-{number}")
        assets.append(asset(FIREWALL, f"projects/host/global/firewalls/{rule['name']}", rule, HOST_ANCESTORS))
    if random.random() < 0.5:
        assets.append(
            asset(FIREWALL, f"projects/host/global/firewalls/{GKE_RULE['name']}", GKE_RULE, HOST_ANCESTORS)
        )
    assets += writer.policies()
    assets += writer.address_groups()
    effective: list[Json] = []
    if random.random() < 0.12:
        effective = writer.effective_answers()
    unread = Unread()
    if random.random() < 0.12:
        unread = Unread(
            frozenset(random.sample((FIREWALL, POLICY), random.randrange(3))), random.random() < 0.3
        )
    if random.random() < 0.06:  # nothing tells where the host project is
        assets = [a | {"ancestors": []} if "projects/host" in a["name"] else a for a in assets]
    random.shuffle(assets)
    return Organisation(pools, assets, effective, unread)


def node_pools(random: Random, *, six: bool) -> tuple[Pool, ...]:
    service_account = random.choice((*ACCOUNTS, None))
    cluster_hash = random.choice(("aaaaaaaa", "aaaaaaaa", "aaaaaaaa", None))
    found: list[Pool] = []
    for name in ("a", "b", "c")[: random.choice((1, 1, 2, 2, 3))]:
        ranges: tuple[str, ...] = random.choice(POOLS_4[:-1] if not six else POOLS_4)
        if six:
            ranges += random.choice(POOLS_6)
        found.append(
            Pool(
                name,
                ranges,
                block4=random.choice((27, 28, 29)) if any(":" not in r for r in ranges) else None,
                block6=112 if six else None,
                network=NETWORK_KEY,
                region=REGION,
                tags=tuple(random.sample(("red", "blue"), random.randrange(3))),
                service_account=service_account
                if random.random() < 0.7
                else random.choice((*ACCOUNTS, None)),
                secure_tags=None
                if random.random() < 0.3
                else frozenset(random.sample(SECURE_TAGS, random.randrange(3))),
                cluster_name="shop",
                cluster_hash=cluster_hash,
            )
        )
    return tuple(found)


def projects() -> list[Json]:
    return [
        asset(PROJECT, f"projects/{key}", {"projectId": key, "projectNumber": number}, ancestors)
        for key, number, ancestors in (("host", "100", HOST_ANCESTORS), ("service", "200", SERVICE_ANCESTORS))
    ]


def network(random: Random) -> Json:
    order = random.choice((None, "AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL"))
    data = {"name": "vpc"} | ({"networkFirewallPolicyEnforcementOrder": order} if order else {})
    return asset(NETWORK, NETWORK_KEY, data, HOST_ANCESTORS)


class Writer:
    """Writes random rules and policies."""

    def __init__(self, random: Random, *, six: bool, crowded: bool = False) -> None:
        self.random = random
        self.six = six
        self.crowded = crowded

    def count(self, low: int, high: int) -> int:
        """How many rules to write; in a crowd so many that looking at each would be slow."""
        return self.random.randrange(30, 60) if self.crowded else self.random.randrange(low, high)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def some(self, values: tuple[str, ...], most: int = 2) -> list[str]:
        return self.random.sample(values, self.random.randrange(1, most + 1))

    def ranges(self) -> list[str]:
        return self.some(RANGES_6 if self.six and self.chance(0.5) else RANGES_4, 3)

    def spell(self, reference: str) -> str:
        project = self.random.choice(("host", "100"))
        return self.random.choice(SPELLINGS).format(reference.replace("projects/host", project))

    def network(self) -> str:
        return self.spell(NETWORK_KEY if self.chance(0.85) else OTHER_NETWORK)

    def layer4(self, key: str) -> list[Json]:
        if self.chance(0.3):
            return [{key: "all"}]
        entries = []
        for protocol in self.some(PROTOCOLS, 3):
            ported = protocol.lower() in ("tcp", "udp", "sctp", "6", "17") and self.chance(0.7)
            entries.append({key: protocol} | ({"ports": self.some(PORTS)} if ported else {}))
        return entries

    def vpc_rule(self, name: str) -> Json:
        rule: Json = {"name": name, "network": self.network()}
        rule["selfLink"] = f"https://www.googleapis.com/compute/v1/projects/host/global/firewalls/{name}"
        rule["denied" if self.chance(0.4) else "allowed"] = self.layer4("IPProtocol")
        priority = self.random.choice((None, 1000, 1000, 999, 900, 0, 65534, 65535))
        if self.crowded:
            priority = self.random.randrange(990, 1010)
        if priority is not None:
            rule["priority"] = priority
        direction = self.random.choice((None, "INGRESS", "INGRESS", "EGRESS"))
        if direction:
            rule["direction"] = direction
        if self.chance(0.08):
            rule["disabled"] = True
        if self.chance(0.35):
            rule["targetTags"] = self.some(TAGS)
        elif self.chance(0.2):
            rule["targetServiceAccounts"] = self.some(ACCOUNTS)
        if direction == "EGRESS":
            if self.chance(0.7):
                rule["destinationRanges"] = self.ranges()
            if self.chance(0.3):
                rule["sourceRanges"] = self.ranges()
            return rule
        if self.chance(0.75):
            rule["sourceRanges"] = self.ranges()
        if self.chance(0.25):
            rule["sourceTags"] = self.some(TAGS)
        elif self.chance(0.1):
            rule["sourceServiceAccounts"] = self.some(ACCOUNTS)
        if self.chance(0.2):
            rule["destinationRanges"] = self.ranges()
        return rule

    def policies(self, series: str = "") -> list[Json]:
        """Hierarchical and network policies; their names end in `series`."""
        found = []
        for number, (target, share) in enumerate(
            (
                ("organizations/1", 0.5),
                ("folders/11", 0.3),
                ("folders/12", 0.3),
                ("folders/22", 0.2),
                ("organizations/1", 0.1),
                ("folders/12", 0.1),
                ("", 0.1),
            )
        ):
            if self.chance(share):
                data = self.policy(f"h{number}{series}", [target] if target else [])
                data["parent"] = self.random.choice(("organizations/1", "folders/12"))
                name = f"locations/global/firewallPolicies/{900 + number}{series}"
                found.append(asset(POLICY, name, data, ["organizations/1"]))
        for number, (place, share, source) in enumerate(
            (
                ("global", 0.5, None),
                ("global", 0.15, None),
                (f"regions/{REGION}", 0.35, None),
                (f"regions/{OTHER_REGION}", 0.2, None),
                (f"regions/{REGION}", 0.15, "SYSTEM"),
                (f"regions/{REGION}", 0.05, "SYSTEM"),
                (f"regions/{OTHER_REGION}", 0.05, "SYSTEM"),
            )
        ):
            if self.chance(share):
                data = self.policy(f"n{number}{series}", [self.network()])
                data |= {"policySource": source} if source else {}
                if place != "global":
                    data["region"] = f"https://www.googleapis.com/compute/v1/projects/host/{place}"
                    for rule in data["rules"]:
                        if rule["action"] == "apply_security_profile_group":
                            rule["action"] = "goto_next"
                name = f"projects/host/{place}/firewallPolicies/n{number}{series}"
                found.append(asset(POLICY, name, data, HOST_ANCESTORS))
        return found

    def policy(self, name: str, targets: list[str]) -> Json:
        rules: list[Json] = []
        for number in range(self.count(1, 6)):
            rule = self.policy_rule(f"{name}-{number}")
            equal = {r["action"] for r in rules if r["priority"] == rule["priority"]} | {rule["action"]}
            if len(equal) == 1 or equal == {"allow", "deny"}:
                rules.append(rule)
        if self.chance(0.5):
            rules += [
                {
                    "priority": priority,
                    "direction": direction,
                    "action": "goto_next",
                    "description": "predefined",
                }
                | {"match": {side: [span], "layer4Configs": [{"ipProtocol": "all"}]}}
                for priority, (direction, side, span) in enumerate(PREDEFINED, 2147483644)
            ]
        self.random.shuffle(rules)
        associations = []
        for target in targets:
            association: Json = {"name": self.random.choice(("x", "y")) + name, "attachmentTarget": target}
            if self.chance(0.3):
                association["priority"] = self.random.choice((500, 1000, 2000))
            associations.append(association)
        return {"name": name, "shortName": name, "rules": rules, "associations": associations}

    def policy_rule(self, label: str) -> Json:
        direction = self.random.choice(("INGRESS", "EGRESS"))
        action = self.random.choice(
            ("allow", "allow", "deny", "deny", "goto_next", "goto_next", "apply_security_profile_group")
        )
        match: Json = {"layer4Configs": self.layer4("ipProtocol")}
        rule: Json = {
            "priority": self.random.randrange(60 if self.crowded else 6),
            "direction": direction,
            "action": action,
        }
        rule |= {"match": match, self.random.choice(("ruleName", "description")): label}
        required = "src" if direction == "INGRESS" else "dest"
        for side in ("src", "dest"):
            if self.chance(0.85 if side == required else 0.2):
                self.endpoint(match, side)
        if self.chance(0.06):
            rule["disabled"] = True
        if self.chance(0.1):
            rule["targetResources"] = [self.network() for _ in range(self.random.randrange(1, 3))]
        if self.chance(0.1):
            rule["targetServiceAccounts"] = self.some(ACCOUNTS)
        elif self.chance(0.15):
            rule["targetSecureTags"] = self.secure_tags()
        elif self.chance(0.03):
            rule["targetType"] = "INTERNAL_MANAGED_LB"
        elif self.chance(0.03):
            rule["targetForwardingRules"] = ["projects/host/regions/europe-west1/forwardingRules/f"]
        else:
            rule |= {"targetType": "INSTANCES"} if self.chance(0.1) else {}
        return rule

    def endpoint(self, match: Json, side: str) -> None:
        """State one side of a policy rule."""
        if self.chance(0.75):
            match[side + "IpRanges"] = self.ranges()
        if self.chance(0.12):
            match[side + "AddressGroups"] = [self.random.choice(GROUPS)]
        if self.chance(0.08):
            kind = self.random.choice(("Fqdns", "RegionCodes", "ThreatIntelligences"))
            match[side + kind] = ["anything"]
        if side == "src" and self.chance(0.1):
            match["srcSecureTags"] = self.secure_tags()
        if self.chance(0.1):
            contexts = (
                ("INTERNET", "NON_INTERNET") if side == "dest" else ("INTERNET", "INTRA_VPC", "VPC_NETWORKS")
            )
            match[side + self.random.choice(("NetworkContext", "NetworkType"))] = context = (
                self.random.choice(contexts)
            )
            if context == "VPC_NETWORKS":
                match["srcNetworks"] = [self.network()]

    def secure_tags(self) -> list[Json]:
        states = ({"state": "EFFECTIVE"}, {"state": "INEFFECTIVE"}, {"state": "EFFECTIVE"})
        return [{"name": name} | self.random.choice(states) for name in self.some(SECURE_TAGS)]

    def address_groups(self) -> list[Json]:
        return [
            asset(GROUP, reference, {"name": reference, "items": self.ranges()}, HOST_ANCESTORS)
            for reference in (KNOWN_GROUP, ORGANISATION_GROUP)
        ]

    def effective_answers(self) -> list[Json]:
        """What getEffectiveFirewalls says of the network: the global call, a regional one, or both."""
        answers = []
        for region in self.random.choice((("",), (REGION,), ("", REGION), (OTHER_REGION,))):
            kinds = ["HIERARCHY", "HIERARCHY", "NETWORK"] + (
                ["NETWORK_REGIONAL", "SYSTEM_REGIONAL"] if region else []
            )
            policies = []
            for number, kind in enumerate(kinds):
                if self.chance(0.5):
                    policy = self.policy(f"e{number}", [])
                    policies.append({"name": policy["name"], "type": kind, "rules": policy["rules"]})
            rules = [self.vpc_rule(f"shown-{n}") for n in range(self.random.randrange(5))]
            for rule in rules:
                rule["network"] = self.spell(NETWORK_KEY)
            data = {"firewalls": rules, "firewallPolicys": policies}
            answers.append({"network": NETWORK_KEY, "region": region, "data": data})
        return answers


KNOWN_GROUP = "projects/host/locations/global/addressGroups/known"
ORGANISATION_GROUP = "organizations/1/locations/global/addressGroups/known"
LOST_GROUP = "projects/host/locations/global/addressGroups/lost"
NOWHERE = "192.0.2.0/24"
GROUPS = (
    KNOWN_GROUP,
    "//networksecurity.googleapis.com/projects/100/locations/global/addressGroups/known",
    ORGANISATION_GROUP,
    LOST_GROUP,
)


def packets(subject: Organisation) -> Iterator[Packet]:
    """Every packet that can differ from its neighbours: each range start and end + 1, each port bound.

    The packets between two pools stand for all of them: within the gaps no rule, block or range changes.
    """
    ports = critical_ports(subject)
    for version in (4, 6):
        protocols = [p for p in PROTOCOL_NUMBERS if p != ("icmpv6" if version == 4 else "icmp")]
        layers = [(p, port) for p in protocols for port in (ports if p in WITH_PORTS else [None])]
        points = {pool: critical_addresses(subject, pool, version) for pool in subject.pools}
        for one, other in product(subject.pools, repeat=2):
            for source, destination in product(points[one], points[other]):
                for protocol, port in layers:
                    yield Packet(version, source, destination, protocol, port, one, other)


def critical_ports(subject: Organisation) -> list[int]:
    """1, and every port at which some rule begins or ceases to match."""
    found = {1}
    for entry in leaves([subject.assets, subject.effective], "ports"):
        low, _, high = entry.partition("-")
        found |= {int(low), int(high or low) + 1}
    return sorted(port for port in found if 1 <= port <= 65535)


def critical_addresses(subject: Organisation, pool: Pool, version: int) -> list[int]:
    """The addresses of the pool at which some rule, Pod range or node block begins or ceases."""
    bounds = set()
    for key in ("sourceRanges", "destinationRanges", "srcIpRanges", "destIpRanges", "items"):
        for low, high in numbers(list(leaves([subject.assets, subject.effective], key)), version):
            bounds |= {low, high + 1}
    size = 1 << pool.block(version)
    found = set()
    for low, high in pool.spans(version):
        found |= {low, *(bound for bound in bounds if low <= bound <= high)}
        found |= {start for start in range(low - low % size, high + 1, size) if start >= low}
    return sorted(found)


def leaves(value: Any, key: str) -> Iterator[str]:
    """Every text in the lists that stand under a key, anywhere inside a JSON value."""
    if isinstance(value, list):
        for element in value:
            yield from leaves(element, key)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield from inner
            else:
                yield from leaves(inner, key)


def concretise(random: Random, subject: Organisation) -> Organisation:
    """The organisation with everything unknown in it replaced by something definite."""
    six = any(":" in text for pool in subject.pools for text in pool.ranges)
    writer = Writer(random, six=six)
    account = random.choice((*ACCOUNTS[:2], "300-compute@developer.gserviceaccount.com"))
    cluster_hash = random.choice(("aaaaaaaa", "bbbbbbbb", "cccccccc"))
    tags = {pool.name: frozenset(random.sample(SECURE_TAGS, random.randrange(3))) for pool in subject.pools}
    pools = tuple(
        replace(
            pool,
            service_account=pool.service_account or account,
            cluster_hash=pool.cluster_hash or cluster_hash,
            secure_tags=tags[pool.name] if pool.secure_tags is None else pool.secure_tags,
        )
        for pool in subject.pools
    )
    settle = Settler(writer, pools)
    assets = [settle.asset(each) for each in copy.deepcopy(subject.assets)]
    effective = copy.deepcopy(subject.effective)
    for answer in effective:
        answer["data"]["firewalls"] = [settle.vpc_rule(rule) for rule in answer["data"]["firewalls"]]
        for policy in answer["data"]["firewallPolicys"]:
            policy["rules"] = [settle.policy_rule(rule) for rule in policy["rules"]]
    if not any(each["name"].endswith(NETWORK_KEY) for each in assets):
        assets.append(network(random))
    placed = any(each["ancestors"] for each in assets if "projects/host" in each["name"])
    chain = random.choice((HOST_ANCESTORS, SERVICE_ANCESTORS, ["projects/100", "organizations/1"]))
    if not placed:
        assets = [each | {"ancestors": each["ancestors"] or chain} for each in assets]
    assets.append(asset(GROUP, LOST_GROUP, {"items": random.choice(([], writer.ranges()))}, HOST_ANCESTORS))
    if FIREWALL in subject.unread.types:
        for number in range(random.randrange(4)):
            rule = settle.vpc_rule(writer.vpc_rule(f"found-{number}"))
            assets.append(asset(FIREWALL, f"projects/host/global/firewalls/{rule['name']}", rule, chain))
    whole = any(not answer["region"] for answer in effective)
    for found in writer.policies(series="0"):
        unread = (
            subject.unread.hierarchy if "projects/" not in found["name"] else POLICY in subject.unread.types
        )
        if whole and "/regions/" in found["name"]:
            # By the word of the global answer there are none but those of the inventory.
            continue
        if unread:
            assets.append(settle.asset(found))
    return Organisation(pools, assets, effective)


class Settler:
    """Decides at random, once for each rule, what the documentation or the inventory leaves open."""

    def __init__(self, writer: Writer, pools: tuple[Pool, ...]) -> None:
        self.writer = writer
        self.pools = pools

    def asset(self, subject: Json) -> Json:
        data = subject["resource"]["data"]
        if subject["assetType"] == FIREWALL:
            subject["resource"]["data"] = self.vpc_rule(data)
        elif subject["assetType"] == POLICY:
            data["rules"] = [self.policy_rule(rule) for rule in data["rules"]]
        return subject

    def vpc_rule(self, rule: Json) -> Json:
        ingress = rule.get("direction", "INGRESS") == "INGRESS"
        if ingress and rule.get("allowed") and rule.get("priority") == 65535:
            if self.writer.chance(0.5):
                rule["disabled"] = True
            else:
                rule["denied"] = rule.pop("allowed")
        bearers = [pool for pool in self.pools if set(rule.get("sourceTags", [])) & set(pool.tags)]
        if "sourceTags" in rule or "sourceServiceAccounts" in rule:
            rule = {
                key: value
                for key, value in rule.items()
                if key not in ("sourceTags", "sourceServiceAccounts")
            }
            every = len(bearers) == len(self.pools) and self.writer.chance(0.5)
            own = [text for pool in self.pools for text in pool.ranges if ":" in text] if every else []
            rule["sourceRanges"] = rule.get("sourceRanges", []) + (own or [NOWHERE])
        required, other = ("sourceRanges", "destinationRanges")[:: 1 if ingress else -1]
        if required not in rule and any(":" in text for text in rule.get(other, [])):
            rule[required] = self.writer.random.choice((["0.0.0.0/0"], ["0.0.0.0/0", "::/0"]))
        return rule

    def policy_rule(self, rule: Json) -> Json:
        match = rule["match"]
        if rule["action"] == "apply_security_profile_group":
            rule["action"] = self.writer.random.choice(("allow", "deny"))
        required = "src" if rule["direction"] == "INGRESS" else "dest"
        for side in ("src", "dest"):
            ranges = match.get(side + "IpRanges", [])
            stated = ranges or match.get(side + "AddressGroups")
            for kind in ("Fqdns", "RegionCodes", "ThreatIntelligences", "SecureTags"):
                values = match.pop(side + kind, None)
                if values is not None:
                    ranges = [*ranges, NOWHERE]
                    if kind == "SecureTags":
                        names = {
                            tag["name"] for tag in values if tag.get("state", "EFFECTIVE") == "EFFECTIVE"
                        }
                        if all(names & (pool.secure_tags or set()) for pool in self.pools):
                            own = [text for pool in self.pools for text in pool.ranges]
                            ranges += self.writer.random.choice(([], own))
                    elif self.writer.chance(0.6):
                        ranges += self.writer.ranges()
            if side == required and not ranges and not stated:
                ranges = self.writer.random.choice((["0.0.0.0/0"], ["0.0.0.0/0", "::/0"]))
            if ranges:
                match[side + "IpRanges"] = ranges
            for field_name in ("NetworkContext", "NetworkType"):
                if match.get(side + field_name) == "VPC_NETWORKS":
                    own_network = any(text.endswith("networks/vpc") for text in match["srcNetworks"])
                    match[side + field_name] = (
                        self.writer.random.choice(("INTERNET", "NON_INTERNET")) if own_network else "INTERNET"
                    )
        return rule


def obscure(random: Random, subject: Organisation) -> Organisation:
    """The organisation with something garbled or lost, so that less is known of it and nothing else."""
    assets, effective = copy.deepcopy(subject.assets), copy.deepcopy(subject.effective)
    pools, types, hierarchy = subject.pools, set(subject.unread.types), subject.unread.hierarchy
    for _ in range(random.randrange(1, 4)):
        loss = random.randrange(10)
        if loss == 0:
            assets = [each for each in assets if each["assetType"] != NETWORK]
        elif loss == 1:
            assets = [each for each in assets if each["assetType"] != GROUP]
        elif loss == 2:
            kind = random.choice((FIREWALL, POLICY))
            # What the global answer does not show is lost unnoticed: then none of it may go.
            kept = {
                each["name"]
                for each in assets
                if "/regions/" in each["name"] and any(not answer["region"] for answer in effective)
            }
            assets = [
                each
                for each in assets
                if each["assetType"] != kind or each["name"] in kept or random.random() < 0.5
            ]
            types.add(kind)
            hierarchy |= kind == POLICY
        elif loss == 3:
            assets = [each for each in assets if each["assetType"] != PROJECT]
        elif loss == 4:
            assets = [each | {"ancestors": []} for each in assets]
        elif loss == 5:
            if random.random() < 0.5:
                pools = tuple(replace(pool, secure_tags=None) for pool in pools)
            else:
                pools = tuple(replace(pool, cluster_hash=None) for pool in pools)
        else:
            garble(random, documents(assets, effective))
    return Organisation(pools, assets, effective, Unread(frozenset(types), hierarchy))


GARBAGE: dict[str, tuple[Any, ...]] = {
    "sourceRanges": ("garbage", 7, ["10.0.0.0/33"], [{"a": 1}]),
    "destinationRanges": ("garbage", 7, ["10.0.0.0/33"], [[]]),
    "srcIpRanges": ("garbage", 7, ["10.0.0.0/33"], [{"a": 1}]),
    "destIpRanges": ("garbage", 7, ["::/129"], [[]]),
    "targetTags": (7, [7], {"a": 1}),
    "targetServiceAccounts": (7, [7], {"a": 1}),
    "sourceTags": (7, [7], {"a": 1}),
    "srcSecureTags": (7, [7], [{"name": 7}]),
    "targetSecureTags": (7, [7], [{"name": 7}]),
    "srcAddressGroups": (7, [7], {"a": 1}),
    "targetResources": (7, [7], {"a": 1}),
    "srcNetworkContext": ("garbage", 7, [7]),
    "targetType": (7, {"a": 1}),
    "ports": (["eighty"], 1.5, [{}], ["9-1"]),
    "IPProtocol": ("garbage", 300, {"a": 1}, -1),
    "ipProtocol": ("garbage", 300, {"a": 1}, -1),
    "layer4Configs": (7, "garbage", [7]),
    "allowed": (7, "garbage", [7]),
    "denied": (7, "garbage", [7]),
    "priority": ("high", -5, 1.5, 1 << 70, [1]),
    "direction": ("SIDEWAYS", 7, ["INGRESS"]),
    "action": ("garbage", 7, ["allow"]),
    "disabled": ("perhaps", 7, ["true"]),
    "match": (7, "garbage", [1, 2]),
    "rules": (7, "garbage", ["garbage"]),
    "associations": (7, "garbage", [7]),
    "name": (7, None, ["a"]),
    "attachmentTarget": (7, {"a": 1}),
    "network": (7, [7], {"a": 1}),
    "srcNetworks": (7, [7], {"a": 1}),
    "state": ("garbage", 7, ["EFFECTIVE"]),
    "items": (7, ["garbage"], [{"a": 1}]),
    "networkFirewallPolicyEnforcementOrder": ("garbage", 7, ["AFTER_CLASSIC_FIREWALL"]),
}
"""Values that no reader can understand, by the field that they take the place of."""


def places(value: Any) -> Iterator[tuple[Json, str]]:
    """Every field inside a JSON value that garbage can take the place of."""
    if isinstance(value, dict):
        for key in value:
            if key in GARBAGE and (key != "name" or "attachmentTarget" in value):
                yield value, key
        for inner in value.values():
            yield from places(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner)


def garble(random: Random, roots: list[Json]) -> None:
    """Put garbage into one field, somewhere in these values."""
    found = list(places(roots))
    if found:
        key = random.choice(sorted({key for _, key in found}))
        holder = random.choice([holder for holder, name in found if name == key])
        holder[key] = random.choice(GARBAGE[key])


def garbled(subject: Organisation) -> Iterator[tuple[str, Organisation]]:
    """The organisation with each field in turn, and each piece of garbage in its place."""
    for index, (_, key) in enumerate(places(documents(subject.assets, subject.effective))):
        for value in GARBAGE[key]:
            assets, effective = copy.deepcopy(subject.assets), copy.deepcopy(subject.effective)
            list(places(documents(assets, effective)))[index][0][key] = value
            yield f"{key}: {value}", replace(subject, assets=assets, effective=effective)


def documents(assets: list[Json], effective: list[Json]) -> list[Json]:
    """All JSON that comes from the APIs."""
    return [*assets, *(answer["data"] for answer in effective)]
