"""The commands end to end: what they print, what they write, how they exit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from auditor import __version__
from auditor.cli import FORMATS, cli
from auditor.reporting import FORMATS as RENDERERS
from tests.engine.builders import rule, write

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = ("--now", "2026-11-22T12:00:00Z")


class Run:
    """One run of the program: exit code, standard output, standard error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def results(self, rule: str) -> list[dict[str, Any]]:
        return [one for one in json.loads(self.out)["results"] if one["rule"] == rule]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Run:
        with pytest.raises(SystemExit) as exit_:
            cli([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Run(int(exit_.value.code or 0), captured.out, captured.err)

    return call


def cluster(**fields: object) -> dict[str, object]:
    """A cluster as `gcloud container clusters describe` prints it."""
    ordinary: dict[str, object] = {
        "name": "main",
        "id": "c10b95be" + "0" * 56,
        "selfLink": "https://container.googleapis.com/v1/projects/shop/locations/europe-west1/clusters/main",
        "location": "europe-west1",
        "status": "RUNNING",
        "currentMasterVersion": "1.33.5-gke.100",
        "networkConfig": {
            "network": "projects/shop/global/networks/default",
            "subnetwork": "projects/shop/regions/europe-west1/subnetworks/default",
            "enableIntraNodeVisibility": True,
        },
        "nodePools": [
            {"name": "default-pool", "version": "1.33.5-gke.100", "config": {"imageType": "COS_CONTAINERD"}}
        ],
    }
    return {**ordinary, **fields}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps(cluster()))
    return path


def test_the_version_is_printed(run: Callable[..., Run]) -> None:
    assert run("--version").out == f"gke-auditor {__version__}\n"


def test_the_program_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "auditor", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"gke-auditor {__version__}\n"


def test_the_version_needs_no_heavy_import() -> None:
    program = (
        "import sys; sys.argv[1:] = ['--version']; from auditor.__main__ import main; main();"
        "print([m for m in ('click', 'pydantic', 'rich', 'jinja2', 'google', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_an_offline_scan_imports_no_client_of_google_and_no_http() -> None:
    program = (
        "import sys\nfrom auditor.cli import cli\n"
        "try: cli(['scan', 'demo', '--quiet', '--output', 'json=-'])\n"
        "except SystemExit: pass\n"
        "names = ('google.cloud', 'google.auth', 'grpc', 'requests', 'urllib3', 'http.client')\n"
        "print([name for name in names if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_formats_offered_are_those_that_exist() -> None:
    assert set(FORMATS) == set(RENDERERS)


def test_findings_exit_with_1(run: Callable[..., Run]) -> None:
    done = run("scan", "demo", *NOW)
    assert done.code == 1
    assert "intranode-visibility-disabled" in done.out
    assert done.err == ""


def test_a_threshold_above_every_finding_leaves_the_gaps(run: Callable[..., Run]) -> None:
    assert run("scan", "demo", "--fail-on", "critical", *NOW).code == 3


def test_unknown_results_can_be_allowed(run: Callable[..., Run]) -> None:
    assert run("scan", "demo", "--fail-on", "critical", "--allow-unknown", *NOW).code == 0


def test_a_finding_below_the_threshold_is_no_reason_to_exit_with_1(run: Callable[..., Run]) -> None:
    only = ("--rule", "stale-gke-firewall-rule")
    assert run("scan", "demo", *only, "--fail-on", "info", *NOW).code == 1
    assert run("scan", "demo", *only, *NOW).code == 3


def test_one_cluster_without_its_network_is_judged_as_far_as_it_goes(
    run: Callable[..., Run], inventory: Path
) -> None:
    done = run("scan", inventory, "--output", "json=-", *NOW)
    assert done.code == 3
    assert [one["verdict"] for one in done.results("intranode-visibility-disabled")] == ["pass"]
    assert [one["verdict"] for one in done.results("flow-logs-disabled")] == ["unknown"]
    assert "gke-auditor" not in done.out.split("{", 1)[0], "nothing but the report goes to standard output"
    assert "not read" in done.err


def test_every_format_is_written_whole(run: Callable[..., Run], tmp_path: Path) -> None:
    outputs = [part for form in FORMATS for part in ("--output", f"{form}=out/{form}")]
    run("scan", "demo", "--quiet", *outputs, *NOW)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FORMATS)
    assert all(path.stat().st_size > 1000 for path in (tmp_path / "out").iterdir())


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        outputs = [part for form in FORMATS for part in ("--output", f"{form}={folder / form}")]
        subprocess.run(
            [sys.executable, "-m", "auditor", "scan", "demo", "--quiet", *outputs, *NOW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=False,
        )
        written.append({form: (folder / form).read_bytes() for form in FORMATS})
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("redirected", "code"),
    [
        (">out", 1),
        (">&-", 1),
        (">&- 2>&-", 1),
        (">/dev/full", 2),
        ("| head -c 5 >out", 1),
    ],
)
def test_the_exit_code_is_the_scans_wherever_the_output_goes(
    tmp_path: Path, redirected: str, code: int
) -> None:
    command = f"{{ {sys.executable} -m auditor scan demo; echo $? >code; }} 2>err {redirected}"
    if "|" not in redirected:
        command = f"{sys.executable} -m auditor scan demo 2>err {redirected}; echo $? >code"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert int((tmp_path / "code").read_text()) == code
    assert "bug" not in (tmp_path / "err").read_text()
    if redirected == ">out":
        assert (tmp_path / "out").read_text().startswith("organizations/")
        assert (tmp_path / "out").read_text().rstrip()


def test_a_scan_with_an_error_touches_no_report(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("the last good one")
    (tmp_path / "broken.json").write_text("{")
    done = run("scan", "broken.json", "--output", "html=report.html")
    assert done.code == 2
    assert done.err.startswith("error: broken.json")
    assert "hint: " in done.err
    assert (tmp_path / "report.html").read_text() == "the last good one"


def test_a_malformed_line_is_a_gap_and_with_strict_an_error(run: Callable[..., Run], tmp_path: Path) -> None:
    asset = {
        "name": "//container.googleapis.com/projects/shop/locations/europe-west1/clusters/main",
        "assetType": "container.googleapis.com/Cluster",
        "resource": {"data": cluster()},
    }
    (tmp_path / "export.ndjson").write_text(f"{json.dumps(asset)}\n{{broken\n{json.dumps(asset)}\n")
    done = run("scan", "export.ndjson", "--output", "json=-")
    assert "export.ndjson:2" in [gap["scope"] for gap in json.loads(done.out)["inventory"]["gaps"]]
    done = run("scan", "export.ndjson", "--strict")
    assert done.code == 2
    assert "export.ndjson:2" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scan",), "SOURCE"),
        (("scan", "missing.json"), "missing.json"),
        (("scan", "demo", "--output", "html"), "FORMAT=PATH"),
        (("scan", "demo", "--output", "pdf=x"), "no format"),
        (("scan", "demo", "--output", "html=a", "--output", "sarif=a"), "twice"),
        (("scan", "demo", "--now", "yesterday"), "is not a time"),
        (("scan", "demo", "--kubernetes", "x"), "CLUSTER=FILE"),
        (("scan", "demo", "--kubernetes", "no/such/cluster=x.yaml"), "x.yaml"),
        (("scan", "demo", "--rule", "intranode-visibility-disable"), "intranode-visibility-disabled"),
        (("scan", "demo", "--tag", "nonsense"), "nonsense"),
        (("scan", "demo", "--waivers", "none.yaml"), "none.yaml"),
        (("scan", "demo", "--config", "none.yaml"), "none.yaml"),
        (("scan", "demo", "--rules", "nowhere"), "nowhere"),
        (("scan", "demo", "--fail-on", "bad"), "bad"),
        (("rules", "show", "no-such-rule"), "no-such-rule"),
        (("check-sarif", "none.sarif"), "none.sarif"),
        (("check-sarif", "."), ".sarif"),
        (("scan", "demo", "--sarif-shards", "2"), "--output sarif=PATH"),
        (("scan", "demo", "--output", "sarif=a.sarif", "--sarif-shards", "21"), "2<=x<=20"),
        (("scan", "demo", "--output", "sarif=-", "--sarif-shards", "2"), ".sarif"),
        (("scan", "demo", "--sarif-incomplete", "skip"), "--output sarif=PATH"),
        (
            ("scan", "demo", "--output", "sarif=a.sarif", "--sarif-incomplete", "refuse"),
            "would be incomplete",
        ),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_to_do(
    run: Callable[..., Run], arguments: tuple[str, ...], said: str
) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert said in done.err
    assert done.err.startswith("error: ")
    assert "\nhint: " in done.err


def test_a_name_cannot_steer_the_terminal(run: Callable[..., Run], tmp_path: Path) -> None:
    hostile = "evil\x1b[2J\x07"
    done = run("scan", hostile)
    assert "\x1b" not in done.err
    assert "\\x1b" in done.err


def test_a_crash_does_not_look_like_findings(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr("auditor.audit.audit", crash)
    done = run("scan", "demo")
    assert done.code == 2
    assert "out of cheese" in done.err
    assert "bug" in done.err


def test_a_waiver_takes_a_finding_out_of_the_count(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text(json.dumps(cluster(networkConfig={})))
    (tmp_path / "waivers.yaml").write_text(
        "waivers:\n- {rule: CKV_GCP_61, resource: '*/clusters/main', "
        "reason: lab, owner: me@example.com, expires: 2026-12-31}\n"
    )
    scan = ("scan", "cluster.json", "--rule", "intranode-visibility-disabled", "--allow-unknown")
    assert run(*scan, *NOW).code == 1
    assert run(*scan, "--waivers", "waivers.yaml", *NOW).code == 0
    assert run(*scan, "--waivers", "waivers.yaml", "--now", "2027-01-01").code == 1


def own_pack(folder: Path, passing: str, failing: str) -> None:
    """A pack with one rule, and the given organisations as its examples."""
    folder.mkdir()
    (folder / "pack.yaml").write_text("name: mine\ntitle: Ours\ndescription: What we want.\n")
    (folder / "description-missing.yaml").write_text(
        f"""id: description-missing
title: A cluster has no description
severity: low
since: 1.0.0
description: We like to know.
applies_to: {{kind: cluster}}
checks:
  - expect: cluster.description != ""
    message: Cluster {{cluster.name}} has no description.
passing: It has one.
remediation: {{text: Look again.}}
examples:
  pass:
    - {passing}
  fail:
    - {failing}
"""
    )


DESCRIBED = "{name: described, cluster: {description: ours}}"
NOT_DESCRIBED = "{name: not described}"


def test_a_pack_of_ones_own_is_used_beside_the_one_shipped(
    run: Callable[..., Run], inventory: Path, tmp_path: Path
) -> None:
    own_pack(tmp_path / "mine", passing=DESCRIBED, failing=NOT_DESCRIBED)
    assert run("rules", "test", "mine").code == 0
    done = run("scan", inventory, "--rules", "mine", "--output", "json=-")
    assert [one["verdict"] for one in done.results("description-missing")] == ["fail"]
    assert [one["verdict"] for one in done.results("intranode-visibility-disabled")] == ["pass"]


def test_a_rule_of_ones_own_sees_the_readiness_that_the_report_tells(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    write(
        tmp_path / "mine",
        not_ready=rule("not-ready", "readiness.state in ['ready', 'working']"),
        unsupported=rule("unsupported", "readiness.state != 'unsupported'"),
    )
    done = run("scan", "demo", "--rules", "mine", "--output", "json=-")
    told = {one["name"]: one for one in json.loads(done.out)["clusters"]}
    assert len({one["readiness"] for one in told.values()}) == 6
    verdicts = {"ready": "pass", "working": "pass", "unknown": "unknown"}
    for result in done.results("not-ready"):
        cluster = told[result["resource"]["name"]]
        if cluster["status"] == "PROVISIONING":
            assert result["verdict"] == "not_applicable"
            continue
        assert result["verdict"] == verdicts.get(cluster["readiness"], "fail")
        if result["verdict"] == "unknown" and cluster["short_name"] != "sandbox-ml":  # which has no data
            # What is undecided about packets names its remedy after a semicolon.
            reasons = {one.partition("; ")[0] for one in cluster["readiness_reasons"]}
            assert reasons <= {one.partition(" — ")[0] for one in result["reasons"]}
    failed = {one["resource"]["name"] for one in done.results("unsupported") if one["verdict"] == "fail"}
    assert failed == {name for name, one in told.items() if one["readiness"] == "unsupported"}


def test_a_wrong_example_fails_the_test_of_its_pack(run: Callable[..., Run], tmp_path: Path) -> None:
    own_pack(tmp_path / "mine", passing=NOT_DESCRIBED, failing=DESCRIBED)
    done = run("rules", "test", "mine")
    assert done.code == 2
    assert "description-missing.yaml:14:" in done.err
    assert "expected pass, got fail" in done.err


def test_rules_are_listed_shown_documented_and_have_a_schema(run: Callable[..., Run], tmp_path: Path) -> None:
    assert "windows-node-pool" in run("rules", "list").out
    assert "windows-node-pool" not in run("rules", "list", "--rule", "CKV_GCP_61").out
    assert "gcloud container clusters update" in run("rules", "show", "intranode-visibility-disabled").out
    assert json.loads(run("rules", "schema").out)["title"] == "A rule of gke-auditor"
    assert run("rules", "docs", "--output", "pages").code == 0
    assert "# Rules" in (tmp_path / "pages" / "README.md").read_text()


def test_check_sarif_tells_good_from_bad(run: Callable[..., Run], tmp_path: Path) -> None:
    run("scan", "demo", "--quiet", "--output", "sarif=good.sarif")
    assert run("check-sarif", "good.sarif").code == 0
    document = json.loads((tmp_path / "good.sarif").read_text())
    document["runs"][0]["results"][0]["locations"] = []
    (tmp_path / "bad.sarif").write_text(json.dumps(document))
    done = run("check-sarif", "bad.sarif")
    assert done.code == 1
    assert "/runs/0/results/0" in done.out
    assert "remedy: " in done.out


def test_a_scan_is_compared_with_its_own_report_of_any_form(run: Callable[..., Run], tmp_path: Path) -> None:
    for form in ("json", "ndjson", "sarif-full"):
        run("scan", "demo", "--quiet", "--output", f"{form}=then", *NOW)
        done = run("scan", "demo", "--baseline", "then", *NOW)
        assert done.code == 1
        assert " 0 new, " in done.out
        assert " 0 gone." in done.out
        assert run("scan", "demo", "--baseline", "then", "--fail-on-new", *NOW).code == 3


def test_only_what_is_new_or_worse_fails_where_that_is_asked_for(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    only = ("--rule", "intranode-visibility-disabled", "--allow-unknown")
    waived = ("--waivers", "waivers.yaml")
    (tmp_path / "waivers.yaml").write_text(
        "waivers: [{rule: intranode-visibility-disabled, resource: '*', reason: r, owner: o, "
        "expires: 2026-12-01}]"
    )
    run("scan", "demo", "--quiet", "--output", "json=then", *only, *waived, *NOW)
    new = ("--baseline", "then", "--fail-on-new")
    assert run("scan", "demo", *new, *only, *waived, *NOW).code == 0
    assert run("scan", "demo", *new, *only, *waived, "--now", "2027-01-01").code == 1


def test_a_baseline_that_is_none_stops_the_scan(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "then").write_text("{}")
    done = run("scan", "demo", "--baseline", "then", "--output", "json=now", *NOW)
    assert done.code == 2
    assert "error: then: is no report" in done.err
    assert "hint: " in done.err
    assert not (tmp_path / "now").exists()
    assert run("scan", "demo", "--fail-on-new").code == 2


def test_a_report_with_a_baseline_follows_the_schema_and_names_what_it_cannot_tell(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    schema = json.loads((Path(__file__).parent.parent / "docs" / "report.schema.json").read_text())
    run("scan", "demo", "--quiet", "--output", "json=then", *NOW)
    done = run(
        "scan", "demo", "--rule", "flow-logs-disabled", "--baseline", "then", "--output", "json=-", *NOW
    )
    document = json.loads(done.out)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert {one["state"] for one in document["baseline"]["unsettled"]} == {"rule_gone"}
    assert "of rules not evaluated now" in done.err
    assert document["baseline"]["absent"] == 0


def test_check_sarif_takes_a_folder_and_looks_at_its_files_together(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    shards = ("--output", "sarif=out/r.sarif", "--sarif-shards", "3", "--sarif-incomplete", "write")
    run("scan", "demo", "--quiet", *shards)
    done = run("check-sarif", "out")
    assert done.code == 0
    assert done.out.count("would accept it") == 3
    (tmp_path / "out/again.sarif").write_bytes((tmp_path / "out/r.shard-02.sarif").read_bytes())
    done = run("check-sarif", "out")
    assert done.code == 1
    assert "duplicate-category" in done.out
    assert "would not take these files together" in done.out


def test_check_sarif_tells_what_github_hides_or_shows_unasked(run: Callable[..., Run]) -> None:
    run("scan", "demo", "--quiet", "--output", "sarif-full=full.sarif")
    done = run("check-sarif", "full.sarif")
    assert done.code == 0
    assert "note: /runs/0/results: " in done.out
    assert "opens an alert for each" in done.out


def test_shards_that_would_close_alerts_wrongly_are_refused(run: Callable[..., Run], tmp_path: Path) -> None:
    outputs = ("--output", "json=r.json", "--output", "sarif=r.sarif", "--sarif-shards", "4")
    done = run("scan", "demo", *outputs)
    assert done.code == 2
    assert "would be incomplete" in done.err
    assert "shard-01: " in done.err
    assert "--sarif-incomplete" in done.err
    assert list(tmp_path.iterdir()) == []


def test_shards_that_are_left_out_are_named(run: Callable[..., Run], tmp_path: Path) -> None:
    shards = ("--output", "sarif=r.sarif", "--sarif-shards", "4", "--sarif-incomplete", "skip")
    done = run("scan", "demo", "--quiet", *shards)
    assert done.code == 1
    assert done.err.count("was left out, so that its alerts stay as they are") == 4
    assert list(tmp_path.iterdir()) == []


def test_the_summary_says_how_many_results_a_sarif_file_has(run: Callable[..., Run]) -> None:
    assert " results)" in run("scan", "demo", "--output", "sarif=r.sarif", *NOW).out


DENY_WEB = {
    "name": "//compute.googleapis.com/projects/mrd-net-prod/global/firewalls/deny-web",
    "assetType": "compute.googleapis.com/Firewall",
    "resource": {
        "version": "v1",
        "data": {
            "name": "deny-web",
            "network": "https://www.googleapis.com/compute/v1/projects/mrd-net-prod/global/networks/prod-vpc",
            "direction": "EGRESS",
            "priority": 500,
            "denied": [{"IPProtocol": "tcp", "ports": ["8080"]}],
            "destinationRanges": ["10.0.0.0/8"],
        },
    },
}


@pytest.fixture
def two_reports(run: Callable[..., Run], tmp_path: Path) -> None:
    """The demo, and the demo with a firewall rule more."""
    (tmp_path / "extra.json").write_text(json.dumps([DENY_WEB]))
    run("scan", "demo", "--quiet", "--output", "json=old.json", *NOW)
    run("scan", "demo", "extra.json", "--quiet", "--output", "json=new.json", *NOW)


@pytest.mark.usefixtures("two_reports")
def test_a_rule_more_shows_as_packets_newly_denied(run: Callable[..., Run], tmp_path: Path) -> None:
    done = run("diff", "old.json", "new.json", "--output", "json=diff.json", "--output", "markdown=diff.md")
    assert done.code == 1
    assert "ready -> blocked" in done.out
    assert (
        "newly denied: egress tcp:8080 10.68.0.0/16 -> 10.68.0.0/16, were allowed; denied by deny-web"
        in done.out
    )
    assert "| worse |" in (tmp_path / "diff.md").read_text()
    document = json.loads((tmp_path / "diff.json").read_text())
    schema = json.loads((Path(__file__).parent.parent / "docs" / "diff.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    for change in document["traffic"]:
        assert change["newly_permitted"] == []
        assert {(box["protocol"], box["ports"], box["was"]) for box in change["newly_denied"]} == {
            ("tcp", "8080", "allowed")
        }
        assert all(box["decided_by"]["rule"] == "deny-web" for box in change["newly_denied"])


@pytest.mark.usefixtures("two_reports")
def test_the_way_back_permits_the_same_packets(run: Callable[..., Run]) -> None:
    def packets(old: str, new: str, name: str) -> list[object]:
        document = json.loads(run("diff", old, new, "--output", "json=-").out)
        return [
            (change["cluster"]["name"], change["scope"], box["source"], box["destination"], box["ports"])
            for change in document["traffic"]
            for box in change[name]
        ]

    denied = packets("old.json", "new.json", "newly_denied")
    assert denied
    assert packets("new.json", "old.json", "newly_permitted") == denied


@pytest.mark.usefixtures("two_reports")
def test_the_exit_code_of_a_comparison_says_whether_anything_got_worse(run: Callable[..., Run]) -> None:
    assert run("diff", "old.json", "old.json").code == 0
    assert run("diff", "old.json", "new.json", "--quiet").code == 1
    assert run("diff", "old.json", "none.json").code == 2
    run("scan", "demo", "--quiet", "--rule", "flow-logs-disabled", "--output", "json=part.json", *NOW)
    done = run("diff", "old.json", "part.json")
    assert done.code == 3
    assert "cannot be told any more" in done.out
    assert run("diff", "old.json", "new.json", "--output", "html=x").code == 2


@pytest.mark.usefixtures("two_reports")
def test_scans_are_recorded_and_told(run: Callable[..., Run], tmp_path: Path) -> None:
    assert run("scan", "demo", "--quiet", "--history", "h", *NOW).code == 1
    done = run("scan", "demo", "extra.json", "--history", "h", "--output", "json=-", *NOW)
    document = json.loads(done.out)
    schema = json.loads((Path(__file__).parent.parent / "docs" / "report.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["history"][-1]["verdicts"] == document["summary"]
    told = run("history", "h")
    assert told.code == 0
    assert told.out.startswith("2 scans:")
    scans = json.loads(run("history", "h", "--format", "json").out)["scans"]
    assert [one["time"] for one in scans] == ["2026-11-20T02:00:00Z"] * 2
    assert run("history", "none").code == 2


def test_a_history_that_is_none_stops_the_scan_and_stays_as_it_is(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "h").write_text("precious")
    done = run("scan", "demo", "--history", "h", "--output", "json=now", *NOW)
    assert done.code == 2
    assert "error: h: is no history of gke-auditor" in done.err
    assert (tmp_path / "h").read_text() == "precious"
    assert not (tmp_path / "now").exists()
