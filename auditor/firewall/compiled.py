"""Rules brought to the form the analysis works on: integers, one IP version, one direction.

What a rule says of a node or an address is one of three: `NO`, `MAYBE`, `YES`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from auditor.firewall.intervals import Spans, union
from auditor.firewall.layer4 import FULL
from auditor.model import deferred
from auditor.model.addresses import parse_range
from auditor.model.traffic import Decider

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.firewall.layer4 import Coverage, Coverages
    from auditor.model.addresses import Family
    from auditor.model.facts import NodeClass
    from auditor.model.network import (
        AddressGroup,
        Direction,
        FirewallPolicy,
        FirewallRule,
        PolicyEndpoint,
        PolicyRule,
        SecureTag,
    )
    from auditor.model.traffic import Stage

NO, MAYBE, YES = 0, 1, 2

# What a rule does. EITHER (an inspection, rules not read) and TIE (an allow at the priority of the implied
# deny) can end both ways; BENIGN is GKE's own denial of tcp:10255.
ALLOW, DENY, GOTO, EITHER, TIE, BENIGN = range(6)

Why = tuple[str, str]
"""Why something cannot be told, and what would settle it."""

LAST_VPC_PRIORITY = 65535
_NODE_TAG = re.compile(r"gk[e3]-(.+)-([0-9a-f]{8})-node", re.DOTALL)
_EXKUBELET = re.compile(r"gk[e3]-.+-([0-9a-f]{8})-exkubelet", re.DOTALL)
_DEFAULT_ACCOUNT = re.compile(r"[0-9]+-compute@developer\.gserviceaccount\.com")
_SECURE_TAG = re.compile(r"tagValues/[0-9]+")
_KUBELET_ALONE = (((10255, 10255),), (), (), (), (), ())


class Side:
    """What one side of a rule says of an address: YES within `spans` (None: everywhere), else MAYBE or NO.

    `low` and `high` bound `spans`. `touches_all` says whether there is no address that it surely leaves out,
    `of_all` whether it says the same of every address.
    """

    __slots__ = ("high", "low", "maybe", "of_all", "spans", "touches_all")

    def __init__(self, spans: Spans | None, *, maybe: bool = False) -> None:
        self.spans = spans
        self.maybe = maybe
        self.touches_all = spans is None or maybe
        self.of_all = spans is None or not spans
        self.low = spans[0][0] if spans else 0
        self.high = spans[-1][1] if spans else -1


ANYWHERE = Side(None)
PERHAPS = Side((), maybe=True)
NOWHERE = Side(())


@lru_cache(maxsize=1 << 16)
def _spans(texts: tuple[str, ...], family: Family) -> Side:
    found = []
    for text in texts:
        parsed = parse_range(text)
        if parsed is not None and parsed[0] == family:
            found.append((parsed[1], parsed[2]))
    if not found:
        return NOWHERE
    return Side(tuple(found) if len(found) == 1 else union(found))


class Target:
    """The nodes a rule applies to: any of the tags or accounts, and any of the others, as far as given.

    `networks` are references; `same_network` says whether one means a network.
    """

    __slots__ = ("accounts", "networks", "same_network", "secure_tags", "tags")

    def __init__(
        self,
        tags: tuple[str, ...] = (),
        accounts: tuple[str, ...] = (),
        secure_tags: tuple[SecureTag, ...] = (),
        networks: tuple[str, ...] = (),
        same_network: Callable[[str, str], int] | None = None,
    ) -> None:
        self.tags = tags
        self.accounts = accounts
        self.secure_tags = secure_tags
        self.networks = networks
        self.same_network = same_network


class Identity:
    """Source nodes a rule names by tag, account or secure tag.

    They stand for the nodes' own addresses: never for IPv4 Pods. IPv6 Pods share the node's range, and what
    secure tags stand for is not settled, so that a node which bears one gives MAYBE at most.
    """

    __slots__ = ("accounts", "secure_tags", "tags")

    def __init__(
        self, tags: tuple[str, ...], accounts: tuple[str, ...], secure_tags: tuple[SecureTag, ...]
    ) -> None:
        self.tags = tags
        self.accounts = accounts
        self.secure_tags = secure_tags

    def borne_by(self, node: NodeClass) -> bool:
        """Whether the node has, or may have, one of them."""
        return (
            any(has_tag(node, tag) for tag in self.tags)
            or any(has_account(node, account) for account in self.accounts)
            or has_secure_tag(node, self.secure_tags) != NO
        )


class Compiled:
    """One rule in one direction and IP version.

    `sure` is False if some part of the rule may or may not hold wherever it matches; `why` says why anything
    about it is uncertain. `exkubelet` is the cluster hash in the name of GKE's own denial of tcp:10255.
    `place` orders the rules of one list.
    """

    __slots__ = (
        "coverage",
        "destination",
        "exkubelet",
        "identity",
        "kind",
        "place",
        "policy",
        "rule",
        "source",
        "stage",
        "sure",
        "target",
        "why",
    )

    def __init__(
        self,
        rule: FirewallRule | PolicyRule | None,
        policy: FirewallPolicy | None,
        stage: Stage,
        kind: int,
        covers: Coverage,
        source: Side,
        destination: Side,
        *,
        sure: bool,
        why: tuple[Why, ...] = (),
        target: Target | None = None,
        identity: Identity | None = None,
        exkubelet: str | None = None,
    ) -> None:
        self.rule = rule
        self.policy = policy
        self.stage: Stage = stage
        self.kind = kind
        self.coverage = covers
        self.source = source
        self.destination = destination
        self.sure = sure
        self.why = why
        self.target = target
        self.identity = identity
        self.exkubelet = exkubelet
        self.place = 0

    def decider(self) -> Decider:
        """The rule as reports name it."""
        rule = self.rule
        if rule is None:
            return Decider(None, self.why[0][0], None, self.stage, None)
        if self.policy is None:
            return Decider(
                rule.asset,  # type: ignore[union-attr]
                rule.name,  # type: ignore[union-attr]
                rule.priority,
                "vpc",
                rule.action,  # type: ignore[arg-type]
                rule.logging,
                rule.address,
            )
        action = "inspect" if rule.action == "apply_security_profile_group" else rule.action
        return Decider(
            self.policy.asset,
            rule.label,  # type: ignore[union-attr]
            rule.priority,
            self.stage,
            action,  # type: ignore[arg-type]
            rule.logging,
            rule.address,
        )


def unread(stage: Stage, why: Why) -> Compiled:
    """The stand-in for rules that were not read: it may match anything, and allow or deny it."""
    return Compiled(None, None, stage, EITHER, FULL, PERHAPS, PERHAPS, sure=False, why=(why,))


def has_tag(node: NodeClass, tag: str) -> int:
    """Whether nodes have a network tag: a user's, or the one GKE gives to every node of a cluster.

    GKE's is `gke-<cluster>-<hash>-node` (`gk3-` on Autopilot), where the cluster's name may be cut short; the
    hash is the first eight digits of the cluster's id. It is not among the pool's own tags.
    """
    if tag in node.tags:
        return YES
    named = cluster_of_tag(tag)
    if named is None or not node.cluster_name.startswith(named[0]):
        return NO
    if node.cluster_hash is None:
        return MAYBE
    return YES if named[1] == node.cluster_hash else NO


def has_account(node: NodeClass, account: str) -> int:
    """Whether nodes run as the service account.

    An unknown one is the Compute Engine default account of a project whose number is not known.
    """
    if node.service_account is None:
        return MAYBE if _DEFAULT_ACCOUNT.fullmatch(account) else NO
    return YES if account == node.service_account else NO


def has_secure_tag(node: NodeClass, tags: tuple[SecureTag, ...]) -> int:
    """Whether nodes have one of the secure tags that are in effect."""
    found = NO
    for tag in tags:
        if tag.effective is False or node.secure_tags == ():
            continue
        if node.secure_tags is None or not _SECURE_TAG.fullmatch(tag.name):
            found = max(found, MAYBE)
        elif tag.name in node.secure_tags:
            found = max(found, MAYBE if tag.effective is None else YES)
    return found


def aimed_at(target: Target, node: NodeClass) -> int:
    """Whether a rule with this target applies to the nodes."""
    found = YES
    if target.tags or target.accounts:
        found = NO
        for tag in target.tags:
            found = max(found, has_tag(node, tag))
        for account in target.accounts:
            found = max(found, has_account(node, account))
    if found and target.secure_tags:
        found = min(found, has_secure_tag(node, target.secure_tags))
    if found and target.same_network is not None:
        network = node.network or ""
        found = min(found, max(target.same_network(reference, network) for reference in target.networks))
    return found


@lru_cache(maxsize=1 << 16)
def cluster_of_tag(tag: str) -> tuple[str, str] | None:
    """Cluster name (perhaps cut short) and hash in GKE's own node tag; None for any other tag."""
    if not tag.endswith("-node"):
        return None
    parts = _NODE_TAG.fullmatch(tag)
    return (parts[1], parts[2]) if parts else None


