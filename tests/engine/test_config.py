from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.engine import config
from auditor.engine.load import load_pack
from auditor.engine.result import Severity
from auditor.errors import ConfigError
from tests.engine.builders import rule, write

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.engine.config import Config
    from auditor.engine.load import LoadedPack


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedPack:
    first = rule(
        "ape", "isAtLeast(versions.control_plane, org.minimum_version)", since="since: 1.0.0\ntags: [trees]"
    )
    second = rule("bee", severity="severity: low", since="since: 1.0.0\naliases: [CKV_1]\ntags: [air]")
    return load_pack(write(tmp_path / "pack", ape=first, bee=second))


def read(folder: Path, text: str) -> Config:
    file = folder / "gke-auditor.yaml"
    file.write_text(text)
    return config.load(str(file))


def test_every_key_has_its_place(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "parameters: {minimum_version: '1.21'}\nseverities: {CKV_1: info}\nrules: [ape]\nskip_rules: [bee]\n"
        "tags: [trees]\nmin_severity: low\nfail_on: high\npacks: [mine]\n",
    )
    assert found.parameters == {"minimum_version": "1.21"}
    assert found.severities == {"CKV_1": Severity.INFO}
    assert (found.rules, found.skip_rules, found.tags) == (("ape",), ("bee",), ("trees",))
    assert (found.min_severity, found.fail_on) == (Severity.LOW, Severity.HIGH)
    assert found.packs == (f"{tmp_path}/mine",)


@pytest.mark.parametrize(
    ("text", "place", "words", "hint"),
    [
        ("severites: {}", ":1:1", "the key `severites` is unknown", "did you mean `severities`?"),
        ("a: 1", ":1:1", "the key `a` is unknown", "there are: fail_on"),
        ("- a", ":1:1", "must be a mapping", "the keys are"),
        ("tags: trees", ":1:7", "`tags` must be a list of texts", "item"),
        ("tags: [[]]", ":1:7", "`tags` must be a list of texts", "item"),
        ("fail_on: hihg", ":1:10", "`fail_on` must be a severity, not `hihg`", "critical"),
        ("severities: {ape: [high]}", ":1:19", "`severities.ape` must be a severity", "critical"),
        ("severities: 5", ":1:13", "`severities` must be a mapping", "name: value"),
        ("parameters: []", ":1:13", "`parameters` must be a mapping", "name: value"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, text: str, place: str, words: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.place == f"{tmp_path}/gke-auditor.yaml{place}"


def test_a_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load("/nowhere/gke-auditor.yaml")


def test_rules_are_chosen_by_name_alias_tag_and_severity(loaded: LoadedPack) -> None:
    rules = [one.rule for one in loaded.rules]

    def chosen(**wishes: object) -> list[str]:
        return [one.id for one in config.select(rules, **wishes)]  # type: ignore[arg-type]

    assert chosen() == ["ape", "bee"]
    assert chosen(only=["CKV_1"]) == ["bee"]
    assert chosen(skip=["CKV_1"]) == ["ape"]
    assert chosen(tags=["air", "trees"]) == ["ape", "bee"]
    assert chosen(min_severity=Severity.MEDIUM) == ["ape"]
    assert chosen(min_severity=Severity.MEDIUM, severities={"bee": Severity.HIGH}) == ["ape", "bee"]
    with pytest.raises(ConfigError, match="there is no rule `aep`") as caught:
        chosen(only=["aep"])
    assert caught.value.hint == "did you mean `ape`?"
    with pytest.raises(ConfigError, match="there is no tag `tree`"):
        chosen(tags=["tree"])
    with pytest.raises(ConfigError, match="no rule is left"):
        chosen(only=["ape"], tags=["air"])


def test_severities_may_be_given_by_alias(tmp_path: Path, loaded: LoadedPack) -> None:
    rules = [one.rule for one in loaded.rules]
    assert config.severities(read(tmp_path, "severities: {CKV_1: info}"), rules) == {"bee": Severity.INFO}
    with pytest.raises(ConfigError, match="there is no rule `beee`") as caught:
        config.severities(read(tmp_path, "severities:\n  beee: info\n"), rules)
    assert caught.value.place == f"{tmp_path}/gke-auditor.yaml:2:9"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{minimum_versoin: '1.2'}", "there is no parameter `minimum_versoin`"),
        ("{minimum_version: 1.20}", "`minimum_version` must be text in quotes, not a number"),
        ("{minimum_version: newest}", "`minimum_version` must be a GKE version, and `newest` is none"),
        ("{share: true}", "`share` must be a number, not true or false"),
        ("{share: null}", "`share` must be a number, not empty"),
        ("{words: a}", "`words` must be a list, not text"),
    ],
)
def test_a_parameter_must_be_of_the_type_that_the_pack_gives_it(
    tmp_path: Path, loaded: LoadedPack, text: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parameters(read(tmp_path, f"parameters: {text}"), [loaded])
    assert words in caught.value.message


def test_a_whole_number_may_stand_for_a_fraction(tmp_path: Path, loaded: LoadedPack) -> None:
    found = config.parameters(read(tmp_path, "parameters: {share: 1}"), [loaded])
    assert found == {"share": 1.0}
    assert type(found["share"]) is float
