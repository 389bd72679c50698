"""`scan --terraform`: findings lead to blocks, fixes are diffs against them, comments waive."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.cli import cli
from auditor.errors import AuditorError
from auditor.model.names import canonical
from auditor.reporting import check_sarif
from auditor.terraform.mapping import Configurations, mapper
from tests.sources.terraform import plans as make

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
)
MAIN = """\
resource "google_compute_network" "vpc" {
  project = "host"
  name    = "vpc"
}

resource "google_compute_subnetwork" "nodes" {
  project       = "host"
  region        = "europe-west1"
  name          = "nodes"
  network       = google_compute_network.vpc.id
  ip_cidr_range = "10.0.0.0/24"
}

resource "google_container_cluster" "main" {
  project  = "svc"
  name     = "main"
  location = "europe-west1"
}
"""
DENY = """
resource "google_compute_firewall" "deny_egress" {
  project            = "host"
  name               = "deny-egress"
  network            = google_compute_network.vpc.name
  direction          = "EGRESS"
  priority           = 900
  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}
"""


class Scan:
    """Runs `scan` on the live organisation with a configuration beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "infra").mkdir()

    def write(self, name: str, text: str) -> None:
        (self.folder / "infra" / name).write_text(text)

    def run(self, *options: str, documents: tuple[Any, ...] = (), live: Any = None) -> dict[str, Any]:
        sources = []
        for number, one in enumerate((make.live() if live is None else live, *documents)):
            path = self.folder / f"{number}.json"
            path.write_text(json.dumps(one))
            sources.append(str(path))
        self.arguments = [
            "scan", *sources, "--complete", "--terraform", "infra", "--now", "2026-11-27", "--quiet",
            "--output", "json=report.json", "--output", "sarif=report.sarif", "--output", "csv=report.csv",
            "--output", "markdown=report.md", *options,
        ]  # fmt: skip
        with pytest.raises(SystemExit) as exited:
            cli(self.arguments)
        self.code = exited.value.code
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        SCHEMA.validate(found)
        return found


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scan:
    monkeypatch.chdir(tmp_path)
    return Scan(tmp_path)


def finding(report: dict[str, Any], rule: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in report["results"] if one["rule"] == rule]
    assert len(found) == 1
    return found[0]


def applied(file: Path, diff: str) -> str:
    """The file with the diff applied, as git does it; the file itself stays."""
    before = file.read_bytes()
    command = ["git", "apply", "-p1", "--whitespace=nowarn", "-"]
    subprocess.run(command, cwd=file.parents[1], input=diff.encode(), check=True)
    mended = file.read_bytes().decode()
    file.write_bytes(before)
    return mended


def test_a_finding_leads_to_its_block_and_the_diff_mends_it(scan: Scan) -> None:
    scan.write("main.tf", MAIN)
    report = scan.run()
    found = finding(report, "intranode-visibility-disabled")["declarations"]
    assert found[0] == {
        "asset": make.CLUSTER,
        "address": "google_container_cluster.main",
        "certainty": "configuration",
        "file": "infra/main.tf",
        "start_line": 14,
        "end_line": 18,
        "action": None,
        "fix": found[0]["fix"],
    }
    mended = applied(scan.folder / "infra" / "main.tf", found[0]["fix"])
    assert mended.endswith('  location = "europe-west1"\n\n  enable_intranode_visibility = true\n}\n')
    assert report["clusters"][0]["declarations"][0]["address"] == "google_container_cluster.main"


