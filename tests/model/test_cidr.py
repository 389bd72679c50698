"""CIDR arithmetic, against brute force on a universe of 256 addresses."""

from __future__ import annotations

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.cidr import Interval, merge, parse, spell, subtract

BASE = int(ipaddress.ip_address("10.0.0.0"))

intervals = st.tuples(st.integers(0, 255), st.integers(0, 255)).map(
    lambda ends: (BASE + min(ends), BASE + max(ends))
)


def addresses(parts: list[Interval] | tuple[Interval, ...]) -> set[int]:
    return {address for first, last in parts for address in range(first, last + 1)}


@given(st.lists(intervals, max_size=8))
def test_a_union_holds_the_same_addresses_in_disjoint_sorted_intervals(parts: list[Interval]) -> None:
    union = merge(parts)
    assert addresses(union) == addresses(parts)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(union))


@given(intervals, st.lists(intervals, max_size=8))
def test_a_difference_holds_what_only_the_first_holds(whole: Interval, parts: list[Interval]) -> None:
    rest = subtract(whole, merge(parts))
    assert addresses(rest) == addresses([whole]) - addresses(parts)
    assert rest == list(merge(rest))


@given(st.lists(intervals, max_size=8))
def test_spelling_a_union_gives_the_fewest_cidrs(parts: list[Interval]) -> None:
    union = merge(parts)
    expected = [
        str(network)
        for first, last in union
        for network in ipaddress.summarize_address_range(
            ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
        )
    ]
    assert list(spell(4, union)) == expected


@given(st.integers(0, 2**128 - 1), st.integers(0, 128))
def test_ipv6_ranges_read_as_the_standard_library_reads_them(address: int, prefix: int) -> None:
    written = f"{ipaddress.IPv6Address(address)}/{prefix}"
    expected = ipaddress.ip_network(written, strict=False)
    cidr = parse(written)
    assert cidr is not None
    assert (cidr.family, cidr.first, cidr.prefix) == (6, int(expected.network_address), prefix)
    assert cidr.last == int(expected.broadcast_address)
    assert ipaddress.ip_network(cidr.text) == expected
    assert cidr.aligned == (int(expected.network_address) == address)
    assert spell(6, [(cidr.first, cidr.last)]) == (cidr.text,)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_ipv4_ranges_read_as_the_standard_library_reads_them(address: int, prefix: int) -> None:
    expected = ipaddress.ip_network((address, prefix), strict=False)
    cidr = parse(f"{ipaddress.IPv4Address(address)}/{prefix}")
    assert cidr is not None
    assert (cidr.family, cidr.first, cidr.prefix) == (4, int(expected.network_address), prefix)
    assert (cidr.last, cidr.text) == (int(expected.broadcast_address), str(expected))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/14",
        "10.0.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.0/-1",
        "10.0.0.0/٨",
        "010.0.0.0/8",
        "256.0.0.0/8",
        "::/129",
        "fe80::1%eth0/64",
        "10.0.0.0\x00/8",
        "\ud800/8",
        "10.0.0.0/" + "9" * 5000,
        "10.0.0.0/8/8",
    ],
)
def test_what_is_no_range_is_none(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    cidr = parse(text)
    assert cidr is None or "/" in text


def test_a_range_with_host_bits_is_canonical_but_not_aligned() -> None:
    cidr = parse("10.1.2.3/8")
    assert cidr is not None
    assert (cidr.text, cidr.aligned) == ("10.0.0.0/8", False)
