"""The GitHub action and the pre-commit hook: their files are valid, and their steps do what they say.

The steps run as a runner runs them, with the inputs, files and folders that it gives them; only where they
would fetch from the package index do they find what is installed here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from auditor.reporting.check_sarif import check_sarif, check_together
from tests.reporting.sarif_files import accept
from tests.test_cli import DESCRIBED, NOT_DESCRIBED, cluster, own_pack

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
CI_GUIDE = (ROOT / "docs/ci.md").read_text("utf-8")

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def valid(schema: str, file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


# --- a runner -------------------------------------------------------------------------------------------


@dataclass
class Job:
    """What a run of the action leaves behind."""

    code: int = 0
    said: str = ""
    summary: str = ""
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    """The other actions that it used, with what they were given."""
    outputs: dict[str, str] = field(default_factory=dict)


class Runner:
    """Runs the steps of a composite action in a workspace, as far as this action needs it."""

    def __init__(self, workspace: Path, temporary: Path) -> None:
        self.workspace = workspace
        self.temporary = temporary

    def run(self, **inputs: str) -> Job:
        given = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()}
        unknown = set(inputs) - {name.replace("-", "_") for name in given}
        assert not unknown
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        job = Job()
        steps: dict[str, dict[str, str]] = {}
        for step in ACTION["runs"]["steps"]:
            if "if" in step and self._value(step["if"], given, steps) != "true":
                continue
            if "uses" in step:
                filled = {key: self._value(text, given, steps) for key, text in step["with"].items()}
                job.used[step["uses"]] = filled
                continue
            job.code = self._step(step, given, steps, job)
            if job.code:
                break
        for name, output in ACTION["outputs"].items():
            job.outputs[name] = self._value(output["value"], given, steps)
        return job

    def _step(self, step: Any, given: dict[str, str], steps: dict[str, dict[str, str]], job: Job) -> int:
        assert step["shell"] == "bash"
        output, summary = self.temporary / "output", self.temporary / "summary"
        output.write_text("")
        summary.write_text("")
        environment = {key: self._value(text, given, steps) for key, text in step.get("env", {}).items()}
        done = subprocess.run(
            # As GitHub runs `shell: bash`.
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env={
                # What is installed here is for this Python.
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.temporary),
                "RUNNER_TEMP": str(self.temporary),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                # It need not be fetched.
                "PYTHONPATH": sysconfig.get_path("purelib"),
                "PIP_NO_INDEX": "1",
                "PIP_NO_BUILD_ISOLATION": "0",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        job.said += done.stdout + done.stderr
        job.summary += summary.read_text("utf-8")
        if "id" in step:
            steps[step["id"]] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done.returncode

    def _value(self, text: str, given: dict[str, str], steps: dict[str, dict[str, str]]) -> str:
        def look_up(name: str) -> str:
            if name == "github.action_path":
                return str(ROOT)
            if name.startswith("inputs."):
                return given[name.removeprefix("inputs.")]
            matched = re.fullmatch(r"steps\.([a-z-]+)\.outputs\.([a-z-]+)", name)
            assert matched, name
            return steps.get(matched[1], {}).get(matched[2], "")

        def evaluate(expression: str) -> str:
            if "&&" in expression:
                return str(all(evaluate(one) == "true" for one in expression.split(" && "))).lower()
            compared = re.fullmatch(r"(\S+) (==|!=) '([^']*)'", expression)
            if compared:
                equal = look_up(compared[1]) == compared[3]
                return str(equal is (compared[2] == "==")).lower()
            return look_up(expression)

        return _EXPRESSION.sub(lambda match: evaluate(match[1]), text)


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runner's folder, shared so that the program is installed once."""
    return tmp_path_factory.mktemp("runner")


@pytest.fixture
def runner(temporary: Path, tmp_path: Path) -> Runner:
    (tmp_path / "cluster.json").write_text(json.dumps(cluster(networkConfig={})))
    return Runner(tmp_path, temporary)


