"""The summary that a scan prints: what was not read, how ready the clusters are, the worst findings."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, TextIO

from auditor.engine.result import Severity
from auditor.model.names import last
from auditor.reporting.summary import READINESS, baseline_line, scope_line, summarise, verdict_line
from auditor.reporting.text import declared, one_line, plural, shorten, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.text import Text

    from auditor.engine.result import Report, Result
    from auditor.model.inventory import Gap
    from auditor.reporting.summary import RuleCounts, Summary

WIDTH = 100
"""Columns of the summary where it does not go to a terminal."""

Part = str | tuple[str, str]
"""Text, or text with a style."""

_GAPS = 4
_SCOPES = 3
_UNDECIDED = 3
_FINDINGS = 10
_OF_ONE_RULE = 3
_DASH = " — "
_NOTES = 5
_LONGEST = 400

_STYLE = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_STATE_STYLE = {"degraded": "bold red", "blocked": "yellow", "ready": "green", "working": "green"}

# What a narrow character set has instead of the characters that this module itself writes.
_ASCII = str.maketrans({"·": ".", "…": "...", "—": "-", "→": "->"})


def summary(report: Report, *, stream: TextIO, written: Sequence[tuple[str, int, str]] = ()) -> None:
    """Print the summary of a report.

    `written` lists the reports on disk: path, size in bytes, and a note such as `12 results` (may be empty).
    On a terminal there is colour (unless NO_COLOR is set) and its width; elsewhere plain text of 100 columns.
    Characters that the stream cannot encode are replaced; names cannot steer the terminal.
    """
    from rich.console import Console

    terminal = stream.isatty()
    console = Console(
        file=stream,
        width=None if terminal else WIDTH,
        force_terminal=terminal,
        color_system="auto" if terminal else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    page = _Page(console, stream.encoding or "utf-8")
    _print(page, report, written)


class _Page:
    """Styled lines on a console that can take any text."""

    def __init__(self, console: Console, encoding: str) -> None:
        self._console = console
        self._encoding = encoding

    def line(self, *parts: Part, indent: int = 0) -> None:
        """One line of text, folded where it is too long; what is folded stays indented."""
        width = max(self._console.width - indent, 20)
        for line in self._text(parts).wrap(self._console, width, overflow="fold"):
            line.rstrip()
            self._write(line, indent)

    def verbatim(self, *parts: Part, indent: int = 0) -> None:
        """One line that is to be pasted or followed, and so is never folded."""
        self._write(self._text(parts), indent)

    def table(self, rows: Sequence[Sequence[Part]], right: frozenset[int]) -> None:
        """Rows in columns, the first of them the head; the columns of `right` hold numbers."""
        cells = [[self._text((part,)) for part in row] for row in rows]
        widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
        for row in cells:
            line = self._text(())
            for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
                gap = " " * (width - cell.cell_len)
                before, after = (gap, "") if number in right else ("", gap)
                line = line.append(before).append_text(cell).append(f"{after}  ")
            line.rstrip()
            self._write(line, 1)

    def blank(self) -> None:
        """An empty line."""
        self._console.print()

    def _write(self, text: Text, indent: int) -> None:
        text.pad_left(indent)
        self._console.print(text, soft_wrap=True)

    def _text(self, parts: Sequence[Part]) -> Text:
        from rich.text import Text

        text = Text()
        for part in parts:
            content, style = (part, "") if isinstance(part, str) else part
            text.append(self._fit(content), style)
        return text

    def _fit(self, text: str) -> str:
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:
            return text.translate(_ASCII).encode(self._encoding, "backslashreplace").decode(self._encoding)
        return text


def _print(page: _Page, report: Report, written: Sequence[tuple[str, int, str]]) -> None:
    counted = summarise(report)
    page.line((_short(scope_line(report)), "bold"))
    _print_gaps(page, report)
    _print_undecided(page, counted)
    page.blank()
    if counted.readiness:
        page.table(
            [
                (("readiness", "dim"), ("clusters", "dim"), ""),
                *(
                    ((one_line(state), _STATE_STYLE.get(state, "")), f"{count:,}", READINESS.get(state, ""))
                    for state, count in counted.readiness.items()
                ),
            ],
            frozenset({1}),
        )
        page.blank()
    _print_rules(page, counted)
    _print_findings(page, counted, written)
    for note in report.waiver_notes[:_NOTES]:
        page.line((f"! waiver {one_line(note.kind)}: ", "yellow"), _short(note.text))
    if len(report.waiver_notes) > _NOTES:
        page.line(f"! {plural(len(report.waiver_notes) - _NOTES, 'more note')} on waivers")
    if report.waiver_notes:
        page.blank()
    page.line((verdict_line(report), "bold"), f" Waivers as of {one_line(report.now)}.")
    if since := baseline_line(counted, report.comparison):
        page.line(since)
    for path, size, remark in written:
        page.verbatim(f"wrote {one_line(path)} ({_size(size)}{f', {one_line(remark)}' if remark else ''})")


def _short(text: str) -> str:
    return shorten(one_line(text), _LONGEST)


def _size(count: int) -> str:
    if count < 1_000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1_000:.0f} KB"
    return f"{count / 1_000_000:.1f} MB"


def _print_gaps(page: _Page, report: Report) -> None:
    if report.complete_by_word:
        page.line(
            ("! ", "yellow"),
            "rests on --complete: asset types absent from the input mean that there are none",
        )
    groups: dict[tuple[str, str], list[Gap]] = {}
    for gap in report.gaps:
        groups.setdefault((gap.reason, gap.hint), []).append(gap)
    for (reason, hint), alike in list(groups.items())[:_GAPS]:
        page.line(("! not read: ", "bold yellow"), f"{_unread(alike)} · {_short(reason)}")
        page.line(("to close it: ", "dim"), _short(hint), indent=2)
    if left := sum(len(alike) for alike in list(groups.values())[_GAPS:]):
        page.line(("! ", "bold yellow"), f"{plural(left, 'more gap')}; every report lists all")
    if not report.clusters:
        page.line(("! no cluster was found", "bold yellow"))


def _print_undecided(page: _Page, counted: Summary) -> None:
    """One line for each rule that could not be decided somewhere, with its most frequent reason."""
    by_rule: dict[str, list[Result]] = defaultdict(list)
    for result in counted.unknown:
        by_rule[result.rule].append(result)
    for rule, results in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0]))[:_UNDECIDED]:
        # The remedy behind the dash names the resource; the reason before it is what many have in common.
        said = Counter(chain.from_iterable(map(attrgetter("reasons"), results)))
        reasons: Counter[str] = Counter()
        for reason, count in said.items():
            reasons[reason.split(_DASH, 1)[0]] += count
        most = min(reasons, key=lambda reason: (-reasons[reason], reason), default=results[0].message)
        resources = len({result.resource.name for result in results})
        others = f" (and {plural(len(reasons) - 1, 'other reason')})" if len(reasons) > 1 else ""
        page.line(
            ("! not decided: ", "yellow"),
            f"{one_line(rule)} for {plural(resources, 'resource')} · {_short(most)}{others}",
        )
    if len(by_rule) > _UNDECIDED:
        page.line(
            ("! ", "yellow"), f"{plural(len(by_rule) - _UNDECIDED, 'more rule')} not decided everywhere"
        )


def _unread(gaps: Sequence[Gap]) -> str:
    """Where gaps of one reason are, and of which asset types."""
    scopes = dict.fromkeys(_short(gap.scope) for gap in gaps)
    kinds = dict.fromkeys(_short(gap.asset_type) for gap in gaps if gap.asset_type)
    text = ", ".join(list(scopes)[:_SCOPES])
    if len(scopes) > _SCOPES:
        text += f" and {len(scopes) - _SCOPES:,} more"
    return f"{text} ({', '.join(kinds)})" if kinds else text


def _print_rules(page: _Page, counted: Summary) -> None:
    """The rules that say something: those that only pass or do not apply are one line."""
    telling = [r for r in counted.rules if any(r.failed.values()) or r.unknown or r.waived]
    silent = len(counted.rules) - len(telling)
    if telling:
        shown = [s for s in Severity if any(r.failed[s] for r in telling)]
        waived = any(r.waived for r in telling)
        head = ["rule", *(s.value for s in shown), "unknown", *(("waived",) if waived else ()), "pass"]
        rows: list[Sequence[Part]] = [[(text, "dim") for text in head]]
        rows += [_rule(r, shown, waived=waived) for r in telling]
        page.table(rows, frozenset(range(1, len(head))))
    if silent:
        page.line(f"{plural(silent, 'rule')} without a finding", indent=1)
    if telling or silent:
        page.blank()


def _rule(counts: RuleCounts, shown: Sequence[Severity], *, waived: bool) -> list[Part]:
    def cell(count: int, style: str = "") -> tuple[str, str]:
        return (f"{count:,}", style) if count else ("·", "dim")

    return [
        one_line(counts.rule),
        *(cell(counts.failed[severity], _STYLE[severity]) for severity in shown),
        cell(counts.unknown, "yellow"),
        *((cell(counts.waived),) if waived else ()),
        cell(counts.passed),
    ]


def _worst(counted: Summary) -> list[Result]:
    """The findings to show: the worst first, no rule more than a few times."""
    shown: list[Result] = []
    of_rule: Counter[str] = Counter()
    for result in counted.worst:
        of_rule[result.rule] += 1
        if of_rule[result.rule] <= _OF_ONE_RULE:
            shown.append(result)
            if len(shown) == _FINDINGS:
                break
    return shown


def _print_findings(page: _Page, counted: Summary, written: Sequence[tuple[str, int, str]]) -> None:
    shown = _worst(counted)
    for result in shown:
        page.line(
            (f"{result.severity.value.upper():<9}", _STYLE[result.severity]),
            (one_line(result.rule), "bold"),
        )
        page.line(_place(result), indent=9)
        for text in _details(result):
            page.line(text, indent=9)
        for command in result.remediation.commands if result.remediation else ():
            for line in visible(command).split("\n"):
                page.verbatim((line, "green"), indent=11)
        page.blank()
    left = len(counted.worst) - len(shown)
    if left > 0:
        # SARIF for GitHub has no findings of severity info, and a shard only those of its projects.
        whole = [path for path, _, _ in written if not path.endswith(".sarif")]
        where = f"; all of them: {one_line(whole[0])}" if whole else "; --output html=PATH shows all of them"
        page.verbatim(f"… {left:,} more{where}")
        page.blank()


def _place(result: Result) -> str:
    ref = result.resource
    place = "/".join(part for part in (ref.project, ref.location, last(ref.name)) if part)
    return _short(place if result.subject is None else f"{place} · {result.subject}")


def _details(result: Result) -> Iterator[str]:
    yield _short(result.message)
    if result.declarations:
        yield f"terraform: {_short(', '.join(declared(one) for one in result.declarations[:3]))}"
    if result.remediation is not None:
        yield f"fix: {_short(result.remediation.text)}"