def is_default_account(account: str) -> bool:
    """Whether it is the Compute Engine default service account of some project."""
    return _DEFAULT_ACCOUNT.fullmatch(account) is not None


def _any_ipv6(texts: tuple[str, ...]) -> bool:
    return any(":" in text for text in texts)


def _unstated(other: tuple[str, ...], family: Family) -> Side:
    """The peer of a VPC rule that states none: any IPv4 address, never IPv6 (VPC firewall rules overview).

    What it means where the other side lists IPv6 ranges is not documented.
    """
    if family == 4:
        return ANYWHERE
    return PERHAPS if _any_ipv6(other) else NOWHERE


_UNDERSTAND = "correct the asset, or export it again"


def compile_vpc_rule(
    rule: FirewallRule, direction: Direction, family: Family, coverages: Coverages
) -> Compiled | None:
    """A VPC rule; None if it can match no Pod packet of the family in this direction."""
    unclear = rule.unclear
    covers = coverages.of(rule.layer4, family)
    why: tuple[Why, ...] = ()
    if unclear:
        why = tuple(
            (f"VPC firewall rule {rule.name}: {text}", deferred.hint(text, _UNDERSTAND))
            for text in rule.problems
        )
        if "layer4" in unclear:
            covers = FULL
    if covers is None:
        return None
    ingress = direction == "INGRESS"
    identity: Identity | None = None
    if rule.source_ranges or rule.source_tags or rule.source_service_accounts:
        source = _spans(rule.source_ranges, family)
        if family == 6 and (rule.source_tags or rule.source_service_accounts):
            identity = Identity(rule.source_tags, rule.source_service_accounts, ())
            why += ((f"VPC firewall rule {rule.name} names sources of IPv6 packets by node", _BY_RANGE),)
    elif ingress:
        source = _unstated(rule.destination_ranges, family)
    else:
        source = ANYWHERE
    if rule.destination_ranges:
        destination = _spans(rule.destination_ranges, family)
    elif ingress:
        destination = ANYWHERE
    else:
        destination = _unstated(rule.source_ranges, family)
    if unclear:
        # What a side means that is not stated depends on the other side.
        if "source" in unclear:
            source = PERHAPS
            destination = destination if rule.destination_ranges or destination is ANYWHERE else PERHAPS
        if "destination" in unclear:
            source = source if identity or rule.source_ranges or source is ANYWHERE else PERHAPS
            destination = PERHAPS
    elif (source is NOWHERE and identity is None) or destination is NOWHERE:
        return None
    if family == 6 and (source is PERHAPS or destination is PERHAPS) and not unclear:
        why += ((f"VPC firewall rule {rule.name} states one side only, and in IPv6", _BOTH_SIDES),)
    kind = DENY if rule.action == "deny" else ALLOW
    if "action" in unclear:
        kind = EITHER
    exkubelet = None
    if ingress and kind == ALLOW and rule.priority == LAST_VPC_PRIORITY:
        # The documents do not say which of the two wins.
        kind = TIE
        why += (
            (f"VPC firewall rule {rule.name} ties with the implied deny", "give it a priority below 65535"),
        )
    elif ingress and kind == DENY and covers.slots == _KUBELET_ALONE:
        named = _EXKUBELET.fullmatch(rule.name)
        exkubelet = named[1] if named else None
    target = None
    if (rule.target_tags or rule.target_service_accounts) and "target" not in unclear:
        target = Target(rule.target_tags, rule.target_service_accounts)
    return Compiled(
        rule,
        None,
        "vpc",
        kind,
        covers,
        source,
        destination,
        sure=not unclear,
        why=why,
        target=target,
        identity=identity,
        exkubelet=exkubelet,
    )


