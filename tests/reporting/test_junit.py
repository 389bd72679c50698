from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from auditor.engine.result import Verdict
from auditor.reporting import FORMATS
from auditor.reporting.text import one_line, visible
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports

if TYPE_CHECKING:
    from auditor.engine.result import Report


def suites(report: Report) -> ET.Element:
    return ET.fromstring(b"".join(FORMATS["junit"](report)))  # noqa: S314 - what this program wrote


def check_counts(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    assert int(element.attrib["tests"]) == len(cases)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(element.attrib[attribute]) == sum(case.find(tag) is not None for case in cases)


@pytest.mark.parametrize("build", [reports.all_verdicts, reports.hostile, reports.report])
def test_the_counts_are_those_of_the_cases(build: type) -> None:
    root = suites(build())
    check_counts(root)
    for suite in root:
        check_counts(suite)


def test_every_result_and_every_gap_is_a_case() -> None:
    report = reports.all_verdicts()
    root = suites(report)
    assert len(list(root.iter("testcase"))) == len(report.results) + len(report.gaps)
    assert root[0].attrib["name"] == "coverage"
    assert [suite.attrib["name"] for suite in root[1:]] == [rule.id for rule in report.rules]


def test_verdicts_are_failures_errors_and_skips() -> None:
    report = reports.all_verdicts()
    cases = Counter(child.tag for case in suites(report).iter("testcase") for child in case)
    gone = sum(r.baseline == "absent" for r in report.results)
    assert cases["failure"] == len(report.findings)
    assert cases["error"] == report.summary["unknown"] + len(report.gaps)
    assert cases["skipped"] == report.summary["not_applicable"] + report.summary["waived"] + gone


def test_an_undecided_result_is_an_error_that_says_what_would_settle_it() -> None:
    root = suites(reports.all_verdicts())
    error = root.find("testsuite[@name='masquerade-misses-pod-range']/testcase/error")
    assert error is not None
    assert "kubectl" in (error.text or "")


def test_a_waived_failure_says_who_waived_it() -> None:
    root = suites(reports.all_verdicts())
    skipped = root.find("testsuite[@name='flow-logs-disabled']/testcase/skipped")
    assert skipped is not None
    assert skipped.attrib["message"].startswith("waived by network-team@example.com until 2027-03-31")


@settings(max_examples=40)
@given(hostile_reports)
def test_any_report_parses_back(report: Report) -> None:
    root = suites(report)
    check_counts(root)
    written = [f.attrib["message"] for f in root.iter("failure")]
    assert sorted(written) == sorted(visible(r.message, keep="\n\t") for r in report.findings)
    gaps = [case.attrib["name"] for case in root.iter("testcase") if case.attrib["classname"] == "coverage"]
    expected = [f"{g.scope}: {g.asset_type}" if g.asset_type else g.scope for g in report.gaps]
    assert gaps == [one_line(text) for text in expected]


def test_every_verdict_has_an_outcome() -> None:
    for verdict in Verdict:
        suites(reports.report(results=[reports.result("a-rule", verdict, reports.cluster_ref("c"))]))
