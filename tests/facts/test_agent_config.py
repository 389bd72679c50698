"""The file of ip-masq-agent, read as the agent reads it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.facts.agent_config import AgentConfig, RejectedError, read


def cidrs(text: str) -> list[str] | None:
    found = read(text).cidrs
    return None if found is None else [one.text for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n  - 172.16.0.0/12\n",
        "nonMasqueradeCIDRs: [10.0.0.0/8, 172.16.0.0/12]",
        "nonMasqueradeCIDRs: [\"10.0.0.0/8\", '172.16.0.0/12']",
        '{"nonMasqueradeCIDRs": ["10.0.0.0/8", "172.16.0.0/12"]}',
        '\n\t{"nonmasqueradecidrs": ["10.0.0.0/8", "172.16.0.0/12"], "masqueradeAll": {"a": [1]}}',
        "NONMASQUERADECIDRS: [10.0.0.0/8, 172.16.0.0/12]\nmasqueradeAll: false\nother: [1, 2]",
        "---\nnonMasqueradeCIDRs: [10.0.0.0/8, 172.16.0.0/12]\n---\nnonMasqueradeCIDRs: 5",
        "nonMasqueradeCIDRs: [10.0.0.0/8, !!str 172.16.0.0/12]\nresyncInterval: 1m30s\ncidrLimit: 2",
    ],
)
def test_a_list_is_read_from_yaml_and_json(text: str) -> None:
    assert cidrs(text) == ["10.0.0.0/8", "172.16.0.0/12"]


@pytest.mark.parametrize(
    "text",
    ["", "# nothing", "null", "~", "{}", "resyncInterval: 60s", '{"masqLinkLocal": true}', "cidrLimit: null"],
)
def test_without_the_key_the_default_list_stays(text: str) -> None:
    assert cidrs(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "nonMasqueradeCIDRs:",
        "nonMasqueradeCIDRs: null",
        "nonMasqueradeCIDRs: ~",
        "nonMasqueradeCIDRs: []",
        '{"nonMasqueradeCIDRs": null}',
        '{"nonMasqueradeCIDRs": []}',
    ],
)
def test_null_and_an_empty_list_exempt_nothing(text: str) -> None:
    assert cidrs(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "{*",
        "nonMasqueradeCIDRs: [10.0.0.0/8",
        "{nonMasqueradeCIDRs: [10.0.0.0/8]}",  # begins like JSON, and is none
        "- 10.0.0.0/8",
        "just text",
        "5",
        '["10.0.0.0/8"]',
        "nonMasqueradeCIDRs: 10.0.0.0/8",
        "nonMasqueradeCIDRs: {a: 10.0.0.0/8}",
        "nonMasqueradeCIDRs: [10.1.2.3/8]",
        "nonMasqueradeCIDRs: [10.0.0.0]",
        "nonMasqueradeCIDRs: [10.0.0.0/8, null]",
        "nonMasqueradeCIDRs: [10.0.0.0/8, 5]",
        "nonMasqueradeCIDRs: [[10.0.0.0/8]]",
        "nonMasqueradeCIDRs: [010.0.0.0/8]",
        'nonMasqueradeCIDRs: ["10.0.0.0/8 "]',
        "nonMasqueradeCIDRs: ['::ffff:10.0.0.0/104']",
        '{"nonMasqueradeCIDRs": ["10.0.0.0/8"]} trailing',
        '{"nonMasqueradeCIDRs": [NaN]}',
        "nonMasqueradeCIDRs: [10.0.0.0/8, 172.16.0.0/12]\ncidrLimit: 1",
        "cidrLimit: 5",
        "cidrLimit: many",
        "cidrLimit: true",
        '{"cidrLimit": 64.0}',
        '{"cidrLimit": "64"}',
        "masqLinkLocal: 1",
        'masqLinkLocal: "true"',
        "masqLinkLocal: y",
        "resyncInterval: 60",
        "resyncInterval:",
        "resyncInterval: soon",
        '{"resyncInterval": null}',
        "a: &a [*a]",
        "nonMasqueradeCIDRs: *undefined",
        "<<: {nonMasqueradeCIDRs: [10.0.0.0/8]}",
        "? [a]\n: b",
        "nonMasqueradeCIDRs: !!set {10.0.0.0/8}",
        "!!python/object:os.system {a: b}",
        "a: {b: {c: d}}",
        "nonMasqueradeCIDRs: [10.0.0.0/8]\x00",
        "nonMasqueradeCIDRs: [10.0.0.0/8] # \ud800",
        '{"a": ' + "[" * 100_000,
        "a: " + "[" * 100_000,
        "#" * 2_000_000,
    ],
)
def test_what_the_agent_may_reject_is_rejected_with_a_reason(text: str) -> None:
    with pytest.raises(RejectedError) as rejected:
        read(text)
    assert len(str(rejected.value)) < 300


def test_the_later_of_two_spellings_wins_by_text_in_json_and_by_name_in_yaml() -> None:
    low, high = '"nonmasqueradecidrs": ["10.0.0.0/8"]', '"NONMASQUERADECIDRS": ["172.16.0.0/12"]'
    assert cidrs(f"{{{low}, {high}}}") == ["172.16.0.0/12"]
    assert cidrs(f"{{{high}, {low}}}") == ["10.0.0.0/8"]
    # From YAML a map is made first, and capital letters sort before small ones.
    for order in ((low, high), (high, low)):
        assert cidrs("\n".join(line.replace('":', '" :') for line in order)) == ["10.0.0.0/8"]


def test_of_equal_keys_the_last_wins() -> None:
    assert cidrs('{"nonMasqueradeCIDRs": ["10.0.0.0/8"], "nonMasqueradeCIDRs": null}') == []
    assert cidrs("nonMasqueradeCIDRs: [10.0.0.0/8]\nnonMasqueradeCIDRs: [172.16.0.0/12]") == ["172.16.0.0/12"]


def test_sixty_four_ranges_are_the_limit_unless_it_is_raised() -> None:
    def listing(count: int, **fields: Any) -> str:
        return json.dumps({"nonMasqueradeCIDRs": [f"10.{i}.0.0/16" for i in range(count)], **fields})

    assert len(cidrs(listing(64)) or ()) == 64
    assert len(cidrs(listing(65, cidrLimit=65)) or ()) == 65
    with pytest.raises(RejectedError, match="65 ranges"):
        read(listing(65))


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("masqLinkLocal: yes\nMASQLINKLOCALIPV6: On", True),
        ("MasqLinkLocal: true", True),
        ("masqLinkLocal: off", False),
        ('{"masqLinkLocal": null, "masqLinkLocalIPv6": true}', False),
    ],
)
def test_the_link_local_flag_is_read(text: str, flag: bool) -> None:
    assert read(text).masquerade_link_local is flag


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(RejectedError):
        assert isinstance(read(text), AgentConfig)


@given(
    st.lists(
        st.sampled_from(["a: b\n", "- ", "[", "]", "{", "}", ",", ":", "&a ", "*a ", "!!int ", "|\n ", "\n"])
    )
)
def test_no_structure_raises_anything_else(parts: list[str]) -> None:
    with suppress(RejectedError):
        assert isinstance(read("nonMasqueradeCIDRs: " + "".join(parts)), AgentConfig)
