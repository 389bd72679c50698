"""The report as JUnit XML, for the test view of a CI system: one suite for each rule.

A finding is a failure, an undecided result an error (it could not be tested), and a result that is not
applicable, waived or gone since the baseline is skipped. The first suite holds the gaps, as errors.

There is no standard, so that the file keeps to what every reader knows: GitLab shows the text of a failure
and not its message, and tells test cases apart by suite, class and name; Jenkins' schema knows no count of
skipped cases for all suites together.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor.engine.result import Verdict
from auditor.model.names import last
from auditor.reporting.encode import chunks
from auditor.reporting.text import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditor.engine.result import Report, Result
    from auditor.model.inventory import Gap

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;"}
_ESCAPED = re.compile('[&<>"\n\t]')

_PASSED, _FAILED, _ERROR, _SKIPPED = range(4)


def render(report: Report) -> Iterator[bytes]:
    """One `testsuites` document; every result is a test case in the suite of its rule."""
    return chunks(part.encode() for part in _parts(report))


def _text(text: str) -> str:
    """Text fit for an attribute or an element; what XML 1.0 cannot hold is written as an escape."""
    return _ESCAPED.sub(lambda m: _ESCAPES[m[0]], visible(text, keep="\n\t"))


def _parts(report: Report) -> Iterator[str]:
    by_rule: dict[str, list[Result]] = {rule.id: [] for rule in report.rules}
    totals = [0, 0, 0, 0]
    for result in report.results:
        by_rule.setdefault(result.rule, []).append(result)
        totals[_outcome(result)] += 1
    errors = totals[_ERROR] + len(report.gaps)
    when = _timestamp(report)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield (
        f'<testsuites name="gke-auditor" tests="{len(report.results) + len(report.gaps)}" '
        f'failures="{totals[_FAILED]}" errors="{errors}" time="0">\n'
    )
    if report.gaps:
        yield from _coverage(report.gaps, when)
    titles = {rule.id: rule.title for rule in report.rules}
    for rule, results in by_rule.items():
        yield from _suite(rule, titles.get(rule, rule), results, when)
    yield "</testsuites>\n"


def _timestamp(report: Report) -> str:
    """When the inventory was read, as an attribute: UTC without saying so, as the format has it."""
    try:
        time = datetime.fromisoformat(report.read_time or report.now)
        aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
        local = aware.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return ""
    return f' timestamp="{local.isoformat(timespec="seconds")}"'


class _Names:
    """Names of test cases, each of which a suite has once: readers take two of one name for one."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def unique(self, name: str) -> str:
        name = one_line(name) or "(no name)"
        while name in self._seen:
            self._seen[name] += 1
            name = f"{name} ({self._seen[name]})"
        self._seen[name] = 1
        return name


def _coverage(gaps: Sequence[Gap], when: str) -> Iterator[str]:
    count = len(gaps)
    counts = f'tests="{count}" failures="0" errors="{count}" skipped="0"'
    names = _Names()
    yield f'<testsuite name="coverage" {counts} time="0"{when}>\n'
    for gap in gaps:
        name = names.unique(f"{gap.scope}: {gap.asset_type}" if gap.asset_type else gap.scope)
        yield (
            f'<testcase classname="coverage" name="{_text(name)}" time="0">'
            f'<error type="gap" message="{_text(gap.reason)}">{_text(_lines(gap.reason, gap.hint))}</error>'
            "</testcase>\n"
        )
    yield "</testsuite>\n"


def _lines(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


def _outcome(result: Result) -> int:
    match result.verdict:
        case Verdict.PASS:
            return _PASSED
        case Verdict.UNKNOWN:
            return _ERROR
        case Verdict.NOT_APPLICABLE:
            return _SKIPPED
        case Verdict.FAIL:
            return _SKIPPED if result.waiver is not None or result.baseline == "absent" else _FAILED


def _suite(rule: str, title: str, results: Sequence[Result], when: str) -> Iterator[str]:
    counts = [0, 0, 0, 0]
    for result in results:
        counts[_outcome(result)] += 1
    yield (
        f'<testsuite name="{_text(rule)}" tests="{len(results)}" failures="{counts[_FAILED]}" '
        f'errors="{counts[_ERROR]}" skipped="{counts[_SKIPPED]}" time="0"{when}>\n'
        f'<properties><property name="title" value="{_text(title)}"/></properties>\n'
    )
    classname = _text(rule)
    names = _Names()
    for result in results:
        yield f'<testcase classname="{classname}" name="{_text(names.unique(_name(result)))}" time="0"'
        yield from _body(result)
    yield "</testsuite>\n"


def _name(result: Result) -> str:
    ref = result.resource
    place = "/".join(part for part in (ref.project, ref.location, last(ref.name)) if part)
    return place if result.subject is None else f"{place} {result.subject}"


def _body(result: Result) -> Iterator[str]:
    message = _text(result.message)
    match _outcome(result):
        case 0:
            yield "/>\n"
        case 1:
            yield f'><failure type="{result.severity.value}" message="{message}">{_text(_details(result))}'
            yield "</failure></testcase>\n"
        case 2:
            reasons = _lines(result.message, *result.reasons)
            yield f'><error type="unknown" message="{message}">{_text(reasons)}</error></testcase>\n'
        case _:
            why = _text(_why_skipped(result))
            yield f'><skipped message="{why}">{why}</skipped></testcase>\n'


def _details(result: Result) -> str:
    fix = result.remediation
    lines = [result.message, result.resource.name]
    if fix is not None:
        lines += [f"Fix: {fix.text}", *fix.commands]
    return _lines(*lines)


def _why_skipped(result: Result) -> str:
    waiver = result.waiver
    if waiver is not None:
        return (
            f"waived by {waiver.owner} until {waiver.expires.isoformat()}: {waiver.reason} ({result.message})"
        )
    if result.baseline == "absent":
        return f"in the baseline, and gone: {result.message}"
    return result.message
