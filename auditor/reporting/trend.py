"""A history of scans, for the terminal and as JSON (`gke-auditor/history/v1`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auditor.engine.result import Severity
from auditor.reporting.encode import dumps
from auditor.reporting.report_json import point
from auditor.reporting.summary import READINESS
from auditor.reporting.text import one_line, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditor.history import History, OpenFinding, TimeToFix

SCHEMA: Final = "gke-auditor/history/v1"

_SCANS: Final = 20
_FINDINGS: Final = 20
_LONGEST: Final = 160
_UNSETTLED: Final = "  (the last scan could not tell)"
_DAY: Final = 86_400.0


def as_json(history: History) -> bytes:
    """The whole history as one object: scans, open findings, times to fix."""
    return (
        dumps(
            {
                "schema": SCHEMA,
                "scans": [point(one) for one in history.points],
                "open": [
                    {
                        "rule": one.rule,
                        "severity": one.severity,
                        "resource": one.resource,
                        "subject": one.subject,
                        "opened": one.opened,
                        "age_seconds": one.age,
                        "at_least": one.at_least,
                        "waived": one.waived,
                        "unsettled": one.unsettled,
                    }
                    for one in history.open
                ],
                "time_to_fix": [
                    {
                        "severity": one.severity,
                        "count": one.count,
                        "mean_seconds": one.mean,
                        "median_seconds": one.median,
                        "at_least": one.at_least,
                    }
                    for one in history.time_to_fix
                ],
            }
        )
        + b"\n"
    )


def text(history: History) -> str:
    """The last scans, the oldest findings, and the mean time to fix; what is cut is counted."""
    return "\n".join(_lines(history)) + "\n"


def _lines(history: History) -> Iterator[str]:
    points = history.points[-_SCANS:]
    if len(history.points) > len(points):
        yield f"{plural(len(history.points), 'scan')}; the last {len(points)}:"
    else:
        yield f"{plural(len(points), 'scan')}:"
    states = [state for state in READINESS if any(one.readiness.get(state) for one in points)]
    head = ["read", "clusters", "gaps", "fail", "unknown", "pass", "waived", "opened", "fixed", "gone"]
    rows = [[*head, *states]]
    for one in points:
        counts = [one.clusters, one.gaps]
        counts += [one.verdicts.get(name, 0) for name in ("fail", "unknown", "pass", "waived")]
        counts += [one.opened, one.fixed, one.gone]
        counts += [one.readiness.get(state, 0) for state in states]
        rows.append([one.time, *(f"{count:,}" for count in counts)])
    yield from _table(rows)
    if len({one.scope for one in points}) > 1:
        yield "! these scans are of different scopes; a scan leaves open what it does not cover"
    if points and points[-1].unsettled:
        yield f"! the last scan could not tell about {plural(points[-1].unsettled, 'open finding')}"
    yield ""
    yield from _open_lines(history.open)
    yield ""
    yield from _fix_lines(history.time_to_fix)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  " + "  ".join(cells)


def _open_lines(findings: Sequence[OpenFinding]) -> Iterator[str]:
    live = [one for one in findings if not one.waived]
    waived = len(findings) - len(live)
    yield (
        f"{plural(len(live), 'open finding')}{f', {waived:,} more waived' if waived else ''}"
        f"{'; the oldest:' if live else ''}"
    )
    rows = [
        [
            f"{'≥ ' if one.at_least else ''}{_span(one.age)}",
            one.severity,
            f"{_short(one.rule)}  {_place(one)}{_UNSETTLED if one.unsettled else ''}",
        ]
        for one in live[:_FINDINGS]
    ]
    if rows:
        widths = [max(len(row[number]) for row in rows) for number in range(2)]
        for age, severity, what in rows:
            yield f"  {age.rjust(widths[0])}  {severity.ljust(widths[1])}  {what}"
    if len(live) > _FINDINGS:
        yield f"  … {len(live) - _FINDINGS:,} more; --format json has all of them"


def _place(one: OpenFinding) -> str:
    parts = one.resource.split("/")
    place = "/".join(parts[1::2]) if len(parts) > 1 and parts[0] == "projects" else one.resource
    return _short(place if one.subject is None else f"{place} · {one.subject}")


def _short(value: str) -> str:
    return shorten(one_line(value), _LONGEST)


def _fix_lines(found: Sequence[TimeToFix]) -> Iterator[str]:
    if not found:
        yield "No finding was fixed between these scans."
        return
    yield "Time to fix:"
    order = [severity.value for severity in Severity]
    for one in sorted(found, key=lambda t: order.index(t.severity) if t.severity in order else len(order)):
        times = f"mean {_span(one.mean)}, median {_span(one.median)}"
        line = f"  {one.severity.ljust(8)}  {times}, {one.count:,} fixed"
        if one.at_least:
            line += f", {one.at_least:,} of them older than the first scan"
        yield line


def _span(seconds: float) -> str:
    days = seconds / _DAY
    if days >= 1:
        return f"{days:,.1f} d"
    return f"{seconds / 3600:.1f} h"
