"""Microsoft's SARIF multitool judges what is written: the rules of the format, and those it has for GitHub.

The native program is called, since the npm wrapper passes `Sarif;Ghas` to a shell, which ends the command at
the semicolon. Its exit code is 0 even with errors, so that its report is read.
"""

from __future__ import annotations

import os
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
import pytest

from auditor.reporting import FORMATS
from auditor.reporting.check_sarif import check_sarif
from auditor.reporting.sarif import render_github
from auditor.reporting.shards import split
from tests.reporting import reports
from tests.reporting.demo import audited_demo
from tests.reporting.sarif_files import accept, action, document, oasis

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.engine.result import Report

MULTITOOL = Path(__file__).parents[1] / "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"

Errors = list[tuple[str, str]]


@pytest.fixture(scope="session")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Errors]:
    """The errors that the multitool finds in a file: rule, and the name of its message."""
    if not MULTITOOL.is_file():
        if os.environ.get("CI"):
            pytest.fail("the SARIF multitool is missing: sh tests/install-multitool.sh")
        pytest.skip("the SARIF multitool is missing: sh tests/install-multitool.sh")

    def validate(written: bytes) -> Errors:
        folder = tmp_path_factory.mktemp("multitool")
        (folder / "report.sarif").write_bytes(written)
        done = subprocess.run(
            [
                MULTITOOL, "validate", "report.sarif",
                "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning",
                "--max-file-size-in-kb", "200000", "--output", "findings.sarif",
            ],
            cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert (folder / "findings.sarif").is_file(), done.stdout + done.stderr
        (run,) = orjson.loads((folder / "findings.sarif").read_bytes())["runs"]
        assert run["invocations"][0]["executionSuccessful"], done.stdout + done.stderr
        return sorted(
            (one["ruleId"], one["message"].get("id", ""))
            for one in run.get("results", [])
            if one.get("level", "warning") == "error"
        )

    return validate


def test_the_rules_for_github_are_applied(errors: Callable[[bytes], Errors]) -> None:
    placeless = document(reports.all_verdicts())
    placeless["runs"][0]["results"][0]["locations"] = []
    assert "GH1015" in {rule for rule, _ in errors(orjson.dumps(placeless))}


@pytest.mark.parametrize("profile", ["sarif", "sarif-full"])
@pytest.mark.parametrize("build", [reports.all_verdicts, reports.hostile, reports.report])
def test_what_is_written_has_no_error(
    build: Callable[[], Report], profile: Literal["sarif", "sarif-full"], errors: Callable[[bytes], Errors]
) -> None:
    assert errors(b"".join(FORMATS[profile](build()))) == []


def test_the_shards_of_the_demo_have_no_error(errors: Callable[[bytes], Errors]) -> None:
    for shard in split(audited_demo(), 2):
        assert errors(b"".join(render_github(shard.report, shard))) == []


TRAPS: dict[str, tuple[str, Callable[[Any, list[Any]], object]]] = {
    "a logical location only": (
        "physical-location-missing",
        lambda _, results: results[0]["locations"][0].pop("physicalLocation"),
    ),
    "an empty uri": (
        "uri-missing",
        lambda _, results: results[1]["locations"][0]["physicalLocation"]["artifactLocation"].update(uri=""),
    ),
    "a run that failed": (
        "unsuccessful-execution",
        lambda run, _: run["invocations"][0].update(executionSuccessful=False),
    ),
    "a severity in words": (
        "security-severity",
        lambda run, _: run["tool"]["driver"]["rules"][0]["properties"].update({"security-severity": "High"}),
    ),
    "25 tags": (
        "too-many-tags",
        lambda run, _: run["tool"]["driver"]["rules"][1]["properties"].update(
            tags=[f"t{n}" for n in range(25)]
        ),
    ),
    "a pass with a level": (
        "level-of-no-failure",
        lambda _, results: results[2].update(kind="pass", level="error"),
    ),
}
"""What both published schemas and the multitool pass, and GitHub refuses or shows as an alert."""


def trapped(*names: str) -> Any:
    sarif = deepcopy(document(reports.all_verdicts()))
    (run,) = sarif["runs"]
    for name in names:
        TRAPS[name][1](run, run["results"])
    return sarif


@pytest.mark.parametrize("name", TRAPS)
def test_what_the_schemas_pass_and_github_does_not_is_found(name: str) -> None:
    sarif = trapped(name)
    oasis().validate(sarif)
    action().validate(sarif)
    assert [one.rule for one in check_sarif(sarif)] == [TRAPS[name][0]]
    with pytest.raises(AssertionError):
        accept(orjson.dumps(sarif))


def test_the_multitool_finds_no_error_in_any_of_these(errors: Callable[[bytes], Errors]) -> None:
    sarif = trapped(*TRAPS)
    assert errors(orjson.dumps(sarif)) == []
    assert sorted(one.rule for one in check_sarif(sarif)) == sorted(rule for rule, _ in TRAPS.values())
