"""The firewall analysis of clusters: which packets between Pods are allowed, denied, or cannot be told."""

from __future__ import annotations

from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from auditor.firewall.chain import Chains
from auditor.firewall.compiled import MAYBE, aimed_at
from auditor.firewall.decide import (
    ALLOWED,
    BOTH,
    DENIED,
    IMPLIED,
    SURELY_ALLOWED,
    SURELY_DENIED,
    UNDECIDED,
    Solver,
    flag,
)
from auditor.firewall.intervals import union
from auditor.firewall.layer4 import NAMES, SLOTS, UNIVERSE, WITH_PORTS
from auditor.firewall.view import Space, View
from auditor.model import deferred
from auditor.model.addresses import parse_range
from auditor.model.evidence import Evidence, Unknown
from auditor.model.traffic import (
    EVERYDAY,
    KUBELET_READ_ONLY,
    NOTHING_KNOWN,
    Area,
    Boxes,
    Decider,
    Row,
    ScopeTraffic,
    Traffic,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from auditor.firewall.chain import Chain
    from auditor.firewall.compiled import Compiled, Identity, Why
    from auditor.firewall.decide import Result
    from auditor.firewall.decide import Row as ResultRow
    from auditor.firewall.intervals import Span, Spans
    from auditor.firewall.rulelist import Hit
    from auditor.firewall.view import Piece, Pools, Ruling, Told
    from auditor.model.addresses import Family
    from auditor.model.facts import NodeClass, NodeClasses, Pods
    from auditor.model.inventory import Inventory
    from auditor.model.network import Direction
    from auditor.model.traffic import Direction as BoxDirection
    from auditor.model.traffic import TrafficVerdict

T = TypeVar("T", bound=tuple[int, ...])

_Verdicts = tuple["TrafficVerdict", "Mapping[str, TrafficVerdict]", "TrafficVerdict", "TrafficVerdict"]

FAMILIES: tuple[Family, ...] = (4, 6)

PAIR_LIMIT = 200_000
"""How many pairs of pieces are looked at for one cluster and scope before the answer is `unknown`."""

BOX_LIMIT = 100_000
"""How many boxes one cluster and scope may have, likewise."""

_PLACE = itemgetter(0)
_DEFAULT_BLOCK: dict[Family, int] = {4: 24, 6: 112}
_ALL_UNDECIDED = sum(flag(slot, UNDECIDED) for slot in range(SLOTS))
IMPLIED_EGRESS = Decider(None, "implied allow egress", None, "implied", "allow")
IMPLIED_INGRESS = Decider(None, "implied deny ingress", None, "implied", "deny")
_LIMIT: Why = (
    "analysis limit: the rules cut the Pod ranges into too many pieces to look at each pair",
    "trace single packets with `gke-auditor trace`",
)


class LimitError(Exception):
    """The exact answer would take more work than the limits allow."""


class ClusterPods:
    """The pools of one cluster that can be analysed: spans by IP version, block sizes, node classes.

    `incomplete` names the pools of which some range is not known, `why` says what is missing.
    """

    __slots__ = ("blocks", "classes", "incomplete", "names", "spans", "why")

    def __init__(self, pods: Pods, classes: tuple[NodeClass, ...]) -> None:
        of_pool = {name: node for node in classes for name in node.pools}
        self.names: list[str] = []
        self.classes: list[NodeClass] = []
        self.spans: dict[Family, list[Spans]] = {4: [], 6: []}
        self.blocks: dict[Family, list[int]] = {4: [], 6: []}
        self.why: list[Why] = []
        self.incomplete: set[str] = set()
        for pool in pods.pools:
            node = of_pool.get(pool.name)
            if node is None:
                self.why.append(
                    (f"what the firewall sees of the nodes of pool {pool.name} is not known", _POOLS)
                )
                continue
            ipv4, ipv6, understood = _spans_of(pool.ranges)
            if not (understood and pool.resolved and pool.ranges):
                self.incomplete.add(pool.name)
                self.why.append(_range_unknown(pods, pool.name))
            self.names.append(pool.name)
            self.classes.append(node)
            self.spans[4].append(ipv4)
            self.spans[6].append(ipv6)
            self.blocks[4].append(32 - (_DEFAULT_BLOCK[4] if pool.ipv4_block is None else pool.ipv4_block))
            self.blocks[6].append(128 - (_DEFAULT_BLOCK[6] if pool.ipv6_block is None else pool.ipv6_block))
        if len(of_pool) > len(self.names):
            known = {pool.name for pool in pods.pools}
            missing = (name for name in of_pool if name not in known)
            self.why.extend((f"some Pod range of pool {name} is not known", _RANGES) for name in missing)
        if not self.names and not self.why:
            self.why.append(("the cluster has no node pools", "export the cluster with its nodePools"))


def _range_unknown(pods: Pods, pool: str) -> Why:
    """That a Pod range of the pool is not known; of a plan, what leaves it open."""
    for one in pods.unresolved:
        if pool in one.pools and deferred.is_about(one.reason):
            return f"some Pod range of pool {pool} is not known: {one.reason.rstrip('.')}", deferred.HINT
    return f"some Pod range of pool {pool} is not known", _RANGES


@lru_cache(maxsize=1 << 10)
def _spans_of(texts: tuple[str, ...]) -> tuple[Spans, Spans, bool]:
    """The ranges of each IP version, and whether all of them were understood."""
    parsed = [parse_range(text) for text in texts]
    known = [found for found in parsed if found is not None]
    ipv4 = union((found.low, found.high) for found in known if found.family == 4)
    ipv6 = union((found.low, found.high) for found in known if found.family == 6)
    return ipv4, ipv6, len(known) == len(parsed)


_POOLS = "export container.googleapis.com/NodePool assets too"
_RANGES = "export compute.googleapis.com/Subnetwork assets of the network's project too"


class Part:
    """A view together with the pools whose packets it is about.

    `network` is that of the nodes which the rules are those of, `hits` are the rules that may match.
    """

    __slots__ = ("_make", "direction", "hits", "network", "sources", "targets", "view")

    def __init__(
        self,
        direction: Direction,
        network: str | None,
        hits: dict[int, list[Hit]],
        view: View,
        make: Callable[..., View],
        sources: Pools,
        targets: Pools,
    ) -> None:
        self.direction: Direction = direction
        self.network = network
        self.hits = hits
        self.view = view
        self._make = make
        self.sources = sources
        self.targets = targets

    def complete(self) -> View:
        """The view with the rules behind one that decides every packet, too."""
        return self._make(complete=True) if self.view.cut else self.view


class Analyzer:
    """Analyses the clusters of one inventory; rules are compiled, and questions answered, once for all."""

    def __init__(self, inventory: Inventory) -> None:
        self.chains = Chains(inventory)
        self.solver = Solver()
        self._protocols: dict[tuple[int, int], dict[str, TrafficVerdict]] = {}
        self._verdicts: dict[tuple[int, ...], _Verdicts] = {}
        self._deciders: dict[int, tuple[Compiled, Decider]] = {}
        self._views: dict[tuple[int, Direction, Family], View] = {}
        self._told: dict[tuple[object, ...], tuple[Sequence[Compiled], Told]] = {}

    def traffic(
        self, pods: Pods, classes: NodeClasses, watch: Callable[[Part], None] | None = None
    ) -> Traffic:
        """What happens to packets between Pods of a cluster, on one node and between any two.

        `watch` is shown every part of the cluster that is looked at.
        """
        if classes.classes is None:
            reasons = tuple(f"{u.reason}; {u.hint}" for u in classes.unknowns) or (
                f"the node pools of the cluster are not known; {_POOLS}",
            )
            nothing = ScopeTraffic("unknown", NOTHING_KNOWN, "unknown", "unknown", (), (), (), reasons)
            unknowns = classes.unknowns or (
                Unknown("node_classes.classes", "the node pools are not known", _POOLS),
            )
            return Traffic(nothing, nothing, (), unknowns)
        cluster = ClusterPods(pods, classes.classes)
        same, anywhere = _Scope(self, cluster), _Scope(self, cluster)
        parts = {family: self.parts(cluster, family) for family in FAMILIES}
        if watch is not None:
            for family in FAMILIES:
                for part in parts[family]:
                    watch(part)
        alike = all(map(_all_allowed, parts.values()))
        for family in FAMILIES:
            if parts[family]:
                anywhere.any_node(family, parts[family])
                if not alike:
                    same.same_node(family, parts[family], anywhere)
        everywhere = anywhere.done()
        found = Traffic(everywhere if alike else same.done(), everywhere)
        why = dict.fromkeys((*same.why, *anywhere.why))
        if not why and not found.any_node.denied and not found.same_node.denied:
            return found
        evidence: dict[object, Evidence] = {}
        denied = found.any_node.denied
        for direction, by in denied.deciders() if isinstance(denied, Boxes) else ():
            if by.asset is not None:
                evidence[by.asset, by.priority, by.rule] = Evidence(
                    by.asset, f"rule {by.rule!r}", f"{by.action} {direction}"
                )
        return Traffic(
            found.same_node,
            found.any_node,
            tuple(evidence.values()),
            _unknowns(tuple(why)),
        )

    def parts(self, cluster: ClusterPods, family: Family) -> list[Part]:
        """Both directions at every kind of node that the rules tell apart, over all Pods of an IP version."""
        spans = cluster.spans[family]
        pools = [index for index, found in enumerate(spans) if found]
        if not pools:
            return []
        spaces: dict[Pools, Space] = {}

        def space(members: Pools) -> Space:
            found = spaces.get(members)
            if found is None:
                found = spaces[members] = Space(
                    [(index, spans[index]) for index in pools if index in members]
                )
            return found

        everyone = frozenset(pools)
        everywhere = space(everyone).spans
        parts: list[Part] = []
        for direction in ("EGRESS", "INGRESS"):
            for targets, hits in self._kinds(cluster, pools, direction, family, everywhere):
                node = cluster.classes[min(targets)]
                chain = self.chains.chain(node.network, node.region)
                # Egress rules see one node, the source; ingress rules may tell sources apart as well.
                peers = targets if direction == "EGRESS" else everyone
                for sources in _by_bearing(cluster, peers, hits):
                    destinations = everyone if direction == "EGRESS" else targets
                    make = partial(
                        View,
                        self.solver,
                        chain,
                        hits,
                        direction,
                        space(sources),
                        space(destinations),
                        cluster_hash=node.cluster_hash,
                        borne=partial(_borne, cluster.classes[min(sources)]),
                    )
                    view = self._view(
                        chain, hits, direction, family, make, space(sources), space(destinations)
                    )
                    parts.append(Part(direction, node.network, hits, view, make, sources, destinations))
        return parts

    def _view(
        self,
        chain: Chain,
        hits: dict[int, list[Hit]],
        direction: Direction,
        family: Family,
        make: Callable[[], View],
        sources: Space,
        destinations: Space,
    ) -> View:
        """A view of the hits; where they treat all clusters alike, its rulings are those of all."""
        if hits is not chain.alike(direction, family):
            return make()
        key = (id(chain), direction, family)
        known = self._views.get(key)
        if known is None:
            known = self._views[key] = make()
        return known.over(sources, destinations)

    def _kinds(
        self, cluster: ClusterPods, pools: Sequence[int], direction: Direction, family: Family, spans: Spans
    ) -> list[tuple[Pools, dict[int, list[Hit]]]]:
        """The pools by the rules that apply to their nodes and may match packets, which come with them."""
        found: dict[tuple[int, ...], tuple[list[int], dict[int, list[Hit]]]] = {}
        seen: dict[int, list[int]] = {}
        touching: dict[int, list[Hit]] = {}
        for index in pools:
            node = cluster.classes[index]
            members = seen.get(id(node))
            if members is not None:
                members.append(index)
                continue
            chain = self.chains.chain(node.network, node.region)
            key = [id(chain)]
            alike = chain.alike(direction, family)
            if alike is not None:
                entry = found.setdefault(tuple(key), ([], alike))
                entry[0].append(index)
                seen[id(node)] = entry[0]
                continue
            common, targeted = chain.active(direction, family)
            near: list[tuple[int, list[Hit]]] = []
            for step, rules in targeted:
                for group in rules.groups(node):
                    hits = touching.get(id(group))
                    if hits is None:
                        hits = touching[id(group)] = group.touching(spans, spans)
                    if hits:
                        near.append((step, hits))
                        key.append(id(hits))
            if tuple(key) not in found:
                by_step: dict[int, list[Hit]] = {}
                for step, group in common:
                    hits = group.touching(spans, spans)
                    if hits:
                        by_step[step] = hits
                for step, hits in near:
                    by_step[step] = sorted(by_step[step] + hits, key=_PLACE) if step in by_step else hits
                found[tuple(key)] = ([], by_step)
            entry = found[tuple(key)]
            entry[0].append(index)
            seen[id(node)] = entry[0]
        return [(frozenset(members), hits) for members, hits in found.values()]

    def decider(self, rule: Compiled) -> Decider:
        """The rule as reports name it; one object for each rule."""
        found = self._deciders.get(id(rule))
        if found is None:
            found = (rule, rule.decider())
            self._deciders[id(rule)] = found
        return found[1]

    def told(self, family: Family, part: Part, ruling: Ruling, node: NodeClass) -> Told:
        """What a ruling at nodes of a class does not surely allow, and the reasons of what is undecided.

        Where the same rules decide alike for many clusters, the clusters share it.
        """
        result = ruling.result
        named = [ruling.rules[position] for position in result.harming]
        unknown_order = part.view.chain.unknown_order
        key = (family, part.direction, result.number, unknown_order, *map(id, named))
        found = self._told.get(key)
        if found is None:
            told, of_all = self._tell(family, part.direction, ruling, node, unknown_order)
            if not of_all:
                return told
            # The rules are kept, so that their identities stay their own.
            found = self._told[key] = (named, told)
        return found[1]

    def _tell(
        self, family: Family, direction: Direction, ruling: Ruling, node: NodeClass, unknown_order: Why | None
    ) -> tuple[Told, bool]:
        """The same anew, and whether it holds for nodes of every class that the rules apply to."""
        rows: tuple[list[Row], list[Row]] = ([], [])
        why: dict[Why, None] = {}
        of_all = True
        for row in ruling.result.rows:
            outcome = row[3]
            if outcome == ALLOWED:
                continue
            rules = [None if position == IMPLIED else ruling.rules[position] for position in row[4]]
            if len(rules) > 1:
                # With two orders a rule stands there twice; its last place counts.
                rules = list({id(rule): rule for rule in reversed(rules)}.values())[::-1]
            if outcome == BOTH:
                for rule in filter(None, rules):
                    why.update(dict.fromkeys(rule.why))
                    if rule.target is not None:
                        of_all = False
                        if aimed_at(rule.target, node) == MAYBE:
                            why[target_reason(self.decider(rule), node)] = None
                if unknown_order is not None:
                    why[unknown_order] = None
            rows[outcome != DENIED].append(self._row(family, direction, row, rules))
        return (tuple(rows[0]), tuple(rows[1]), tuple(why)), of_all

    def _row(
        self, family: Family, direction: Direction, row: ResultRow, rules: Sequence[Compiled | None]
    ) -> Row:
        """A row of a result as reports tell it, `rules` (None: the implied one) being what may decide."""
        slot, low, high, outcome, _, benign = row
        implied = IMPLIED_EGRESS if direction == "EGRESS" else IMPLIED_INGRESS
        candidates = tuple(implied if rule is None else self.decider(rule) for rule in rules)
        return Row(
            slot,
            NAMES[family][slot],
            (low, high) if slot < WITH_PORTS else None,
            None if outcome == BOTH else candidates[-1],
            candidates,
            KUBELET_READ_ONLY if benign else None,
        )

    def verdicts(self, plain: tuple[int, int], mild: tuple[int, int]) -> _Verdicts:
        """Overall, by protocol, over the everyday protocols and the rest, from the flags of both IP versions.

        `mild` are the flags with benign denials as if they were allowed; 0 stands for no Pods of a version.
        """
        key = (*plain, *mild)
        found = self._verdicts.get(key)
        if found is None:
            by_protocol, softened = self.by_protocol(*plain), self.by_protocol(*mild)
            found = self._verdicts[key] = (
                _overall(by_protocol.values()),
                by_protocol,
                _overall(v for name, v in softened.items() if name in EVERYDAY),
                _overall(v for name, v in softened.items() if name not in EVERYDAY),
            )
        return found

    def by_protocol(self, ipv4: int, ipv6: int) -> dict[str, TrafficVerdict]:
        """The verdict of each protocol, from the flags of both IP versions (0: no Pods of that version)."""
        found = self._protocols.get((ipv4, ipv6))
        if found is None:
            bits: dict[str, int] = {}
            for names, flags in ((NAMES[4], ipv4), (NAMES[6], ipv6)):
                if flags:
                    for slot, name in enumerate(names):
                        bits[name] = bits.get(name, 0) | (flags >> 3 * slot & 7)
            found = self._protocols[ipv4, ipv6] = {name: _verdict(value) for name, value in bits.items()}
        return found


def _all_allowed(parts: list[Part]) -> bool:
    """Whether all packets of both directions meet the same rules, and are allowed."""
    return not parts or (len(parts) == 2 and all(part.view.allowed for part in parts))


def _borne(node: NodeClass, identity: Identity) -> bool:
    return identity.borne_by(node)


def _verdict(flags: int) -> TrafficVerdict:
    if flags & SURELY_DENIED:
        return "denied" if flags == SURELY_DENIED else "partial"
    return "allowed" if flags == SURELY_ALLOWED else "unknown"


def _by_bearing(cluster: ClusterPods, pools: Pools, hits: dict[int, list[Hit]]) -> list[Pools]:
    """The pools split by which identities that rules name as sources their nodes bear, or may bear."""
    identities = [rule.identity for step in hits.values() for _, rule, _ in step if rule.identity is not None]
    if not identities:
        return [pools]
    split: dict[tuple[bool, ...], list[int]] = {}
    for index in sorted(pools):
        node = cluster.classes[index]
        split.setdefault(tuple(identity.borne_by(node) for identity in identities), []).append(index)
    return [frozenset(members) for members in split.values()]


_Made = tuple[tuple[Row, ...], tuple[Row, ...]]
"""The rows of a ruling that deny packets, and those that leave them undecided."""

_NOTHING: _Made = ((), ())
_DIRECTIONS: dict[Direction, BoxDirection] = {"EGRESS": "egress", "INGRESS": "ingress"}


class _Scope:
    """Collects the answer for one scope of one cluster."""

    __slots__ = (
        "_analyzer",
        "_boxes",
        "_cluster",
        "_deciders",
        "_denied",
        "_flags",
        "_mild",
        "_names",
        "_undecided",
        "_work",
        "why",
    )

    def __init__(self, analyzer: Analyzer, cluster: ClusterPods) -> None:
        self._analyzer = analyzer
        self._cluster = cluster
        self._flags: dict[Family, int] = {4: 0, 6: 0}
        self._mild: dict[Family, int] = {4: 0, 6: 0}
        self._denied: list[Area] = []
        self._undecided: list[Area] = []
        self._boxes = 0
        self._deciders: dict[int, Compiled] = {}
        self._names: dict[Pools, tuple[str, ...]] = {}
        self._work = 0
        self.why: dict[Why, None] = dict.fromkeys(cluster.why)

    def any_node(self, family: Family, parts: list[Part]) -> None:
        """Packets between any two Pods."""
        try:
            for egress in parts:
                if egress.direction == "EGRESS":
                    for ingress in parts:
                        if ingress.direction == "INGRESS":
                            self._meet(family, egress, ingress)
            for part in parts:
                self._boxes_anywhere(family, part)
        except LimitError:
            self._give_up(family)

    def same_node(self, family: Family, parts: list[Part], anywhere: _Scope) -> None:
        """Packets between two Pods on one node: of one pool, in one aligned block.

        `anywhere` is the answer for any two nodes, which these packets are among.
        """
        cluster = self._cluster
        leaving = {index: part for part in parts if part.direction == "EGRESS" for index in part.sources}
        groups: dict[tuple[Spans, int, Part, Part], list[int]] = {}
        for part in parts:
            if part.direction == "INGRESS":
                for index in sorted(part.targets & part.sources):
                    key = (cluster.spans[family][index], cluster.blocks[family][index], leaving[index], part)
                    groups.setdefault(key, []).append(index)
        bound = anywhere.flags(family)
        try:
            for (_, shift, egress, ingress), members in groups.items():
                self._meet_on_blocks(family, shift, egress.view, ingress.view, members, bound)
                for part in (egress, ingress):
                    self._boxes_on_blocks(family, shift, part, members)
        except LimitError:
            self._give_up(family, same_node=True)

    def flags(self, family: Family) -> tuple[int, int]:
        """Which verdicts occur in an IP version, as `Solver.both_ways` gives them."""
        return self._flags[family], self._mild[family]

    def _meet(self, family: Family, egress: Part, ingress: Part) -> None:
        """Note which verdicts come of the two directions in some packet."""
        sources = egress.sources & ingress.sources
        if not sources:
            return
        solver = self._analyzer.solver
        leaving, entering = egress.view, ingress.view
        if leaving.uniform and entering.uniform:
            self._met(family, solver.both_ways(leaving.only.result, entering.only.result))
            return
        from_pairs = _meeting(leaving.sources, entering.sources, sources)
        to_pairs = _meeting(leaving.destinations, entering.destinations, ingress.targets)
        results: list[dict[int, Result]] = []
        for side, view in enumerate((leaving, entering)):
            starts, ends = {pair[side] for pair in from_pairs}, {pair[side] for pair in to_pairs}
            self._spend(len(starts) * len(ends))
            found = [view.ruling(start, end).result for start in starts for end in ends]
            results.append({result.number: result for result in found})
        bound = solver.any_two(*results)
        if len(results[0]) == 1 or len(results[1]) == 1 or _apart(from_pairs, to_pairs):
            # Nothing ties the two directions together: every result of one meets every result of the other.
            self._met(family, bound)
            return
        reached = (0, 0)
        for mine, theirs in from_pairs:
            self._spend(len(to_pairs))
            for to_mine, to_theirs in to_pairs:
                flags = solver.both_ways(
                    leaving.ruling(mine, to_mine).result, entering.ruling(theirs, to_theirs).result
                )
                reached = reached[0] | flags[0], reached[1] | flags[1]
            if reached == bound:
                break
        self._met(family, reached)

    def _met(self, family: Family, flags: tuple[int, int]) -> None:
        self._flags[family] |= flags[0]
        self._mild[family] |= flags[1]

    def _note(self, ruling: Ruling) -> None:
        """Note the rules that decide for certain."""
        deciders = self._deciders
        for position in ruling.result.deciding:
            rule = ruling.rules[position]
            deciders[id(rule)] = rule

    def _meet_on_blocks(
        self,
        family: Family,
        shift: int,
        leaving: View,
        entering: View,
        members: list[int],
        bound: tuple[int, int],
    ) -> None:
        """The same for two addresses of one block; `bound` are the verdicts that occur at all."""
        if leaving.uniform and entering.uniform:
            # A pool's addresses are in blocks that they share with themselves.
            self._spend(1)
            self._met(family, self._analyzer.solver.both_ways(leaving.only.result, entering.only.result))
            return
        sources = _common(leaving.sources, entering.sources, members[0])
        targets = _common(leaving.destinations, entering.destinations, members[0])
        solver = self._analyzer.solver
        seen: set[tuple[int, int, int, int]] = set()
        for one, other in _sharing(sources, targets, shift):
            if self.flags(family) == bound:
                return
            self._spend(1)
            key = (one[2], one[3], other[2], other[3])
            if key not in seen:
                seen.add(key)
                egress, ingress = leaving.ruling(one[2], other[2]), entering.ruling(one[3], other[3])
                self._met(family, solver.both_ways(egress.result, ingress.result))

    def _boxes_anywhere(self, family: Family, part: Part) -> None:
        view = part.view
        if view.allowed:
            self._note(view.only)
            return
        self._spend(len(view.source_masks) * len(view.destination_masks))
        by_mask = _grouped(view.sources), _grouped(view.destinations)
        for source_mask, sources in by_mask[0].items():
            for target_mask, targets in by_mask[1].items():
                ruling = view.ruling(source_mask, target_mask)
                self._note(ruling)
                if ruling.result.allowed:
                    continue
                made = self._made(family, part, ruling)
                self._spend_boxes(sum(map(len, made)) * len(sources) * len(targets))
                for source in sources:
                    for target in targets:
                        self._add(
                            family,
                            part.direction,
                            made,
                            (source.low, source.high),
                            (target.low, target.high),
                            self._named(source.pools),
                            self._named(target.pools),
                            None,
                        )

    def _boxes_on_blocks(self, family: Family, shift: int, part: Part, members: list[int]) -> None:
        view = part.view
        if view.allowed:
            self._note(view.only)
            return
        sources = [(p.low, p.high, p.mask) for p in view.sources if members[0] in p.pools]
        targets = [(p.low, p.high, p.mask) for p in view.destinations if members[0] in p.pools]
        pools = self._named(frozenset(members))
        known: dict[tuple[int, int], _Made] = {}
        for one, other in _sharing(_joined(sources), _joined(targets), shift):
            self._spend(1)
            made = known.get((one[2], other[2]))
            if made is None:
                ruling = view.ruling(one[2], other[2])
                self._note(ruling)
                made = known[one[2], other[2]] = self._made(family, part, ruling)
            if made == _NOTHING:
                continue
            self._spend_boxes(sum(map(len, made)))
            source, target = _shared(one, other, shift)
            self._add(family, part.direction, made, source, target, pools, pools, shift)

    def _made(self, family: Family, part: Part, ruling: Ruling) -> _Made:
        """What a ruling does not surely allow; the reasons of what is undecided are noted."""
        if ruling.told is None:
            nodes = part.sources if part.direction == "EGRESS" else part.targets
            node = self._cluster.classes[min(nodes)]
            ruling.told = self._analyzer.told(family, part, ruling, node)
        denied, undecided, reasons = ruling.told
        if reasons:
            self.why.update(dict.fromkeys(reasons))
        return denied, undecided

    def _named(self, pools: Pools) -> tuple[str, ...]:
        found = self._names.get(pools)
        if found is None:
            names = self._cluster.names
            found = self._names[pools] = tuple(names[index] for index in sorted(pools))
        return found

    def _add(
        self,
        family: Family,
        direction: Direction,
        made: _Made,
        source: Span,
        destination: Span,
        source_pools: tuple[str, ...],
        destination_pools: tuple[str, ...],
        shift: int | None,
    ) -> None:
        """Packets between two ranges; on one node of blocks of 2**shift unless it is None."""
        word = _DIRECTIONS[direction]
        for rows, areas in zip(made, (self._denied, self._undecided), strict=True):
            if rows:
                areas.append(
                    Area(word, family, source, destination, source_pools, destination_pools, shift, rows)
                )

    def _spend(self, pairs: int) -> None:
        self._work += pairs
        if self._work > PAIR_LIMIT:
            raise LimitError

    def _spend_boxes(self, boxes: int) -> None:
        if self._boxes + boxes > BOX_LIMIT:
            raise LimitError
        self._boxes += boxes

    def _give_up(self, family: Family, *, same_node: bool = False) -> None:
        """Call every packet of an IP version undecided."""
        self.why[_LIMIT] = None
        self._flags[family] = self._mild[family] = _ALL_UNDECIDED
        for found in (self._denied, self._undecided):
            found[:] = [area for area in found if area.family != family]
        self._boxes = sum(len(area.rows) for found in (self._denied, self._undecided) for area in found)
        by = (Decider(None, _LIMIT[0], None, "vpc", None),)
        made: _Made = (
            (),
            tuple(
                Row(slot, name, UNIVERSE[slot][0] if slot < WITH_PORTS else None, None, by, None)
                for slot, name in enumerate(NAMES[family])
            ),
        )
        cluster = self._cluster
        spans = cluster.spans[family]
        if same_node:
            for index, own in enumerate(spans):
                pools = (cluster.names[index],)
                shift = cluster.blocks[family][index]
                for one, other in _sharing(list(own), list(own), shift):
                    self._add(family, "EGRESS", made, *_shared(one, other, shift), pools, pools, shift)
            return
        atoms = Space([(index, own) for index, own in enumerate(spans) if own]).atoms
        for low, high, sources in atoms:
            for start, end, targets in atoms:
                pair = (self._named(sources), self._named(targets))
                self._add(family, "EGRESS", made, (low, high), (start, end), *pair, None)

    def done(self) -> ScopeTraffic:
        """The answer, boxes sorted by direction, addresses and ports."""
        analyzer = self._analyzer
        cluster = self._cluster
        flags = self._flags
        mild = self._mild
        if cluster.why:
            # Packets of Pods that are not known could be denied or allowed.
            for family in (4, 6):
                if flags[family] or (family == 4 and not flags[6]):
                    flags[family] |= _ALL_UNDECIDED
                    mild[family] |= _ALL_UNDECIDED
        verdict, by_protocol, everyday, rare = analyzer.verdicts((flags[4], flags[6]), (mild[4], mild[6]))
        deciders = {_decider_order(d): d for d in map(analyzer.decider, self._deciders.values())}
        return ScopeTraffic(
            verdict=verdict,
            by_protocol=by_protocol,
            everyday=everyday,
            rare=rare,
            denied=Boxes(tuple(self._denied)) if self._denied else (),
            undecided=Boxes(tuple(self._undecided)) if self._undecided else (),
            deciders=tuple(deciders[key] for key in sorted(deciders)),
            reasons=_reasons(tuple(self.why)),
        )


# Many clusters lack the same: they share what says so.


@lru_cache(maxsize=1 << 12)
def _reasons(why: tuple[Why, ...]) -> tuple[str, ...]:
    return tuple(f"{reason}; {hint}" for reason, hint in why)


@lru_cache(maxsize=1 << 12)
def _unknowns(why: tuple[Why, ...]) -> tuple[Unknown, ...]:
    return tuple(Unknown("traffic", reason, hint) for reason, hint in why)


def _overall(verdicts: Iterable[TrafficVerdict]) -> TrafficVerdict:
    found = set(verdicts)
    if len(found) == 1:
        return found.pop()
    if found & {"denied", "partial"}:
        return "partial"
    return "unknown"


def _decider_order(decider: Decider) -> tuple[str, int, str]:
    return (decider.asset or "", decider.priority or 0, decider.rule)


def target_reason(decider: Decider, node: NodeClass) -> Why:
    """Why it is not known whether a rule applies to the nodes."""
    what = (
        f"whether {decider.rule or decider.priority} of {decider.asset} applies to the nodes is not known: "
    )
    pools = ", ".join(node.pools)
    if node.secure_tags is None and decider.stage != "vpc":
        return (
            f"{what}the secure tags of {pools} are not stated",
            "export cloudresourcemanager.googleapis.com/TagBinding assets too",
        )
    if node.service_account is None:
        return (
            f"{what}the number of the cluster's project, so its default service account, is not in the input",
            "export the cluster with its ancestors",
        )
    return (f"{what}the id of the cluster is not in the input", "export the cluster with its id")


def _grouped(pieces: list[Piece]) -> dict[int, list[Piece]]:
    found: dict[int, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(piece.mask, []).append(piece)
    return found


def _meeting(one: list[Piece], other: list[Piece], pools: Pools) -> list[tuple[int, int]]:
    """The pairs of masks that some address of these pools has in two cuts of the same addresses."""
    found: dict[tuple[int, int], None] = {}
    at = 0
    for piece in one:
        if piece.pools.isdisjoint(pools):
            continue
        while at < len(other) and other[at].high < piece.low:
            at += 1
        index = at
        while index < len(other) and other[index].low <= piece.high:
            if piece.pools & other[index].pools & pools:
                found[piece.mask, other[index].mask] = None
            index += 1
    return list(found)


def _apart(from_pairs: list[tuple[int, int]], to_pairs: list[tuple[int, int]]) -> bool:
    """Whether one direction depends on the source alone and the other on the destination alone."""
    leaving, entering = (len({pair[side] for pair in from_pairs}) == 1 for side in (0, 1))
    to_leaving, to_entering = (len({pair[side] for pair in to_pairs}) == 1 for side in (0, 1))
    return (leaving and to_entering) or (entering and to_leaving)


def _common(one: list[Piece], other: list[Piece], pool: int) -> list[tuple[int, int, int, int]]:
    """Where a pool's addresses lie in two cuts: first, last, the mask in each; neighbours alike joined."""
    found: list[tuple[int, int, int, int]] = []
    at = 0
    for piece in one:
        if pool not in piece.pools:
            continue
        while at < len(other) and other[at].high < piece.low:
            at += 1
        index = at
        while index < len(other) and other[index].low <= piece.high:
            beside = other[index]
            index += 1
            if pool in beside.pools:
                low, high = max(piece.low, beside.low), min(piece.high, beside.high)
                if found and found[-1][1] + 1 == low and found[-1][2:] == (piece.mask, beside.mask):
                    found[-1] = (found[-1][0], high, piece.mask, beside.mask)
                else:
                    found.append((low, high, piece.mask, beside.mask))
    return found


def _joined(pieces: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Neighbouring pieces with one mask made one."""
    found: list[tuple[int, int, int]] = []
    for low, high, mask in pieces:
        if found and found[-1][1] + 1 == low and found[-1][2] == mask:
            found[-1] = (found[-1][0], high, mask)
        else:
            found.append((low, high, mask))
    return found


def _sharing(sources: list[T], targets: list[T], shift: int) -> Iterator[tuple[T, T]]:
    """The pairs of pieces that have addresses in one block of 2**shift."""
    at = 0
    for source in sources:
        first, last = source[0] >> shift, source[1] >> shift
        while at < len(targets) and targets[at][1] >> shift < first:
            at += 1
        index = at
        while index < len(targets) and targets[index][0] >> shift <= last:
            yield source, targets[index]
            index += 1


def _shared(one: tuple[int, ...], other: tuple[int, ...], shift: int) -> tuple[Span, Span]:
    """Two ranges cut down to the blocks of 2**shift in which both have addresses."""
    first = max(one[0] >> shift, other[0] >> shift) << shift
    last = ((min(one[1] >> shift, other[1] >> shift) + 1) << shift) - 1
    return (max(one[0], first), min(one[1], last)), (max(other[0], first), min(other[1], last))
