"""Everything that one direction decides at nodes of one identity, between two sets of addresses.

Sources and destinations are cut where a rule begins or ends; packets between two pieces meet the same rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.firewall.compiled import BENIGN, GOTO
from auditor.firewall.decide import ALLOWED, BOUNDARY, DENIED, code
from auditor.firewall.intervals import clip, union

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from auditor.firewall.chain import Chain
    from auditor.firewall.compiled import Compiled, Identity, Side, Why
    from auditor.firewall.decide import Result, Solver
    from auditor.firewall.intervals import Span, Spans
    from auditor.firewall.rulelist import Hit
    from auditor.model.network import Direction
    from auditor.model.traffic import Row

Pools = frozenset[int]
"""Node pools, by their index in the cluster."""

Told = tuple[tuple["Row", ...], tuple["Row", ...], "tuple[Why, ...]"]
"""What a ruling denies, what it leaves undecided, and why."""


class Space:
    """The Pod addresses of some pools in one IP version; `atoms` are disjoint, each with its pools."""

    __slots__ = ("atoms", "spans")

    def __init__(self, pools: Sequence[tuple[int, Spans]]) -> None:
        distinct = {spans for _, spans in pools}
        self.atoms: list[tuple[int, int, Pools]] = []
        if len(distinct) == 1:
            everyone = frozenset(index for index, _ in pools)
            self.spans: Spans = next(iter(distinct))
            self.atoms = [(low, high, everyone) for low, high in self.spans]
            return
        self.spans = union(span for spans in distinct for span in spans)
        edges: dict[int, set[int]] = {}
        for index, spans in pools:
            for low, high in spans:
                edges.setdefault(low, set()).symmetric_difference_update((index,))
                edges.setdefault(high + 1, set()).symmetric_difference_update((index,))
        present: Pools = frozenset()
        start = 0
        for point in sorted(edges):
            if present:
                self.atoms.append((start, point - 1, present))
            present = present.symmetric_difference(edges[point])
            start = point


class Piece:
    """Addresses that the live rules treat alike: `mask` is their index among the masks of the side."""

    __slots__ = ("high", "low", "mask", "pools")

    def __init__(self, low: int, high: int, pools: Pools, mask: int) -> None:
        self.low = low
        self.high = high
        self.pools = pools
        self.mask = mask


class Ruling:
    """The result for packets between two pieces, with the rules that its positions mean.

    `told` is what readers are told of it; None until it is asked for.
    """

    __slots__ = ("result", "rules", "told")

    def __init__(self, result: Result, rules: list[Compiled]) -> None:
        self.result = result
        self.rules = rules
        self.told: Told | None = None


class _SideMasks:
    """Which of the live rules match on one side, piece by piece: surely, or at least perhaps."""

    __slots__ = ("_cuts", "some", "sure")

    def __init__(self) -> None:
        self.some = 0
        self.sure = 0
        self._cuts: dict[int, tuple[int, int]] = {}

    def add(self, bit: int, pieces: Sequence[Span] | None, *, perhaps: bool) -> None:
        """Put in a rule that surely matches within `pieces` (None: everywhere), elsewhere perhaps or not."""
        if pieces is None:
            self.some |= bit
            self.sure |= bit
            return
        if perhaps:
            self.some |= bit
        for low, high in pieces:
            for point in (low, high + 1):
                some, sure = self._cuts.get(point, (0, 0))
                self._cuts[point] = (some if perhaps else some ^ bit, sure ^ bit)

    def pieces(self, space: Space) -> tuple[list[Piece], list[tuple[int, int]]]:
        """The space cut into pieces, and the distinct (some, sure) masks."""
        some, sure = self.some, self.sure
        if not self._cuts:
            return [Piece(low, high, pools, 0) for low, high, pools in space.atoms], [(some, sure)]
        numbers: dict[tuple[int, int], int] = {}
        found: list[Piece] = []
        points = sorted(self._cuts)
        at = 0
        for low, high, pools in space.atoms:
            while at < len(points) and points[at] <= low:
                change = self._cuts[points[at]]
                some, sure = some ^ change[0], sure ^ change[1]
                at += 1
            start = low
            while True:
                end = points[at] - 1 if at < len(points) and points[at] <= high else high
                number = numbers.setdefault((some, sure), len(numbers))
                last = found[-1] if found else None
                if (
                    last is not None
                    and last.mask == number
                    and last.high + 1 == start
                    and last.pools == pools
                ):
                    last.high = end
                else:
                    found.append(Piece(start, end, pools, number))
                if end == high:
                    break
                change = self._cuts[points[at]]
                some, sure = some ^ change[0], sure ^ change[1]
                at += 1
                start = end + 1
        return found, list(numbers)


class View:
    """One direction at nodes of one identity.

    `sources` and `destinations` are pieces; `ruling` answers for two of their masks. `hits` are the rules of
    each step that may match. `rules` are those that do match some packet, in the default order, but for
    the ones behind a rule that decides every packet (with `complete` these as well). `cut` says whether hits
    were left out for standing behind one.
    """

    __slots__ = (
        "_codes",
        "_implied",
        "_orders",
        "_rulings",
        "_solver",
        "_stops",
        "_sure",
        "chain",
        "cut",
        "destination_masks",
        "destinations",
        "rules",
        "source_masks",
        "sources",
    )

    def __init__(
        self,
        solver: Solver,
        chain: Chain,
        hits: Mapping[int, Sequence[Hit]],
        direction: Direction,
        sources: Space,
        destinations: Space,
        *,
        cluster_hash: str | None,
        borne: Callable[[Identity], bool],
        complete: bool = False,
    ) -> None:
        self.chain = chain
        self._solver = solver
        self._implied = ALLOWED if direction == "EGRESS" else DENIED
        self._rulings: dict[tuple[int, int], Ruling] = {}
        self.cut = False
        self.rules: list[Compiled] = []
        self._codes: list[int] = []
        self._stops = 0
        self._sure = 0
        masks = (_SideMasks(), _SideMasks())
        ranges: dict[int, tuple[int, int]] = {}
        ended = False
        order = chain.orders[0]
        for count, step in enumerate(order):
            if step not in hits:
                continue
            if ended:
                self.cut = True
                break
            start = len(self.rules)
            stops = self._take(
                hits[step],
                sources.spans,
                destinations.spans,
                masks,
                cluster_hash,
                borne,
                complete=complete,
            )
            # Of two orders, only the steps that come first in both can end the walk for both.
            ended = stops and (len(chain.orders) == 1 or count < chain.fixed)
            ranges[step] = (start, len(self.rules))
        self._orders = [[ranges[step] for step in each if step in ranges] for each in chain.orders]
        self.sources, self.source_masks = masks[0].pieces(sources)
        self.destinations, self.destination_masks = masks[1].pieces(destinations)

    def _take(
        self,
        hits: Sequence[Hit],
        sources: Spans,
        destinations: Spans,
        masks: tuple[_SideMasks, _SideMasks],
        cluster_hash: str | None,
        borne: Callable[[Identity], bool],
        *,
        complete: bool,
    ) -> bool:
        """Put in the rules of one step; whether no packet gets beyond it."""
        jumped = False
        rules, codes = self.rules, self._codes
        of_sources, of_destinations = masks
        for hit in hits:
            _, rule, sure = hit
            source, destination = rule.source, rule.destination
            perhaps = source.maybe or (rule.identity is not None and borne(rule.identity))
            from_pieces = None if source.spans is None else within(source, sources)
            to_pieces = None if destination.spans is None else within(destination, destinations)
            if (from_pieces == [] and not perhaps) or (to_pieces == [] and not destination.maybe):
                continue
            bit = 1 << len(rules)
            of_sources.add(bit, from_pieces, perhaps=perhaps)
            of_destinations.add(bit, to_pieces, perhaps=destination.maybe)
            kind = rule.kind
            if rule.exkubelet is not None and rule.exkubelet == cluster_hash:
                kind = BENIGN
            rules.append(rule)
            codes.append(code(rule, kind, sure=False))
            if sure:
                self._sure |= bit
                if rule.coverage.full:
                    self._stops |= bit
                    if from_pieces is None and to_pieces is None and not complete:
                        self.cut = self.cut or hit is not hits[-1]
                        return kind != GOTO and not jumped
            jumped = jumped or kind == GOTO
        return False

    def over(self, sources: Space, destinations: Space) -> View:
        """The same rules, none of which makes a difference between addresses, for other addresses."""
        found = View.__new__(View)
        for name in _OF_RULES:
            setattr(found, name, getattr(self, name))
        found.sources = [Piece(low, high, pools, 0) for low, high, pools in sources.atoms]
        found.destinations = [Piece(low, high, pools, 0) for low, high, pools in destinations.atoms]
        return found

    @property
    def uniform(self) -> bool:
        """Whether all packets meet the same rules."""
        return len(self.source_masks) == len(self.destination_masks) == 1

    @property
    def allowed(self) -> bool:
        """Whether all packets meet the same rules, and are allowed."""
        return self.uniform and self.only.result.allowed

    @property
    def only(self) -> Ruling:
        """What becomes of all packets, where they meet the same rules."""
        return self.ruling(0, 0)

    def ruling(self, source: int, destination: int) -> Ruling:
        """What becomes of packets from a piece with one mask to a piece with another."""
        key = (source, destination)
        found = self._rulings.get(key)
        if found is None:
            some_source, sure_source = self.source_masks[source]
            some_destination, sure_destination = self.destination_masks[destination]
            live = some_source & some_destination
            sure = sure_source & sure_destination & self._sure & live
            found = self._rulings[key] = self._rule(live, sure)
        return found

    def _rule(self, live: int, sure: int) -> Ruling:
        rules: list[Compiled] = []
        result = None
        for order in self._orders:
            offset = len(rules)
            codes: list[int] = []
            self._sequence(live, sure, order, codes, rules)
            one = self._solver.result(tuple(codes), implied=self._implied)
            result = one if result is None else self._solver.union(result, one, offset)
        if result is None:
            raise AssertionError("a chain has at least one order")
        return Ruling(result, rules)

    def _sequence(
        self, live: int, sure: int, order: list[tuple[int, int]], codes: list[int], rules: list[Compiled]
    ) -> None:
        """Append the live rules of each step in turn, up to where nothing gets any further."""
        own, stops, codes_of = self.rules, self._stops & sure, self._codes
        for start, end in order:
            left = (live >> start) & ((1 << (end - start)) - 1)
            jumped = False
            while left:
                lowest = left & -left
                left ^= lowest
                position = start + lowest.bit_length() - 1
                rule = own[position]
                rules.append(rule)
                codes.append(codes_of[position] | (sure >> position & 1))
                jumped = jumped or rule.kind == GOTO
                if stops >> position & 1:
                    if not jumped:
                        return
                    break
            if jumped:
                codes.append(BOUNDARY)


_OF_RULES = tuple(name for name in View.__slots__ if name not in ("destinations", "sources"))


def within(side: Side, spans: Spans) -> list[Span] | None:
    """Where in `spans` a rule's side surely matches: None is everywhere."""
    own = side.spans
    if own is None:
        return None
    if len(own) == 1 == len(spans):
        low, high = spans[0]
        start, end = own[0]
        if start <= low and high <= end:
            return None
        return [(max(start, low), min(end, high))] if start <= high and low <= end else []
    if not own:
        return []
    found = [piece for low, high in spans for piece in clip(own, low, high)]
    return None if found == list(spans) else found
