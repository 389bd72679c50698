"""The boxes of an organisation, proved: no packet is denied outside of them, none in them is allowed.

Unlike the comparison at critical packets, this looks at every packet. A step's rules become one nested `If`,
built from the last rule to the first, over a pair of formulas: whether the packet may be allowed, and whether
it may be denied.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import z3

from tests.firewall.adversary import (
    GKE_RULE,
    HOST_ANCESTORS,
    NETWORK_KEY,
    REGION,
    Organisation,
    asset,
    organisation,
    projects,
)
from tests.firewall.comparison import DIRECTIONS, Regions, Span, analyse
from tests.firewall.packets import BITS, PROTOCOL_NUMBERS, WITH_PORTS, Pool
from tests.firewall.simulator import FIREWALL, HAS_PORTS, MAYBE, NETWORK, YES, Match, Side, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.model.traffic import ScopeTraffic
    from tests.firewall.simulator import Direction

Formula = Any
Fate = tuple[Formula, Formula]
"""Whether a packet may be allowed, and whether it may be denied."""

POOL = Pool(
    name="a",
    ranges=("10.0.0.0/26",),
    block4=28,
    block6=None,
    network=NETWORK_KEY,
    region=REGION,
    tags=(),
    service_account=None,
    secure_tags=None,
    cluster_name="shop",
    cluster_hash="aaaaaaaa",
)
VPC = asset(NETWORK, NETWORK_KEY, {"name": "vpc"}, HOST_ANCESTORS)
SEEDS = range(9000, 9024)


class Symbols:
    """The packet that z3 is to find: addresses of one IP version, protocol number, destination port."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.source, self.destination = z3.BitVecs("source destination", BITS[version])
        self.protocol, self.port = z3.BitVec("protocol", 8), z3.BitVec("port", 16)

    def universe(self, one: Pool, other: Pool, *, same_node: bool) -> Formula:
        protocols = [p for p in PROTOCOL_NUMBERS if p != ("icmpv6" if self.version == 4 else "icmp")]
        block = one.block(self.version)
        return z3.And(
            within(self.source, one.spans(self.version)),
            within(self.destination, other.spans(self.version)),
            z3.Or([self.protocol == PROTOCOL_NUMBERS[p] for p in protocols]),
            z3.If(
                z3.Or([self.protocol == PROTOCOL_NUMBERS[p] for p in WITH_PORTS]),
                self.port != 0,
                self.port == 0,
            ),
            not same_node or z3.LShR(self.source, block) == z3.LShR(self.destination, block),
        )

    def boxes(self, spans: Iterable[Span]) -> Formula:
        return z3.Or(
            [
                z3.And(
                    within(self.source, [span.source]),
                    within(self.destination, [span.destination]),
                    self.protocol == PROTOCOL_NUMBERS[span.box.protocol],
                    span.ports is None or within(self.port, [span.ports]),
                )
                for span in spans
            ]
        )

    def fate(self, chains: Iterable[tuple[Step, ...]], direction: Direction) -> Fate:
        fates = []
        for chain in chains:
            rest: Fate = (z3.BoolVal(direction == "EGRESS"), z3.BoolVal(direction == "INGRESS"))
            for step in reversed(chain):
                rest = (z3.BoolVal(True), z3.BoolVal(True)) if step is None else self.step(step, rest)
            fates.append(rest)
        return z3.Or([allow for allow, _ in fates]), z3.Or([deny for _, deny in fates])

    def step(self, step: tuple[Match, ...], rest: Fate) -> Fate:
        found = rest
        for rule in reversed(step):
            may, must = self.matches(rule, MAYBE), self.matches(rule, YES)
            effect = {
                "allow": (z3.BoolVal(True), z3.BoolVal(False)),
                "deny": (z3.BoolVal(False), z3.BoolVal(True)),
                "goto_next": rest,
            }.get(rule.action, (z3.BoolVal(True), z3.BoolVal(True)))
            pairs = zip(effect, found, strict=True)
            allow, deny = (z3.If(must, mine, z3.If(may, z3.Or(mine, later), later)) for mine, later in pairs)
            found = allow, deny
        return found

    def matches(self, rule: Match, level: int) -> Formula:
        """Whether the rule matches at least that surely."""
        if rule.target < level:
            return z3.BoolVal(False)
        return z3.And(
            side(rule.source, self.source, level),
            side(rule.destination, self.destination, level),
            self.layer4(rule),
        )

    def layer4(self, rule: Match) -> Formula:
        choices = []
        for number, ports in rule.layer4:
            protocol = z3.BoolVal(True) if number is None else self.protocol == number
            if ports and (number is None or number in HAS_PORTS):
                portless = z3.And([self.protocol != number for number in HAS_PORTS])
                protocol = z3.And(protocol, z3.Or(portless, within(self.port, ports)))
            choices.append(protocol)
        return z3.Or(choices)