@pytest.mark.parametrize(
    ("stated", "mended"),
    [
        ("  enable_intranode_visibility = false\n", "  enable_intranode_visibility = true\n"),
        ("  enable_intranode_visibility = var.on # why\n", "  enable_intranode_visibility = true # why\n"),
    ],
)
def test_an_argument_that_is_there_is_changed_in_its_place(scan: Scan, stated: str, mended: str) -> None:
    scan.write("main.tf", MAIN.rstrip("}\n") + "\n" + stated + "}\n")
    found = finding(scan.run(), "intranode-visibility-disabled")["declarations"][0]
    assert mended in applied(scan.folder / "infra" / "main.tf", found["fix"])


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_diff_fits_a_file_whatever_its_lines_end_in(scan: Scan, end: str) -> None:
    text = MAIN.rstrip("\n").replace("\n", end or "\n") + end
    text = text.replace('"svc"', '"svc" # form\x0cfeed \u2028 and separators')
    (scan.folder / "infra" / "main.tf").write_bytes(text.encode())
    found = finding(scan.run(), "intranode-visibility-disabled")["declarations"][0]
    mended = applied(scan.folder / "infra" / "main.tf", found["fix"])
    assert mended.replace("\n\n  enable_intranode_visibility = true", "", 1).replace(
        "\r", ""
    ) == text.replace("\r", "")


def test_the_fix_of_a_json_block_is_json(scan: Scan) -> None:
    block = {"project": "svc", "name": "main", "location": "europe-west1"}
    text = json.dumps({"resource": {"google_container_cluster": {"main": block}}}, indent=2)
    scan.write("main.tf.json", text)
    found = finding(scan.run(), "intranode-visibility-disabled")["declarations"][0]
    mended = json.loads(applied(scan.folder / "infra" / "main.tf.json", found["fix"]))
    assert mended["resource"]["google_container_cluster"]["main"] == {
        **block,
        "enable_intranode_visibility": True,
    }


def test_the_missing_rule_comes_behind_the_rule_that_decides(scan: Scan) -> None:
    scan.write("main.tf", MAIN)
    scan.write("firewall.tf", DENY)
    report = scan.run(documents=(make.plan(make.DENY),))
    found = finding(report, "same-node-traffic-would-be-denied")["declarations"]
    deny = next(one for one in found if one["address"] == "google_compute_firewall.deny_egress")
    # The plan says by address what declares the rule.
    assert (deny["certainty"], deny["action"]) == ("state", "create")
    mended = applied(scan.folder / "infra" / "firewall.tf", deny["fix"])
    assert mended.startswith(DENY)
    assert 'resource "google_compute_firewall" "allow_pods_egress_main_' in mended
    assert Configurations(["infra"]).gaps == []
    (scan.folder / "infra" / "firewall.tf").write_text(mended)
    assert Configurations(["infra"]).gaps == []


def test_what_a_plan_would_do_is_not_recorded_as_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.json").write_text(json.dumps(make.plan(make.DENY)))
    with pytest.raises(SystemExit) as exit_:
        cli(["scan", "demo", "plan.json", "--quiet", "--history", "h"])
    assert exit_.value.code == 2
    assert "error: --history: a scan of a Terraform plan is not recorded" in capsys.readouterr().err
    assert not Path("h").exists()


def test_the_demo_is_told_what_a_plan_would_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = "projects/mrd-net-prod/global/networks/prod-vpc"
    values = make.firewall(project="mrd-net-prod", network=network, deny=[{"protocol": "all"}])
    Path("plan.json").write_text(
        json.dumps(make.plan(make.change("module.net.google_compute_firewall.deny", values)))
    )
    report = {}
    for name, sources in (("before", ["demo"]), ("after", ["demo", "plan.json"])):
        with pytest.raises(SystemExit):
            cli(["scan", *sources, "--quiet", "--now", "2026-11-22", "--output", f"json={name}.json"])
        report[name] = json.loads(Path(f"{name}.json").read_text())
        SCHEMA.validate(report[name])
    ready = {one["name"] for one in report["before"]["clusters"] if one["readiness"] == "ready"}
    hit = [
        one
        for one in report["after"]["clusters"]
        if one["name"] in ready and one["network"]["network"] == network
    ]
    assert len(hit) == 3
    for cluster in hit:
        assert cluster["readiness"] == "blocked"
        same_node = cluster["traffic"]["same_node"]
        deciders = {one["decided_by"].get("address") for one in same_node["denied"] if "benign" not in one}
        assert deciders == {"module.net.google_compute_firewall.deny"}
        assert same_node["repairs"][0]["terraform"].startswith('resource "google_compute_firewall"')
    told = [
        one
        for one in report["after"]["results"]
        if one["rule"] == "same-node-traffic-would-be-denied"
        and one["resource"]["name"] in ready
        and one["verdict"] == "fail"
    ]
    assert [one["declarations"] for one in told] == [
        [
            {
                "asset": "//compute.googleapis.com/projects/mrd-net-prod/global/firewalls/deny-egress",
                "address": "module.net.google_compute_firewall.deny",
                "certainty": "plan",
                "file": None,
                "start_line": None,
                "end_line": None,
                "action": "create",
                "fix": None,
            }
        ]
    ] * 3


