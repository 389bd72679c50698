"""What is ready to copy works: the workflow's steps, the container's command, Terraform, the pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tree_sitter
import tree_sitter_hcl
import yaml

from auditor.sources import wording
from auditor.sources.live import calls, keep
from tests.sources.live.emulator import Emulator, Status
from tests.sources.live.organisation import ORGANIZATION, organisation

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
WORKFLOW = DEPLOY / "github" / "gke-auditor.yml"
BIN = Path(sys.executable).parent


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(organisation()) as running:
        yield running


def environment(emulator: Emulator, **more: str) -> dict[str, str]:
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "CLOUD_ASSET_EMULATOR_HOST": emulator.address,
        "CONTAINER_EMULATOR_HOST": emulator.address,
        **more,
    }


def steps() -> dict[str, Any]:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return {step["name"]: step for step in workflow["jobs"]["audit"]["steps"] if "name" in step}


def test_the_workflow_is_one_to_github() -> None:
    subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW],
        check=True,
        capture_output=True,
    )


def run_step(name: str, folder: Path, environment: dict[str, str]) -> int:
    """Run a step as GitHub does: bash, ending at the first command that fails."""
    script = folder / "step.sh"
    script.write_text(steps()[name]["run"])
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize("gap", [False, True])
def test_the_workflows_steps_run(emulator: Emulator, tmp_path: Path, gap: bool) -> None:
    if gap:
        emulator.missing_zones["svc"] = ["europe-west1-b"]
    files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    settings = environment(
        emulator, SCOPE=ORGANIZATION, QUOTA_PROJECT="quota", RUNNER_TEMP=str(tmp_path), **files
    )
    for name in ("Collect", "Scan", "Summary"):
        assert run_step(name, tmp_path, settings) == 0, name
    assert (tmp_path / "output").read_text() == "status=1\n"
    assert (tmp_path / "summary").read_bytes() == (tmp_path / "report.md").read_bytes()
    assert json.loads((tmp_path / "report.sarif").read_bytes())["version"] == "2.1.0"
    assert (tmp_path / "report.html").stat().st_size > 1000


def test_the_workflow_ends_when_nothing_can_be_read(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.append(lambda _: Status("PERMISSION_DENIED"))
    settings = environment(emulator, SCOPE=ORGANIZATION, QUOTA_PROJECT="quota", RUNNER_TEMP=str(tmp_path))
    assert run_step("Collect", tmp_path, settings) == 2
    assert not (tmp_path / "snapshot.ndjson.zst").exists()


def test_the_workflow_asks_for_no_more_than_it_needs() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["audit"]["permissions"] == {
        "contents": "read",
        "id-token": "write",
        "security-events": "write",
    }
    for step in steps().values():
        # Values from outside reach a script through its environment, where they cannot become code.
        assert "${{" not in step.get("run", "")


def audit(emulator: Emulator, folder: Path, **settings: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [DEPLOY / "audit.sh"],
        env=environment(emulator, REPORTS=str(folder), **settings),
        capture_output=True,
        check=False,
    )


def test_the_containers_command_leaves_snapshot_and_reports(emulator: Emulator, tmp_path: Path) -> None:
    done = audit(emulator, tmp_path, SCOPES=f"{ORGANIZATION} projects/svc", COLLECT_OPTIONS="--rate 90")
    assert done.returncode == 0, done.stderr
    (run,) = tmp_path.iterdir()
    assert {one.name for one in run.iterdir()} == {
        "snapshot.ndjson.zst",
        "report.html",
        "report.json",
        "report.md",
        "report.sarif",
    }


def test_the_containers_command_can_fail_on_findings(emulator: Emulator, tmp_path: Path) -> None:
    assert audit(emulator, tmp_path, SCOPES=ORGANIZATION, FAIL_ON_FINDINGS="true").returncode == 1


def test_the_containers_command_fails_when_nothing_can_be_read(emulator: Emulator, tmp_path: Path) -> None:
    emulator.faults.append(lambda _: Status("PERMISSION_DENIED"))
    assert audit(emulator, tmp_path, SCOPES=ORGANIZATION).returncode == 2
    assert not list(tmp_path.iterdir())
    assert audit(emulator, tmp_path).returncode not in (0, 1, 3)


def test_the_dockerfile_copies_what_is_there_and_gives_up_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {
        word
        for line in lines
        if line.startswith("COPY") and "--from" not in line
        for word in line.split()[1:-1]
        if not word.startswith("--")
    }
    assert copied == let_in
    assert all((ROOT / one).exists() for one in copied)
    users = [line for line in lines if line.startswith("USER")]
    assert users == ["USER 65532"]
    assert lines.index("USER 65532") < lines.index('ENTRYPOINT ["gke-auditor"]')
    assert all("slim" in line for line in lines if line.startswith("FROM"))


def test_the_terraform_is_hcl_and_in_form() -> None:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))
    files = sorted((DEPLOY / "cloud-run").glob("*.tf"))
    assert len(files) == 4
    for file in files:
        assert not parser.parse(file.read_bytes()).root_node.has_error, file
    if terraform := shutil.which("terraform"):
        subprocess.run([terraform, "fmt", "-check", "-recursive", DEPLOY], check=True, capture_output=True)


def test_every_variable_of_the_terraform_is_declared_and_used() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in (DEPLOY / "cloud-run").glob("*.tf"))
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert declared == set(re.findall(r"\bvar\.(\w+)", text))
    resources = {".".join(pair) for pair in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)}
    used = set(re.findall(r"\b(google_\w+\.\w+)\b", text))
    assert used <= resources


def test_the_terraform_grants_reading_roles_alone() -> None:
    text = (DEPLOY / "cloud-run" / "main.tf").read_text(encoding="utf-8")
    organization_roles = set(re.findall(r'"(roles/[\w.]+)"', text.partition("resource ")[0]))
    assert organization_roles <= {call.role for call in (*calls.GRPC.values(), *calls.HTTP)}


def test_every_permission_is_documented() -> None:
    text = (ROOT / "docs" / "permissions.md").read_text(encoding="utf-8")
    for call in (*calls.GRPC.values(), *calls.HTTP):
        assert f"`{call.permission}`" in text
        assert call.role in text


def test_every_field_that_is_kept_is_documented() -> None:
    text = (ROOT / "docs" / "collecting.md").read_text(encoding="utf-8")
    rows = {row.split("|")[1]: row for row in text.splitlines() if row.startswith("| `")}
    for asset_type, fields in keep.FIELDS.items():
        (row,) = [row for cell, row in rows.items() if f"`{asset_type}`" in cell]
        assert set(re.findall(r"`(\w+)`", row.split("|")[2])) == set(fields)
    for message, fields in keep.SENSITIVE.items():
        (row,) = [row for cell, row in rows.items() if cell.strip() == f"`{message}`"]
        assert set(fields) <= set(re.findall(r"`(\w+)`", row))
    for asset_type in wording.USED:
        assert asset_type.rpartition("/")[2] in text
