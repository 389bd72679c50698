"""The vocabulary the simulator and its users share: node pools and the packets between their Pods."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import NamedTuple

PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58, "esp": 50, "ah": 51}
"""The protocols Pods are asked about; icmp in IPv4 and icmpv6 in IPv6 only."""

WITH_PORTS = ("tcp", "udp", "sctp")
BITS = {4: 32, 6: 128}


@dataclass(frozen=True)
class Pool:
    """A node pool: where its Pods are, and what the firewall sees of its nodes. None is unknown."""

    name: str
    ranges: tuple[str, ...]
    block4: int | None
    block6: int | None
    network: str
    region: str
    tags: tuple[str, ...]
    service_account: str | None
    secure_tags: frozenset[str] | None
    cluster_name: str
    cluster_hash: str | None

    def spans(self, version: int) -> list[tuple[int, int]]:
        """The Pod ranges of one IP version as inclusive ranges of integers."""
        networks = [ip_network(text) for text in self.ranges]
        return [(int(n[0]), int(n[-1])) for n in networks if n.version == version]

    def block(self, version: int) -> int:
        """How many bits of an address count its place within a node's block."""
        prefix = self.block4 if version == 4 else self.block6
        return BITS[version] - (BITS[version] if prefix is None else prefix)


class Packet(NamedTuple):
    """The first packet of a connection; `port` is the destination port, None where there are no ports."""

    version: int
    source: int
    destination: int
    protocol: str
    port: int | None
    source_pool: Pool
    destination_pool: Pool

    @property
    def same_node(self) -> bool:
        """Whether both addresses lie in one block of one pool, so that one node can hold both Pods."""
        shift = self.source_pool.block(self.version)
        together = self.source >> shift == self.destination >> shift
        return together and self.source_pool == self.destination_pool
