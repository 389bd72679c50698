"""A report as text: `FORMATS` has one pure function for each format, `write` puts them on disk.

Modules are imported when their format is first rendered, so that a scan pays for no format that it does not
write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from auditor.engine.result import Report

Renderer = Callable[["Report"], Iterator[bytes]]
"""A report as the bytes of a file, in pieces; the same report gives the same bytes.

A renderer that is a generator may return a remark for whoever ran the scan (`12 results`).
"""


def _renderer(module: str, function: str = "render") -> Renderer:
    def render(report: Report) -> Iterator[bytes]:
        return cast("Renderer", getattr(import_module(f"auditor.reporting.{module}"), function))(report)

    return render


FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {
        "html": _renderer("html"),
        "sarif": _renderer("sarif", "render_github"),
        "sarif-full": _renderer("sarif", "render_full"),
        "ndjson": _renderer("report_ndjson"),
        "json": _renderer("report_json"),
        "csv": _renderer("report_csv"),
        "markdown": _renderer("report_markdown"),
        "junit": _renderer("junit"),
    }
)
"""The formats by the names that `--output` takes."""