def sarif_files(job: Job) -> list[Path]:
    return sorted(Path(job.outputs["sarif"]).iterdir())


UPLOAD = "github/codeql-action/upload-sarif@v4"


# --- the action -----------------------------------------------------------------------------------------


def test_the_action_is_a_valid_one() -> None:
    valid("github-actions", ROOT / "action.yml")


def test_no_input_is_put_into_a_script_as_text() -> None:
    # Whoever can name a branch or a file could run commands.
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_action_installs_itself_scans_and_fails_the_job_for_findings(runner: Runner) -> None:
    job = runner.run(source="demo")
    assert job.code == 1, job.said
    assert "::error title=gke-auditor::There are findings" in job.said
    assert job.outputs["exit-code"] == "1"
    assert "# Intra-node visibility" in job.summary
    assert job.used == {UPLOAD: {"sarif_file": job.outputs["sarif"]}}
    (file,) = sarif_files(job)
    accept(file.read_bytes())
    assert len(json.loads(file.read_bytes())["runs"][0]["results"]) > 30


def test_a_scan_without_findings_but_with_unknowns_fails_unless_that_is_allowed(runner: Runner) -> None:
    job = runner.run(source="demo", fail_on="critical")
    assert (job.code, job.outputs["exit-code"]) == (3, "3")
    assert "allow-unknown" in job.said
    job = runner.run(source="demo", fail_on="critical", allow_unknown="true")
    assert (job.code, job.outputs["exit-code"]) == (0, "0")
    assert "::error" not in job.said


def test_several_sources_options_and_reports_are_given_one_a_line(runner: Runner) -> None:
    own_pack(runner.workspace / "my rules", passing=DESCRIBED, failing=NOT_DESCRIBED)
    link = "https://container.googleapis.com/v1/projects/shop/locations/europe-west1/clusters/other"
    (runner.workspace / "second source.json").write_text(json.dumps(cluster(name="other", selfLink=link)))
    (runner.workspace / "waivers.yaml").write_text("waivers: []\n")
    job = runner.run(
        source="  cluster.json\n\n  second source.json  \r\n",
        outputs="json=out/report.json\ncsv=out/report $(touch evil).csv\n",
        rules="my rules",
        waivers="waivers.yaml",
        arguments="--now\n2026-11-22\n--quiet",
        complete="true",
    )
    assert job.code == 1, job.said
    report = json.loads((runner.workspace / "out/report.json").read_bytes())
    assert report["inventory"]["counts"]["clusters"] == 2
    assert report["inventory"]["complete_by_word"] is True
    assert report["inventory"]["sources"] == ["cluster.json", "second source.json"]
    assert report["now"] == "2026-11-22T00:00:00Z"
    assert "description-missing" in [rule["id"] for rule in report["rules"]]
    assert (runner.workspace / "out/report $(touch evil).csv").is_file()
    assert not (runner.workspace / "evil").exists()


def test_upload_and_summary_can_be_left_out(runner: Runner) -> None:
    job = runner.run(source="demo", upload="false", summary="false")
    assert job.used == {}
    assert job.summary == ""
    assert len(sarif_files(job)) == 1


def test_shards_are_uploaded_as_one_folder(runner: Runner) -> None:
    job = runner.run(source="demo", sarif_shards="3", sarif_incomplete="write")
    assert job.used == {UPLOAD: {"sarif_file": job.outputs["sarif"]}}
    documents = [(file.name, json.loads(file.read_bytes())) for file in sarif_files(job)]
    assert len(documents) == 3
    assert [violation for _, document in documents for violation in check_sarif(document)] == []
    assert check_together(documents) == []


def test_where_every_shard_is_left_out_nothing_is_uploaded(runner: Runner) -> None:
    job = runner.run(source="demo", sarif_shards="3", sarif_incomplete="skip")
    assert job.used == {}
    assert job.code == 1


