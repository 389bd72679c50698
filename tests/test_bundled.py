"""The data that ships is there: in a checkout, and in an installed wheel."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from auditor import bundled

ROOT = Path(__file__).resolve().parent.parent


def test_a_checkout_has_rules_templates_and_the_demo() -> None:
    assert (bundled.rules() / "intranode-visibility" / "pack.yaml").is_file()
    assert (bundled.reports() / "report.html.j2").is_file()
    assert (bundled.demo() / "organisation.ndjson").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_scans_the_demo_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    assert not (tmp_path / "site" / "rules").exists()
    site = str(tmp_path / "site")
    program = f"import sys; sys.path.insert(0, {site!r}); from auditor.cli import cli; cli(sys.argv[1:])"
    arguments = ["scan", "demo", "--quiet", "--output", "html=report.html", "--output", "json=report.json"]
    run = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (1, "")
    assert json.loads((tmp_path / "report.json").read_text())["inventory"]["counts"]["clusters"] > 20


def test_the_wheel_carries_no_tests_and_no_benchmarks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folders = {name.split("/")[0] for name in archive.namelist()}
    assert folders == {"auditor", next(name for name in folders if name.endswith(".dist-info"))}
