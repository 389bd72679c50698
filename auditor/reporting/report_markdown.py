"""The report as Markdown that fits into a GitHub step summary."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from auditor.engine.result import Severity
from auditor.model.names import last
from auditor.reporting.markup import code, escape, fence, prose
from auditor.reporting.summary import READINESS, baseline_line, scope_line, summarise, verdict_line
from auditor.reporting.text import declared, one_line, plural, shorten, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from auditor.engine.result import Report, Result
    from auditor.model.inventory import Gap
    from auditor.reporting.summary import RuleCounts, Summary

MAX_BYTES = 900 * 1024
"""UTF-8 bytes of the whole text. GitHub refuses a step summary of more than 1 MiB, and loses one that comes
within two bytes of it."""

_SECTION = 150 * 1024
"""Bytes that each list besides the findings may have; the findings get what remains."""

_AT_ONCE = 5
"""Gaps that are shown without unfolding the list."""

_LONGEST = 400
"""Characters of one name, message or reason that are shown; the other formats have the whole text."""

_LONGEST_COMMAND = 4_000
"""Characters of one command that are shown: a longer one is of no use when it is cut."""


def render(report: Report) -> Iterator[bytes]:
    """What was not read first, then findings, the worst first, then counts and what could not be decided.

    What did not fit is counted.
    """
    summary = summarise(report)
    before = _encoded(_before_findings(report, summary))
    after = _encoded(_after_findings(report, summary))
    room = MAX_BYTES - len(before) - len(after) - 1_000  # for the sentence that says what was left out
    yield before
    yield from _findings(summary.worst, room)
    yield after


def _encoded(blocks: Iterable[str]) -> bytes:
    return b"".join(block.encode() + b"\n\n" for block in blocks)


def _before_findings(report: Report, summary: Summary) -> Iterator[str]:
    yield "# Intra-node visibility"
    yield f"{_prose(scope_line(report))}\n\n**{escape(verdict_line(report))}**"
    if since := baseline_line(summary, report.comparison):
        yield since
    if report.complete_by_word:
        yield "Rests on `--complete`: asset types absent from the input were taken to have no assets."
    if report.gaps:
        yield f"## Not looked at: {plural(len(report.gaps), 'gap')}"
        yield "\n".join(_gap(gap) for gap in report.gaps[:_AT_ONCE])
        if more := report.gaps[_AT_ONCE:]:
            yield _folded(f"{len(more):,} more", map(_gap, more), len(more))
    if summary.readiness:
        yield "## Readiness"
        rows = (
            f"| {escape(state)} | {count:,} | {escape(READINESS.get(state, ''))} |"
            for state, count in summary.readiness.items()
        )
        head = ["| readiness | clusters | |", "| --- | ---: | --- |"]
        yield _list(head, rows, len(summary.readiness), "| {} more | | |")


def _after_findings(report: Report, summary: Summary) -> Iterator[str]:
    if summary.rules:
        yield "## Rules"
        head = [
            "| rule | critical | high | medium | low | info | unknown | waived | pass | not applicable |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        rows = (_rule(counts) for counts in summary.rules)
        yield _list(head, rows, len(summary.rules), "| {} more | | | | | | | | | |")
    if summary.unknown:
        count = len(summary.unknown)
        yield f"## Could not be decided: {plural(count, 'result')}"
        yield _folded("What would settle them", map(_undecided, summary.unknown), count)
    if report.waiver_notes:
        yield "## Waivers"
        lines = (f"- {escape(note.kind)}: {_prose(note.text)}" for note in report.waiver_notes)
        yield _list([], lines, len(report.waiver_notes), "- {} more; the json report has all.")


def _list(head: Sequence[str], lines: Iterable[str], total: int, rest: str) -> str:
    """Lines of a list or table as far as there is room; `rest` says how many are left."""
    room = _SECTION
    kept = list(head)
    for number, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            kept.append(rest.format(f"{total - number:,}"))
            break
        kept.append(line)
    return "\n".join(kept)


def _folded(title: str, lines: Iterable[str], total: int) -> str:
    listed = _list([], lines, total, "- {} more; the json report has all.")
    return f"<details><summary>{title}</summary>\n\n{listed}\n\n</details>"


def _prose(text: str) -> str:
    return escape(shorten(one_line(text), _LONGEST))


def _name(text: str, *, cell: bool = False) -> str:
    return code(shorten(one_line(text), _LONGEST), cell=cell)


def _gap(gap: Gap) -> str:
    kind = f" {_name(gap.asset_type)}" if gap.asset_type else ""
    return f"- {_name(gap.scope)}{kind}: {_prose(gap.reason).rstrip('.')}. *To close it:* {_hint(gap.hint)}"


def _hint(text: str) -> str:
    """What settles something, with its commands as code; one too long is no use when it is cut."""
    text = one_line(text)
    if len(text) <= _LONGEST_COMMAND:
        return prose(text)
    return "the json report says what does, at length."


def _rule(counts: RuleCounts) -> str:
    numbers = (
        *(counts.failed[severity] for severity in Severity),
        counts.unknown,
        counts.waived,
        counts.passed,
        counts.not_applicable,
    )
    return f"| {_name(counts.rule, cell=True)} | {' | '.join(f'{n:,}' if n else '·' for n in numbers)} |"


def _place(result: Result) -> str:
    ref = result.resource
    place = "/".join(part for part in (ref.project, ref.location, last(ref.name)) if part)
    return _name(place) + ("" if result.subject is None else f" {_name(result.subject)}")


def _undecided(result: Result) -> str:
    reasons = "".join(f"\n  - {_hint(reason)}" for reason in result.reasons[:5])
    more = f"\n  - and {plural(len(result.reasons) - 5, 'more reason')}" if len(result.reasons) > 5 else ""
    return f"- {_name(result.rule)} {_place(result)}: {_prose(result.message)}{reasons}{more}"


def _findings(worst: Sequence[Result], room: int) -> Iterator[bytes]:
    heading = None
    for number, result in enumerate(worst):
        block = _finding(result)
        if result.severity is not heading:
            heading = result.severity
            count = sum(other.severity is heading for other in worst)
            block = f"## {heading.value.capitalize()}: {plural(count, 'finding')}\n\n{block}"
        encoded = block.encode() + b"\n\n"
        room -= len(encoded)
        if room < 0:
            yield _rest(worst[number:]).encode()
            return
        yield encoded


def _rest(left: Sequence[Result]) -> str:
    by_severity = Counter(result.severity for result in left)
    listed = ", ".join(f"{by_severity[s]:,} {s.value}" for s in Severity if by_severity[s])
    return (
        f"**{plural(len(left), 'more finding')} ({listed}) did not fit into this summary;** "
        "the html, json and csv reports have all of them.\n"
    )


def _finding(result: Result) -> str:
    title = f"**{escape(result.rule)}** {_place(result)}\n\n{_prose(result.message)}"
    if result.declarations:
        places = ", ".join(_name(declared(one)) for one in result.declarations[:5])
        title += f"\n\nTerraform: {places}"
    fix = result.remediation
    if fix is None:
        return title
    commands = [
        fence(command, "sh")
        if len(visible(command)) <= _LONGEST_COMMAND
        else "The command is too long for a summary; the json report has it."
        for command in fix.commands[:10]
    ]
    if len(fix.commands) > 10:
        commands.append(f"{len(fix.commands) - 10:,} more commands are in the json report.")
    commands += [
        fence(one.fix, "diff") for one in result.declarations if one.fix and len(one.fix) <= _LONGEST_COMMAND
    ]
    return "\n\n".join((title, "<details><summary>Fix</summary>", _prose(fix.text), *commands, "</details>"))
