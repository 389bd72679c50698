"""Texts of addresses and ranges, and back."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.addresses import address_text, parse_range, range_text


@given(st.ip_addresses(), st.integers(0, 128))
def test_every_cidr_is_read_as_the_standard_library_reads_it(
    address: IPv4Address | IPv6Address, length: int
) -> None:
    network = ip_network((address, min(length, address.max_prefixlen)), strict=False)
    parsed = parse_range(str(network))
    assert parsed == (network.version, int(network[0]), int(network[-1]))
    assert parsed is not None
    assert ip_network(range_text(*parsed)) == network
    assert address_text(parsed.family, parsed.low) == str(network[0])


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_range(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/255.0.0.0"),
        *("10.0.0.0/8 ", "fe80::1%eth0", "::/129", "10.0.0.0/-1", "10.0.0.0/\u0668", "1\x00.0.0.0", "\ud800"),
    ],
)
def test_what_is_no_range_is_none(text: str) -> None:
    assert parse_range(text) is None


def test_a_lone_address_is_a_range_of_one() -> None:
    assert parse_range("10.0.0.1") == (4, 0x0A000001, 0x0A000001)
    assert parse_range("::1") == (6, 1, 1)


def test_a_range_that_is_no_cidr_is_written_with_both_ends() -> None:
    assert range_text(4, 0x0A000001, 0x0A000002) == "10.0.0.1-10.0.0.2"
