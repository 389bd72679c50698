"""A firewall evaluated packet by packet: slow, short and obvious, to hold the analysis against.

It reads Cloud Asset Inventory JSON itself and shares no code with the package. What a rule says about a
packet is NO, MAYBE or YES; `min` is their AND, `max` their OR. A walk through the rules collects every
outcome that is possible (`Cloud NGFW documentation, "Evaluation order for firewall policies and rules"`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tests.firewall.packets import PROTOCOL_NUMBERS, Packet, Pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NO, MAYBE, YES = 0, 1, 2
FIREWALL = "compute.googleapis.com/Firewall"
POLICY = "compute.googleapis.com/FirewallPolicy"
NETWORK = "compute.googleapis.com/Network"
GROUP = "networksecurity.googleapis.com/AddressGroup"
PROJECT = "cloudresourcemanager.googleapis.com/Project"

NAMES = {"tcp": 6, "udp": 17, "icmp": 1, "esp": 50, "ah": 51, "sctp": 132}
HAS_PORTS = {6, 17, 132}
DEFAULT_ACCOUNT = re.compile(r"\d+-compute@developer\.gserviceaccount\.com")
NODE_TAG = re.compile(r"gk[e3]-(.+)-([0-9a-f]{8})-node")

Json = dict[str, Any]
Direction = Literal["EGRESS", "INGRESS"]
Verdict = Literal["allowed", "denied", "unknown"]


class Decider(NamedTuple):
    """A rule that may decide a packet; all None but `stage` for an implied rule or one nobody has read."""

    stage: str
    asset: str | None = None
    rule: str | None = None
    priority: int | None = None
    action: str | None = None


UNREAD = Decider("unread")
ALLOW_IMPLIED, DENY_IMPLIED = Decider("implied", action="allow"), Decider("implied", action="deny")


class Outcome(NamedTuple):
    """One way a direction can end: the verdict, the rule that gave it, whether that rule surely matches."""

    verdict: Literal["allow", "deny"]
    decider: Decider
    sure: bool


Outcomes = frozenset[Outcome]
BOTH_UNREAD = frozenset({Outcome("allow", UNREAD, sure=False), Outcome("deny", UNREAD, sure=False)})


class Side(NamedTuple):
    """What one side of a rule says of an address: YES in the ranges, else `otherwise`; never above `cap`."""

    ranges: tuple[tuple[int, int], ...]
    otherwise: int
    cap: int = YES

    def match(self, address: int) -> int:
        for low, high in self.ranges:
            if low <= address <= high:
                return self.cap
        return min(self.cap, self.otherwise)


class Match(NamedTuple):
    """A rule as one pair of nodes sees it, in one IP version and direction."""

    decider: Decider
    action: str
    target: int
    source: Side
    destination: Side
    layer4: tuple[tuple[int | None, tuple[tuple[int, int], ...]], ...]

    def match(self, packet: Packet) -> int:
        if not speaks(self.layer4, PROTOCOL_NUMBERS[packet.protocol], packet.port):
            return NO
        peers = self.source.match(packet.source), self.destination.match(packet.destination)
        return min(self.target, *peers)


Step = tuple[Match, ...] | None
"""The rules of one policy, or of the VPC network, in order; None is a step that nobody has read."""


@dataclass(frozen=True)
class Unread:
    """What was not looked at: asset types, and whether the policies above the projects are among it."""

    types: frozenset[str] = frozenset()
    hierarchy: bool = False


class Simulator:
    """The firewalls of an organisation, given as CAI assets and `getEffectiveFirewalls` answers.

    `effective` holds `{"network": key, "region": name or "", "data": answer}`.
    """

    def __init__(self, assets: list[Json], effective: Sequence[Json] = (), unread: Unread = Unread()) -> None:
        self.assets = assets
        self.effective = effective
        self.unread = unread
        self.numbers = {
            str(a["resource"]["data"]["projectNumber"]): a["resource"]["data"]["projectId"]
            for a in assets
            if a["assetType"] == PROJECT
        }
        self.groups = {
            self.reference(a["name"]): a["resource"]["data"].get("items", [])
            for a in assets
            if a["assetType"] == GROUP
        }
        self._chains: dict[Any, tuple[tuple[Step, ...], ...]] = {}

    def verdict(self, packet: Packet) -> Verdict:
        """Both directions taken together."""
        return together([self.outcomes(direction, packet) for direction in ("EGRESS", "INGRESS")])

    def outcomes(self, direction: Direction, packet: Packet) -> Outcomes:
        """Every way the packet can fare in one direction."""
        implied = Outcome("deny", DENY_IMPLIED, sure=True)
        if direction == "EGRESS":
            implied = Outcome("allow", ALLOW_IMPLIED, sure=True)
        result: Outcomes = frozenset()
        for chain in self.chains(direction, packet.source_pool, packet.destination_pool, packet.version):
            rest: Outcomes = frozenset({implied})
            for step in reversed(chain):
                rest = BOTH_UNREAD | rest if step is None else walk(step, packet, rest)
            result |= rest
        return result

    def chains(
        self, direction: Direction, source: Pool, destination: Pool, version: int
    ) -> tuple[tuple[Step, ...], ...]:
        """The steps a packet between two pools takes; two chains if the enforcement order is not known."""
        key = (direction, source, destination, version)
        if key not in self._chains:
            self._chains[key] = tuple(self._chain(order, *key) for order in self._orders(target(*key[:3])))
        return self._chains[key]

    def _orders(self, node: Pool) -> list[str]:
        for asset in self._of(NETWORK):
            if self.reference(asset["name"]) == node.network:
                data = asset["resource"]["data"]
                return [data.get("networkFirewallPolicyEnforcementOrder", "AFTER_CLASSIC_FIREWALL")]
        return ["AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL"]

    def _chain(
        self, order: str, direction: Direction, source: Pool, destination: Pool, version: int
    ) -> tuple[Step, ...]:
        node = target(direction, source, destination)
        view = (direction, source, destination, version)

        def steps(stage: str, policies: list[tuple[str, Json]]) -> list[Step]:
            return [self._policy(stage, name, data, *view) for name, data in policies]

        unread: list[Step] = [None]
        answers = [e for e in self.effective if self.reference(e["network"]) == node.network]
        answers.sort(key=lambda answer: (answer["region"] != node.region, answer["region"] != ""))
        if answers:
            shown = answers[0]["data"]
            vpc: list[Step] = [self._vpc(shown.get("firewalls", []), *view)]
            hierarchical = steps("hierarchical", listed(shown, "HIERARCHY"))
            globally = steps("network_global", listed(shown, "NETWORK"))
            system = steps("system", listed(shown, "SYSTEM", "SYSTEM_GLOBAL", "SYSTEM_REGIONAL"))
            regionally = steps("network_regional", listed(shown, "NETWORK_REGIONAL"))
            if answers[0]["region"] != node.region:  # its regional policies, if any, are another region's
                system = steps("system", listed(shown, "SYSTEM", "SYSTEM_GLOBAL"))
                system += steps("system", self._attached("system", node))
                regionally = steps("network_regional", self._attached("network_regional", node))
                # The global answer is authoritative; that of another region says nothing of this one's.
                if POLICY in self.unread.types and answers[0]["region"]:
                    system, regionally = unread + system, unread + regionally
        else:
            vpc = [
                self._vpc([a["resource"]["data"] | {"_asset": a["name"]} for a in self._of(FIREWALL)], *view)
            ]
            hierarchical = self._hierarchical(node, steps)
            system, globally, regionally = (
                (unread if POLICY in self.unread.types else []) + steps(stage, self._attached(stage, node))
                for stage in ("system", "network_global", "network_regional")
            )
            if FIREWALL in self.unread.types or not self._seen(node.network):
                vpc = unread + vpc
        network = globally + regionally
        later = vpc + network if order == "AFTER_CLASSIC_FIREWALL" else network + vpc
        return tuple(hierarchical + system + later)

    def _seen(self, network: str) -> bool:
        """Whether the network, or any rule of it, is there; of a network nobody has seen nothing was read."""
        networks = [asset["name"] for asset in self._of(NETWORK)]
        networks += [asset["resource"]["data"]["network"] for asset in self._of(FIREWALL)]
        return network in map(self.reference, networks)

    def _hierarchical(self, node: Pool, steps: Any) -> list[Step]:
        project = node.network.split("/")[1]
        places = [a["ancestors"] for a in self.assets if self._project(a) == project and a.get("ancestors")]
        found: list[Step] = []
        if self.unread.hierarchy or (not places and self._policies("hierarchical")):
            found.append(None)
        for ancestor in reversed(places[0][1:] if places else []):
            attached = self._associated("hierarchical", lambda text, at=ancestor: text == at)
            found += steps("hierarchical", attached)
        return found

    def _attached(self, stage: str, node: Pool) -> list[tuple[str, Json]]:
        """Network policies of one stage that are associated with the node's network, its region's only."""
        return [
            (name, data)
            for name, data in self._associated(stage, lambda text: self.reference(text) == node.network)
            if stage == "network_global" or region(name) == node.region
        ]

    def _associated(self, stage: str, wanted: Any) -> list[tuple[str, Json]]:
        found = [
            (association.get("priority", 1000), association["name"], name, data)
            for name, data in self._policies(stage)
            for association in data.get("associations", [])
            if wanted(association["attachmentTarget"])
        ]
        return [(name, data) for _, _, name, data in sorted(found, key=lambda entry: entry[:2])]

    def _policies(self, stage: str) -> list[tuple[str, Json]]:
        found = [(a["name"], a["resource"]["data"]) for a in self._of(POLICY)]
        return [(name, data) for name, data in found if stage_of(name, data) == stage]

    def _vpc(
        self, rules: list[Json], direction: Direction, source: Pool, destination: Pool, version: int
    ) -> tuple[Match, ...]:
        """Lower priority first; at equal priority deny first."""
        node = target(direction, source, destination)
        found = []
        for rule in rules:
            if self.reference(rule["network"]) != node.network or rule.get("disabled", False):
                continue
            if rule.get("direction", "INGRESS") != direction:
                continue
            action = "deny" if rule.get("denied") else "allow"
            priority = rule.get("priority", 1000)
            asset = rule.get("_asset") or "//compute.googleapis.com/" + self.reference(rule["selfLink"])
            decider = Decider("vpc", asset, rule["name"], priority, action)
            if (direction, action, priority) == ("INGRESS", "allow", 65535):
                action = "tie"  # with the implied deny, and the documents do not say who wins
            tags, accounts = rule.get("targetTags", []), rule.get("targetServiceAccounts", [])
            aimed = max(
                [has_tag(node, t) for t in tags] + [has_account(node, a) for a in accounts], default=YES
            )
            found.append(
                Match(
                    decider,
                    action,
                    aimed,
                    vpc_source(rule, direction, source, version),
                    vpc_destination(rule, direction, version),
                    layer4(rule.get("denied") or rule.get("allowed") or []),
                )
            )
        return tuple(
            sorted(found, key=lambda match: (match.decider.priority, match.decider.action != "deny"))
        )

    def _policy(
        self,
        stage: str,
        name: str,
        data: Json,
        direction: Direction,
        source: Pool,
        destination: Pool,
        version: int,
    ) -> tuple[Match, ...]:
        node = target(direction, source, destination)
        found = []
        for rule in data.get("rules", []):
            if rule["direction"] != direction or rule.get("disabled", False):
                continue
            label = rule.get("ruleName") or rule.get("description") or ""
            match = rule.get("match", {})
            found.append(
                Match(
                    Decider(stage, name, label, rule["priority"], rule["action"]),
                    rule["action"],
                    self._aimed(rule, node),
                    self._peer(match, "src", source, version, required=direction == "INGRESS"),
                    self._peer(match, "dest", destination, version, required=direction == "EGRESS"),
                    layer4(match.get("layer4Configs") or [{"ipProtocol": "all"}]),
                )
            )
        return tuple(sorted(found, key=lambda match: (match.decider.priority, match.action != "deny")))

    def _aimed(self, rule: Json, node: Pool) -> int:
        """Whether a policy rule concerns the node: every kind of target that is given must hold."""
        if rule.get("targetType", "INSTANCES") != "INSTANCES" or rule.get("targetForwardingRules"):
            return NO
        aimed = YES
        if rule.get("targetResources"):
            aimed = min(aimed, YES if node.network in map(self.reference, rule["targetResources"]) else NO)
        if rule.get("targetServiceAccounts"):
            aimed = min(aimed, max(has_account(node, account) for account in rule["targetServiceAccounts"]))
        if rule.get("targetSecureTags"):
            aimed = min(aimed, has_secure_tag(node, rule["targetSecureTags"]))
        return aimed

    def _peer(self, match: Json, side: str, node: Pool, version: int, *, required: bool) -> Side:
        """One side of a policy rule. `required`: the side an ingress or egress rule is expected to state."""
        ranges = list(match.get(side + "IpRanges", []))
        vague = [match.get(side + kind) for kind in ("Fqdns", "RegionCodes", "ThreatIntelligences")]
        otherwise = MAYBE if any(vague) else NO
        for group in match.get(side + "AddressGroups", []):
            items = self.groups.get(self.reference(group))
            if items is None:
                otherwise = MAYBE
            else:
                ranges += items
        tags = match.get(side + "SecureTags", [])
        if tags:  # whether they stand for Pod addresses is not settled
            otherwise = max(otherwise, min(MAYBE, has_secure_tag(node, tags)))
        stated = ranges or any(vague) or match.get(side + "AddressGroups") or tags
        if not stated:
            otherwise = MAYBE if required and version == 6 else YES
        return Side(numbers(ranges, version), otherwise, self._context(match, side, node))

    def _context(self, match: Json, side: str, node: Pool) -> int:
        for field in ("NetworkContext", "NetworkType", "NetworkScope"):
            context = match.get(side + field, "UNSPECIFIED")
            if context == "INTERNET":
                return NO
            if context == "VPC_NETWORKS":
                own = node.network in map(self.reference, match.get(side + "Networks", []))
                return MAYBE if own else NO
        return YES

    def reference(self, text: str) -> str:
        """`projects/ID/…` of a full resource name, a URL or a partial one, project number replaced."""
        found = re.search(r"(?:projects|organizations)/.*", text)
        parts = (found[0] if found else text).split("/")
        if parts[0] == "projects":
            parts[1] = self.numbers.get(parts[1], parts[1])
        return "/".join(parts)

    def _project(self, asset: Json) -> str:
        reference = self.reference(asset["name"])
        return reference.split("/")[1] if reference.startswith("projects/") else ""

    def _of(self, kind: str) -> list[Json]:
        return [asset for asset in self.assets if asset["assetType"] == kind]


def together(ways: Iterable[Outcomes]) -> Verdict:
    """What becomes of a packet that must get through in each of these ways."""
    possible = [{outcome.verdict for outcome in outcomes} for outcomes in ways]
    if {"deny"} in possible:
        return "denied"
    return "allowed" if all(verdicts == {"allow"} for verdicts in possible) else "unknown"


def walk(step: tuple[Match, ...], packet: Packet, rest: Outcomes) -> Outcomes:
    """The outcomes of one step, where `rest` are those of the steps after it."""
    result: Outcomes = frozenset()
    for position, rule in enumerate(step):
        sure = rule.match(packet)
        result |= effect(rule, sure, rest)
        if sure == YES:
            same = (twin for twin in step[position + 1 :] if twins(twin, rule))
            return result.union(*(effect(twin, twin.match(packet), rest) for twin in same))
    return result | rest


def effect(rule: Match, match: int, rest: Outcomes) -> Outcomes:
    """What a rule does to a packet it matches, or may."""
    if match == NO:
        return frozenset()
    if rule.action == "goto_next":
        return rest
    sure = match == YES
    if rule.action in ("allow", "deny"):
        return frozenset({Outcome(rule.action, rule.decider, sure)})  # type: ignore[arg-type]
    both = frozenset({Outcome("allow", rule.decider, sure), Outcome("deny", rule.decider, sure)})
    return both if rule.action != "tie" else both | {Outcome("deny", DENY_IMPLIED, sure)}


def twins(one: Match, other: Match) -> bool:
    """Rules of equal rank and action, of which either may be named as the one that decided."""
    return (one.decider.priority, one.action) == (other.decider.priority, other.action)


def target(direction: Direction, source: Pool, destination: Pool) -> Pool:
    """The node that the rules of a direction apply to."""
    return source if direction == "EGRESS" else destination


def stage_of(name: str, data: Json) -> str:
    if data.get("policySource") == "SYSTEM":
        return "system"
    if "projects/" not in name:
        return "hierarchical"
    return "network_regional" if "/regions/" in name else "network_global"


def region(name: str) -> str:
    return name.partition("/regions/")[2].partition("/")[0]


def listed(answer: Json, *types: str) -> list[tuple[str, Json]]:
    """The policies of a `getEffectiveFirewalls` answer that have one of the types, as listed."""
    return [(p["name"], p) for p in answer.get("firewallPolicys", []) if p["type"] in types]


def vpc_source(rule: Json, direction: Direction, node: Pool, version: int) -> Side:
    """The source side of a VPC rule. Tags and accounts stand for node addresses; IPv4 Pods have others."""
    ranges = rule.get("sourceRanges", [])
    tags, accounts = rule.get("sourceTags", []), rule.get("sourceServiceAccounts", [])
    if not ranges and not tags and not accounts:
        return absent(rule.get("destinationRanges", []), version, required=direction == "INGRESS")
    bearer = max([has_tag(node, t) for t in tags] + [has_account(node, a) for a in accounts], default=NO)
    return Side(numbers(ranges, version), min(MAYBE, bearer) if version == 6 else NO)


def vpc_destination(rule: Json, direction: Direction, version: int) -> Side:
    ranges = rule.get("destinationRanges", [])
    if not ranges:
        return absent(rule.get("sourceRanges", []), version, required=direction == "EGRESS")
    return Side(numbers(ranges, version), NO)


def absent(other: list[str], version: int, *, required: bool) -> Side:
    """A side that a VPC rule does not state: anything, but if `required`, then any IPv4 address."""
    if version == 4 or not required:
        return Side((), YES)
    return Side((), MAYBE if any(":" in text for text in other) else NO)


def has_tag(node: Pool, tag: str) -> int:
    """Whether the node has a network tag: its own, or the one GKE gives to every node of the cluster."""
    if tag in node.tags:
        return YES
    parts = NODE_TAG.fullmatch(tag)
    if not parts or not node.cluster_name.startswith(parts[1]):
        return NO
    if node.cluster_hash is None:
        return MAYBE
    return YES if parts[2] == node.cluster_hash else NO


def has_account(node: Pool, account: str) -> int:
    """Whether the node runs as the account; unknown is the default account of a project of unknown number."""
    if node.service_account is None:
        return MAYBE if DEFAULT_ACCOUNT.fullmatch(account) else NO
    return YES if account == node.service_account else NO


def has_secure_tag(node: Pool, tags: list[Json]) -> int:
    """Whether the node has one of the tags that are in effect; a tag that states no state may be."""
    found = NO
    for tag in tags:
        bound = MAYBE if node.secure_tags is None else YES if tag["name"] in node.secure_tags else NO
        effective = {"EFFECTIVE": YES, "INEFFECTIVE": NO}.get(tag.get("state", ""), MAYBE)
        found = max(found, min(bound, effective))
    return found


def numbers(texts: list[str], version: int) -> tuple[tuple[int, int], ...]:
    """CIDRs of one IP version as inclusive ranges of integers."""
    networks = [ip_network(text) for text in texts]
    return tuple((int(n[0]), int(n[-1])) for n in networks if n.version == version)


def layer4(entries: list[Json]) -> tuple[tuple[int | None, tuple[tuple[int, int], ...]], ...]:
    """Protocol numbers (None: all of them) with destination port ranges (none: every port)."""
    found: list[tuple[int | None, tuple[tuple[int, int], ...]]] = []
    for entry in entries:
        name = str(entry.get("IPProtocol") or entry.get("ipProtocol")).lower()
        ports = [text.partition("-") for text in entry.get("ports", [])]
        spans = tuple((int(low), int(high or low)) for low, _, high in ports)
        if name == "all":
            found.append((None, spans))
        elif name in NAMES:
            found.append((NAMES[name], spans))
        elif name.isdigit():
            found.append((int(name), spans))
        elif name != "ipip":  # protocol 4 or 94: no Pod traffic in question either way
            raise ValueError(name)
    return tuple(found)


def speaks(
    entries: tuple[tuple[int | None, tuple[tuple[int, int], ...]], ...], protocol: int, port: int | None
) -> bool:
    """Whether a packet of this protocol and destination port is among the entries."""
    for number, spans in entries:
        if number not in (None, protocol):
            continue
        if not spans or protocol not in HAS_PORTS or any(low <= (port or 0) <= high for low, high in spans):
            return True
    return False