def test_flow_logs_are_turned_on_in_the_subnetworks_block(scan: Scan) -> None:
    live = make.live()
    live[2]["resource"]["data"]["networkConfig"]["enableIntraNodeVisibility"] = True
    scan.write("main.tf", MAIN)
    report = scan.run(live=live)
    found = finding(report, "flow-logs-disabled")["declarations"]
    subnetwork = next(one for one in found if one["address"] == "google_compute_subnetwork.nodes")
    mended = applied(scan.folder / "infra" / "main.tf", subnetwork["fix"])
    assert '\n  log_config {\n    aggregation_interval = "INTERVAL_5_SEC"\n' in mended


def test_code_scanning_links_to_the_block(scan: Scan) -> None:
    scan.write("main.tf", MAIN)
    scan.run()
    document = json.loads((scan.folder / "report.sarif").read_text())
    assert check_sarif.check_sarif(document) == []
    found = next(
        one for one in document["runs"][0]["results"] if one["ruleId"] == "intranode-visibility-disabled"
    )
    assert "Declared [in Terraform](1)." in found["message"]["text"]
    related = found["relatedLocations"][0]
    assert related["id"] == 1
    assert related["message"]["text"] == "google_container_cluster.main"
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "infra/main.tf"
    assert related["physicalLocation"]["region"]["startLine"] == 14
    # The place that makes the alert's identity stays as it is without Terraform.
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("gcp/svc/")


def test_text_reports_name_the_block(scan: Scan) -> None:
    scan.write("main.tf", MAIN)
    scan.run()
    assert "infra/main.tf:14 google_container_cluster.main" in (scan.folder / "report.csv").read_text()
    markdown = (scan.folder / "report.md").read_text()
    assert "`infra/main.tf:14 google_container_cluster.main`" in markdown
    assert "```diff\n" in markdown


WAIVER = (
    '# gke-auditor: waive intranode-visibility-disabled reason="pilot; owner= is decided" '
    "owner=net@example.com expires=2027-03-31\n"
)


@pytest.mark.parametrize("mark", ["# ", "// "])
@pytest.mark.parametrize("place", ["above", "above a comment", "inside"])
def test_a_comment_waives_what_its_block_declares(scan: Scan, place: str, mark: str) -> None:
    comment = WAIVER.replace("# ", mark, 1)
    header = 'resource "google_container_cluster" "main" {\n'
    text = {
        "above": comment + header,
        "above a comment": comment + "# It is a pilot.\n" + header,
        "inside": header + "  " + comment,
    }[place]
    scan.write("main.tf", MAIN.replace(header, text))
    report = scan.run()
    waiver = finding(report, "intranode-visibility-disabled")["waiver"]
    assert waiver["reason"] == "pilot; owner= is decided"
    assert waiver["owner"] == "net@example.com"
    assert waiver["resource"] == make.CLUSTER
    assert report["summary"]["waived"] == 1
    assert report["waiver_notes"] == []


def test_a_comment_that_is_not_right_above_belongs_to_no_block(scan: Scan) -> None:
    header = 'resource "google_container_cluster" "main" {\n'
    scan.write("main.tf", MAIN.replace(header, WAIVER + "\n" + header))
    report = scan.run()
    assert finding(report, "intranode-visibility-disabled")["waiver"] is None
    assert [one["kind"] for one in report["waiver_notes"]] == ["malformed"]
    assert "beside no block" in report["waiver_notes"][0]["text"]


