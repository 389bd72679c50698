"""What holds for every format: the same bytes each time, in pieces, and harmless whatever a name holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from auditor.reporting import FORMATS
from auditor.reporting.report_csv import COLUMNS
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.engine.result import Report

TEXT_FORMATS = [name for name in FORMATS if name != "html"]
ENDINGS = {
    "sarif": "sarif",
    "sarif-full": "full.sarif",
    "ndjson": "ndjson",
    "json": "json",
    "csv": "csv",
    "markdown": "md",
    "junit": "xml",
}


def test_the_formats_are_those_of_the_command_line() -> None:
    assert list(FORMATS) == ["html", "sarif", "sarif-full", "ndjson", "json", "csv", "markdown", "junit"]


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_each_format_looks_as_it_did(name: str, snapshot: Callable[[str, bytes], None]) -> None:
    snapshot(f"report.{ENDINGS[name]}", b"".join(FORMATS[name](reports.all_verdicts())))


@pytest.mark.parametrize("name", TEXT_FORMATS)
@pytest.mark.parametrize("build", [reports.all_verdicts, reports.hostile, reports.report])
def test_the_same_report_gives_the_same_bytes(name: str, build: Callable[[], Report]) -> None:
    assert b"".join(FORMATS[name](build())) == b"".join(FORMATS[name](build()))


@pytest.mark.parametrize("name", TEXT_FORMATS)
@settings(max_examples=25)
@given(report=hostile_reports)
def test_nothing_in_a_name_stops_a_format_or_steers_a_terminal(name: str, report: Report) -> None:
    text = b"".join(FORMATS[name](report)).decode("utf-8")
    # JSON writes what it must as escapes; delete, C1 and bidirectional controls may stand in a JSON string.
    allowed = "\r\n" if name == "csv" else "\n"
    data = name in {"json", "ndjson", "sarif", "sarif-full"}
    steering = {c for c in text if not c.isprintable() and c not in allowed}
    assert all(data and ord(c) >= 0x7F for c in steering), sorted(map(hex, map(ord, steering)))


@pytest.mark.parametrize("name", ["json", "ndjson", "sarif-full", "junit"])
def test_a_big_report_comes_in_pieces(name: str) -> None:
    sizes = [len(chunk) for chunk in FORMATS[name](reports.big(300))]
    assert len(sizes) > 5
    assert max(sizes) < 200_000


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_an_empty_report_is_still_a_report(name: str) -> None:
    assert b"".join(FORMATS[name](reports.report()))


def test_the_documentation_names_every_format_and_every_column() -> None:
    text = (Path(__file__).parents[2] / "docs/outputs.md").read_text("utf-8")
    assert [name for name in FORMATS if f"| `{name}` |" not in text] == []
    assert [column for column in COLUMNS if f"`{column}`" not in text] == []
