"""SARIF as the tests read it: every document passes both published schemas before a test sees it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jsonschema
import orjson

from auditor.reporting import FORMATS
from auditor.reporting.check_sarif import check_sarif

if TYPE_CHECKING:
    from auditor.engine.result import Report

SCHEMAS = Path(__file__).parents[1] / "schemas"


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


def document(report: Report, profile: Literal["sarif", "sarif-full"] = "sarif") -> Any:
    """The file of a report, decoded, valid, and acceptable to GitHub."""
    decoded = orjson.loads(b"".join(FORMATS[profile](report)))
    oasis().validate(decoded)
    action().validate(decoded)
    assert check_sarif(decoded) == []
    return decoded


def run(report: Report, profile: Literal["sarif", "sarif-full"] = "sarif") -> Any:
    """The only run of that file."""
    (only,) = document(report, profile)["runs"]
    return only
