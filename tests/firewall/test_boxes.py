"""Differences of boxes, against every packet of a tiny universe."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from auditor.firewall.boxes import Packets, disjoint, intersect, on_one_node, subtract

SIDE = 4
Packet = tuple[str, int, int, int, int, int]
SPANS = st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1)).map(lambda s: (min(s), max(s)))
BOXES = st.builds(
    Packets,
    family=st.just(4),
    protocol=st.sampled_from(["tcp", "udp"]),
    source=SPANS,
    destination=SPANS,
    ports=SPANS,
    from_pools=st.integers(1, 3),
    to_pools=st.integers(1, 3),
)
SETS = st.lists(BOXES, max_size=4)


def packets(boxes: list[Packets]) -> list[Packet]:
    """Every packet of every box, as often as a box has it."""
    return [
        (box.protocol, source, destination, port, sender, receiver)
        for box in boxes
        for source, destination, port, sender, receiver in product(
            range(box.source[0], box.source[1] + 1),
            range(box.destination[0], box.destination[1] + 1),
            range(box.ports[0], box.ports[1] + 1),
            (pool for pool in (0, 1) if box.from_pools >> pool & 1),
            (pool for pool in (0, 1) if box.to_pools >> pool & 1),
        )
    ]


@given(SETS, SETS)
def test_a_difference_has_the_packets_that_are_in_one_set_alone(
    one: list[Packets], other: list[Packets]
) -> None:
    assert set(packets(subtract(one, other))) == set(packets(one)) - set(packets(other))


@given(SETS, SETS)
def test_an_intersection_has_the_packets_that_are_in_both(one: list[Packets], other: list[Packets]) -> None:
    assert set(packets(intersect(one, other))) == set(packets(one)) & set(packets(other))


@given(BOXES, SETS)
def test_what_is_left_of_one_box_does_not_overlap(box: Packets, other: list[Packets]) -> None:
    for left in (subtract([box], other), intersect([box], other)):
        found = packets(left)
        assert len(found) == len(set(found))


@given(SETS)
def test_disjoint_boxes_have_the_same_packets_once(boxes: list[Packets]) -> None:
    found = packets(disjoint(boxes))
    assert len(found) == len(set(found))
    assert set(found) == set(packets(boxes))


@given(SETS, st.integers(0, 2))
def test_only_boxes_without_a_pair_on_one_node_are_dropped(boxes: list[Packets], shift: int) -> None:
    def together(found: list[Packets]) -> set[Packet]:
        return {one for one in packets(found) if one[1] >> shift == one[2] >> shift}

    kept = on_one_node(boxes, shift)
    assert together(kept) == together(boxes)
    assert all(together([box]) for box in kept)


@given(SETS, SETS, st.integers(0, 2))
def test_on_one_node_the_difference_of_boxes_is_that_of_their_pairs(
    one: list[Packets], other: list[Packets], shift: int
) -> None:
    def together(found: list[Packets]) -> set[Packet]:
        return {packet for packet in packets(found) if packet[1] >> shift == packet[2] >> shift}

    assert together(on_one_node(subtract(one, other), shift)) == together(one) - together(other)
