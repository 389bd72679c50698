"""The simulator and the organisations it is asked about are worth relying on."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.firewall.adversary import (
    concretise,
    critical_addresses,
    critical_ports,
    organisation,
    packets,
)
from tests.firewall.simulator import Direction, numbers, speaks

if TYPE_CHECKING:
    from tests.firewall.adversary import Organisation
    from tests.firewall.packets import Packet, Pool

DIRECTIONS: tuple[Direction, ...] = ("EGRESS", "INGRESS")
SEEDS = range(25)


def some_packets(subject: Organisation, random: Random, count: int) -> list[Packet]:
    every = list(packets(subject))
    return random.sample(every, min(count, len(every)))


def test_a_packet_fares_like_the_critical_one_below_it() -> None:
    for seed in SEEDS:
        random = Random(seed)  # noqa: S311
        subject = organisation(random)
        simulator = subject.simulator()
        ports = critical_ports(subject)
        for packet in some_packets(subject, random, 20):
            moved = packet._replace(
                source=somewhere_above(subject, packet.source_pool, packet.version, packet.source, random),
                destination=somewhere_above(
                    subject, packet.destination_pool, packet.version, packet.destination, random
                ),
            )
            if packet.port is not None:
                following = [port for port in ports if port > packet.port]
                moved = moved._replace(port=random.randrange(packet.port, min([*following, 65536])))
            assert moved.same_node == packet.same_node, seed
            for direction in DIRECTIONS:
                assert simulator.outcomes(direction, moved) == simulator.outcomes(direction, packet), seed


def somewhere_above(subject: Organisation, pool: Pool, version: int, address: int, random: Random) -> int:
    """An address from here up to the one before the pool's next critical address, within its range."""
    end = next(high for low, high in pool.spans(version) if low <= address <= high)
    following = [place for place in critical_addresses(subject, pool, version) if place > address]
    return random.randrange(address, min([*following, end + 1]))


def test_nothing_is_unknown_once_everything_is_stated() -> None:
    for seed in SEEDS:
        random = Random(seed)  # noqa: S311
        subject = concretise(random, organisation(random))
        simulator = subject.simulator()
        for packet in some_packets(subject, random, 50):
            assert simulator.verdict(packet) != "unknown", (seed, packet)


def test_stating_what_is_unknown_changes_no_answer() -> None:
    for seed in SEEDS:
        random = Random(seed)  # noqa: S311
        vague = organisation(random)
        clear = concretise(random, vague)
        pools = {pool.name: pool for pool in vague.pools}
        before, after = vague.simulator(), clear.simulator()
        for packet in some_packets(clear, random, 50):
            earlier = before.verdict(
                packet._replace(
                    source_pool=pools[packet.source_pool.name],
                    destination_pool=pools[packet.destination_pool.name],
                )
            )
            assert earlier in ("unknown", after.verdict(packet)), (seed, packet)


def test_random_organisations_reach_every_verdict_and_every_stage() -> None:
    verdicts: Counter[str] = Counter()
    deciders: Counter[tuple[str, str | None]] = Counter()
    for seed in range(120):
        random = Random(seed)  # noqa: S311
        subject = organisation(random)
        simulator = subject.simulator()
        for packet in some_packets(subject, random, 20):
            verdicts[simulator.verdict(packet)] += 1
            for direction in DIRECTIONS:
                outcomes = simulator.outcomes(direction, packet)
                if len(outcomes) == 1:
                    deciders.update((o.decider.stage, o.decider.action) for o in outcomes)
    assert min(verdicts[verdict] for verdict in ("allowed", "denied", "unknown")) > 200
    for stage in ("hierarchical", "system", "vpc", "network_global", "network_regional"):
        for action in ("allow", "deny"):
            assert deciders[stage, action] > 2, (stage, action)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_a_range_holds_the_addresses_that_share_its_prefix(base: int, prefix: int, address: int) -> None:
    network = ip_network((base >> (32 - prefix) << (32 - prefix), prefix))
    ((low, high),) = numbers([str(network)], 4)
    assert (low <= address <= high) == (ip_address(address) in network)
    assert numbers([str(network)], 6) == ()


def test_ports_count_for_the_protocols_that_have_them() -> None:
    web = ((6, ((80, 90),)), (1, ((80, 90),)))
    assert speaks(web, 6, 80)
    assert speaks(web, 6, 90)
    assert not speaks(web, 6, 91)
    assert not speaks(web, 17, 80)
    assert speaks(web, 1, None)
    assert speaks(((None, ()),), 50, None)
