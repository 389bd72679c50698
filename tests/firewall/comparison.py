"""The analysis held against the simulator: the same organisation given to both, their answers compared."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from auditor.firewall import Analyzer
from auditor.model.facts import NodeClass, NodeClasses, Pods, PoolPods
from tests.firewall import organisations
from tests.firewall.adversary import packets
from tests.firewall.packets import WITH_PORTS, Packet
from tests.firewall.simulator import together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random

    from auditor.model.traffic import Box, Decider, ScopeTraffic, Traffic
    from tests.firewall import simulator
    from tests.firewall.adversary import Organisation
    from tests.firewall.packets import Pool
    from tests.firewall.simulator import Direction, Outcomes, Simulator

DIRECTIONS: tuple[Direction, ...] = ("EGRESS", "INGRESS")


def inventory_of(subject: Organisation) -> organisations.Organisation:
    return organisations.organisation(
        subject.assets,
        effective=subject.effective,
        unread=subject.unread.types,
        hierarchy_read=not subject.unread.hierarchy,
    )


def analyse(subject: Organisation) -> Traffic:
    """What the analysis says of the organisation's cluster."""
    return analyse_facts(subject, pods_of(subject.pools), classes_of(subject.pools))


def analyse_facts(subject: Organisation, pods: Pods, classes: NodeClasses) -> Traffic:
    """What the analysis says of a cluster in the organisation, given as facts."""
    return Analyzer(inventory_of(subject)).traffic(pods, classes)


def pods_of(pools: Iterable[Pool]) -> Pods:
    found = [PoolPods(pool.name, pool.ranges, pool.block4, pool.block6, resolved=True) for pool in pools]
    return Pods((), tuple(found), (), ())


def classes_of(pools: Iterable[Pool]) -> NodeClasses:
    """Pools of equal identity share a class."""
    names: dict[tuple[object, ...], list[str]] = defaultdict(list)
    example: dict[tuple[object, ...], Pool] = {}
    for pool in pools:
        identity = (pool.network, pool.region, pool.tags, pool.service_account, pool.secure_tags)
        names[identity].append(pool.name)
        example[identity] = pool
    classes = [
        NodeClass(
            pools=tuple(names[identity]),
            network=pool.network,
            region=pool.region,
            tags=pool.tags,
            cluster_name=pool.cluster_name,
            cluster_hash=pool.cluster_hash,
            service_account=pool.service_account,
            secure_tags=None if pool.secure_tags is None else tuple(sorted(pool.secure_tags)),
        )
        for identity, pool in example.items()
    ]
    return NodeClasses(tuple(classes), ())


class Span(NamedTuple):
    """A box in numbers."""

    box: Box
    version: int
    source: tuple[int, int]
    destination: tuple[int, int]
    ports: tuple[int, int] | None

    def holds(self, packet: Packet) -> bool:
        return (
            self.version == packet.version
            and self.box.protocol == packet.protocol
            and self.source[0] <= packet.source <= self.source[1]
            and self.destination[0] <= packet.destination <= self.destination[1]
            and (
                packet.port is None
                or (self.ports is not None and self.ports[0] <= packet.port <= self.ports[1])
            )
            and packet.source_pool.name in self.box.source_pools
            and packet.destination_pool.name in self.box.destination_pools
        )


def span_of(box: Box) -> Span:
    version, *source = range_of(box.source)
    _, *destination = range_of(box.destination)
    ports = None
    if box.ports is not None:
        low, _, high = box.ports.partition("-")
        ports = int(low), int(high or low)
    return Span(box, version, (source[0], source[1]), (destination[0], destination[1]), ports)


def range_of(text: str) -> tuple[int, int, int]:
    """IP version, first and last address of a CIDR or of a range written `A-B`."""
    if "/" in text:
        network = ip_network(text)
        return network.version, int(network[0]), int(network[-1])
    low, _, high = text.partition("-")
    return ip_address(low).version, int(ip_address(low)), int(ip_address(high or low))