@pytest.mark.parametrize(
    ("comment", "kind", "text"),
    [
        ("waive no-such-rule reason=a owner=b expires=2027-01-01", "malformed", "there is no rule"),
        (
            "waive intranode-visibility-disabled owner=b expires=2027-01-01",
            "malformed",
            "`reason` is missing",
        ),
        ("waive intranode-visibility-disabled reason=a owner=b expires=soon", "malformed", "is no date"),
        ("waive intranode-visibility-disabled reason=a owner=b until=2027-01-01", "malformed", "`until`"),
        ("waive intranode-visibility-disabled because", "malformed", "come reason="),
        ("ignore intranode-visibility-disabled", "malformed", "`waive` alone"),
        ("waive intranode-visibility-disabled reason=a owner=b expires=2026-01-01", "expired", "expired on"),
        ("waive windows-node-pool reason=a owner=b expires=2027-01-01", "unused", "covers no finding"),
    ],
)
def test_a_comment_that_waives_nothing_is_told_with_its_place(
    scan: Scan, comment: str, kind: str, text: str
) -> None:
    scan.write(
        "main.tf", MAIN.replace('  name     = "main"\n', f'  name     = "main"\n  # gke-auditor: {comment}\n')
    )
    report = scan.run()
    assert finding(report, "intranode-visibility-disabled")["waiver"] is None
    (note,) = report["waiver_notes"]
    assert note["kind"] == kind
    assert note["text"].startswith("infra/main.tf:17:5: ")
    assert text in note["text"]


def test_a_candidate_waives_nothing_and_several_get_no_diff(scan: Scan) -> None:
    text = WAIVER + MAIN[MAIN.index('resource "google_container_cluster"') :].replace('"svc"', "var.unset")
    scan.write("main.tf", text + text.replace('"main" {', '"other" {'))
    report = scan.run()
    found = finding(report, "intranode-visibility-disabled")
    assert [one["certainty"] for one in found["declarations"]] == ["candidate", "candidate"]
    assert [one["fix"] for one in found["declarations"]] == [None, None]
    assert found["waiver"] is None
    assert {one["kind"] for one in report["waiver_notes"]} == {"unused"}
    document = json.loads((scan.folder / "report.sarif").read_text())
    assert "May be declared [in Terraform](1), [in Terraform](2)." in json.dumps(document)


def test_a_state_says_exactly_which_block_it_is(scan: Scan) -> None:
    scan.write("main.tf", MAIN.replace('"svc"', "var.project").replace('"main"\n', "var.name\n"))
    without = finding(scan.run(), "intranode-visibility-disabled")
    assert "declarations" not in without
    state = scan.folder / "state.json"
    values = {"name": "main", "project": "svc", "location": "europe-west1"}
    state.write_text(json.dumps(make.state(("google_container_cluster.main", values))))
    report = scan.run("--terraform-state", str(state))
    found = finding(report, "intranode-visibility-disabled")["declarations"][0]
    assert (found["certainty"], found["start_line"]) == ("state", 14)


def test_a_state_of_the_same_address_in_two_configurations_is_no_answer(scan: Scan) -> None:
    for name in ("one", "two"):
        (scan.folder / "infra" / name).mkdir()
        scan.write(f"{name}/main.tf", MAIN.replace('"svc"', "var.project"))
    state = scan.folder / "state.json"
    values = {"name": "main", "project": "svc", "location": "europe-west1"}
    state.write_text(json.dumps(make.state(("google_container_cluster.main", values))))
    found = finding(scan.run("--terraform-state", str(state)), "intranode-visibility-disabled")
    assert {one["certainty"] for one in found["declarations"]} == {"candidate"}
    assert len(found["declarations"]) == 2


def test_a_mistake_in_one_file_is_a_gap_with_its_line_and_the_rest_is_read(scan: Scan) -> None:
    scan.write("main.tf", MAIN)
    scan.write("broken.tf", 'locals {\n  a = 1\n}\n\nresource "x" {{\n')
    scan.write("broken.tf.json", '{"resource": ')
    report = scan.run()
    places = {gap["scope"] for gap in report["inventory"]["gaps"]}
    assert {"infra/broken.tf:5", "infra/broken.tf.json:1"} <= places
    assert finding(report, "intranode-visibility-disabled")["declarations"]


