"""What the VPC firewalls do to packets between Pods of one cluster: the fact, its parts, its JSON form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

from auditor.model.addresses import address_text, range_text
from auditor.model.record import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditor.model.addresses import Family
    from auditor.model.evidence import Evidence, Json, Unknown

TrafficVerdict = Literal["allowed", "denied", "partial", "unknown"]
KnownTraffic = Literal["allowed", "denied", "partial"]
Direction = Literal["egress", "ingress"]
Stage = Literal["hierarchical", "system", "vpc", "network_global", "network_regional", "implied"]
Protocol = Literal["tcp", "udp", "sctp", "icmp", "icmpv6", "esp", "ah"]

EVERYDAY: frozenset[str] = frozenset(("tcp", "udp", "icmp", "icmpv6"))
"""The protocols that ordinary workloads use; sctp, esp and ah are the rare ones."""

NOTHING_KNOWN: Mapping[str, TrafficVerdict] = dict.fromkeys(
    ("tcp", "udp", "sctp", "icmp", "esp", "ah"), "unknown"
)
"""The verdicts by protocol about Pods of which nothing is known, not even whether they have IPv6."""

KUBELET_READ_ONLY = "GKE closes the read-only kubelet port"
"""Why a denial of tcp:10255 by a cluster's own `-exkubelet` rule harms nobody (GKE documentation,
"Automatically created firewall rules")."""


@record
class Decider:
    """A rule that decides packets, or may.

    `asset` is the full resource name of the VPC rule or of the policy, `rule` the rule's name or description.
    An implied rule has neither asset nor priority; nor has a candidate that stands for rules nobody has read
    (then `action` is None too, and `rule` says what is missing). `logging` is None where there is no switch.
    `address` is that of the Terraform resource that plans the rule, empty for any other.
    """

    asset: str | None
    rule: str
    priority: int | None
    stage: Stage
    action: Literal["allow", "deny", "inspect"] | None
    logging: bool | None = None
    address: str = ""


@record
class Witness:
    """One packet of a box; source and destination differ. `port` is None for protocols without ports."""

    source: str
    destination: str
    protocol: Protocol
    port: int | None
    source_pool: str
    destination_pool: str


@record
class Box:
    """Packets that one direction treats alike: source range x destination range x protocol x ports.

    Ranges are CIDRs, or `A-B`; `ports` is `N` or `A-B`, None for protocols without ports. Between any two
    nodes a box means source_pools x destination_pools, on one node the pairs within one pool and one node
    block. A denied box has `decided_by`; an undecided one the `candidates` that may decide it. For a denied
    one, `candidates` are the rules that decide it under some reading, in order, the last being `decided_by`.
    `benign` says why a denial harms nobody, if it does not. `witness` is None if the only packets have
    one address as source and destination.
    """

    direction: Direction
    source: str
    destination: str
    protocol: Protocol
    ports: str | None
    source_pools: tuple[str, ...]
    destination_pools: tuple[str, ...]
    decided_by: Decider | None
    candidates: tuple[Decider, ...]
    witness: Witness | None
    benign: str | None


class Row(NamedTuple):
    """What one direction does to packets of one protocol and some ports, wherever they go.

    `slot` orders the protocols; `ports` are first and last, None for a protocol without. The rest is as in
    `Box`.
    """

    slot: int
    protocol: Protocol
    ports: tuple[int, int] | None
    decided_by: Decider | None
    candidates: tuple[Decider, ...]
    benign: str | None


class Area(NamedTuple):
    """Packets between two ranges of addresses of one IP version, and the rows that say what becomes of them.

    `shift` is the logarithm of the size of a node block if the packets stay on one node, else None.
    """

    direction: Direction
    family: Family
    source: tuple[int, int]
    destination: tuple[int, int]
    source_pools: tuple[str, ...]
    destination_pools: tuple[str, ...]
    shift: int | None
    rows: tuple[Row, ...]

    def pair(self) -> tuple[int, int] | None:
        """Two different addresses between which the packets go; None if there are none."""
        return _pair(self.source, self.destination, self.shift)


class Boxes(Sequence[Box]):
    """Boxes, sorted by direction, addresses and ports, that are made when they are looked at.

    A large organisation has millions, of which reports show few.
    """

    __slots__ = ("areas",)

    def __init__(self, areas: tuple[Area, ...]) -> None:
        self.areas = areas

    def deciders(self) -> Iterator[tuple[Direction, Decider]]:
        """The direction and deciding rule of each box that has one, in their order."""
        return (
            (area.direction, row.decided_by) for area, row in self._sorted() if row.decided_by is not None
        )

    def harmful(self) -> list[Box]:
        """Those that are not benign."""
        if all(row.benign is not None for area in self.areas for row in area.rows):
            return []
        return [_box(area, row) for area, row in self._sorted() if row.benign is None]

    def _sorted(self) -> list[tuple[Area, Row]]:
        found = [(area, row) for area in self.areas for row in area.rows]
        found.sort(key=lambda one: Boxes.place(*one))
        return found

    @staticmethod
    def place(area: Area, row: Row) -> tuple[object, ...]:
        """What boxes are sorted by."""
        return (
            area.direction,
            area.family,
            area.source,
            area.destination,
            row.slot,
            row.ports or (0, 0),
            area.source_pools,
            area.destination_pools,
        )

    def __len__(self) -> int:
        return sum(len(area.rows) for area in self.areas)

    def __iter__(self) -> Iterator[Box]:
        return (_box(area, row) for area, row in self._sorted())

    @overload
    def __getitem__(self, index: int) -> Box: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Box, ...]: ...
    def __getitem__(self, index: int | slice) -> Box | tuple[Box, ...]:
        if isinstance(index, int):
            return _box(*self._sorted()[index])
        return tuple(_box(*one) for one in self._sorted()[index])

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Boxes | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a tuple of equal boxes would have another

    def __reduce__(self) -> tuple[type[Boxes], tuple[tuple[Area, ...]]]:
        return Boxes, (self.areas,)

    def __repr__(self) -> str:
        return repr(tuple(self))


def witness_of(area: Area, row: Row) -> Witness | None:
    """One packet of a row; None if there is none between different addresses."""
    pair = area.pair()
    if pair is None:
        return None
    return Witness(
        address_text(area.family, pair[0]),
        address_text(area.family, pair[1]),
        row.protocol,
        None if row.ports is None else row.ports[0],
        area.source_pools[0],
        area.destination_pools[0],
    )


def _box(area: Area, row: Row) -> Box:
    ports = None
    if row.ports is not None:
        first, last = row.ports
        ports = str(first) if first == last else f"{first}-{last}"
    return Box(
        area.direction,
        range_text(area.family, *area.source),
        range_text(area.family, *area.destination),
        row.protocol,
        ports,
        area.source_pools,
        area.destination_pools,
        row.decided_by,
        row.candidates,
        witness_of(area, row),
        row.benign,
    )


@record
class ScopeTraffic:
    """The answer for one scope: packets on one node, or between any two nodes of the cluster.

    `denied` and `undecided` together are exactly the packets that are not surely allowed; within one
    direction boxes are disjoint. `by_protocol` has the verdict of each protocol. `everyday` and `rare` are
    the verdicts over the everyday protocols and the rest, where benign boxes count as allowed. `deciders`
    are the rules that decide packets of the scope for certain, implied rules left out. `reasons` say why
    something is undecided.
    """

    verdict: TrafficVerdict
    by_protocol: Mapping[str, TrafficVerdict]
    everyday: TrafficVerdict
    rare: TrafficVerdict
    denied: Sequence[Box]
    undecided: Sequence[Box]
    deciders: tuple[Decider, ...]
    reasons: tuple[str, ...]


@record
class Traffic:
    """The firewall analysis of one cluster.

    `same_node` is what intra-node visibility subjects to the firewall, `any_node` what the VPC does to the
    Pods of the cluster at all.
    """

    same_node: ScopeTraffic
    any_node: ScopeTraffic
    evidence: tuple[Evidence, ...] = ()
    unknowns: tuple[Unknown, ...] = ()


@record
class Repair:
    """The smallest change that permits a set of denied packets in one direction.

    `command` and `terraform` are ready to paste, empty where nobody but Google can make the change; `owner`
    says who has to make it.
    """

    direction: Direction
    decided_by: Decider
    text: str
    command: str
    terraform: str
    owner: str


@record
class Shadowed:
    """A rule that matches Pod packets and never decides one: the rules in `by`, before it, decide all."""

    asset: str
    name: str
    priority: int
    by: tuple[Decider, ...]


def decider_json(decider: Decider | None) -> dict[str, Json] | None:
    """`{"asset", "rule", "priority", "stage", "action"}`, and `address` if Terraform plans the rule."""
    if decider is None:
        return None
    found: dict[str, Json] = {
        "asset": decider.asset,
        "rule": decider.rule,
        "priority": decider.priority,
        "stage": decider.stage,
        "action": decider.action,
    }
    if decider.address:
        found["address"] = decider.address
    return found


def witness_json(witness: Witness | None) -> dict[str, Json] | None:
    """`{"source", "destination", "protocol", "port", "source_pool", "destination_pool"}`."""
    if witness is None:
        return None
    return {
        "source": witness.source,
        "destination": witness.destination,
        "protocol": witness.protocol,
        "port": witness.port,
        "source_pool": witness.source_pool,
        "destination_pool": witness.destination_pool,
    }


def box_json(box: Box) -> dict[str, Json]:
    """A box as reports print it; `candidates` only where nothing is decided, `benign` only where it is."""
    found: dict[str, Json] = {
        "direction": box.direction,
        "source": box.source,
        "destination": box.destination,
        "protocol": box.protocol,
        "ports": box.ports,
        "source_pools": list(box.source_pools),
        "destination_pools": list(box.destination_pools),
        "decided_by": decider_json(box.decided_by),
    }
    if box.decided_by is None:
        found["candidates"] = [decider_json(candidate) for candidate in box.candidates]
    found["witness"] = witness_json(box.witness)
    if box.benign is not None:
        found["benign"] = box.benign
    return found


def scope_json(scope: ScopeTraffic) -> dict[str, Json]:
    """One scope as reports print it, complete."""
    return {
        "verdict": scope.verdict,
        "by_protocol": dict(scope.by_protocol),
        "denied": [box_json(box) for box in scope.denied],
        "undecided": [box_json(box) for box in scope.undecided],
        "reasons": list(scope.reasons),
    }


def traffic_json(traffic: Traffic) -> dict[str, Json]:
    """`{"same_node": …, "any_node": …}`."""
    return {"same_node": scope_json(traffic.same_node), "any_node": scope_json(traffic.any_node)}


def _within(span: tuple[int, int], bounds: tuple[int, int]) -> tuple[int, int] | None:
    low, high = max(span[0], bounds[0]), min(span[1], bounds[1])
    return (low, high) if low <= high else None


def _pair(source: tuple[int, int], destination: tuple[int, int], shift: int | None) -> tuple[int, int] | None:
    """Two different addresses, of one block if `shift` says its size; None if there are none.

    The first addresses of a block are avoided where there are others: few Pods have them.
    """
    if shift is not None:
        # The first block that both reach may hold but one address of each, and the same.
        block = max(source[0] >> shift, destination[0] >> shift)
        for candidate in (block, block + 1):
            bounds = candidate << shift, ((candidate + 1) << shift) - 1
            near, far = _within(source, bounds), _within(destination, bounds)
            pair = None if near is None or far is None else _pair(near, far, None)
            if pair is not None:
                return pair
        return None
    one = min(source[0] + 2, source[1])
    other = min(destination[0] + 3, destination[1])
    if one == other:
        if destination[0] != one:
            other = destination[0]
        elif source[0] != other:
            one = source[0]
        elif source[1] != other:
            one = source[1]
        else:
            return None
    return one, other