_BY_RANGE = "give the rule IPv6 ranges instead"
_BOTH_SIDES = "give the rule IPv6 ranges on both sides"


class PolicyCompiler:
    """Compiles the rules of policies.

    `same_network` says whether a reference means a network (NO, MAYBE, YES), `group` finds an address group.
    """

    def __init__(
        self,
        same_network: Callable[[str, str], int],
        group: Callable[[str], AddressGroup | None],
        coverages: Coverages,
    ) -> None:
        self._coverages = coverages
        self._same_network = same_network
        self._group = group

    def compile(
        self,
        rule: PolicyRule,
        policy: FirewallPolicy,
        stage: Stage,
        direction: Direction,
        family: Family,
        *,
        network: str,
        applies: int,
    ) -> Compiled | None:
        """A policy rule at nodes of `network`; None if it can match no Pod packet of the family there.

        `applies` MAYBE caps every match. Only a rule that matches by VPC network depends on `network` here.
        """
        unclear = rule.unclear
        covers = self._coverages.of(rule.layer4, family) if rule.layer4 else FULL
        if "layer4" in unclear:
            covers = FULL
        if covers is None:
            return None
        label = f"rule {rule.priority} of firewall policy {policy.name}"
        why: list[Why] = []
        if unclear:
            why = [(f"{label}: {text}", deferred.hint(text, _UNDERSTAND)) for text in rule.problems]
        if rule.target_forwarding_rules or rule.target_type not in ("", "INSTANCES", "INTERNAL_MANAGED_LB"):
            if rule.target_forwarding_rules and "target" not in unclear:
                return None
            unclear = unclear | {"target"}
            why.append((f"{label} has the target type {rule.target_type!r}", _UNDERSTAND))
        elif rule.target_type == "INTERNAL_MANAGED_LB" and "target" not in unclear:
            return None
        sure = not unclear and applies == YES
        if applies == MAYBE:
            why.append((f"firewall policy {policy.name} may apply to the network", _UNDERSTAND))
        target = None
        if "target" not in unclear:
            networks = rule.target_resources
            if rule.target_service_accounts or rule.target_secure_tags or networks:
                target = Target(
                    (),
                    rule.target_service_accounts,
                    rule.target_secure_tags,
                    networks,
                    self._same_network if networks else None,
                )
        ingress = direction == "INGRESS"
        source, cap = self._side(rule.source, family, label, why, network, peer=ingress)
        if "source" in unclear:
            source, cap = PERHAPS, MAYBE
        destination, other = self._side(rule.destination, family, label, why, network, peer=not ingress)
        if "destination" in unclear:
            destination, other = PERHAPS, MAYBE
        identity: Identity | None = None
        if (
            rule.source.secure_tags
            and cap != NO
            and any(t.effective is not False for t in rule.source.secure_tags)
        ):
            identity = Identity((), (), rule.source.secure_tags)
            why.append((f"{label} names sources by secure tag", "give the rule IP ranges instead"))
        nowhere = (source is NOWHERE and identity is None) or destination is NOWHERE
        if nowhere or cap == NO or other == NO:
            return None
        kind = _KINDS[rule.action]
        if "action" in unclear:
            kind = EITHER
        if rule.action == "apply_security_profile_group":
            why.append((f"{label} inspects layer 7", "look at its security profile group"))
        return Compiled(
            rule,
            policy,
            stage,
            kind,
            covers,
            source,
            destination,
            sure=sure and cap == YES and other == YES,
            why=tuple(why),
            target=target,
            identity=identity,
        )

    def _side(
        self, end: PolicyEndpoint, family: Family, label: str, why: list[Why], network: str, *, peer: bool
    ) -> tuple[Side, int]:
        """One side of the match, and the most it can say given the network context."""
        cap = YES
        if end.network_context == "INTERNET":
            cap = NO
        elif end.network_context == "VPC_NETWORKS":
            # Whether a network that is listed stands for its own Pods is not documented.
            listed = any(self._same_network(reference, network) for reference in end.networks)
            cap = MAYBE if listed else NO
            if cap == MAYBE:
                why.append((f"{label} matches by VPC network", "give the rule IP ranges instead"))
        texts = list(end.ip_ranges)
        vague = False
        for reference in end.address_groups:
            group = self._group(reference)
            if group is None or group.problems:
                vague = True
                why.append((f"{label}: address group {reference} is not in the inventory", _GROUPS))
            if group is not None:
                texts.extend(group.items)
        for what, given in (
            ("FQDNs", end.fqdns),
            ("regions", end.region_codes),
            ("threat intelligence", end.threat_intelligences),
        ):
            if given:
                vague = True
                why.append((f"{label} matches by {what}", "compare its lists with the Pod ranges"))
        stated = end.ip_ranges or end.address_groups or end.secure_tags or vague
        if not stated:
            if peer and family == 6:
                why.append((f"{label} states no peer, which may or may not mean IPv6", _BOTH_SIDES))
                return PERHAPS, cap
            return ANYWHERE, cap
        side = _spans(tuple(texts), family) if texts else NOWHERE
        if vague:
            side = Side(side.spans, maybe=True) if side.spans else PERHAPS
        return side, cap


_KINDS = {"allow": ALLOW, "deny": DENY, "goto_next": GOTO, "apply_security_profile_group": EITHER}
_GROUPS = "export networksecurity.googleapis.com/AddressGroup assets too"
