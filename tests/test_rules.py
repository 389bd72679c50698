"""Every example of every rule of the bundled packs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor import bundled, examples
from auditor.engine.load import find_packs, load_pack, load_packs
from auditor.engine.result import Verdict
from tests.engine.builders import rule, write

if TYPE_CHECKING:
    from pathlib import Path

PACKS = load_packs(find_packs(bundled.rules()))
OUTCOMES = list(examples.run(PACKS))


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: f"{one.rule}-{one.expected}-{one.example}")
def test_an_example_has_its_verdict(outcome: examples.Outcome) -> None:
    assert outcome.problem is None, str(outcome)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: f"{one.rule}-{one.expected}-{one.example}")
def test_what_a_rule_says_of_an_example_is_fit_to_be_read(outcome: examples.Outcome) -> None:
    assert outcome.results
    for result in outcome.results:
        assert result.message.endswith((".", "…"))
        assert "unknown" not in result.message or "is unknown" in result.message
        assert (result.verdict is Verdict.UNKNOWN) == bool(result.reasons)
        if result.verdict is Verdict.FAIL:
            assert result.evidence
            assert result.remediation is not None
            assert all(not command.startswith("#") for command in result.remediation.commands)
            for command in result.remediation.commands:
                assert "unknown" not in command
                assert "{" not in command


def test_every_rule_has_examples_of_every_verdict() -> None:
    seen = {(one.rule, one.expected) for one in OUTCOMES}
    rules = {compiled.rule.id for pack in PACKS for compiled in pack.rules}
    assert seen == {(name, verdict) for name in rules for verdict in Verdict}


def test_an_example_with_the_wrong_verdict_is_refused_with_place_verdicts_and_reason(tmp_path: Path) -> None:
    wrong = rule(examples="examples:\n  pass: [{name: good}]\n  fail:\n    - name: fine really\n")
    (_, outcome) = examples.run([load_pack(write(tmp_path / "p", my_rule=wrong))])
    assert outcome.problem == "expected fail, got pass: All is well."
    assert str(outcome).startswith(
        f"{tmp_path}/p/my-rule.yaml:15:7: my-rule: example `fine really`: expected fail"
    )


def test_an_example_that_says_something_else_is_refused(tmp_path: Path) -> None:
    broken = "{name: bad, cluster: {networkConfig: {enableIntraNodeVisibility: false}}"
    text = rule(examples=f"examples:\n  pass: [{{name: a}}]\n  fail: [{broken}, says: nonsense}}]\n")
    (_, outcome) = examples.run([load_pack(write(tmp_path / "p", my_rule=text))])
    assert outcome.problem == "is fail as expected, but does not say `nonsense`; it says: Broken on checkout."
    text = rule(examples=f"examples:\n  pass: [{{name: a}}]\n  fail: [{broken}, severity: low}}]\n")
    (_, outcome) = examples.run([load_pack(write(tmp_path / "p", my_rule=text))])
    assert outcome.problem == "is fail as expected, but with severity high and not low"


def test_an_example_whose_assets_are_none_is_refused(tmp_path: Path) -> None:
    text = rule(examples="examples:\n  pass: [{name: a}]\n  fail: [{name: b, assets: [{nonsense: true}]}]\n")
    (_, outcome) = examples.run([load_pack(write(tmp_path / "p", my_rule=text))])
    assert outcome.got is None
    assert outcome.problem is not None
    assert outcome.problem.startswith("its organisation cannot be built")


def test_examples_have_the_readiness_that_follows_from_what_they_state(tmp_path: Path) -> None:
    stated = """\
    examples:
      pass:
        - {name: working, kubernetes: []}
        - name: ready
          kubernetes: []
          cluster: {networkConfig: {enableIntraNodeVisibility: null}}
      fail:
        - name: Windows
          cluster: {nodePools: [{name: win, version: 1.33.5-gke.1, config: {imageType: WINDOWS_LTSC}}]}
        - name: degraded
          firewalls: [{name: no, priority: 1, direction: EGRESS, denied: [{IPProtocol: all}]}]
        - name: blocked
          firewalls: [{name: no, priority: 1, direction: EGRESS, denied: [{IPProtocol: all}]}]
          cluster: {networkConfig: {enableIntraNodeVisibility: null}}
      not_applicable:
        - {name: not running, cluster: {status: PROVISIONING}}
      unknown:
        - {name: nobody asked, says: ip-masq-agent}
        - {name: no firewall rules, kubernetes: [], firewalls: null, complete: false, says: firewall rules}
    """
    text = rule(expect="readiness.state in ['ready', 'working']", examples=stated)
    outcomes = list(examples.run([load_pack(write(tmp_path / "p", my_rule=text))]))
    assert [str(one) for one in outcomes if one.problem] == []
    assert len(outcomes) == 8


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1]}, {"a": [2, None]}, {"a": [2, None]}),
        ({"a": "x"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({"a": 1}, "text", "text"),
    ],
)
def test_patches_are_json_merge_patches(value: object, patch: object, result: object) -> None:
    assert examples.merged(value, patch) == result  # type: ignore[arg-type]
