"""IP ranges as pairs of integers."""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Literal, NamedTuple

Family = Literal[4, 6]
BITS: dict[Family, int] = {4: 32, 6: 128}


class Range(NamedTuple):
    """The addresses `low` to `high`, both included, of one IP version."""

    family: Family
    low: int
    high: int


@lru_cache(maxsize=1 << 17)
def parse_range(text: str) -> Range | None:
    """The range a CIDR or a single address stands for; None if the text is neither.

    Host bits must be zero and the mask a prefix length, as the Compute API demands of firewall ranges.
    """
    address, slash, length = text.partition("/")
    family: Family = 6 if ":" in address else 4
    try:
        low = int.from_bytes(inet_pton(AF_INET6 if family == 6 else AF_INET, address), "big")
    except (OSError, ValueError):
        return None
    bits = BITS[family]
    if not slash:
        return Range(family, low, low)
    if not (length.isascii() and length.isdigit() and len(length) <= 3) or int(length) > bits:
        return None
    size = 1 << (bits - int(length))
    return None if low & (size - 1) else Range(family, low, low + size - 1)


def address_text(family: Family, address: int) -> str:
    """The usual text of one address."""
    if family == 4:
        return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
    return inet_ntop(AF_INET6, address.to_bytes(16, "big"))


def range_text(family: Family, low: int, high: int) -> str:
    """A range as CIDR, or `A-B` if it is none."""
    size = high - low + 1
    if size & (size - 1) == 0 and low & (size - 1) == 0:
        return f"{address_text(family, low)}/{BITS[family] - size.bit_length() + 1}"
    return f"{address_text(family, low)}-{address_text(family, high)}"
