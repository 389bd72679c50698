"""What is kept of each asset while an inventory is being built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from auditor.model import inventory as model
from auditor.sources import compute, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.sources import kubernetes
    from auditor.sources.inventory import Piece
    from auditor.sources.parse import Object

PARSERS: dict[str, Callable[[str, Any], Any]] = {
    model.NETWORK: compute.parse_network,
    model.SUBNETWORK: compute.parse_subnetwork,
    model.FIREWALL: compute.parse_firewall,
    model.FIREWALL_POLICY: compute.parse_policy,
    model.ADDRESS_GROUP: compute.parse_address_group,
}
PRESENCE = frozenset({model.ORGANIZATION, model.FOLDER, model.PROJECT, model.TAG_BINDING})
"""Types that matter by being there: of them no data is kept."""


class Origin(Protocol):
    """Where an asset comes from.

    `plain` says that it is a plain export, in which a type counts as read once an asset of it is there.
    """

    plain: bool

    def place(self, number: int) -> str:
        """The place of a value, for a reader."""


class Record(NamedTuple):
    """One version of an asset. `payload` is None if it has no data, `digest` covers all but the time."""

    name: str
    time: str
    digest: bytes
    payload: Any


class ClusterData(NamedTuple):
    """What is kept of a cluster's data in memory.

    Network and subnetworks are canonical references, empty if unknown; `pools` are the names of the embedded
    node pools, None if these cannot be relied upon.
    """

    data: Piece
    network: str
    subnetworks: tuple[str, ...]
    pools: tuple[str, ...] | None
    autopilot: bool


class ProjectData(NamedTuple):
    """What is kept of a Project asset."""

    ancestors: tuple[str, ...]


@dataclass(slots=True)
class Answer:
    """An answer of getEffectiveFirewalls, not yet tied to its network."""

    place: str
    data: Object


@dataclass(slots=True)
class Document:
    """What kubectl printed, not yet tied to its cluster; `cluster` is as the user named it, if they did."""

    label: str
    place: str
    read: kubernetes.Read
    cluster: str | None


def later(time: str, other: str) -> bool:
    """Whether the first of two update times is the later one; any time is later than none."""
    mine, its = parse.instant(time), parse.instant(other)
    return mine is not None and (its is None or mine > its)


def dated(*records: Record) -> bool:
    """Whether all versions have an update time."""
    return all(record.time for record in records)
