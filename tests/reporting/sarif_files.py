"""SARIF as the tests read it: every document passes both published schemas and GitHub's rules first."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jsonschema
import orjson

from auditor.reporting import FORMATS, check_sarif, sarif

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import pytest

    from auditor.engine.result import Report

SCHEMAS = Path(__file__).parents[1] / "schemas"

_seen: set[bytes] = set()


@cache
def oasis() -> jsonschema.Draft4Validator:
    """The schema of the OASIS standard."""
    return jsonschema.Draft4Validator(
        json.loads((SCHEMAS / "sarif-schema-2.1.0-errata01-os.json").read_text())
    )


@cache
def action() -> jsonschema.Draft202012Validator:
    """The schema that GitHub's upload action validates with."""
    return jsonschema.Draft202012Validator(
        json.loads((SCHEMAS / "sarif-schema-2.1.0-codeql-action.json").read_text())
    )


def accept(written: bytes) -> None:
    """Fail unless both schemas and check-sarif accept a file.

    A run in which nothing was judged says so and is not to be processed: that alone is let pass.
    """
    digest = hashlib.sha256(written).digest()
    if digest in _seen:
        return
    decoded = orjson.loads(written)
    oasis().validate(decoded)
    action().validate(decoded)
    found = check_sarif.check_sarif(decoded)
    if b'"descriptor":{"id":"nothing-judged"' in written:
        found = [one for one in found if one.rule != "unsuccessful-execution"]
    assert found == []
    _seen.add(digest)


def check_everything_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every SARIF file that this process writes from now on accepted, or the test fails."""

    def accepted(render: Callable[..., Iterator[bytes]]) -> Callable[..., Generator[bytes, None, str | None]]:
        def render_and_accept(*arguments: Any, **options: Any) -> Generator[bytes, None, str | None]:
            parts: list[bytes] = []
            rendering = iter(render(*arguments, **options))
            while True:
                try:
                    part = next(rendering)
                except StopIteration as end:
                    accept(b"".join(parts))
                    remark: str | None = end.value
                    return remark
                parts.append(part)
                yield part

        return render_and_accept

    monkeypatch.setattr(sarif, "render_github", accepted(sarif.render_github))
    monkeypatch.setattr(sarif, "render_full", accepted(sarif.render_full))


def document(report: Report, profile: Literal["sarif", "sarif-full"] = "sarif") -> Any:
    """The file of a report, decoded, valid, and acceptable to GitHub."""
    written = b"".join(FORMATS[profile](report))
    accept(written)
    return orjson.loads(written)


def run(report: Report, profile: Literal["sarif", "sarif-full"] = "sarif") -> Any:
    """The only run of that file."""
    (only,) = document(report, profile)["runs"]
    return only
