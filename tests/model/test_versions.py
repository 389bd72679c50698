"""GKE versions compare as releases do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.versions import parse_version

PART = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.25.7-gke.1000", (1, 25, 7, 1000)),
        ("1.36.0-gke.3302000", (1, 36, 0, 3302000)),
        ("v1.12.8-gke.6", (1, 12, 8, 6)),
        ("1.4.6", (1, 4, 6, 0)),
        ("1.30", (1, 30, 0, 0)),
        ("1.31.0-gke.500-alpha", (1, 31, 0, 500)),
        ("1.9.7+abc", (1, 9, 7, 0)),
    ],
)
def test_what_the_api_prints_is_read(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "latest",
        "1",
        "1.X",
        "1.x.3",
        "1.3O.1",
        "1.25.7-gke.",
        "1.25.7-gke.10x",
        "1.25.7-gke.x",
        " 1.25.7",
        "1.٢٥.7",
        "1." + "9" * 5000,
        "1.30.1 ",
    ],
)
def test_what_is_no_version_is_none_rather_than_an_old_one(text: str) -> None:
    assert parse_version(text) is None


def test_1_9_is_older_than_1_15() -> None:
    old, new = parse_version("1.9.7-gke.11"), parse_version("1.15.0-gke.1")
    assert old is not None
    assert new is not None
    assert old < new


@given(PART, PART, PART, PART)
def test_every_part_is_read_as_a_number(major: int, minor: int, patch: int, build: int) -> None:
    assert parse_version(f"{major}.{minor}.{patch}-gke.{build}") == (major, minor, patch, build)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert parse_version(text) is None or "." in text
