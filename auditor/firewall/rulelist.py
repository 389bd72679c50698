"""The rules of one policy, or of a VPC network, in evaluation order and indexed by what they match."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from auditor.firewall.compiled import (
    GOTO,
    MAYBE,
    NO,
    YES,
    Compiled,
    Side,
    aimed_at,
    cluster_of_tag,
    is_default_account,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.firewall.intervals import Spans
    from auditor.model.facts import NodeClass

Hit = tuple[int, Compiled, bool]
"""A rule that may concern some packets: its place in the list, the rule, whether it surely applies."""

_LINEAR = 5
"""Up to this many rules, looking at each is cheaper than an index."""


def touches(side: Side, spans: Spans) -> bool:
    """Whether a rule's side may match any address of `spans`."""
    if side.touches_all:
        return True
    own = side.spans or ()
    if side.high < spans[0][0] or side.low > spans[-1][1]:
        return False
    if len(own) == 1 and len(spans) == 1:
        return True
    for low, high in spans:
        at = bisect_left(own, (high + 1, 0)) - 1
        if at >= 0 and own[at][1] >= low:
            return True
    return False


class Nested:
    """Which rules touch a range of addresses: a tree of the ranges that still last where another begins.

    CIDRs nest, so that a look-up climbs a few steps; ranges that overlap otherwise only make it climb more.
    """

    __slots__ = ("_ends", "_members", "_parents", "_starts", "_unbound")

    def __init__(self, sides: Sequence[Side]) -> None:
        by_span: dict[tuple[int, int], list[int]] = {}
        self._unbound = [i for i, side in enumerate(sides) if side.touches_all]
        for position, side in enumerate(sides):
            if not side.touches_all:
                for span in side.spans or ():
                    by_span.setdefault(span, []).append(position)
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._parents: list[int] = []
        self._members: list[list[int]] = []
        stack: list[int] = []
        for low, high in sorted(by_span, key=lambda span: (span[0], -span[1])):
            while stack and self._ends[stack[-1]] < low:
                stack.pop()
            self._parents.append(stack[-1] if stack else -1)
            stack.append(len(self._starts))
            self._starts.append(low)
            self._ends.append(high)
            self._members.append(by_span[low, high])

    def touching(self, spans: Spans) -> list[int]:
        """The positions of the rules that may match an address of `spans`, sorted."""
        found = set(self._unbound)
        starts, ends, parents, members = self._starts, self._ends, self._parents, self._members
        for low, high in spans:
            first = bisect_right(starts, low)
            node = first - 1
            while node >= 0:
                if ends[node] >= low:
                    found.update(members[node])
                node = parents[node]
            for node in range(first, bisect_right(starts, high)):
                found.update(members[node])
        return sorted(found)


class Group:
    """Some rules of a list, and those among them that may match packets between two sets of addresses.

    `alike` says whether the rules make no difference between addresses, or between clusters.
    """

    __slots__ = ("_by_source", "_everywhere", "_nested", "alike", "hits")

    def __init__(self, hits: list[Hit]) -> None:
        self.hits = hits
        self._everywhere = all(
            (rule.identity is not None or rule.source.touches_all) and rule.destination.touches_all
            for _, rule, _ in hits
        )
        self.alike = self._everywhere and all(
            rule.identity is None
            and rule.exkubelet is None
            and rule.source.of_all
            and rule.destination.of_all
            for _, rule, _ in hits
        )
        self._nested: Nested | None = None
        self._by_source = True

    def touching(self, sources: Spans, destinations: Spans) -> list[Hit]:
        """The rules that may match a packet from `sources` to `destinations`, in order.

        A rule that names source nodes by identity counts as one that may match any source.
        """
        hits = self.hits
        if self._everywhere:
            return hits
        if len(hits) <= _LINEAR:
            return [
                hit
                for hit in hits
                if (hit[1].identity is not None or touches(hit[1].source, sources))
                and touches(hit[1].destination, destinations)
            ]
        if self._nested is None:
            self._nested = self._build()
        if self._by_source:
            near = (hits[i] for i in self._nested.touching(sources))
            return [hit for hit in near if touches(hit[1].destination, destinations)]
        near = (hits[i] for i in self._nested.touching(destinations))
        return [hit for hit in near if hit[1].identity is not None or touches(hit[1].source, sources)]

    def _build(self) -> Nested:
        """An index over whichever side more of the rules constrain."""
        everywhere = Side(None)
        sources = [everywhere if rule.identity is not None else rule.source for _, rule, _ in self.hits]
        destinations = [rule.destination for _, rule, _ in self.hits]
        bound = [sum(not side.touches_all for side in sides) for sides in (sources, destinations)]
        self._by_source = bound[0] >= bound[1]
        return Nested(sources if self._by_source else destinations)