class Regions:
    """The boxes of one scope, to be asked which of them hold a packet."""

    def __init__(self, scope: ScopeTraffic) -> None:
        self.denied = [span_of(box) for box in scope.denied]
        self.undecided = [span_of(box) for box in scope.undecided]
        self._near: dict[tuple[object, ...], list[Span]] = defaultdict(list)
        for span in self.denied + self.undecided:
            for one in span.box.source_pools:
                for other in span.box.destination_pools:
                    self._near[span.box.direction, span.version, span.box.protocol, one, other].append(span)

    def at(self, direction: Direction, packet: Packet) -> list[Box]:
        """The boxes of one direction that hold the packet: one at most, if the boxes are sound."""
        pools = packet.source_pool.name, packet.destination_pool.name
        near = self._near[direction.lower(), packet.version, packet.protocol, *pools]
        return [span.box for span in near if span.holds(packet)]

    def verdict(self, packet: Packet) -> str:
        """What the boxes say of the packet, both directions taken together."""
        held = [box for direction in DIRECTIONS for box in self.at(direction, packet)]
        if not held:
            return "allowed"
        return "denied" if any(box.decided_by is not None for box in held) else "unknown"


def overall(verdicts: set[str]) -> str:
    """The verdict of a scope, from those of all its packets."""
    if "denied" in verdicts:
        return "denied" if verdicts == {"denied"} else "partial"
    return "unknown" if "unknown" in verdicts else "allowed"


def disagreements(subject: Organisation, random: Random, limit: int) -> Iterator[str]:
    """Where analysis and simulator differ on the organisation, at no more than `limit` packets of each scope.

    Scope verdicts are compared where every critical packet was looked at.
    """
    simulator = subject.simulator()
    traffic = analyse(subject)
    every = list(packets(subject))
    for name, scope in (("same_node", traffic.same_node), ("any_node", traffic.any_node)):
        within = every if name == "any_node" else [packet for packet in every if packet.same_node]
        chosen = within if len(within) <= limit else random.sample(within, limit)
        for text in scope_disagreements(scope, simulator, chosen, complete=len(chosen) == len(within)):
            yield f"{name}: {text}"
        for text in box_faults(scope, subject.pools, simulator, same_node=name == "same_node"):
            yield f"{name}: {text}"


def scope_disagreements(
    scope: ScopeTraffic, simulator: Simulator, chosen: Sequence[Packet], *, complete: bool
) -> Iterator[str]:
    """Packet by packet: in the boxes they should be in, with the right decider; and the verdicts of all."""
    regions = Regions(scope)
    found: dict[str, set[str]] = defaultdict(set)
    for packet in chosen:
        ways = {direction: simulator.outcomes(direction, packet) for direction in DIRECTIONS}
        truth = together(ways.values())
        found[packet.protocol].add(truth)
        if regions.verdict(packet) != truth:
            yield f"{show(packet)} is {truth}, the boxes say {regions.verdict(packet)}"
        for direction in DIRECTIONS:
            fault = direction_fault(regions.at(direction, packet), ways[direction])
            if fault and not (truth == "denied" and fault == "undecided, but in no box"):
                yield f"{show(packet)} {direction}: {fault}"
    if complete:
        verdict = overall(set().union(*found.values()))
        if scope.verdict != verdict:
            yield f"the scope is {verdict}, not {scope.verdict}"
        by_protocol = {protocol: overall(verdicts) for protocol, verdicts in found.items()}
        if dict(scope.by_protocol) != by_protocol:
            yield f"by protocol it is {by_protocol}, not {dict(scope.by_protocol)}"


def direction_fault(held: list[Box], outcomes: Outcomes) -> str | None:
    """What is wrong with the boxes that hold a packet, given how it can fare in that direction."""
    if len(held) > 1:
        return f"in {len(held)} boxes at once"
    verdicts = {outcome.verdict for outcome in outcomes}
    if verdicts == {"allow"}:
        return f"allowed, but in {held[0]}" if held else None
    if verdicts == {"deny"}:
        if not held or held[0].decided_by is None:
            return "denied, but in no denied box"
        if not any(outcome.sure and same(held[0].decided_by, outcome.decider) for outcome in outcomes):
            return f"decided by {held[0].decided_by}, none of the rules that surely match: {outcomes}"
        return decider_fault(held[0].candidates, outcomes)
    if not held:
        return "undecided, but in no box"
    if held[0].decided_by is not None:
        return f"undecided, but in {held[0]}"
    return decider_fault(held[0].candidates, outcomes) if held[0].candidates else "no candidates"


