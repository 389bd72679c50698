from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt

from auditor.engine.result import Report, Severity, Verdict
from auditor.model.inventory import Gap
from auditor.reporting import FORMATS
from auditor.reporting.markup import code, escape, fence, prose
from auditor.reporting.report_markdown import MAX_BYTES
from auditor.reporting.text import one_line
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports, texts

OURS = {"h1", "h2", "p", "ul", "li", "strong", "code", "pre", "details", "summary", "table", "thead", "tbody"}
OURS |= {"tr", "th", "td", "br", "em"}


def markdown(report: Report) -> str:
    return b"".join(FORMATS["markdown"](report)).decode("utf-8")


class Page(HTMLParser):
    """The tags and the text of what a renderer of GitHub's dialect makes of it."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.columns: list[int] = []
        self.feed(
            MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough").render(source)
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.columns.append(0)
        if tag in {"td", "th"}:
            self.columns[-1] += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_was_not_read_comes_before_any_count() -> None:
    text = markdown(reports.all_verdicts())
    assert text.index("## Not looked at") < text.index("## Readiness") < text.index("## Rules")
    assert "folders/77" in text
    assert "roles/cloudasset.viewer" in text


def test_the_worst_finding_comes_first_with_its_fix() -> None:
    text = markdown(reports.all_verdicts())
    positions = [text.index(f"## {word}: ") for word in ("Critical", "High", "Medium", "Low", "Info")]
    assert positions == sorted(positions)
    assert reports.REPAIR in text


def test_undecided_results_are_listed_with_what_would_settle_them() -> None:
    text = markdown(reports.all_verdicts())
    assert "## Could not be decided" in text
    assert "kubectl get configmap" in text


def test_a_report_without_findings_does_not_sound_clean_if_there_are_gaps() -> None:
    text = markdown(reports.report(gaps=(Gap("folders/1", None, "Denied.", "Grant it."),)))
    assert "No finding; 1 gap in what was read; no cluster was found." in Page(text).text


@pytest.mark.parametrize("text", [t for t in reports.HOSTILE if t.strip()])
def test_names_are_shown_and_not_rendered(text: str) -> None:
    for source in (escape(text), f"- {escape(text)}", code(text), f"# {code(text)}"):
        page = Page(source)
        assert set(page.tags) <= {"p", "ul", "li", "code", "h1"}
        assert page.text.split() == one_line(text).split()
    table = Page(f"| a | b |\n| --- | --- |\n| {code(text, cell=True)} | {escape(text)} |")
    assert table.columns == [2, 2]
    assert table.text.split()[2:] == one_line(text).split() * 2


@given(texts)
def test_any_text_is_shown_and_not_rendered(text: str) -> None:
    page = Page(escape(text))
    assert set(page.tags) <= {"p"}
    assert page.text.split() == one_line(text).split()
    span = Page(code(text))
    assert set(span.tags) <= {"p", "code"}


@given(texts)
def test_no_text_closes_its_code_block(text: str) -> None:
    page = Page(f"{fence(text, 'sh')}\n\nafter")
    assert page.tags == ["pre", "code", "p"]
    assert page.text.endswith("after\n")


def test_code_in_the_text_of_a_rule_stays_code() -> None:
    page = Page(prose("Set `a.b_c*d*` to *true* <now>."))
    assert page.tags == ["p", "code"]
    assert page.text.strip() == "Set a.b_c*d* to *true* <now>."


@settings(max_examples=25)
@given(hostile_reports)
def test_any_report_renders_to_our_own_tags_only(report: Report) -> None:
    text = markdown(report)
    page = Page(text)
    assert set(page.tags) <= OURS
    fixes = sum(r.remediation is not None for r in report.findings)
    assert text.count("<details><summary>Fix</summary>") == fixes
    lists = bool(report.summary["unknown"]) + (len(report.gaps) > 5)
    assert page.tags.count("details") == fixes + lists


def test_what_does_not_fit_is_counted_and_is_the_mildest() -> None:
    results = [
        reports.result(
            "a-rule", Verdict.FAIL, reports.cluster_ref(f"c{n:05}"), severity=severity, message="m" * 300
        )
        for n, severity in enumerate([Severity.LOW, Severity.HIGH] * 1_500)
    ]
    text = markdown(reports.report(results=results))
    assert MAX_BYTES * 0.9 < len(text.encode()) <= MAX_BYTES
    shown = text.count("<details>")
    (left,) = [line for line in text.splitlines() if "did not fit" in line]
    assert left.startswith(f"**{3_000 - shown:,} more findings (")
    assert "high" not in left
    assert text.count("## High: 1,500 findings") == 1


def test_lists_without_end_leave_room_for_the_findings() -> None:
    report = replace(
        reports.all_verdicts(),
        gaps=tuple(Gap("é" * 5_000, "t" * 1_000, "\U0001f600" * 900, "\x00" * 900) for _ in range(5_000)),
        scope="s" * 1_000_000,
    )
    text = markdown(report)
    assert len(text.encode()) <= MAX_BYTES
    assert "more; the json report has all." in text
    assert "## Critical: 1 finding" in text


def test_a_command_too_long_for_a_summary_is_not_cut() -> None:
    result = reports.result("a-rule", Verdict.FAIL, reports.cluster_ref("c"))
    assert result.remediation is not None
    long = replace(result, remediation=replace(result.remediation, commands=("x" * 10_000,) * 12))
    text = markdown(reports.report(results=[long]))
    assert "xxx" not in text
    assert "The command is too long for a summary" in text
    assert "2 more commands are in the json report." in text


def test_findings_come_before_what_is_long_and_can_wait() -> None:
    text = markdown(reports.all_verdicts())
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Not looked at: 3 gaps",
        "## Readiness",
        "## Critical: 1 finding",
        "## High: 1 finding",
        "## Medium: 3 findings",
        "## Low: 1 finding",
        "## Info: 1 finding",
        "## Rules",
        "## Could not be decided: 2 results",
        "## Waivers",
    ]


def test_a_command_that_closes_a_gap_can_be_copied() -> None:
    gap = Gap("projects/p", None, "Not read.", "export it: `gcloud asset list --x=a_b > f` or *wait*")
    page = Page(markdown(reports.report(gaps=(gap,))))
    assert "gcloud asset list --x=a_b > f" in page.text
    assert page.text.count("*wait*") == 1
    assert "code" in page.tags
