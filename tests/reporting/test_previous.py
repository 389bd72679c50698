"""Reports read back, and files that are none."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard
from hypothesis import given, settings

from auditor.engine.result import Report, Verdict
from auditor.errors import AuditorError
from auditor.reporting import FORMATS
from auditor.reporting.previous import load, opened
from tests.changes import FORMS
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, report: Report, form: str) -> str:
    path.write_bytes(b"".join(FORMATS[form](report)))
    return str(path)


def failing(report: Report) -> list[str]:
    return [r.fingerprint for r in report.results if r.verdict is Verdict.FAIL and r.baseline != "absent"]


@pytest.mark.parametrize("form", FORMS)
def test_a_report_is_recognised_by_what_it_holds(form: str, tmp_path: Path) -> None:
    report = reports.all_verdicts()
    with opened(written(tmp_path / "report", report, form)) as found:
        assert found.form == form
    read = load(str(tmp_path / "report"))
    assert [one.fingerprint for one in read.findings] == failing(report)
    assert (read.read_time, read.digest, read.rules_digest, read.tool_version) == (
        report.read_time,
        report.digest,
        report.rules_digest,
        report.tool_version,
    )
    assert read.rules == {rule.id for rule in report.rules}
    assert [one.waived for one in read.findings] == [
        r.waiver is not None for r in report.results if r.verdict is Verdict.FAIL and r.baseline != "absent"
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_report_without_results_has_no_findings(form: str, tmp_path: Path) -> None:
    assert load(written(tmp_path / "report", reports.report(), form)).findings == ()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_a_compressed_report_is_read(form: str, pack: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "report", reports.all_verdicts(), form)
    plain = load(path)
    (tmp_path / "report").write_bytes(pack((tmp_path / "report").read_bytes()))
    assert load(path) == plain


@pytest.mark.parametrize("form", ["json", "sarif-full"])
def test_a_report_that_was_laid_out_anew_is_the_same(form: str, tmp_path: Path) -> None:
    path = written(tmp_path / "report", reports.all_verdicts(), form)
    plain = load(path)
    document = orjson.loads((tmp_path / "report").read_bytes())
    for text in (json.dumps(document, indent=2), json.dumps(document), json.dumps(document, sort_keys=True)):
        (tmp_path / "report").write_text(text)
        assert load(path) == plain


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=8)
@given(report=hostile_reports)
def test_any_report_is_read_back(form: str, report: Report, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile"
    read = load(written(path, report, form))
    assert [one.fingerprint for one in read.findings] == failing(report)


@pytest.mark.parametrize("form", FORMS)
def test_a_report_that_was_cut_short_is_refused_wherever_it_was_cut(form: str, tmp_path: Path) -> None:
    path = written(tmp_path / "report", reports.all_verdicts(), form)
    whole = (tmp_path / "report").read_bytes()
    lines = [index + 1 for index, byte in enumerate(whole[:-1]) if byte == 10]
    for cut in (*lines, *(line + 100 for line in lines), len(whole) - 3, 20, 0):
        if form == "ndjson" and cut >= len(whole) - 3:
            continue
        (tmp_path / "report").write_bytes(whole[:cut])
        with pytest.raises(AuditorError) as raised:
            load(path)
        assert raised.value.place == path
        assert raised.value.hint


def test_the_last_line_of_a_report_in_lines_may_be_cut(tmp_path: Path) -> None:
    path = written(tmp_path / "report", reports.all_verdicts(), "ndjson")
    (tmp_path / "report").write_bytes((tmp_path / "report").read_bytes()[:-1])
    assert load(path).findings
    (tmp_path / "report").write_bytes((tmp_path / "report").read_bytes()[:-1])
    with pytest.raises(AuditorError, match="damaged"):
        load(path)


NO_REPORTS: dict[str, tuple[bytes, str]] = {
    "another version": (b'{"schema":"gke-auditor/report/v2","clusters":[],"results":[]}', "report/v2"),
    "another version in lines": (b'{"schema":"gke-auditor/report/v2"}\n{}\n', "report/v2"),
    "a snapshot": (b'{"kind":"gke-auditor/snapshot/v1"}\n{"name":"x"}\n', "snapshot"),
    "assets": (b'{"name":"//x","assetType":"y"}\n', "no report"),
    "an array": (b"[]", "no report"),
    "text": (b"hello\n", "not JSON"),
    "nothing": (b"", "empty"),
    "bytes": (bytes(range(128, 256)), "not JSON"),
    "half of a gzip": (gzip.compress(b"x" * 10_000)[:20], "decompressed"),
    "half of a zstd": (zstandard.ZstdCompressor().compress(b"x" * 10_000)[:10], "is empty|decompressed"),
    "other SARIF": (
        b'{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"other"}},"results":[]}]}',
        "no SARIF file of gke-auditor",
    ),
    "no run": (b'{"version":"2.1.0","runs":[]}', "no SARIF file of gke-auditor"),
    "a header without inventory": (b'{"schema":"gke-auditor/report/v1"}\n', "damaged"),
}


@pytest.mark.parametrize("case", NO_REPORTS)
def test_what_is_no_report_is_refused_with_the_remedy(case: str, tmp_path: Path) -> None:
    content, message = NO_REPORTS[case]
    path = tmp_path / "report"
    path.write_bytes(content)
    with pytest.raises(AuditorError, match=message) as raised:
        load(str(path))
    assert raised.value.place == str(path)
    assert raised.value.hint


def test_sarif_for_github_is_refused_since_it_lacks_what_passed(tmp_path: Path) -> None:
    path = written(tmp_path / "report", reports.all_verdicts(), "sarif")
    with pytest.raises(AuditorError, match="for GitHub") as raised:
        load(path)
    assert "sarif-full" in raised.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditorError, match="cannot be read"):
        load(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("severity", "dire"),
        ("rule", 7),
        ("resource", None),
        ("resource", {"name": []}),
        ("fingerprint", None),
        ("subject", ["a"]),
    ],
)
def test_a_result_of_another_shape_is_refused(key: str, value: object, tmp_path: Path) -> None:
    path = written(tmp_path / "report", reports.all_verdicts(), "json")
    document = orjson.loads((tmp_path / "report").read_bytes())
    failed = next(one for one in document["results"] if one["verdict"] == "fail")
    failed[key] = value
    (tmp_path / "report").write_bytes(orjson.dumps(document))
    with pytest.raises(AuditorError, match="damaged"):
        load(path)
