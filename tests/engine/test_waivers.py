from __future__ import annotations

from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.engine.result import Result, Severity, Verdict
from auditor.engine.waivers import Waiver, Waivers, apply, load
from auditor.errors import ConfigError
from tests.engine.builders import NAME, REF, pack, rule

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.engine.rule import Rule

TODAY = date(2026, 11, 20)
FAILURE = Result("my-rule", Verdict.FAIL, Severity.HIGH, REF, None, "m", (), (), None)


@pytest.fixture
def rules(tmp_path: Path) -> list[Rule]:
    loaded = pack(tmp_path / "p", rule(since="since: 1.0.0\naliases: [CKV_1]"))
    return [one.rule for one in loaded.rules]


def waiver(**changed: object) -> Waiver:
    whole = Waiver("my-rule", "*", "because", "me@example.com", date(2027, 1, 1), None, "w.yaml:1:1")
    return replace(whole, **changed)  # type: ignore[arg-type]


def read(folder: Path, text: str, rules: list[Rule]) -> Waivers:
    file = folder / "waivers.yaml"
    file.write_text(text)
    return load(str(file), rules)


def test_a_waiver_names_rule_resource_reason_owner_and_end(tmp_path: Path, rules: list[Rule]) -> None:
    found = read(
        tmp_path,
        f"waivers:\n  - {{rule: CKV_1, resource: '{NAME}', reason: r, owner: o, expires: 2027-01-31}}\n",
        rules,
    )
    assert found.notes == ()
    assert found.entries == (
        Waiver("my-rule", NAME, "r", "o", date(2027, 1, 31), None, f"{tmp_path}/waivers.yaml:2:5"),
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("5", "must be a mapping"),
        ("{rule: my-rule, resource: x, reason: r, owner: o}", "the key `expires` is missing"),
        ("{rule: my-rule, resource: x, reason: r, owner: o, expires: soon}", "`soon` is no date"),
        ("{rule: my-rule, resource: x, reason: r, owner: o, expires: 2027-02-30}", "`2027-02-30` is no date"),
        ("{rule: my-rule, resource: x, reason: r, owner: o, expires: 20270101}", "`expires` must be text"),
        (
            "{rule: my-rule, resource: x, reason: '', owner: o, expires: 2027-01-01}",
            "`reason` must be text, and not empty",
        ),
        (
            "{rule: my-rule, resource: [x], reason: r, owner: o, expires: 2027-01-01}",
            "`resource` must be text",
        ),
        (
            "{rule: my-rul, resource: x, reason: r, owner: o, expires: 2027-01-01}",
            "no rule `my-rul`; did you mean `my-rule`?",
        ),
        ("{rule: my-rule, ressource: x}", "the key `ressource` is unknown; did you mean `resource`?"),
    ],
)
def test_a_malformed_entry_waives_nothing_and_is_told(
    tmp_path: Path, rules: list[Rule], entry: str, words: str
) -> None:
    found = read(tmp_path, f"waivers:\n  - {entry}\n", rules)
    assert found.entries == ()
    assert [note.kind for note in found.notes] == ["malformed"]
    assert words in found.notes[0].text
    assert found.notes[0].text.startswith(f"{tmp_path}/waivers.yaml:2:")
    results, notes = apply([FAILURE], found, TODAY)
    assert results == [FAILURE]
    assert notes == list(found.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "no waivers file"),
        ("waivers: 5", "no waivers file"),
        ("waiver: []", "the key `waiver` is unknown"),
        ("", "empty"),
    ],
)
def test_a_file_of_another_kind_is_an_error(tmp_path: Path, rules: list[Rule], text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, text, rules)


def test_a_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load("/nowhere/waivers.yaml", [])


def test_a_waiver_holds_up_to_and_including_its_last_day() -> None:
    last_day = Waivers((waiver(expires=TODAY),))
    assert apply([FAILURE], last_day, TODAY)[0][0].waiver is last_day.entries[0]
    results, notes = apply([FAILURE], last_day, date(2026, 11, 21))
    assert results[0].waiver is None
    assert [note.kind for note in notes] == ["expired"]


def test_only_failures_are_waived_and_a_waiver_of_nothing_is_unused() -> None:
    unknown = replace(FAILURE, verdict=Verdict.UNKNOWN)
    results, notes = apply([unknown], Waivers((waiver(),)), TODAY)
    assert results == [unknown]
    assert [note.kind for note in notes] == ["unused"]


def test_a_subject_narrows_a_waiver_to_one_part_of_a_resource() -> None:
    part = replace(FAILURE, subject="pool-a")
    waivers = Waivers((waiver(subject="pool-a"),))
    assert [one.waiver is not None for one in apply([FAILURE, part], waivers, TODAY)[0]] == [False, True]
    whole = Waivers((waiver(),))
    assert [one.waiver is not None for one in apply([FAILURE, part], whole, TODAY)[0]] == [True, True]


def test_of_several_waivers_the_first_in_the_file_counts() -> None:
    first, second = waiver(resource="*/checkout"), waiver(resource=NAME)
    results, notes = apply([FAILURE], Waivers((first, second)), TODAY)
    assert results[0].waiver is first
    assert [note.waiver for note in notes] == [second]


@given(
    globs=st.lists(st.text("ab*?[]!/", max_size=6), max_size=6),
    names=st.lists(st.text("ab/[", max_size=6), min_size=1, max_size=6),
)
def test_globs_are_those_of_fnmatchcase_and_the_first_that_matches_counts(
    globs: list[str], names: list[str]
) -> None:
    waivers = tuple(waiver(resource=one) for one in globs)
    results = [replace(FAILURE, resource=replace(REF, name=name)) for name in names]
    found, _ = apply(results, Waivers(waivers), TODAY)
    for name, result in zip(names, found, strict=True):
        expected = next((one for one in waivers if fnmatchcase(name, one.resource)), None)
        assert result.waiver is expected
