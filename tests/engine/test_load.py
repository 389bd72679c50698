from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from auditor import bundled
from auditor.engine.load import find_packs, load_pack, load_packs
from auditor.errors import RuleError
from tests.engine.builders import PACK, pack, rule, write

if TYPE_CHECKING:
    from pathlib import Path


def refused(folder: Path, text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        pack(folder, text)
    return caught.value


def test_a_pack_is_its_rules_sorted_by_id_and_a_digest_of_its_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", zebra=rule("zebra"), ape=rule("ape"))
    loaded = load_pack(folder)
    assert [one.rule.id for one in loaded.rules] == ["ape", "zebra"]
    assert loaded.pack.name == "own"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", loaded.digest)
    assert load_pack(folder).digest == loaded.digest
    (folder / "ape.yaml").write_text(rule("ape") + "# changed\n")
    assert load_pack(folder).digest != loaded.digest


def test_a_misspelt_field_is_an_error_with_file_line_and_column(tmp_path: Path) -> None:
    error = refused(tmp_path / "p", rule(expect="cluster.networkConfig.enableIntraNodeVisibilty"))
    assert error.place == f"{tmp_path}/p/my-rule.yaml:8:35"
    assert error.message.startswith(
        "checks[0].expect: there is no field `enableIntraNodeVisibilty` in NetworkConfig"
    )
    assert "`cluster.networkConfig.enableIntraNodeVisibilty`" in error.message
    assert error.hint == "did you mean `enableIntraNodeVisibility`?"


def test_a_misspelt_field_in_a_block_scalar_has_its_own_line(tmp_path: Path) -> None:
    text = """\
    checks:
      - message: Broken.
        expect: |
          visibility.state == "on" &&
            versions.control_plan != ""
    """
    error = refused(tmp_path / "p", rule(checks=text))
    assert error.place == f"{tmp_path}/p/my-rule.yaml:11:18"
    assert error.hint == "did you mean `control_plane`?"


def test_a_misspelt_field_in_a_message_has_its_place_in_the_message(tmp_path: Path) -> None:
    text = """\
    checks:
      - expect: visibility.state == "on"
        message: >-
          The cluster {resource.short_name}
          is in {resource.proiect}.
    """
    error = refused(tmp_path / "p", rule(checks=text))
    assert error.place == f"{tmp_path}/p/my-rule.yaml:11:23"
    assert error.hint == "did you mean `project`?"


@pytest.mark.parametrize(
    ("replaced", "place", "words", "hint"),
    [
        ({"title": "tilte: A rule"}, "2:1", "the key `tilte` is unknown here", "did you mean `title`?"),
        ({"title": "# no title"}, "1:1", "the key `title` is missing", "docs/writing-rules.md"),
        ({"title": "title: 5"}, "2:8", "title: this must be text, not `5`", "put it in quotes"),
        ({"title": "title: ''"}, "2:8", "title: this must not be empty", "docs/writing-rules.md"),
        (
            {"title": f"title: {'x' * 121}"},
            "2:8",
            "too long: at most 120 characters",
            "docs/writing-rules.md",
        ),
        (
            {"severity": "severity: hihg"},
            "3:11",
            "severity: this is none of the known words",
            "did you mean `high`?",
        ),
        ({"severity": "severity: [high]"}, "3:11", "severity:", "did you mean `high`?"),
        ({"since": "since: v1"}, "4:8", "since: this is not in the right form, not `v1`", "0.1.0"),
        ({"id": "id: My Rule"}, "1:5", "id: this is not in the right form", "joined by dashes"),
        (
            {"id": "id: other-rule"},
            "1:5",
            "the file is named `my-rule`, and the rule in it `other-rule`",
            "rename the file",
        ),
        (
            {"applies_to": "applies_to: {kind: pod}"},
            "6:20",
            "applies_to.kind: this is none of the known words",
            "there are: ",
        ),
        (
            {"applies_to": "applies_to: {kind: cluster, wehn: 'true'}"},
            "6:29",
            "the key `wehn` is unknown",
            "did you mean `when`?",
        ),
        (
            {"applies_to": "applies_to: {kind: cluster, when: visibility.state}"},
            "6:35",
            "must give true or false",
            "true or false",
        ),
        (
            {"examples": "examples: {pass: [{name: a}], fail: [{name: b}], unkown: []}"},
            "12:50",
            "the key `unkown` is unknown here",
            "did you mean `unknown`?",
        ),
        ({"checks": "checks: []"}, "7:9", "checks: at least one is needed here", "docs/writing-rules.md"),
        (
            {"checks": "checks: {expect: 'true'}"},
            "7:9",
            "checks: this must be a list",
            "docs/writing-rules.md",
        ),
        (
            {"checks": "checks:\n  - expekt: 'true'\n    message: x"},
            "8:5",
            "the key `expekt` is unknown here",
            "did you mean `expect`?",
        ),
        ({"checks": "checks: [{expect: 'true', message: 'a {b'}]"}, "7:39", "a `{` without its `}`", "`{{`"),
        ({"checks": "checks: [{expect: 'true', message: 'a } b'}]"}, "7:39", "a `}` without its `{`", "`}}`"),
        (
            {"checks": "checks: [{expect: 'true', message: '{ }'}]"},
            "7:37",
            "nothing between the braces",
            "`{{`",
        ),
        (
            {"checks": "checks: [{expect: 'true', message: m, lowered: {to: high, when: 'true'}}]"},
            "7:53",
            "`lowered.to` is high, which is not lower",
            "milder",
        ),
        (
            {"checks": "checks: [{each: versions.pools, expect: 'true', message: m}]"},
            "7:10",
            "`each` without `subject`",
            "subject: item.name",
        ),
        (
            {"checks": "checks: [{expect: 'true', message: m, subject: '\"a\"'}]"},
            "7:39",
            "`subject` without `each`",
            "add `each`",
        ),
        (
            {"checks": "checks: [{each: visibility.state, subject: '\"a\"', expect: 'true', message: m}]"},
            "7:17",
            "a list",
            "a list",
        ),
        (
            {"remediation": "remediation: {text: a, commands: ['gcloud {resource.nam}']}"},
            "11:53",
            "no field `nam`",
            "did you mean `name`?",
        ),
        (
            {"passing": "passing: ok\nevidence: [{path: visibility, expected: 1}]"},
            "11:19",
            "`expected` needs the path of one value",
            "own evidence",
        ),
        ({"passing": "passing: ok\nevidence: [{path: org.share}]"}, "11:19", "`org` is no evidence", "fact"),
        (
            {"passing": "passing: ok\nevidence: [{path: visibility.stat}]"},
            "11:30",
            "no field `stat`",
            "did you mean `state`?",
        ),
        (
            {"passing": "passing: ok\nevidence: [{path: readiness.states}]"},
            "11:29",
            "no field `states` in ClusterReadiness",
            "did you mean `state`?",
        ),
        (
            {"passing": "passing: ok\nevidence: [{path: readiness.told}]"},
            "11:29",
            "no field `told`",
            "there are: reasons, state",
        ),
        (
            {"applies_to": "applies_to: {kind: cluster, when: readyness.state == 'ready'}"},
            "6:35",
            "no variable or function `readyness`",
            "did you mean `readiness`?",
        ),
        (
            {"passing": "passing: ok\nreferences: [{title: a, url: 'http://x'}]"},
            "11:30",
            "references[0].url",
            "https://",
        ),
        (
            {"examples": "examples: {pass: [{name: a}]}"},
            "12:11",
            "the key `fail` is missing in examples",
            "docs/writing-rules.md",
        ),
        (
            {"examples": "examples: {pass: [{name: a}], fail: [{name: a}]}"},
            "12:45",
            "two examples are named `a`",
            "name of its own",
        ),
        (
            {"examples": "examples: {pass: [{name: a}], fail: [{name: b, cluster: {nodePols: []}}]}"},
            "12:58",
            "no field `nodePols` in Cluster",
            "did you mean `nodePools`?",
        ),
        (
            {"examples": "examples: {pass: [{name: a}], fail: [{name: b, cluster: {nodePools: [{x: 1}]}}]}"},
            "12:71",
            "no field `x` in NodePool",
            "there are: autoscaling",
        ),
        (
            {"examples": "examples: {pass: [{name: a}], fail: [{name: b, org: {shar: 1}}]}"},
            "12:60",
            "there is no parameter `shar`",
            "did you mean `share`?",
        ),
        (
            {"examples": "examples: {pass: [{name: a}], fail: [{name: b, org: {share: much}}]}"},
            "12:61",
            "`share` must be a number, not text",
            "0.5",
        ),
    ],
)
def test_a_mistake_is_named_in_words_that_a_newcomer_can_act_on(
    tmp_path: Path, replaced: dict[str, str], place: str, words: str, hint: str
) -> None:
    error = refused(tmp_path / "p", rule(**replaced))
    assert words in error.message
    assert hint in error.hint
    assert error.place == f"{tmp_path}/p/my-rule.yaml:{place}"


def test_the_mistakes_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", ape=rule("ape", "visibility.stat == ''"), bee=rule("bee", "true &&"))
    (folder / "cow.yaml").write_text("a: [")
    with pytest.raises(RuleError) as caught:
        load_pack(folder)
    text = str(caught.value)
    assert all(f"{name}.yaml:" in text for name in ("ape", "bee", "cow"))


def test_of_many_mistakes_the_first_ten_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    rules = {f"rule_{n:02}": rule(f"rule-{n:02}", "nonsense") for n in range(25)}
    with pytest.raises(RuleError, match="and 15 more") as caught:
        load_pack(write(tmp_path / "p", **rules))
    assert len(caught.value.message.splitlines()) == 11


def test_two_packs_cannot_have_a_rule_of_the_same_id(tmp_path: Path) -> None:
    first = write(tmp_path / "one", my_rule=rule())
    second = write(tmp_path / "two", my_rule=rule())
    with pytest.raises(RuleError, match=r"already taken by .*one/my-rule\.yaml:1:5") as caught:
        load_packs([first, second])
    assert caught.value.place == f"{second}/my-rule.yaml:1:5"


def test_a_pack_of_one_s_own_beside_the_bundled_one_works_the_same(tmp_path: Path) -> None:
    own = write(tmp_path / "mine", my_rule=rule())
    packs = load_packs([bundled.rules() / "intranode-visibility", own])
    assert [pack.pack.name for pack in packs] == ["intranode-visibility", "own"]


def test_a_folder_is_a_pack_or_holds_packs(tmp_path: Path) -> None:
    one = write(tmp_path / "one", my_rule=rule())
    assert find_packs(one) == [one]
    two = write(tmp_path / "two", my_rule=rule())
    assert find_packs(tmp_path) == [one, two]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuleError, match=r"there is no `pack\.yaml`"):
        find_packs(tmp_path / "empty")
    with pytest.raises(RuleError, match="no folder"):
        find_packs(tmp_path / "absent")


@pytest.mark.parametrize(
    ("pack_text", "words"),
    [
        (
            PACK.replace("minimum_version", "MinimumVersion"),
            "`MinimumVersion` cannot be the name of a parameter",
        ),
        (PACK.replace("title", "titel"), "the key `titel` is unknown here"),
        ("", "the file is empty"),
    ],
)
def test_the_pack_file_is_checked_too(tmp_path: Path, pack_text: str, words: str) -> None:
    folder = write(tmp_path / "p", my_rule=rule())
    (folder / "pack.yaml").write_text(pack_text)
    with pytest.raises(RuleError, match=re.escape(words)):
        load_pack(folder)


def test_a_folder_without_rules_or_without_a_pack_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="there is no rule in this folder"):
        load_pack(write(tmp_path / "p"))
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "my-rule.yaml").write_text(rule())
    with pytest.raises(RuleError, match=r"there is no `pack.yaml` in this folder"):
        load_pack(tmp_path / "q")


def test_a_rule_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", my_rule=rule())
    (folder / "other.yaml").mkdir()
    with pytest.raises(RuleError, match=r"cannot be read"):
        load_pack(folder)
