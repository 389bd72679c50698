"""What is generated and checked in is current: descriptors, schema, pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from markdown_it import MarkdownIt

from auditor import bundled, examples
from auditor.engine import config, descriptors, waivers
from auditor.engine.document import parse
from auditor.engine.load import find_packs, load_packs
from auditor.reporting import docs
from tests.engine.builders import rule, write

if TYPE_CHECKING:
    from auditor.engine.load import LoadedPack

ROOT = Path(__file__).resolve().parent.parent
PACKS = load_packs(find_packs(bundled.rules()))
RULE_FILES = sorted((ROOT / "rules").glob("*/*.yaml"))
HOSTILE = (
    "<script>alert(1)</script> [x](javascript:alert(1)) ![i](https://evil.example/i.png) | `a` ``` \u202e # h"
)


def test_the_descriptors_are_those_of_the_installed_client() -> None:
    assert descriptors.build() == descriptors.shipped(), "run `python -m auditor.engine.descriptors`"
    assert descriptors.build_words() == descriptors.shipped_words(), (
        "run `python -m auditor.engine.descriptors`"
    )


def test_the_pages_are_current() -> None:
    found = {file.name: file.read_text("utf-8") for file in (ROOT / "docs" / "rules").glob("*.md")}
    assert docs.differing(docs.pages(PACKS), found) == [], "run `gke-auditor rules docs`"


def test_the_schema_is_current() -> None:
    assert (ROOT / "rules" / "rule.schema.json").read_text("utf-8") == docs.schema(), (
        "run `gke-auditor rules schema`"
    )


@pytest.mark.parametrize(
    "file", [one for one in RULE_FILES if one.name != "pack.yaml"], ids=lambda one: one.stem
)
def test_a_rule_file_fits_the_schema_that_editors_complete_with(file: Path) -> None:
    schema = json.loads(docs.schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    data = parse(file.read_bytes(), str(file)).data
    jsonschema.Draft202012Validator(schema).validate(data)
    assert isinstance(data, dict)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**data, "tilte": "x"})


def test_the_files_shown_in_the_guide_work(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "writing-rules.md").read_text("utf-8")
    pack, example, settings, waived = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "my-rules").mkdir()
    (tmp_path / "my-rules" / "pack.yaml").write_text(pack)
    (tmp_path / "my-rules" / "pods-need-a-large-range.yaml").write_text(example)
    (own,) = load_packs(find_packs(tmp_path / "my-rules"))
    assert [str(one) for one in examples.run([own]) if one.problem] == []

    (tmp_path / "gke-auditor.yaml").write_text(settings)
    found = config.load(str(tmp_path / "gke-auditor.yaml"))
    rules = [compiled.rule for one in (*PACKS, own) for compiled in one.rules]
    assert config.parameters(found, PACKS) == {"minimum_version": "1.27"}
    assert config.severities(found, rules) == {"flow-logs-disabled": "high"}
    assert len(config.select(rules, skip=found.skip_rules)) == len(rules) - 1
    assert [find_packs(Path(one)) for one in found.packs] == [[tmp_path / "my-rules"]]

    (tmp_path / "waivers.yaml").write_text(waived)
    read = waivers.load(str(tmp_path / "waivers.yaml"), rules)
    assert (len(read.entries), read.notes) == (1, ())


@pytest.fixture
def hostile(tmp_path: Path) -> LoadedPack:
    quoted = json.dumps(HOSTILE)
    text = rule(
        title=f"title: {quoted}",
        since=f"since: 1.0.0\naliases: [{quoted}]\ncontrols: {{{quoted}: [{quoted}]}}\nreferences: "
        f'[{{title: {quoted}, url: "https://x.example/>)<b>"}}]',
        description=f"description: {quoted}",
        passing=f"passing: {quoted}",
        remediation=f"remediation: {{text: {quoted}, cost: {quoted}, terraform: {quoted}}}",
        examples=f"""\
        examples:
          pass: [{{name: {quoted}, cluster: {{name: {quoted}}}}}]
          fail: [{{name: b}}]
        """,
    )
    (loaded,) = load_packs([write(tmp_path / "p", my_rule=text)])
    return loaded


def test_nothing_in_a_rule_becomes_markup_on_its_page(hostile: LoadedPack) -> None:
    for text in docs.pages([hostile]).values():
        html = MarkdownIt("commonmark", {"html": True}).enable(["table"]).render(text)
        assert "<script" not in html
        assert "<img" not in html
        assert "<b>" not in html
        assert 'href="javascript' not in html
        assert "\u202e" not in text
    html = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table"])
        .render(docs.page(hostile.rules[0].rule, hostile.pack))
    )
    assert html.count("<h1>") == 1
    assert html.count("<h2>") == len(("What is checked", "How to mend it", "Examples", "References"))


def test_nothing_in_a_rule_steers_the_terminal(hostile: LoadedPack) -> None:
    for text in (docs.listing([hostile]), docs.shown(hostile.rules[0].rule, hostile.pack)):
        assert all(char.isprintable() or char == "\n" for char in text)
        assert "my-rule" in text


def test_the_same_packs_give_the_same_pages() -> None:
    assert docs.pages(PACKS) == docs.pages(load_packs(find_packs(bundled.rules())))
