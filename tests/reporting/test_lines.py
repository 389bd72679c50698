"""Lines come back as the values they were made of, and one resource never has another's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.evidence import Evidence, Unknown
from auditor.reporting import lines
from auditor.reporting.lines import Lines, Places, Sentences, Shared

if TYPE_CHECKING:
    from collections.abc import Sequence

NETWORK, NAME, SHORT = "\x1e", "\x01", "\x04"
MARKS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f]")


def places(short: str, network: str = "vpc-1") -> Places:
    named = ((network, NETWORK), (f"//gke/clusters/{short}", NAME), (short, SHORT))
    return Places.of(named, (NETWORK,))


def expanded(text: str, of: Places) -> Any:
    at = {mark: name for name, mark in (*of.network, *of.own)}
    return orjson.loads(MARKS.sub(lambda match: at[match[0]], text))


def evidence(short: str, observed: Any = True, path: str = "a.b") -> Evidence:
    return Evidence(f"//gke/clusters/{short}", path, observed)


def test_what_differs_in_names_alone_is_one_line() -> None:
    found = Lines(1)
    numbers = [found.facts([(evidence(short),)], places(short)) for short in ("web-1", "pay-2")]
    assert numbers == [[0], [0]]
    assert expanded(found.items[0], places("pay-2"))[0]["asset"] == "//gke/clusters/pay-2"


def test_equal_texts_of_different_facts_are_different_lines() -> None:
    found = Lines(2)
    of = places("web-1")
    assert found.facts([Unknown("a", "b", "c"), ()], of) == [0, 1]
    assert found.facts([Unknown("a", "b", "c"), ("a", "b", "c")], of) == [0, 2]
    assert expanded(found.items[0], of) == {"path": "a", "reason": "b", "hint": "c"}
    assert expanded(found.items[2], of) == ["a", "b", "c"]


@pytest.mark.parametrize("short", ["asset", "pat", "e"])
def test_a_name_that_is_part_of_a_key_leaves_keys_alone(short: str) -> None:
    found = Lines(1)
    of = places(short)
    for other in (of, places("web-1")):
        (number,) = found.facts([(Evidence("x", "y", 1),)], other)
        assert expanded(found.items[number], other) == [
            {"asset": "x", "path": "y", "observed": 1, "expected": None}
        ]


def test_a_cluster_s_id_is_short_in_facts_and_whole_in_findings() -> None:
    found = Lines(1)
    items = [(evidence("web-1", digit * 64, "id"),) for digit in ("a", "b")]
    facts = [found.facts([item], places("web-1"))[0] for item in items]
    others = found.others(items, places("web-1"))
    seen = [expanded(found.items[number], places("web-1"))[0]["observed"] for number in (*facts, *others)]
    assert seen == ["aaaaaaaa…", "bbbbbbbb…", "a" * 64, "b" * 64]


def test_a_long_line_is_cut_for_each_resource_anew() -> None:
    found = Lines(1)
    for short in ("web-1", "a-much-longer-name-2"):
        observed = f"{short} " * 20_000
        (number,) = found.others([(Evidence("x", "y", observed),)], places(short))
        ((_, _, seen, _),) = expanded(found.items[number], places(short))
        assert seen.endswith(f"cut; {len(observed) + 2:,} characters in all")


def test_a_subject_is_replaced_after_all_else() -> None:
    found = Lines(1)
    further = [lines.place_of(subject, "\x05") for subject in ("pool-a", "pool-b")]
    numbers = found.others([("pool-a of web-1",), ("pool-b of web-1",)], places("web-1"), further)
    assert numbers == [0, 0]
    assert found.items == ['["\x05 of \x04"]']


@pytest.mark.parametrize("most", [1, 4096])
def test_shared_values_are_written_as_if_they_were_not(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_MOST_SHARED", most)
    # The second is about one of the clusters, the last is nothing that JSON can carry.
    values = [("of vpc-1",), ("of web-1 in vpc-1",), ("of vpc-2",), ("\ud800",)]
    shared = [Shared(value) for value in values]
    plain, found = Lines(1), Lines(1)
    for network in ("vpc-1", "vpc-2"):
        for short in ("web-1", "pay-2"):
            of = places(short, network)
            for one in (0, 1, 2, 3):
                for other in (0, 1, 2, 3):
                    (expected,) = plain.facts([{"x": values[one], "y": [values[other]]}], of)
                    (number,) = found.facts([{"x": shared[one], "y": [shared[other]]}], of)
                    assert number == expected
    assert found.items == plain.items


WORDS = st.sampled_from(["web-1", "pay-2", "vpc-1", "path", "a", "\u202e", "\ud800", '"', "—", "2"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**60) | st.lists(WORDS, max_size=3).map("".join),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=5,
)
SHORTS = st.sampled_from(["web-1", "pay-2", "path", "a", "2", "vpc-1"])


@given(st.lists(st.tuples(SHORTS, JSON), min_size=1, max_size=6))
def test_every_resource_gets_its_own_value_back(about: Sequence[tuple[str, Any]]) -> None:
    found = Lines(1)
    for short, value in about:
        of = places(short)
        for (number,) in (found.facts([[value]], of), found.others([[value]], of)):
            seen = expanded(found.items[number], of)
            alone = Lines(1)
            alone.others([[value]], Places((), ()))
            assert seen == orjson.loads(alone.items[0])


def test_sentences_that_many_share_are_those_of_each() -> None:
    found = Sentences()
    texts = ("Rules of vpc-1 are missing.", "Nothing of web-1 is known.")
    said = [
        [found.items[number] for number in found.about(texts, places(short))]
        for short in ("web-1", "pay-2", "pay-3", "web-1")
    ]
    assert said[0] == said[3] == ["Rules of \x1e are missing.", "Nothing of \x04 is known."]
    assert said[1] == said[2] == ["Rules of \x1e are missing.", "Nothing of web-1 is known."]
