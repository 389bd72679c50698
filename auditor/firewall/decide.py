"""First match over protocols and ports: what a sequence of rules does to every packet of the universe.

Rules match surely or perhaps, so that a packet can have several outcomes; one alone is certain. Sequences are
written as codes that leave out which rules they are, so that clusters with the usual rules share one answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.firewall.compiled import ALLOW, BENIGN, DENY, EITHER, GOTO, TIE
from auditor.firewall.intervals import meet, union
from auditor.firewall.layer4 import SLOTS, UNIVERSE, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditor.firewall.compiled import Compiled
    from auditor.firewall.intervals import Span, Spans

ALLOWED, DENIED, BOTH = 1, 2, 3
"""Sets of outcomes."""

IMPLIED = -1
"""The position of the implied rule among deciders."""

BOUNDARY = -1
"""The code after the rules of a step that has a goto_next among them."""

_OUTCOMES = {ALLOW: ALLOWED, DENY: DENIED, BENIGN: DENIED, EITHER: BOTH, TIE: BOTH}
_KUBELET_PORT = 10255

Row = tuple[int, int, int, int, tuple[int, ...], bool]
"""Slot, first and last port, outcomes, positions of the rules that may decide, whether denial is benign."""


def code(rule: Compiled, kind: int, *, sure: bool) -> int:
    """A rule as a number: what it covers, what it does, whether it surely matches."""
    return rule.coverage.number << 4 | kind << 1 | sure


class Result:
    """What a sequence of rules does, row by row; the rows cover the universe once, in order.

    `allowed` is True if every packet is surely allowed, `deciding` are the positions that decide some packet
    for certain, `harming` those that decide, or may, one that is not surely allowed. `number` identifies the
    result within its solver.
    """

    __slots__ = ("allowed", "deciding", "harming", "number", "rows")

    def __init__(self, number: int, rows: tuple[Row, ...]) -> None:
        self.number = number
        self.rows = rows
        self.allowed = all(row[3] == ALLOWED for row in rows)
        self.deciding = tuple(sorted({row[4][-1] for row in rows if row[3] != BOTH} - {IMPLIED}))
        self.harming = tuple(
            sorted({place for row in rows if row[3] != ALLOWED for place in row[4]} - {IMPLIED})
        )


class Blend:
    """Several results taken together: in each slot, the ports that have a set of outcomes in one of them.

    `plain[slot][outcomes]` are ports; in `mild` benign denials count as allowed.
    """

    __slots__ = ("mild", "plain")

    def __init__(self, results: Iterable[Result]) -> None:
        plain: list[list[set[Span]]] = [[set(), set(), set(), set()] for _ in range(SLOTS)]
        mild: list[list[set[Span]]] = [[set(), set(), set(), set()] for _ in range(SLOTS)]
        for result in results:
            for slot, low, high, outcome, _, benign in result.rows:
                plain[slot][outcome].add((low, high))
                mild[slot][ALLOWED if benign else outcome].add((low, high))
        self.plain = [[union(spans) for spans in slot] for slot in plain]
        self.mild = [[union(spans) for spans in slot] for slot in mild]


def blended(egress: Blend, ingress: Blend) -> tuple[int, int]:
    """Like `Solver.both_ways`, where any result of one side may meet any of the other."""
    return _blended(egress.plain, ingress.plain), _blended(egress.mild, ingress.mild)


def _blended(egress: list[list[Spans]], ingress: list[list[Spans]]) -> int:
    found = 0
    for slot, (leaving, entering) in enumerate(zip(egress, ingress, strict=True)):
        if leaving[DENIED] or entering[DENIED]:
            found |= flag(slot, SURELY_DENIED)
        if meet(leaving[ALLOWED], entering[ALLOWED]):
            found |= flag(slot, SURELY_ALLOWED)
        if (
            meet(leaving[BOTH], entering[BOTH])
            or meet(leaving[BOTH], entering[ALLOWED])
            or meet(leaving[ALLOWED], entering[BOTH])
        ):
            found |= flag(slot, UNDECIDED)
    return found


class Solver:
    """Answers sequences of rules, each only once."""

    def __init__(self) -> None:
        self._results: dict[tuple[int, ...], Result] = {}
        self._unions: dict[tuple[int, int, int], Result] = {}
        self._both: dict[tuple[int, int], tuple[int, int]] = {}
        self._blends: dict[frozenset[int], Blend] = {}
        self._blended: dict[tuple[frozenset[int], frozenset[int]], tuple[int, int]] = {}
        self._count = 0

    def result(self, codes: tuple[int, ...], *, implied: int) -> Result:
        """What the rules do, where `implied` is the outcome if none of them decides."""
        key = (implied, *codes)
        found = self._results.get(key)
        if found is None:
            found = self._results[key] = self._new(_solve(codes, implied))
        return found

    def union(self, one: Result, other: Result, offset: int) -> Result:
        """The outcomes of two sequences of which either may be the true one.

        Positions in `other` are counted from `offset`.
        """
        key = (one.number, other.number, offset)
        found = self._unions.get(key)
        if found is None:
            rows: list[Row] = []
            for slot, low, high, first, second in _zip(one, other):
                shifted = tuple(p if p == IMPLIED else p + offset for p in second[4])
                # Where both agree, the one that decides in the first sequence is named: it comes last.
                deciders = tuple(dict.fromkeys((*first[4][::-1], *shifted[::-1])))[::-1]
                benign = [row[5] for row in (first, second) if row[3] & DENIED]
                rows.append((slot, low, high, first[3] | second[3], deciders, bool(benign) and all(benign)))
            found = self._unions[key] = self._new(_merged(rows))
        return found

    def both_ways(self, egress: Result, ingress: Result) -> tuple[int, int]:
        """Which verdicts occur when a packet must pass both: `flag(slot, verdict)` bits.

        First with benign denials as they are, then with them as if they were allowed.
        """
        key = (egress.number, ingress.number)
        found = self._both.get(key)
        if found is None:
            plain = mild = 0
            for slot, _, _, first, second in _zip(egress, ingress):
                plain |= flag(slot, _verdict(first[3], second[3]))
                mild |= flag(
                    slot, _verdict(ALLOWED if first[5] else first[3], ALLOWED if second[5] else second[3])
                )
            found = self._both[key] = (plain, mild)
        return found

    def any_two(self, egress: dict[int, Result], ingress: dict[int, Result]) -> tuple[int, int]:
        """Like `both_ways`, where any result of one side may meet any of the other; both by their numbers."""
        key = (frozenset(egress), frozenset(ingress))
        found = self._blended.get(key)
        if found is None:
            found = blended(self._blend(key[0], egress), self._blend(key[1], ingress))
            self._blended[key] = found
        return found

    def _blend(self, numbers: frozenset[int], results: dict[int, Result]) -> Blend:
        found = self._blends.get(numbers)
        if found is None:
            found = self._blends[numbers] = Blend(results.values())
        return found

    def _new(self, rows: tuple[Row, ...]) -> Result:
        self._count += 1
        return Result(self._count, rows)


SURELY_ALLOWED, SURELY_DENIED, UNDECIDED = 1, 2, 4
"""Verdicts over both directions, as bits."""


def flag(slot: int, verdict: int) -> int:
    """The bit that stands for a verdict in a slot."""
    return verdict << 3 * slot


def _verdict(egress: int, ingress: int) -> int:
    if DENIED in (egress, ingress):
        return SURELY_DENIED
    return SURELY_ALLOWED if egress == ingress == ALLOWED else UNDECIDED


def _zip(one: Result, other: Result) -> Iterator[tuple[int, int, int, Row, Row]]:
    """Two results cut where either is: slot, first and last port, and the row of each."""
    mine, theirs = iter(one.rows), iter(other.rows)
    a, b = next(mine), next(theirs)
    while True:
        slot, low, high = a[0], max(a[1], b[1]), min(a[2], b[2])
        yield slot, low, high, a, b
        ends = (a[2] == high, b[2] == high)
        if ends[0]:
            following = next(mine, None)
            if following is None:
                return
            a = following
        if ends[1]:
            b = next(theirs)


def _merged(rows: list[Row]) -> tuple[Row, ...]:
    """Neighbouring rows with one outcome for one reason made one."""
    found: list[Row] = []
    for row in rows:
        if found and found[-1][0] == row[0] and found[-1][3:] == row[3:]:
            found[-1] = (row[0], found[-1][1], *row[2:])
        else:
            found.append(row)
    return tuple(found)


def _solve(codes: tuple[int, ...], implied: int) -> tuple[Row, ...]:
    rules: list[tuple[int, bool]] = []
    covers = []
    steps: list[int] = []
    start = 0
    for number in codes:
        if number == BOUNDARY:
            steps.append(((1 << len(rules)) - 1) ^ ((1 << start) - 1))
            start = len(rules)
        else:
            rules.append((number >> 1 & 7, bool(number & 1)))
            covers.append(numbered(number >> 4))
    steps.append(((1 << len(rules)) - 1) ^ ((1 << start) - 1))
    rows: list[Row] = []
    known: dict[int, tuple[int, tuple[int, ...], bool]] = {}
    for slot in range(SLOTS):
        whole = UNIVERSE[slot]
        live = 0
        toggles: dict[int, int] = {}
        for position, covered in enumerate(covers):
            spans = covered.slots[slot]
            if spans == whole:
                live |= 1 << position
            else:
                for low, high in spans:
                    toggles[low] = toggles.get(low, 0) ^ 1 << position
                    toggles[high + 1] = toggles.get(high + 1, 0) ^ 1 << position
        first, last = whole[0]
        live ^= toggles.pop(first, 0)
        toggles.pop(last + 1, 0)
        cuts = sorted(toggles)
        for low, following in zip([first, *cuts], [*cuts, last + 1], strict=True):
            live ^= toggles.get(low, 0)
            walked = known.get(live)
            if walked is None:
                walked = known[live] = _walk(live, rules, steps, implied)
            outcome, deciders, benign = walked
            kubelet = benign and slot == 0 and low == following - 1 == _KUBELET_PORT
            rows.append((slot, low, following - 1, outcome, deciders, kubelet))
    return _merged(rows)


def _walk(
    live: int, rules: list[tuple[int, bool]], steps: list[int], implied: int
) -> tuple[int, tuple[int, ...], bool]:
    """Outcomes, deciders, and whether every possible denial is GKE's own of tcp:10255."""
    outcome = 0
    deciders: list[int] = []
    harmful = False
    for step in steps:
        left = live & step
        inside, escaped = True, False
        while left:
            lowest = left & -left
            left ^= lowest
            position = lowest.bit_length() - 1
            kind, sure = rules[position]
            if kind == GOTO:
                escaped = True
            else:
                deciders.append(position)
                outcome |= _OUTCOMES[kind]
                harmful = harmful or kind in (DENY, EITHER, TIE)
                if kind == TIE:
                    deciders.append(IMPLIED)
            if sure:
                inside = False
                break
        if not inside and not escaped:
            return outcome, tuple(deciders), outcome & DENIED != 0 and not harmful
    if IMPLIED in deciders:
        deciders.remove(IMPLIED)
    return (
        outcome | implied,
        (*deciders, IMPLIED),
        (outcome | implied) & DENIED != 0 and not harmful and implied == ALLOWED,
    )