class RuleList:
    """The rules of one policy, or of a VPC network, for one direction and IP version.

    Rules that target certain nodes are found by what they target, so that they cost other nodes nothing.
    `rules` are all of them, in order; no group holds a goto_next at the end, which changes nothing.
    """

    __slots__ = (
        "_by_account",
        "_by_hash",
        "_by_network",
        "_by_secure_tag",
        "_by_tag",
        "_default_accounts",
        "_for_all",
        "_networks",
        "_own",
        "_shared",
        "common",
        "rules",
        "targeted",
    )

    def __init__(self, rules: Iterable[Compiled]) -> None:
        self.rules = tuple(rules)
        common: list[Hit] = []
        self._by_tag: dict[str, list[Compiled]] = {}
        self._by_hash: dict[str, list[Compiled]] = {}
        self._by_account: dict[str, list[Compiled]] = {}
        self._by_secure_tag: list[Compiled] = []
        self._default_accounts: list[Compiled] = []
        self._by_network: list[Compiled] = []
        self._networks = False
        last = max((place for place, rule in enumerate(self.rules) if rule.kind != GOTO), default=-1)
        for place, rule in enumerate(self.rules[: last + 1]):
            rule.place = place
            target = rule.target
            if target is None:
                common.append((place, rule, rule.sure))
                continue
            for tag in target.tags:
                self._by_tag.setdefault(tag, []).append(rule)
                named = cluster_of_tag(tag)
                if named is not None:
                    self._by_hash.setdefault(named[1], []).append(rule)
            for account in target.accounts:
                self._by_account.setdefault(account, []).append(rule)
                if is_default_account(account):
                    self._default_accounts.append(rule)
            self._networks = self._networks or bool(target.networks)
            if not target.tags and not target.accounts:
                (self._by_secure_tag if target.secure_tags else self._by_network).append(rule)
        self.common = Group(common)
        self.targeted = len(common) <= last
        self._for_all = [self.common] if common else []
        self._shared: dict[tuple[object, ...], Group] = {}
        self._own: dict[tuple[object, ...], Group] = {}

    def groups(self, node: NodeClass) -> list[Group]:
        """The rules that concern the nodes: those for all, for their tags and accounts, for their cluster."""
        if not self.targeted:
            return self._for_all
        found = list(self._for_all)
        own: list[Compiled] = []
        if self._by_hash:
            if node.cluster_hash is not None:
                own = self._by_hash.get(node.cluster_hash, own)
            else:
                own = [rule for rules in self._by_hash.values() for rule in rules]
        by_tag = self._by_tag
        tags = tuple(sorted(tag for tag in node.tags if tag in by_tag)) if by_tag else ()
        account = node.service_account
        by_account = self._default_accounts if account is None else self._by_account.get(account, [])
        secure = node.secure_tags if self._by_secure_tag else ()
        if tags or by_account or secure != () or self._by_network:
            key: tuple[object, ...] = (tags, account if by_account else False, secure)
            if self._networks:
                key += (node.network,)
            if by_account:
                # Such a rule may demand secure tags as well, or name a tag of this cluster.
                key += (node.secure_tags,)
                key += (node.cluster_name, node.cluster_hash) if account is None else ()
            shared = self._shared.get(key)
            if shared is None:
                candidates = [rule for tag in tags for rule in by_tag[tag]]
                candidates += by_account
                candidates += self._by_secure_tag if secure != () else []
                candidates += self._by_network
                shared = self._shared[key] = Group(_applying(candidates, node))
            if shared.hits:
                found.append(shared)
        else:
            shared = None
        if own:
            of_cluster = (id(shared), node.cluster_name, node.cluster_hash)
            group = self._own.get(of_cluster)
            if group is None:
                taken = {place for place, _, _ in shared.hits} if shared is not None else set()
                left = (rule for rule in own if rule.place not in taken)
                group = self._own[of_cluster] = Group(_applying(left, node))
            if group.hits:
                found.append(group)
        return found

    def node_tag(self, cluster_name: str, cluster_hash: str) -> str | None:
        """GKE's own node tag of a cluster, as a rule of the list spells it."""
        for rule in self._by_hash.get(cluster_hash, ()):
            for tag in rule.target.tags if rule.target is not None else ():
                named = cluster_of_tag(tag)
                if named is not None and named[1] == cluster_hash and cluster_name.startswith(named[0]):
                    return tag
        return None


def _applying(rules: Iterable[Compiled], node: NodeClass) -> list[Hit]:
    """The rules that apply, or may apply, to the nodes; each once, in order."""
    found: dict[int, Hit] = {}
    for rule in rules:
        if rule.place in found or rule.target is None:
            continue
        applies = aimed_at(rule.target, node)
        if applies != NO:
            found[rule.place] = (rule.place, rule, rule.sure and applies == YES)
    return [found[place] for place in sorted(found)]


def uncertain_target(rule: Compiled, node: NodeClass) -> bool:
    """Whether it cannot be told if the rule applies to the nodes."""
    return rule.target is not None and aimed_at(rule.target, node) == MAYBE


def order(rules: Iterable[Compiled]) -> list[Compiled]:
    """Rules as they are evaluated: lower priority first, denials first at equal priority (Compute API v1).

    One whose priority is unclear may come anywhere; as it matches perhaps and goes on, first stands for all.
    """
    return sorted(rules, key=_rank)


def _rank(rule: Compiled) -> tuple[int, int, str]:
    source = rule.rule
    if source is None or "priority" in source.unclear:
        return (-1, 0, "")
    return (source.priority, source.action != "deny", getattr(source, "asset", ""))