def test_a_module_that_is_not_there_is_a_gap(scan: Scan) -> None:
    scan.write("main.tf", 'module "gke" {\n  source = "../modules/gke"\n}\n')
    gaps = scan.run()["inventory"]["gaps"]
    assert [gap["scope"] for gap in gaps] == ["infra/main.tf:1"]
    assert "modules/gke" in gaps[0]["reason"]


def test_a_folder_without_configuration_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AuditorError, match="holds no Terraform configuration"):
        Configurations([str(tmp_path)])
    with pytest.raises(AuditorError, match="is no folder"):
        Configurations([str(tmp_path / "none")])


def test_without_the_parser_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter_hcl", None)
    with pytest.raises(AuditorError) as refused:
        Configurations([str(tmp_path)])
    assert refused.value.hint == "install it: pip install 'gke-auditor[terraform]'"


@pytest.mark.parametrize(
    "text",
    [
        "locals {\n  a = local.b\n  b = local.a\n}\n",
        "locals {\n" + "".join(f"  a{i} = local.a{i + 1}\n" for i in range(3000)) + "}\n",
        "x = " + "(" * 2000 + "1" + ")" * 2000 + "\n",
        "a {\n" * 500 + "}\n" * 500,
        'module "self" {\n  source = "./."\n}\n',
        'locals {\n  a = local.b40\n  b0 = ["x", "y"]\n'
        + "".join(f"  b{i + 1} = concat(local.b{i}, local.b{i})\n" for i in range(40))
        + "}\n",
        'locals {\n  a = local.b40\n  b0 = "xy"\n'
        + "".join(f'  b{i + 1} = "${{local.b{i}}}${{local.b{i}}}"\n' for i in range(40))
        + "}\n",
        '\x00\xff\ufffe resource "google_container_cluster" "x" {',
    ],
    ids=["cycle", "chain", "parentheses", "nesting", "itself", "doubled lists", "doubled strings", "bytes"],
)
def test_hostile_configurations_end_in_nothing(tmp_path: Path, text: str) -> None:
    cluster = 'resource "google_container_cluster" "x" {\n  name = local.a0\n  project = local.a\n}\n'
    (tmp_path / "main.tf").write_text(text + cluster, encoding="utf-8", errors="replace")
    Configurations([str(tmp_path)])


def test_a_comment_property_of_a_json_block_waives(scan: Scan) -> None:
    block = {
        "//": "gke-auditor: waive intranode-visibility-disabled reason=pilot owner=a expires=2027-01-01",
        "project": "svc",
        "name": "main",
        "location": "europe-west1",
    }
    scan.write("main.tf.json", json.dumps({"resource": {"google_container_cluster": {"main": block}}}))
    report = scan.run()
    assert finding(report, "intranode-visibility-disabled")["waiver"]["reason"] == "pilot"


def test_providers_that_are_handed_to_a_module_are_all_it_has(scan: Scan) -> None:
    (scan.folder / "infra" / "gke").mkdir()
    scan.write(
        "gke/main.tf",
        'resource "google_container_cluster" "x" {\n  name = "main"\n  location = "europe-west1"\n}\n',
    )
    providers = (
        'provider "google" {\n  project = "other"\n}\n\n'
        'provider "google" {\n  alias = "svc"\n  project = "svc"\n}\n'
    )
    call = 'module "gke" {\n  source = "./gke"\n  providers = {\n    google = google.svc\n  }\n}\n'
    scan.write("main.tf", providers + call)
    found = finding(scan.run(), "intranode-visibility-disabled")["declarations"]
    assert [(one["address"], one["certainty"]) for one in found] == [
        ("module.gke.google_container_cluster.x", "configuration")
    ]
    scan.write("main.tf", providers + call.replace("google = google.svc", "google-beta = google.svc"))
    found = finding(scan.run(), "intranode-visibility-disabled")["declarations"]
    assert [one["certainty"] for one in found] == ["candidate"]


