"""The tests of the analysis notice mistakes in it; `python -m tests.firewall.mutants` makes every one."""

from __future__ import annotations

import pytest

from tests.firewall.mutants import MUTANTS, Mutant, StaleMutantError, changed, noticed_by

EVERY_RUN = (
    "allow wins a tie",
    "goto_next allows",
    "an uncertain match ends the walk",
)


def by_name(mutant: Mutant) -> str:
    return mutant.name


@pytest.mark.parametrize("mutant", MUTANTS, ids=by_name)
def test_every_mistake_can_still_be_made(mutant: Mutant) -> None:
    assert changed(mutant)


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.name in EVERY_RUN], ids=by_name)
def test_the_mistake_is_noticed(mutant: Mutant) -> None:
    assert noticed_by(mutant)


def test_the_mistakes_of_every_run_exist() -> None:
    assert {each.name for each in MUTANTS} >= set(EVERY_RUN)
    assert len({each.name for each in MUTANTS}) == len(MUTANTS)


def test_a_mistake_that_no_longer_fits_is_an_error() -> None:
    with pytest.raises(StaleMutantError, match="0 times"):
        changed(Mutant("stale", (("auditor/firewall/__init__.py", "no such text", ""),)))
