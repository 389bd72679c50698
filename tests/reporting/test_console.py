from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from auditor.engine.result import Report, Verdict
from auditor.model.inventory import Gap
from auditor.reporting.console import WIDTH, summary
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports

if TYPE_CHECKING:
    from collections.abc import Callable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(report: Report, *written: tuple[str, int, str]) -> str:
    stream = io.StringIO()
    summary(report, stream=stream, written=written)
    return stream.getvalue()


def test_the_summary_looks_as_it_did(snapshot: Callable[[str, bytes], None]) -> None:
    written = ("out/report.html", 212_345, ""), ("out/report.sarif", 37_088, "6 results")
    snapshot("summary.txt", printed(reports.all_verdicts(), *written).encode())


def test_what_was_not_read_comes_before_any_count() -> None:
    text = printed(reports.all_verdicts())
    assert text.index("! not read: folders/77") < text.index("readiness") < text.index("CRITICAL")
    assert "to close it: Grant roles/cloudasset.viewer on folders/77." in text


def test_the_worst_finding_comes_with_a_command_that_can_be_pasted() -> None:
    text = printed(reports.all_verdicts())
    pasted = "\n".join(line.removeprefix(" " * 11) for line in text.splitlines())
    assert reports.REPAIR in pasted
    assert text.index("CRITICAL") < text.index("HIGH") < text.index("MEDIUM") < text.index("INFO")


def test_every_readiness_is_counted() -> None:
    text = printed(reports.all_verdicts())
    for state in ("degraded", "blocked", "ready", "working", "unsupported", "unknown"):
        assert f" {state:<11}         1  " in text


def test_the_outcome_counts_findings_undecided_waived_and_gaps() -> None:
    text = printed(reports.all_verdicts())
    assert "7 findings, 2 undecided, 1 waived; 3 gaps in what was read." in text
    assert "Since the baseline: 3 new, 1 unchanged, 1 gone." in text


def test_nothing_found_in_nothing_read_does_not_sound_clean() -> None:
    text = printed(reports.report(gaps=reports.all_verdicts().gaps))
    assert "! no cluster was found" in text
    assert "No finding; 3 gaps in what was read; no cluster was found." in text


def test_what_could_not_be_decided_comes_with_its_reason_before_any_count() -> None:
    text = printed(reports.all_verdicts())
    line = "! not decided: masquerade-misses-pod-range for 1 resource · The ip-masq-agent ConfigMap was not"
    assert text.index(line) < text.index("readiness")


def test_only_the_most_frequent_reason_is_printed_and_the_others_are_counted() -> None:
    results = [
        reports.result("a-rule", Verdict.UNKNOWN, reports.cluster_ref(f"c{n}"), reasons=(reason,))
        for n, reason in enumerate(["No ConfigMap.", "No Network.", "No Network."])
    ]
    text = printed(reports.report(results=results))
    assert "! not decided: a-rule for 3 resources · No Network. (and 1 other reason)\n" in text


def test_the_files_written_are_named_with_their_size() -> None:
    text = printed(reports.report(), ("out/a.html", 212_345, ""), ("out/b.sarif", 1_234_567, "12 results"))
    assert "wrote out/a.html (212 KB)\nwrote out/b.sarif (1.2 MB, 12 results)\n" in text


def test_findings_that_are_not_shown_are_counted() -> None:
    results = [reports.result("a-rule", Verdict.FAIL, reports.cluster_ref(f"c{n}")) for n in range(25)]
    report = reports.report(results=results)
    assert "… 22 more; all of them: out/a.html" in printed(report, ("out/a.html", 1, ""))
    assert "… 22 more; --output html=PATH shows all of them" in printed(report)
    several = [replace(one, rule=f"rule-{n % 5}") for n, one in enumerate(results)]
    assert "… 15 more;" in printed(reports.report(results=several))


def test_gaps_that_are_not_shown_are_counted() -> None:
    gaps = tuple(Gap(f"projects/p{n}", None, f"Reason {n}.", "Ask.") for n in range(30))
    assert "! 26 more gaps; every report lists all" in printed(replace(reports.report(), gaps=gaps))


def test_gaps_of_one_reason_are_told_together() -> None:
    gaps = tuple(
        Gap(f"projects/p{n}", kind, "Permission denied.", "Grant a role.")
        for n in range(5)
        for kind in ("compute.googleapis.com/Network", "compute.googleapis.com/Firewall")
    )
    text = " ".join(printed(replace(reports.report(), gaps=gaps)).split())
    assert (
        "! not read: projects/p0, projects/p1, projects/p2 and 2 more (compute.googleapis.com/Network, "
        "compute.googleapis.com/Firewall) · Permission denied. to close it: Grant a role. "
    ) in text
    assert text.count("Permission denied.") == 1


def test_the_word_of_completeness_is_said() -> None:
    assert "rests on --complete" in printed(replace(reports.all_verdicts(), complete_by_word=True))


def test_without_a_terminal_there_is_plain_text_of_100_columns() -> None:
    text = printed(reports.all_verdicts())
    assert "\x1b" not in text
    commands = {line for line in text.splitlines() if "gcloud" in line}
    assert all(len(line) <= WIDTH for line in text.splitlines() if line not in commands)
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    summary(reports.all_verdicts(), stream=stream)
    assert "\x1b[1;31mCRITICAL" in stream.getvalue()


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    summary(reports.all_verdicts(), stream=stream)
    assert "\x1b[31m" not in stream.getvalue()
    assert "\x1b[1;31m" not in stream.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_a_narrow_character_set_is_no_obstacle(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    summary(reports.hostile(), stream=stream)
    stream.flush()
    assert b"29 clusters" in raw.getvalue()


@settings(max_examples=40)
@given(hostile_reports)
def test_nothing_in_a_name_steers_the_terminal_or_is_taken_for_markup(report: Report) -> None:
    text = printed(report, ("\x1b[31m[bold]x[/bold]", 1, "\u202e"))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "wrote \\x1b[31m[bold]x[/bold] (1 B, \\u202e)" in text


def test_markup_in_names_is_shown_as_it_is() -> None:
    ref = reports.cluster_ref("c")
    result = reports.result("a-rule", Verdict.FAIL, ref, message="[bold red]not markup[/] :smile:")
    assert "[bold red]not markup[/] :smile:" in printed(reports.report(results=[result]))


def test_a_file_that_does_not_hold_every_finding_is_not_said_to() -> None:
    report = reports.big(300)
    text = printed(report, ("out/r.shard-01.sarif", 1, ""), ("out/r.shard-02.sarif", 1, ""))
    assert "--output html=PATH shows all of them" in text
    assert "all of them: out/report.csv" in printed(report, ("r.sarif", 1, ""), ("out/report.csv", 1, ""))
