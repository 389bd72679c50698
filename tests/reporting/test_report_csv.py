from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings

from auditor.engine.result import Report, Verdict
from auditor.reporting import FORMATS
from auditor.reporting.report_csv import COLUMNS
from auditor.reporting.text import visible
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports


def rows(report: Report) -> list[dict[str, str]]:
    text = b"".join(FORMATS["csv"](report)).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_there_is_a_row_for_each_gap_each_failure_and_each_undecided_result() -> None:
    report = reports.all_verdicts()
    written = rows(report)
    assert [r["verdict"] for r in written].count("gap") == len(report.gaps)
    kept = [r for r in report.results if r.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]
    assert [r["fingerprint"] for r in written if r["verdict"] != "gap"] == [r.fingerprint for r in kept]


def test_gaps_come_first() -> None:
    assert rows(reports.all_verdicts())[0]["resource"] == "folders/77"


def test_a_waived_failure_says_who_accepted_it_and_until_when() -> None:
    (waived,) = (r for r in rows(reports.all_verdicts()) if r["waived_by"])
    assert waived["waived_by"] == "network-team@example.com"
    assert waived["waived_until"] == "2027-03-31"
    assert waived["verdict"] == "fail"


def test_commands_of_several_lines_survive() -> None:
    (denied,) = (r for r in rows(reports.all_verdicts()) if r["rule"] == "same-node-traffic-denied")
    assert denied["commands"] == reports.REPAIR


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", " =1", "\uff1d1"])
def test_no_cell_is_a_formula(text: str) -> None:
    report = reports.report(
        results=[reports.result("a-rule", Verdict.FAIL, reports.cluster_ref("c"), message=text, subject=text)]
    )
    (row,) = rows(report)
    assert row["message"] == f"'{visible(text)}"
    assert row["subject"] == f"'{visible(text)}"


def test_every_cell_is_quoted() -> None:
    first = b"".join(FORMATS["csv"](reports.report())).decode().removesuffix("\r\n")
    assert first == ",".join(f'"{column}"' for column in COLUMNS)


@settings(max_examples=40)
@given(hostile_reports)
def test_any_report_comes_back_cell_by_cell(report: Report) -> None:
    kept = [r for r in report.results if r.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]
    written = rows(report)[len(report.gaps) :]
    assert len(written) == len(kept)
    for row, result in zip(written, kept, strict=True):
        assert row["message"].removeprefix("'") == visible(result.message).removeprefix("'")
        assert row["resource"].removeprefix("'") == visible(result.resource.name).removeprefix("'")
        assert not row["message"].lstrip(" ").startswith(("=", "+", "-", "@"))
