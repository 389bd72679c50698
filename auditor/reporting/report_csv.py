"""Findings as CSV: one row for each failure, each undecided result and each gap."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from auditor.engine.result import Verdict
from auditor.reporting.encode import chunks, dumps_observed
from auditor.reporting.text import declared, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from auditor.engine.result import Report, Result
    from auditor.model.evidence import Evidence
    from auditor.model.inventory import Gap

COLUMNS = (
    "verdict",
    "severity",
    "rule",
    "project",
    "location",
    "resource",
    "resource_type",
    "subject",
    "message",
    "reasons",
    "evidence",
    "remediation",
    "commands",
    "waived_by",
    "waived_until",
    "waiver_reason",
    "baseline",
    "fingerprint",
    "declared",
)

_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def render(report: Report) -> Iterator[bytes]:
    """UTF-8, RFC 4180, every cell quoted; an apostrophe precedes what a spreadsheet would compute."""
    return chunks(_lines(report))


def _lines(report: Report) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for row in _rows(report):
        writer.writerow([_cell(text) for text in row])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    for gap in report.gaps:
        yield _gap(gap)
    for result in report.results:
        if result.verdict is Verdict.FAIL or result.verdict is Verdict.UNKNOWN:
            yield _result(result)


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    return f"'{visible(text)}" if text.lstrip(" ").startswith(_FORMULA) else visible(text)


def _gap(gap: Gap) -> tuple[str, ...]:
    filled = {
        "verdict": "gap",
        "resource": gap.scope,
        "resource_type": gap.asset_type or "",
        "message": gap.reason,
        "remediation": gap.hint,
    }
    return tuple(filled.get(column, "") for column in COLUMNS)


def _result(result: Result) -> tuple[str, ...]:
    ref, fix, waiver = result.resource, result.remediation, result.waiver
    return (
        result.verdict.value,
        result.severity.value,
        result.rule,
        ref.project,
        ref.location,
        ref.name,
        ref.type,
        result.subject or "",
        result.message,
        "\n".join(result.reasons),
        "\n".join(_evidence(result.evidence)),
        fix.text if fix else "",
        "\n".join(fix.commands) if fix else "",
        waiver.owner if waiver else "",
        waiver.expires.isoformat() if waiver else "",
        waiver.reason if waiver else "",
        result.baseline or "",
        result.fingerprint,
        "\n".join(declared(one) for one in result.declarations),
    )


def _evidence(evidence: Iterable[Evidence]) -> Iterator[str]:
    for item in evidence:
        expected = "" if item.expected is None else f" (expected {dumps_observed(item.expected).decode()})"
        yield f"{item.path} = {dumps_observed(item.observed).decode()}{expected} in {item.asset}"
