"""First match over protocols and ports, against a walk for each single packet."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from auditor.firewall.compiled import ALLOW, BENIGN, DENY, EITHER, GOTO, PERHAPS, TIE, Compiled
from auditor.firewall.decide import (
    ALLOWED,
    BOTH,
    BOUNDARY,
    DENIED,
    IMPLIED,
    Blend,
    Result,
    Solver,
    blended,
    code,
    flag,
)
from auditor.firewall.layer4 import SLOTS, UNIVERSE, Coverages
from auditor.model.network import Layer4


class Rule(NamedTuple):
    layer4: tuple[Layer4, ...]
    kind: int
    sure: bool


ports = st.sampled_from(
    ((), ((1, 65535),), ((0, 0),), ((80, 90),), ((85, 100),), ((10255, 10255),), ((90, 65535),))
)
entries = st.builds(Layer4, st.sampled_from((None, 6, 17, 1, 50, 47)), ports)
rules = st.builds(
    Rule,
    st.lists(entries, min_size=1, max_size=2).map(tuple),
    st.sampled_from((ALLOW, DENY, GOTO, EITHER, TIE, BENIGN)),
    st.booleans(),
)
policies = st.lists(st.lists(rules, max_size=4), max_size=3)
COVERAGES = Coverages()
CRITICAL = (1, 79, 80, 84, 85, 90, 91, 100, 101, 10254, 10255, 10256, 65535)
NUMBERS = (6, 17, 132, 1, 50, 51)


def compiled(rule: Rule) -> Compiled | None:
    covers = COVERAGES.of(rule.layer4, 4)
    if covers is None:
        return None
    return Compiled(None, None, "vpc", rule.kind, covers, PERHAPS, PERHAPS, sure=rule.sure, why=(("?", "?"),))


def solved(solver: Solver, steps: list[list[Rule]], implied: int) -> Result:
    codes: list[int] = []
    for step in steps:
        made = [(rule, compiled(rule)) for rule in step]
        codes += [code(found, rule.kind, sure=rule.sure) for rule, found in made if found is not None]
        codes.append(BOUNDARY)
    return solver.result(tuple(codes), implied=implied)


def matches(rule: Rule, number: int, port: int) -> bool:
    return any(
        entry.protocol in (None, number)
        and (number not in (6, 17, 132) or not entry.ports or any(a <= port <= b for a, b in entry.ports))
        for entry in rule.layer4
    )


def outcomes(steps: list[list[Rule]], implied: int, number: int, port: int) -> int:
    """Every possible end, by following each world in which an unsure rule matches or does not."""
    if not steps:
        return implied
    first, rest = steps[0], steps[1:]
    if not first:
        return outcomes(rest, implied, number, port)
    rule, others = first[0], [first[1:], *rest]
    if not matches(rule, number, port):
        return outcomes(others, implied, number, port)
    if rule.kind == GOTO:
        ends = outcomes(rest, implied, number, port)
    else:
        ends = {ALLOW: ALLOWED, DENY: DENIED, BENIGN: DENIED}.get(rule.kind, BOTH)
    return ends if rule.sure else ends | outcomes(others, implied, number, port)


@given(policies, st.sampled_from((ALLOWED, DENIED)))
def test_every_packet_has_the_outcomes_of_the_walk(steps: list[list[Rule]], implied: int) -> None:
    result = solved(Solver(), steps, implied)
    for slot, number in enumerate(NUMBERS):
        for port in CRITICAL if slot < 3 else (0,):
            (row,) = [row for row in result.rows if row[0] == slot and row[1] <= port <= row[2]]
            assert row[3] == outcomes(steps, implied, number, port)


@given(policies, st.sampled_from((ALLOWED, DENIED)))
def test_rows_cover_the_universe_once_in_order(steps: list[list[Rule]], implied: int) -> None:
    rows = solved(Solver(), steps, implied).rows
    for slot in range(SLOTS):
        own = [(row[1], row[2]) for row in rows if row[0] == slot]
        assert (own[0][0], own[-1][1]) == UNIVERSE[slot][0]
        assert all(first[1] + 1 == second[0] for first, second in pairwise(own))
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


@given(policies, policies)
def test_a_union_holds_the_outcomes_of_both(one: list[list[Rule]], other: list[list[Rule]]) -> None:
    solver = Solver()
    first, second = solved(solver, one, ALLOWED), solved(solver, other, ALLOWED)
    for row in solver.union(first, second, 100).rows:
        for port in {row[1], row[2]}:
            (mine,) = [r for r in first.rows if r[0] == row[0] and r[1] <= port <= r[2]]
            (theirs,) = [r for r in second.rows if r[0] == row[0] and r[1] <= port <= r[2]]
            assert row[3] == mine[3] | theirs[3]
            assert set(row[4]) == {*mine[4], *(p if p == IMPLIED else p + 100 for p in theirs[4])}


@given(st.lists(policies, min_size=1, max_size=3), st.lists(policies, min_size=1, max_size=3))
def test_blends_say_what_all_pairs_say_together(
    ones: list[list[list[Rule]]], others: list[list[list[Rule]]]
) -> None:
    solver = Solver()
    leaving = [solved(solver, steps, ALLOWED) for steps in ones]
    entering = [solved(solver, steps, DENIED) for steps in others]
    plain = mild = 0
    for one in leaving:
        for other in entering:
            flags = solver.both_ways(one, other)
            plain, mild = plain | flags[0], mild | flags[1]
    assert blended(Blend(leaving), Blend(entering)) == (plain, mild)


def test_equal_sequences_share_one_result() -> None:
    solver = Solver()
    steps = [[Rule((Layer4(6, ()),), ALLOW, sure=True)]]
    assert solved(solver, steps, DENIED) is solved(solver, steps, DENIED)


def test_only_the_kubelet_port_denied_by_gke_itself_is_benign() -> None:
    steps = [
        [Rule((Layer4(6, ((10255, 10255),)),), BENIGN, sure=True), Rule((Layer4(None, ()),), DENY, sure=True)]
    ]
    assert [row[:3] for row in solved(Solver(), steps, ALLOWED).rows if row[5]] == [(0, 10255, 10255)]


def test_an_implied_rule_comes_after_a_tie() -> None:
    (row, *_) = solved(Solver(), [[Rule((Layer4(None, ()),), TIE, sure=True)]], DENIED).rows
    assert row[3:5] == (BOTH, (0, IMPLIED))


def test_flags_of_different_slots_do_not_mix() -> None:
    assert len({flag(slot, verdict) for slot in range(SLOTS) for verdict in (1, 2, 4)}) == SLOTS * 3
