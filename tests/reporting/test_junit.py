from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings

from auditor.engine.result import Verdict
from auditor.reporting import FORMATS
from auditor.reporting.text import one_line, visible
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports

if TYPE_CHECKING:
    from auditor.engine.result import Report


@cache
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(Path(__file__).parents[1] / "schemas/junit.xsd"))


def suites(report: Report) -> ET.Element:
    """The file, valid, as its readers parse it."""
    root = ET.fromstring(b"".join(FORMATS["junit"](report)))  # noqa: S314 - what this program wrote
    schema().validate(root)
    return root


def check_counts(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    assert int(element.attrib["tests"]) == len(cases)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        if attribute in element.attrib:
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
    for name, text in zip(gaps, expected, strict=True):
        assert name.startswith(one_line(text) or "(no name)")


def test_every_verdict_has_an_outcome() -> None:
    for verdict in Verdict:
        suites(reports.report(results=[reports.result("a-rule", verdict, reports.cluster_ref("c"))]))


def test_what_gitlab_shows_of_a_failure_has_its_message_and_its_fix() -> None:
    # GitLab shows the text of an element, not its attributes.
    report = reports.all_verdicts()
    failure = suites(report).find("testsuite[@name='same-node-traffic-denied']/testcase/failure")
    assert failure is not None
    text = failure.text or ""
    assert text.startswith("Egress from every Pod is denied")
    assert "//container.googleapis.com/projects/pay-prod" in text
    assert "Fix: Allow Pod traffic" in text
    assert "gcloud compute firewall-rules create" in text


def test_every_outcome_but_a_pass_has_a_text() -> None:
    for build in (reports.all_verdicts, reports.hostile):
        for case in suites(build()).iter("testcase"):
            for outcome in case:
                assert (outcome.text or "").strip().startswith(outcome.attrib["message"].strip()[:20])


def test_two_resources_of_one_name_stay_two_cases() -> None:
    # A zone and a region may give the same place; readers take cases of one name for one.
    ref = reports.cluster_ref("c")
    again = replace(ref, name=ref.name.replace("/locations/", "/zones/"))
    results = [reports.result("a-rule", Verdict.FAIL, one) for one in (ref, again)]
    names = [case.attrib["name"] for case in suites(reports.report(results=results)).iter("testcase")]
    assert names == ["pay-prod/europe-west1/c", "pay-prod/europe-west1/c (2)"]


def test_suites_carry_the_time_of_the_inventory() -> None:
    report = reports.all_verdicts()
    assert {suite.attrib["timestamp"] for suite in suites(report)} == {"2026-11-20T02:00:00"}
    later = replace(report, read_time="2026-11-20T02:00:00.25+02:00")
    assert {suite.attrib["timestamp"] for suite in suites(later)} == {"2026-11-20T00:00:00"}
    for odd in ("yesterday", "0001-01-01T00:00:00+09:00"):
        assert "timestamp" not in suites(replace(report, read_time=odd))[0].attrib
    assert {suite.attrib["timestamp"] for suite in suites(replace(report, read_time=None))} == {
        "2026-11-21T09:30:00"
    }