def decider_fault(named: Sequence[Decider], outcomes: Outcomes) -> str | None:
    """A rule that is said to decide, or to be able to, and is not."""
    possible = [outcome.decider for outcome in outcomes]
    for each in named:
        if not any(same(each, decider) for decider in possible):
            return f"decided by one of {possible}, not {each}"
    return None


def same(told: Decider, decider: simulator.Decider) -> bool:
    """Whether the analysis and the simulator name one rule."""
    if told.action is None:
        return decider.stage == "unread"
    if decider.asset is None:
        return (told.stage, told.asset, told.priority, told.action) == (
            decider.stage,
            None,
            None,
            decider.action,
        )
    action = "inspect" if decider.action == "apply_security_profile_group" else decider.action
    known = (told.stage, told.rule, told.priority, told.action)
    if known != (decider.stage, decider.rule, decider.priority, action):
        return False
    return told.asset is not None and told.asset.rpartition("/")[2] == decider.asset.rpartition("/")[2]


def box_faults(
    scope: ScopeTraffic, pools: Sequence[Pool], simulator: Simulator, *, same_node: bool
) -> Iterator[str]:
    """Boxes beyond their pools' ranges, and witnesses that are none."""
    named = {pool.name: pool for pool in pools}
    regions = Regions(scope)
    for span in regions.denied + regions.undecided:
        box = span.box
        for names, ends in ((box.source_pools, span.source), (box.destination_pools, span.destination)):
            for name in names:
                if not covered(ends, named[name].spans(span.version)):
                    yield f"{box} lies beyond the ranges of pool {name}"
        if (span.ports is None) == (box.protocol in WITH_PORTS):
            yield f"{box} has the wrong kind of ports"
        if same_node and box.source_pools != box.destination_pools:
            yield f"{box} is of one node, but of different pools"
        witness = witness_of(box, named)
        if witness is None:
            if span.source != span.destination or span.source[0] != span.source[1]:
                yield f"{box} has no witness"
            continue
        if not span.holds(witness) or witness.source == witness.destination:
            yield f"{show(witness)} is no witness of {box}"
        if same_node and not witness.same_node:
            yield f"{show(witness)} are two nodes"
        direction: Direction = "EGRESS" if box.direction == "egress" else "INGRESS"
        verdicts = {outcome.verdict for outcome in simulator.outcomes(direction, witness)}
        if verdicts != ({"deny"} if box.decided_by is not None else {"allow", "deny"}):
            yield f"{show(witness)} is {verdicts}, not as its box {box}"


def witness_of(box: Box, named: dict[str, Pool]) -> Packet | None:
    witness = box.witness
    if witness is None:
        return None
    source, destination = ip_address(witness.source), ip_address(witness.destination)
    return Packet(
        version=source.version,
        source=int(source),
        destination=int(destination),
        protocol=witness.protocol,
        port=witness.port,
        source_pool=named[witness.source_pool],
        destination_pool=named[witness.destination_pool],
    )


def covered(ends: tuple[int, int], spans: Iterable[tuple[int, int]]) -> bool:
    """Whether a range lies within the union of others."""
    position = ends[0]
    for low, high in sorted(spans):
        if low <= position <= high:
            position = high + 1
    return position > ends[1]


def show(packet: Packet) -> str:
    """The packet in words."""
    place = ip_address(packet.source), ip_address(packet.destination)
    kind = packet.protocol + (f":{packet.port}" if packet.port else "")
    return f"{packet.source_pool.name} {place[0]} > {packet.destination_pool.name} {place[1]} {kind}"


def contradictions(vague: Organisation, clear: Organisation, random: Random, limit: int) -> list[str]:
    """Packets that the analysis decides from the vaguer inventory, and otherwise from the clearer one."""
    before, after = analyse(vague), analyse(clear)
    scopes = [(Regions(before.any_node), Regions(after.any_node))]
    one_node = Regions(before.same_node), Regions(after.same_node)
    chosen = list(packets(clear))
    found = []
    for packet in chosen if len(chosen) <= limit else random.sample(chosen, limit):
        for earlier, later in [*scopes, one_node] if packet.same_node else scopes:
            was, now = earlier.verdict(packet), later.verdict(packet)
            if was not in ("unknown", now):
                found.append(f"{show(packet)} was {was}, now {now}")
    return found
