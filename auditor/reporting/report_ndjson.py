"""The report as lines of JSON: the header, then one line for each result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.reporting.encode import chunks, dumps
from auditor.reporting.report_json import ResultEncoder, header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.engine.result import Report


def render(report: Report) -> Iterator[bytes]:
    """One header line, the report object without `clusters` and `results`, then the results in order."""
    return chunks(_lines(report))


def _lines(report: Report) -> Iterator[bytes]:
    yield dumps(header(report)) + b"\n"
    encoder = ResultEncoder()
    for result in report.results:
        yield encoder.encode(result) + b"\n"
