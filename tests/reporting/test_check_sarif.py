from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.reporting.check_sarif import check_name, check_sarif, check_together, notices
from tests.reporting import reports
from tests.reporting.sarif_files import document
from tests.reporting.strategies import values

if TYPE_CHECKING:
    from collections.abc import Callable

URI = ("locations", 0, "physicalLocation", "artifactLocation", "uri")
LOCATION = {"physicalLocation": {"artifactLocation": {"uri": "a.json"}}}


@pytest.fixture(scope="module")
def accepted() -> Any:
    return document(reports.all_verdicts())


def first_run(sarif: Any) -> Any:
    return sarif["runs"][0]


def result(sarif: Any) -> Any:
    return first_run(sarif)["results"][0]


def rule(sarif: Any) -> Any:
    return first_run(sarif)["tool"]["driver"]["rules"][0]


def put(target: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value


def drop(target: Any, *path: str | int) -> None:
    for key in path[:-1]:
        target = target[key]
    del target[path[-1]]


def steps(count: int) -> list[Any]:
    return [{"threadFlows": [{"locations": [{}] * count}]}]


MUTATIONS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "no locations": (lambda d: drop(result(d), "locations"), "location-missing", "/locations"),
    "empty locations": (lambda d: put(result(d), ("locations",), []), "location-missing", "/locations"),
    "a logical location only": (
        lambda d: drop(result(d), "locations", 0, "physicalLocation"),
        "physical-location-missing",
        "/locations/0/physicalLocation",
    ),
    "an empty uri": (lambda d: put(result(d), URI, ""), "uri-missing", "/artifactLocation/uri"),
    "no uri": (lambda d: drop(result(d), *URI), "uri-missing", "/artifactLocation/uri"),
    "an https uri": (lambda d: put(result(d), URI, "https://x/y"), "uri-scheme", "/artifactLocation/uri"),
    "a colon in the first segment": (lambda d: put(result(d), URI, "org:123/x"), "uri-scheme", "/uri"),
    "a debian uri": (lambda d: put(result(d), URI, "debian:12"), "uri-scheme", "/uri"),
    "a host": (lambda d: put(result(d), URI, "//host/x"), "uri-host", "/uri"),
    "spaces in the uri": (lambda d: put(result(d), URI, "a b.json"), "uri-invalid", "/uri"),
    "a Windows path": (lambda d: put(result(d), URI, "a\\b.json"), "uri-invalid", "/uri"),
    "a bare per cent sign": (lambda d: put(result(d), URI, "a%zz.json"), "uri-invalid", "/uri"),
    "a second location elsewhere": (
        lambda d: result(d)["locations"].append({"physicalLocation": {"artifactLocation": {"uri": "git:x"}}}),
        "uri-scheme",
        "/locations/1/physicalLocation/artifactLocation/uri",
    ),
    "a failed execution": (
        lambda d: put(first_run(d), ("invocations", 0, "executionSuccessful"), False),
        "unsuccessful-execution",
        "/invocations/0/executionSuccessful",
    ),
    "a severity in words": (
        lambda d: put(rule(d), ("properties", "security-severity"), "High"),
        "security-severity",
        "/properties/security-severity",
    ),
    "a severity as a number": (
        lambda d: put(rule(d), ("properties", "security-severity"), 8.0),
        "security-severity",
        "/properties/security-severity",
    ),
    "a severity beyond ten": (
        lambda d: put(rule(d), ("properties", "security-severity"), "11"),
        "security-severity",
        "/properties/security-severity",
    ),
    "25 tags": (
        lambda d: put(rule(d), ("properties", "tags"), [f"t{n}" for n in range(25)]),
        "too-many-tags",
        "/properties/tags",
    ),
    "11 tags": (
        lambda d: put(rule(d), ("properties", "tags"), [f"t{n}" for n in range(11)]),
        "tags-cut",
        "/properties/tags",
    ),
    "a pass with a level": (
        lambda d: result(d).update(kind="pass", level="error"),
        "level-of-no-failure",
        "/results/0/level",
    ),
    "a message by id alone": (
        lambda d: put(result(d), ("message",), {"id": "m"}),
        "message-text-missing",
        "/message/text",
    ),
    "an empty message": (lambda d: put(result(d), ("message", "text"), " "), "message-text-missing", "/text"),
    "a rule without help": (lambda d: drop(rule(d), "help"), "rule-text-missing", "/help/text"),
    "a rule without fullDescription": (
        lambda d: drop(rule(d), "fullDescription"),
        "rule-text-missing",
        "/fullDescription/text",
    ),
    "a rule without shortDescription": (
        lambda d: drop(rule(d), "shortDescription"),
        "rule-text-missing",
        "/shortDescription/text",
    ),
    "a notification without help": (
        lambda d: drop(first_run(d), "tool", "driver", "notifications", 0, "help"),
        "notification-text-missing",
        "/notifications/0/help/text",
    ),
    "a notification without fullDescription": (
        lambda d: drop(first_run(d), "tool", "driver", "notifications", 0, "fullDescription"),
        "notification-text-missing",
        "/notifications/0/fullDescription/text",
    ),
    "a rule twice": (
        lambda d: first_run(d)["tool"]["driver"]["rules"].append(deepcopy(rule(d))),
        "duplicate-rule",
        "/rules/12/id",
    ),
    "a rule without an id": (lambda d: drop(rule(d), "id"), "rule-id-missing", "/rules/0/id"),
    "a result without a rule": (
        lambda d: [result(d).pop(member) for member in ("ruleId", "ruleIndex")],
        "rule-missing",
        "/results/0/ruleId",
    ),
    "another rule's index": (
        lambda d: put(result(d), ("ruleIndex",), 0),
        "rule-index",
        "/results/0/ruleIndex",
    ),
    "an index beyond the rules": (
        lambda d: put(result(d), ("ruleIndex",), 99),
        "rule-index",
        "/results/0/ruleIndex",
    ),
    "a long description": (
        lambda d: put(rule(d), ("fullDescription", "text"), "x" * 1_025),
        "text-too-long",
        "/fullDescription/text",
    ),
    "a long name": (lambda d: put(rule(d), ("name",), "x" * 256), "name-too-long", "/rules/0/name"),
    "two runs of a category": (
        lambda d: d["runs"].append(deepcopy(first_run(d))),
        "duplicate-category",
        "/runs/1/automationDetails/id",
    ),
    "21 runs": (lambda d: put(d, ("runs",), [first_run(d)] * 21), "too-many-runs", "/runs"),
    "too many results": (
        lambda d: put(first_run(d), ("results",), [result(d)] * 25_001),
        "too-many-results",
        "/runs/0/results",
    ),
    "too many rules": (
        lambda d: put(first_run(d), ("tool", "extensions"), [{"name": "x", "rules": [{}] * 25_000}]),
        "too-many-rules",
        "/runs/0/tool",
    ),
    "too many extensions": (
        lambda d: put(first_run(d), ("tool", "extensions"), [{"name": "x"}] * 101),
        "too-many-extensions",
        "/tool/extensions",
    ),
    "1,001 locations": (
        lambda d: put(result(d), ("locations",), [LOCATION] * 1_001),
        "too-many-locations",
        "/results/0/locations",
    ),
    "101 locations": (
        lambda d: put(result(d), ("locations",), [LOCATION] * 101),
        "locations-cut",
        "/results/0/locations",
    ),
    "101 related locations": (
        lambda d: put(result(d), ("relatedLocations",), [LOCATION] * 101),
        "locations-cut",
        "/results/0/relatedLocations",
    ),
    "10,001 steps": (
        lambda d: put(result(d), ("codeFlows",), steps(10_001)),
        "too-many-thread-flow-locations",
        "/results/0/codeFlows",
    ),
    "1,001 steps": (
        lambda d: put(result(d), ("codeFlows",), steps(1_001)),
        "thread-flow-locations-cut",
        "/results/0/codeFlows",
    ),
    "no tool name": (
        lambda d: drop(first_run(d), "tool", "driver", "name"),
        "tool-name-missing",
        "/tool/driver/name",
    ),
    "another version": (lambda d: put(d, ("version",), "2.0.0"), "version", "/version"),
    "no schema": (lambda d: drop(d, "$schema"), "schema-missing", "/$schema"),
    "runs that are no array": (lambda d: put(d, ("runs",), {}), "wrong-type", "/runs"),
    "a run that is no object": (lambda d: d["runs"].append("x"), "wrong-type", "/runs/1"),
    "a result that is no object": (
        lambda d: first_run(d)["results"].append(None),
        "wrong-type",
        "/runs/0/results/6",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_thing_that_github_refuses_is_found_and_explained(name: str, accepted: Any) -> None:
    mutate, expected, pointer = MUTATIONS[name]
    sarif = deepcopy(accepted)
    mutate(sarif)
    found = [v for v in check_sarif(sarif) if v.rule == expected]
    assert found, [v.rule for v in check_sarif(sarif)]
    assert any(v.pointer.endswith(pointer) for v in found), [v.pointer for v in found]
    assert all(v.text.endswith(".") and v.remedy.endswith(".") for v in found)


def test_a_file_that_is_too_large_when_compressed_is_found(
    accepted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.reporting.check_sarif.MAX_FILE", 1_000)
    assert [v.rule for v in check_sarif(accepted)] == ["file-too-large"]


@pytest.mark.parametrize(
    "mutate",
    [
        lambda d: drop(result(d), "partialFingerprints"),
        lambda d: put(result(d), ("suppressions",), [{"kind": "external"}]),
        lambda d: drop(result(d), "locations", 0, "physicalLocation", "region"),
        lambda d: drop(result(d), "ruleIndex"),
        lambda d: put(result(d), URI, "file:///src/a.json"),
        lambda d: put(result(d), ("ruleId",), result(d)["ruleId"] + "/specialised"),
        lambda d: drop(first_run(d), "results"),
        lambda d: drop(first_run(d), "invocations"),
    ],
)
def test_what_github_accepts_is_not_held_against_a_file(mutate: Callable[[Any], Any], accepted: Any) -> None:
    sarif = deepcopy(accepted)
    mutate(sarif)
    assert check_sarif(sarif) == []


@settings(max_examples=60)
@given(values)
def test_any_json_gives_violations_and_never_an_exception(value: Any) -> None:
    assert check_sarif(value)


@settings(max_examples=60)
@given(st.data())
def test_a_part_replaced_by_any_json_never_raises(accepted: Any, data: st.DataObject) -> None:
    sarif = deepcopy(accepted)
    target = sarif
    while True:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = data.draw(st.sampled_from(keys))
        inner = target[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            target[key] = data.draw(values)
            break
        target = inner
    for violation in check_sarif(sarif):
        assert violation.rule
        assert violation.remedy


TAKEN = {
    "level-of-no-failure",
    "locations-cut",
    "name-too-long",
    "notification-text-missing",
    "rule-index",
    "rule-missing",
    "tags-cut",
    "text-too-long",
    "thread-flow-locations-cut",
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_refusal_is_told_from_what_github_takes_and_shows_otherwise(name: str, accepted: Any) -> None:
    mutate, expected, _ = MUTATIONS[name]
    sarif = deepcopy(accepted)
    mutate(sarif)
    (found,) = {v.refused for v in check_sarif(sarif) if v.rule == expected}
    assert found is (expected not in TAKEN)


def test_every_violation_is_documented_with_what_github_does() -> None:
    root = Path(__file__).parents[2]
    table = (root / "docs/check-sarif.md").read_text("utf-8")
    documented = re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)
    source = (root / "auditor/reporting/check_sarif.py").read_text("utf-8")
    literal = set(re.findall(r'^ +(?:return |yield )?Violation\(\s*"([a-z-]+)"', source, re.MULTILINE))
    made = {expected for _, expected, _ in MUTATIONS.values()} | literal | {"file-name", "file-too-large"}
    assert sorted(documented) == sorted(made)
    refused, _ = table.split("| `locations-cut`")
    assert all(f"| `{name}` |" in refused for name in made - TAKEN - {"file-name"})
    assert not any(f"| `{name}` |" in refused for name in TAKEN)


# --- several files, and notices -------------------------------------------------------------------------


def with_id(accepted: Any, id_: str) -> Any:
    sarif = deepcopy(accepted)
    put(first_run(sarif), ("automationDetails", "id"), id_)
    return sarif


def test_files_of_different_categories_go_together(accepted: Any) -> None:
    files = [(f"{n}.sarif", with_id(accepted, f"tool/shard-{n}/time")) for n in range(20)]
    assert check_together(files) == []


def test_two_files_of_one_category_do_not(accepted: Any) -> None:
    files = [
        ("a.sarif", with_id(accepted, "tool/x/monday")),
        ("b.sarif", with_id(accepted, "tool/x/tuesday")),
    ]
    (found,) = check_together(files)
    assert (found.rule, found.pointer) == ("duplicate-category", "b.sarif")
    assert "a.sarif" in found.text


def test_files_with_more_than_20_runs_do_not(accepted: Any) -> None:
    files = [(f"{n}.sarif", with_id(accepted, f"tool/shard-{n}/time")) for n in range(21)]
    assert [v.rule for v in check_together(files)] == ["too-many-runs"]


def test_files_that_are_too_large_together_do_not(accepted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.reporting.check_sarif.MAX_FILE", 1_000)
    files = [(f"{n}.sarif", with_id(accepted, f"tool/shard-{n}/time")) for n in range(2)]
    assert [v.rule for v in check_together(files)] == ["file-too-large"]


def test_any_json_can_be_checked_together() -> None:
    odd: list[Any] = [None, [], {"runs": {}}, {"runs": [None, {"automationDetails": {"id": 1}}]}]
    for value in odd:
        assert check_together([("a", value)]) == []
        assert notices(value) == []


def test_results_that_github_hides_or_shows_unasked_are_worth_a_notice(accepted: Any) -> None:
    assert notices(accepted) == []
    sarif = deepcopy(accepted)
    put(first_run(sarif), ("results",), [result(sarif)] * 5_001)
    (hidden,) = notices(sarif)
    assert "5,001 results, of which GitHub shows 5,000" in hidden
    assert check_sarif(sarif) == []

    full = document(reports.all_verdicts(), "sarif-full")
    silent, suppressed = notices(full)
    assert "15 results of another kind than fail" in silent
    assert "1 suppressed result" in suppressed


@pytest.mark.parametrize("path", ["report.json", "out/x.quality.sarif", "x.csra.sarif", "sarif"])
def test_a_name_that_the_upload_passes_over_is_found(path: str) -> None:
    assert [v.rule for v in check_name(path)] == ["file-name"]


def test_an_ordinary_name_is_fine() -> None:
    assert check_name("out/report.sarif") == []