def test_a_state_names_the_block_of_a_hierarchical_policy(scan: Scan) -> None:
    scan.write(
        "main.tf",
        'resource "google_compute_firewall_policy" "org" {\n'
        '  parent     = "organizations/99"\n  short_name = "org"\n}\n',
    )
    policy = make.change("google_compute_firewall_policy.org", {"name": "4711", "parent": "organizations/99"})
    rule = make.change(
        "google_compute_firewall_policy_rule.deny",
        {
            "firewall_policy": "4711", "priority": 1, "direction": "EGRESS", "action": "deny",
            "match": [{"dest_ip_ranges": ["10.0.0.0/8"], "layer4_configs": [{"ip_protocol": "all"}]}],
        },
    )  # fmt: skip
    attached = make.change(
        "google_compute_firewall_policy_association.org",
        {"name": "org", "firewall_policy": "4711", "attachment_target": "organizations/99"},
    )
    report = scan.run(documents=(make.plan(policy, rule, attached),))
    found = finding(report, "same-node-traffic-would-be-denied")["declarations"]
    assert [(one["address"], one["certainty"]) for one in found] == [
        ("google_compute_firewall_policy_rule.deny", "plan"),
        ("google_compute_firewall_policy.org", "state"),
    ]
    assert "google_compute_firewall_policy_rule" in found[1]["fix"]
    block = 'resource "google_compute_firewall_policy_rule" "deny" {\n  priority = 1\n}\n'
    scan.write("rules.tf", block)
    report = scan.run(documents=(make.plan(policy, rule, attached),))
    found = finding(report, "same-node-traffic-would-be-denied")["declarations"]
    # The new rule belongs behind the one that denies.
    assert [(one["address"], one["certainty"], bool(one["fix"])) for one in found] == [
        ("google_compute_firewall_policy_rule.deny", "state", True),
        ("google_compute_firewall_policy.org", "state", False),
    ]


TEXTS = [path.read_text() for path in sorted((Path(__file__).parent / "layouts").glob("**/*.tf"))]


@given(
    st.sampled_from(TEXTS),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.text('{}[]"$%=.\n#*/ éx', max_size=4)), max_size=4
    ),
)
def test_no_text_ends_in_a_crash(
    tmp_path_factory: pytest.TempPathFactory, text: str, cuts: list[Any]
) -> None:
    for place, length, inserted in cuts:
        start = int(place * len(text))
        text = text[:start] + inserted + text[start + length :]
    folder = tmp_path_factory.mktemp("mangled")
    (folder / "main.tf").write_text(text)
    (folder / "terraform.tfvars").write_text(text)
    Configurations([str(folder)])


def test_a_cluster_with_a_pool_inside_is_one_block_to_a_state(scan: Scan) -> None:
    pool = '\n  node_pool {\n    name = "pool"\n  }\n}\n'
    scan.write("main.tf", MAIN.replace('"svc"', "var.project").rstrip("}\n") + "\n" + pool)
    state = scan.folder / "state.json"
    values = {"name": "main", "project": "svc", "location": "europe-west1"}
    state.write_text(json.dumps(make.state(("google_container_cluster.main", values))))
    found = finding(scan.run("--terraform-state", str(state)), "intranode-visibility-disabled")
    assert [(one["certainty"], one["start_line"]) for one in found["declarations"]] == [("state", 14)]


def test_a_project_may_be_written_as_its_number_and_a_name_may_not(tmp_path: Path) -> None:
    block = (
        'resource "google_container_cluster" "x" {{\n  project = "{}"\n  name = "{}"\n  location = "l"\n}}\n'
    )

    def resolve(reference: str) -> str:
        return canonical(reference).replace("projects/1234", "projects/svc")

    for number, (project, name, links) in enumerate(
        (("1234", "svc", 1), ("svc", "1234", 0), ("svc", "svc", 1))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "main.tf").write_text(block.format(project, name))
        found = mapper([str(folder)], {}, {}, resolve).declarations(
            "//container.googleapis.com/projects/svc/locations/l/clusters/svc"
        )
        assert len(found) == links
