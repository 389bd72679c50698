from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.engine.document import MAX_BYTES, parse
from auditor.errors import AuditorError, RuleError


def refused(raw: bytes) -> RuleError:
    with pytest.raises(RuleError) as caught:
        parse(raw, "file.yaml", RuleError)
    assert caught.value.hint
    return caught.value


def test_words_that_yaml_1_1_takes_for_booleans_stay_words() -> None:
    data = parse(b"on: off\nyes: no\ntruth: true\nday: 2026-01-31\nnothing:\n", "f").data
    assert data == {"on": "off", "yes": "no", "truth": True, "day": "2026-01-31", "nothing": None}


def test_numbers_are_numbers_and_quoted_ones_are_text() -> None:
    assert parse(b"[1, -2, 1.5, .5, 1e3, '1.15', 1.2.3]", "f").data == [
        1,
        -2,
        1.5,
        0.5,
        1000.0,
        "1.15",
        "1.2.3",
    ]


@pytest.mark.parametrize(
    ("raw", "place", "words"),
    [
        (b"a: 1\nb: 2\na: 3\n", "file.yaml:3:1", "twice (first in line 1)"),
        (b"a: &x 1\n", "file.yaml:1:4", "anchor"),
        (b"a: *x\n", "file.yaml:1:4", "alias"),
        (b"a: !!python/object:os.system x\n", "file.yaml:1:4", "tag"),
        (b"", "file.yaml", "empty"),
        (b"   \n\n", "file.yaml", "empty"),
        (b"# only a comment\n", "file.yaml", "comments"),
        (b"a: 1\n---\nb: 2\n", "file.yaml:2:1", "several documents"),
        (b"a:\n\t- b\n", "file.yaml:2:1", "tab"),
        (b"a: 1\nb: \xff\n", "file.yaml:2:4", "UTF-8"),
        (b"\xff\xfea\x00", "file.yaml:1:1", "UTF-8"),
        (b"? [a]\n: b\n", "file.yaml:1:3", "key must be plain text"),
        (b"a: b: c\n", "file.yaml:1:5", "not valid YAML"),
        (b"a: 'x\n", "file.yaml:2:1", "not valid YAML"),
        (b"a: \x00\n", "file.yaml", "not valid YAML"),
        (b"[" * 100 + b"]" * 100, "file.yaml:1:62", "nesting"),
        (b"a: 1e999\n", "file.yaml:1:4", "too large"),
        (b"a: " + b"9" * 50, "file.yaml:1:4", "too large"),
        (b"a" * (MAX_BYTES + 1), "file.yaml", "larger than 4 MB"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_place(raw: bytes, place: str, words: str) -> None:
    error = refused(raw)
    assert error.place == place
    assert words in error.message


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert "anchor" in refused("\n".join(lines).encode()).message


@pytest.mark.parametrize(
    ("source", "needle", "place"),
    [
        ("a: foo.bar", "bar", "f:1:8"),
        ("a: 'it''s x.y'", "x.y", "f:1:11"),
        ('a: "\\u00e9\\n  z.q"', "q", "f:1:17"),
        ("a: >-\n  foo bar\n  baz.qux\n", "qux", "f:3:7"),
        ("a: |  # comment\n    x.y\n      && z\n", "z", "f:3:10"),
        ("a: foo\n  bar\n", "bar", "f:2:3"),
        ("a: >-\r\n  foo\r\n  bar\r\n", "bar", "f:3:3"),
    ],
)
def test_a_character_of_a_text_has_its_own_place_however_the_text_is_written(
    source: str, needle: str, place: str
) -> None:
    document = parse(source.encode(), "f")
    value = document.data["a"]  # type: ignore[index, call-overload]
    assert document.place_in(("a",), str(value).index(needle)) == place


@given(
    st.text(alphabet="ab .&|\n", min_size=1, max_size=60), st.sampled_from(["|", ">", "|-", ">-"]), st.data()
)
def test_places_in_block_scalars_point_at_the_very_character(
    text: str, style: str, data: st.DataObject
) -> None:
    lines = [line.strip() for line in text.split("\n")]
    if not lines[0]:
        lines[0] = "x"
    source = f"a: {style}\n" + "".join(f"  {line}\n" for line in lines)
    document = parse(source.encode(), "f")
    value = document.data["a"]  # type: ignore[index, call-overload]
    assert isinstance(value, str)
    visible = [n for n, char in enumerate(value) if not char.isspace()]
    offset = data.draw(st.sampled_from(visible))
    _, line, column = document.place_in(("a",), offset).split(":")
    assert source.split("\n")[int(line) - 1][int(column) - 1] == value[offset]


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_an_error_with_a_hint(raw: bytes) -> None:
    with suppress(AuditorError):
        assert parse(raw, "f").file == "f"


@given(st.binary(max_size=15), st.binary(max_size=15))
def test_bytes_that_are_no_text_are_refused_in_their_line(before: bytes, after: bytes) -> None:
    error = refused(before + b"\xff" + after)
    assert error.place is not None
    assert error.place.startswith("file.yaml:")