@pytest.mark.parametrize(
    "inputs",
    [
        {"source": "missing.json"},
        {"source": "--help-me"},
        {"source": "demo", "fail_on": "nothing"},
        {"source": "demo", "sarif_shards": "3"},
        {"source": ""},
    ],
)
def test_a_scan_that_cannot_run_fails_the_job_and_uploads_nothing(
    runner: Runner, inputs: dict[str, str]
) -> None:
    job = runner.run(**inputs)
    assert job.code == 2, job.said
    assert job.used == {}
    assert "hint: " in job.said
    assert "::error title=gke-auditor::The scan could not run" in job.said


def test_an_old_python_is_told_what_to_do(runner: Runner, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    job = runner.run(source="demo", python=str(old))
    assert job.code == 2
    assert "actions/setup-python" in job.said


def test_every_input_is_used_and_documented() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / "action.yml").read_text("utf-8")))
    assert used == set(ACTION["inputs"])
    assert [name for name in ACTION["inputs"] if f"`{name}`" not in CI_GUIDE] == []


# --- the hook -------------------------------------------------------------------------------------------


@pytest.fixture
def hook(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    (one,) = HOOKS
    program, *arguments = one["entry"].split()
    found = shutil.which(program, path=str(Path(sys.executable).parent))
    assert found

    def call(*files: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [found, *arguments, *files], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return call


def test_the_hook_has_what_pre_commit_requires() -> None:
    (one,) = HOOKS
    assert {"id", "name", "entry", "language", "files", "types"} <= set(one)
    assert one["language"] == "python"
    assert re.search(one["files"], "rules/mine/a-rule.yaml")


def test_the_hook_tests_the_packs_of_the_files_that_changed(
    hook: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    own_pack(tmp_path / "rules/good", passing=DESCRIBED, failing=NOT_DESCRIBED)
    own_pack(tmp_path / "rules/bad", passing=NOT_DESCRIBED, failing=DESCRIBED)
    done = hook("rules/good/pack.yaml", "rules/good/description-missing.yaml")
    assert (done.returncode, done.stdout) == (0, "2 examples as expected, 0 not\n"), done.stderr
    done = hook("rules/bad/description-missing.yaml")
    assert done.returncode == 2
    assert "expected pass, got fail" in done.stderr


def test_a_file_of_no_pack_is_an_error(
    hook: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "alone.yaml").write_text("x: 1\n")
    done = hook("alone.yaml")
    assert done.returncode == 2
    assert "alone.yaml: the file belongs to no rule pack" in done.stderr


# --- the guide ------------------------------------------------------------------------------------------


BLOCKS = re.findall(r"```yaml\n# (\S+)\n(.*?)```", CI_GUIDE, re.DOTALL)


@pytest.mark.parametrize(("name", "text"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_the_files_shown_in_the_guide_are_valid(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "shown.yml"
    path.write_text(text)
    if name.startswith(".github/workflows/"):
        valid("github-workflows", path)
    elif name == ".gitlab-ci.yml":
        valid("gitlab-ci", path)
    elif name == "cloudbuild.yaml":
        valid("cloudbuild", path)
    else:
        assert name == ".pre-commit-config.yaml"
        (repository,) = yaml.safe_load(text)["repos"]
        assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in HOOKS]


def test_the_guide_gives_the_action_only_what_it_takes() -> None:
    steps = [
        step
        for name, text in BLOCKS
        if name.startswith(".github/workflows/")
        for job in yaml.safe_load(text)["jobs"].values()
        for step in job["steps"]
        if "gke-auditor@" in step.get("uses", "")
    ]
    assert len(steps) >= 2
    for step in steps:
        assert set(step["with"]) <= set(ACTION["inputs"])


def test_the_guide_shows_a_file_for_every_system_it_names() -> None:
    assert {".gitlab-ci.yml", "cloudbuild.yaml", ".pre-commit-config.yaml"} <= {name for name, _ in BLOCKS}