def side(rule_side: Side, address: Formula, level: int) -> Formula:
    if rule_side.cap < level:
        return z3.BoolVal(False)
    return z3.BoolVal(True) if rule_side.otherwise >= level else within(address, rule_side.ranges)


def within(value: Formula, ranges: Iterable[tuple[int, int]]) -> Formula:
    return z3.Or([z3.And(z3.UGE(value, low), z3.ULE(value, high)) for low, high in ranges])


def counterexamples(subject: Organisation, scope: ScopeTraffic, *, same_node: bool) -> Iterable[str]:
    """A packet for each pair of pools, direction and kind of box where boxes and rules differ."""
    regions, simulator = Regions(scope), subject.simulator()
    pairs = [(p, p) for p in subject.pools] if same_node else list(product(subject.pools, repeat=2))
    for version, (one, other) in product((4, 6), pairs):
        if not one.spans(version) or not other.spans(version):
            continue
        symbols = Symbols(version)
        universe = symbols.universe(one, other, same_node=same_node)
        ways = {way: symbols.fate(simulator.chains(way, one, other, version), way) for way in DIRECTIONS}
        denied = {way: z3.And(deny, z3.Not(allow)) for way, (allow, deny) in ways.items()}
        surely_denied = z3.Or(list(denied.values()))
        for way, (allow, deny) in ways.items():
            for kind, spans, claim, scruple in (
                ("denied", regions.denied, denied[way], z3.BoolVal(True)),
                ("undecided", regions.undecided, z3.And(allow, deny), z3.Not(surely_denied)),
            ):
                own = [s for s in spans if concerns(s, way, version, one, other)]
                solver = z3.Solver()
                solver.add(universe, scruple, symbols.boxes(own) != claim)
                if solver.check() != z3.unsat:
                    yield f"{one.name} > {other.name} IPv{version} {way} {kind}: {solver.model()}"


def concerns(span: Span, way: Direction, version: int, one: Pool, other: Pool) -> bool:
    box = span.box
    return (box.direction, span.version) == (way.lower(), version) and (
        one.name in box.source_pools and other.name in box.destination_pools
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_no_packet_is_denied_outside_the_boxes_and_none_inside_is_allowed(seed: int) -> None:
    subject = organisation(Random(seed))  # noqa: S311
    traffic = analyse(subject)
    found = [
        *counterexamples(subject, traffic.same_node, same_node=True),
        *counterexamples(subject, traffic.any_node, same_node=False),
    ]
    assert found == []


def test_the_proof_notices_a_box_that_is_missing() -> None:
    bare = Organisation((POOL,), [*projects(), VPC])
    scope = analyse(bare).any_node
    assert list(counterexamples(bare, scope, same_node=False)) == []
    for number in range(len(scope.denied)):
        fewer = replace(scope, denied=(*scope.denied[:number], *scope.denied[number + 1 :]))
        assert list(counterexamples(bare, fewer, same_node=False))


def test_the_proof_notices_a_box_too_many() -> None:
    denied = analyse(Organisation((POOL,), [*projects(), VPC])).any_node.denied
    rule = asset(FIREWALL, "projects/host/global/firewalls/all", GKE_RULE, HOST_ANCESTORS)
    subject = Organisation((POOL,), [*projects(), VPC, rule])
    scope = analyse(subject).any_node
    assert list(counterexamples(subject, scope, same_node=False)) == []
    more = replace(scope, denied=(*scope.denied, denied[0]))
    assert list(counterexamples(subject, more, same_node=False))
