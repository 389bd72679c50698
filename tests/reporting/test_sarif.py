from __future__ import annotations

import gzip
import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given, settings

from auditor.engine.result import Comparison, Report, Severity, Verdict
from auditor.model.evidence import Evidence
from auditor.model.inventory import Gap
from auditor.reporting import FORMATS, sarif
from auditor.reporting.check_sarif import check_sarif
from tests.reporting import reports
from tests.reporting.demo import audited_demo
from tests.reporting.sarif_files import action, document, oasis, run
from tests.reporting.strategies import hostile_reports

if TYPE_CHECKING:
    from auditor.model.facts import PodTraffic

PROFILES: tuple[Literal["sarif", "sarif-full"], ...] = ("sarif", "sarif-full")


def notifications(run_: Any, id_: str) -> list[Any]:
    listed = run_["invocations"][0]["toolExecutionNotifications"]
    return [n for n in listed if n["descriptor"]["id"] == id_]


def one_finding(**changed: Any) -> Any:
    ref = changed.pop("ref", reports.cluster_ref("checkout"))
    rule = changed.pop("rule", "intranode-visibility-disabled")
    result = reports.result(rule, Verdict.FAIL, ref, **changed)
    return run(reports.report(results=[result]))["results"][0]


# --- what is in which profile ---------------------------------------------------------------------------


def test_githubs_profile_holds_failures_that_are_not_waived_nor_gone_nor_info() -> None:
    report = reports.all_verdicts()
    expected = [r for r in report.findings if r.severity is not Severity.INFO]
    written = run(report)["results"]
    assert {r["partialFingerprints"]["gkeAuditorFinding/v1"] for r in written} == {
        r.fingerprint for r in expected
    }
    assert {r["kind"] for r in written} == {"fail"}
    assert not any("suppressions" in r or "baselineState" in r for r in written)


def test_what_githubs_profile_leaves_out_is_named() -> None:
    only = run(reports.all_verdicts())
    texts = [n["message"]["text"] for n in notifications(only, "results-left-out")]
    assert any("1 finding of severity info" in text for text in texts)
    assert any("1 waived failure" in text for text in texts)
    undecided = [n["message"]["text"] for n in notifications(only, "undecided")]
    assert len(undecided) == 2
    assert any("masquerade-misses-pod-range" in t and "legacy" in t and "ConfigMap" in t for t in undecided)


def test_the_full_profile_holds_every_result_with_its_kind() -> None:
    report = reports.all_verdicts()
    written = run(report, "sarif-full")["results"]
    kinds = {"pass": "pass", "fail": "fail", "unknown": "open", "not_applicable": "notApplicable"}
    assert [r["kind"] for r in written] == [kinds[r.verdict.value] for r in report.results]
    for result in written:
        if result["kind"] == "fail":
            assert result["level"] != "none"
            assert "rank" in result
        else:
            assert result["level"] == "none"
            assert "rank" not in result


def test_a_waiver_is_a_suppression_in_the_full_profile() -> None:
    written = run(reports.all_verdicts(), "sarif-full")["results"]
    suppressed = [r["suppressions"] for r in written if r["suppressions"]]
    assert len(suppressed) == 1
    ((suppression,),) = suppressed
    assert suppression["kind"] == "external"
    assert suppression["status"] == "accepted"
    assert "network-team@example.com" in suppression["justification"]
    assert "2027-03-31" in suppression["justification"]


def test_the_baseline_is_a_state_in_the_full_profile() -> None:
    report = reports.all_verdicts()
    written = run(report, "sarif-full")["results"]
    assert [r.get("baselineState") for r in written] == [r.baseline for r in report.results]


def test_a_run_names_the_run_that_it_was_compared_with() -> None:
    then = reports.all_verdicts()
    comparison = Comparison(
        "then.json", then.scope, then.read_time, then.digest, then.tool_version, then.rules_digest,
        0, 0, 0, frozenset(), (), (), (), (),
    )  # fmt: skip
    now = replace(then, digest="sha256:other", comparison=comparison)
    earlier, later = run(then, "sarif-full"), run(now, "sarif-full")
    assert later["baselineGuid"] == earlier["automationDetails"]["guid"]
    assert later["automationDetails"]["guid"] != later["baselineGuid"]
    assert not list(oasis().iter_errors(document(now, "sarif-full")))
    assert "baselineGuid" not in run(now)
    assert "guid" not in run(now)["automationDetails"]


@pytest.mark.parametrize("profile", ["sarif", "sarif-full"])
def test_controls_are_taxonomies_that_rules_relate_to(profile: Any) -> None:
    only = run(reports.all_verdicts(), profile)
    (taxonomy,) = only["taxonomies"]
    assert taxonomy["name"] == "CIS-GKE"
    assert [t["id"] for t in taxonomy["taxa"]] == ["5.6.1"]
    rule = next(r for r in only["tool"]["driver"]["rules"] if r["id"] == "intranode-visibility-disabled")
    target = rule["relationships"][0]["target"]
    assert only["taxonomies"][target["toolComponent"]["index"]]["taxa"][target["index"]]["id"] == "5.6.1"


# --- severities -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "level", "rank", "score"),
    [
        (Severity.CRITICAL, "error", 95.0, "9.5"),
        (Severity.HIGH, "error", 80.0, "8.0"),
        (Severity.MEDIUM, "warning", 55.0, "5.5"),
        (Severity.LOW, "note", 25.0, "2.5"),
    ],
)
def test_level_and_rank_are_the_results_and_the_score_is_the_rules(
    severity: Severity, level: str, rank: float, score: str
) -> None:
    rule = reports.rule("a-rule", severity)
    own = reports.result(rule.id, Verdict.FAIL, reports.cluster_ref("a"), severity=severity)
    milder = replace(own, severity=Severity.LOW, subject="milder")
    only = run(reports.report(results=[own, milder], rules_=(rule,)))
    first = only["results"][0]
    assert (first["level"], first["rank"]) == (level, rank)
    assert [r["level"] for r in only["results"]][1] == "note"
    assert only["tool"]["driver"]["rules"][0]["properties"]["security-severity"] == score
    assert only["tool"]["driver"]["rules"][0]["defaultConfiguration"] == {"level": level, "rank": rank}


# --- places and identity --------------------------------------------------------------------------------


def test_a_cluster_stands_at_a_path_made_of_project_location_and_name() -> None:
    written = one_finding()
    physical = written["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "gcp/pay-prod/europe-west1/clusters/checkout.json"
    assert physical["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    logical = written["locations"][0]["logicalLocations"][0]
    assert logical["fullyQualifiedName"].startswith("//container.googleapis.com/projects/pay-prod/")
    assert written["hostedViewerUri"] == (
        "https://console.cloud.google.com/kubernetes/clusters/details/europe-west1/checkout/details"
        "?project=pay-prod"
    )


def test_a_network_stands_at_a_global_path() -> None:
    written = one_finding(ref=reports.network_ref("vpc-prod"))
    uri = written["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "gcp/net-host/global/networks/vpc-prod.json"


def test_a_project_of_a_domain_does_not_look_like_a_scheme() -> None:
    written = one_finding(ref=reports.cluster_ref("c", "example.com:shop"))
    uri = written["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "gcp/example.com%3Ashop/europe-west1/clusters/c.json"


@pytest.mark.parametrize("name", [".", "..", "", " ", "a b", "é", "%2F", "x?y#z", "\ud800", "a:b"])
def test_odd_names_give_paths_of_four_segments_that_no_reader_resolves_away(name: str) -> None:
    for ref in (
        reports.cluster_ref(name),
        reports.cluster_ref("c", name),
        reports.cluster_ref("c", "p", name),
    ):
        uri = one_finding(ref=ref)["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        segments = uri.split("/")
        assert len(segments) == 5
        assert segments[0] == "gcp"
        assert not {"", ".", ".."} & {unquote(segment) for segment in segments}


def test_identity_depends_on_rule_resource_and_subject_alone() -> None:
    first = one_finding(message="as it is worded today", subject="pool-a")
    again = one_finding(message="as it is worded tomorrow", subject="pool-a", severity=Severity.LOW)
    other = one_finding(subject="pool-b")
    assert first["partialFingerprints"] == again["partialFingerprints"]
    assert first["partialFingerprints"] != other["partialFingerprints"]
    assert re.fullmatch(r"[0-9a-f]{16}:1", first["partialFingerprints"]["primaryLocationLineHash"])


def test_the_category_stays_the_same_from_scan_to_scan() -> None:
    today = reports.all_verdicts()
    tomorrow = replace(today, read_time="2026-11-21T02:00:00Z", now="2026-11-22T00:00:00Z")
    ids = [run(report)["automationDetails"]["id"] for report in (today, tomorrow)]
    assert ids[0] != ids[1]
    assert [id_.rpartition("/")[0] for id_ in ids] == ["gke-auditor/organizations-123456789012"] * 2


def test_assets_that_evidence_was_read_from_are_related_locations() -> None:
    only = run(reports.all_verdicts())
    denied = next(r for r in only["results"] if r["ruleId"] == "same-node-traffic-denied")
    (related,) = denied["relatedLocations"]
    assert related["physicalLocation"]["artifactLocation"]["uri"] == (
        "gcp/net-host/global/firewalls/deny-all-egress.json"
    )
    assert related["logicalLocations"][0]["name"] == "deny-all-egress"


def denied(message: str, traffic: PodTraffic | None = None, **changed: Any) -> Any:
    """The result of a cluster whose egress deny-all-egress denies, with this message."""
    ref = reports.cluster_ref("checkout")
    known = reports.facts(ref, traffic=traffic or reports.denied_traffic())
    result = reports.result(
        "same-node-traffic-denied",
        Verdict.FAIL,
        ref,
        message=message,
        evidence=known.traffic.evidence,
        **changed,
    )
    clusters = [reports.cluster(ref, "degraded", (), facts_=known)]
    return run(reports.report(clusters, [result]))["results"][0]


BY_RULE = "deny-all-egress (VPC firewall rule, priority 65000, project net-host)"
BY_POLICY = '"databases" (rule 900 of the hierarchical firewall policy 123)'


def test_a_message_links_to_the_rules_that_it_names_as_deciding() -> None:
    written = denied(f"Egress is denied by {BY_RULE}. Ingress is denied by {BY_POLICY}.")
    text = written["message"]["text"]
    assert f"Egress is denied by [{BY_RULE}](1). Ingress is denied by [{BY_POLICY}](2)." in text
    related = written["relatedLocations"]
    assert [one["id"] for one in related] == [1, 2]
    assert [one["message"]["text"] for one in related] == [BY_RULE, BY_POLICY]
    assert [one["physicalLocation"]["artifactLocation"]["uri"] for one in related] == [
        "gcp/net-host/global/firewalls/deny-all-egress.json",
        "gcp/global/firewallPolicies/123.json",
    ]
    assert related[0]["logicalLocations"][0]["fullyQualifiedName"] == reports.DENY_EGRESS.asset


def test_a_message_has_a_packet_that_the_deciding_rule_denies() -> None:
    text = denied(f"Egress is denied by {BY_RULE}.")["message"]["text"]
    assert (
        "For example, egress of tcp port 1 from 10.8.0.2 (pool default) to 10.8.0.3 (pool default)." in text
    )


def test_a_rule_that_the_message_does_not_name_is_not_linked_as_deciding() -> None:
    written = denied(f"Ingress is denied by {BY_POLICY}.")
    assert written["relatedLocations"][0]["message"]["text"] == BY_POLICY
    assert "](2)" not in written["message"]["text"]


def test_evidence_is_linked_where_the_message_names_nothing() -> None:
    text = denied("Something is wrong.")["message"]["text"]
    assert text.startswith("Something is wrong. Read from [firewall rule deny-all-egress](1). ")


def test_the_subject_of_a_result_is_a_link_to_it() -> None:
    asset = "//compute.googleapis.com/projects/net-host/regions/europe-west1/subnetworks/nodes"
    written = one_finding(
        subject="nodes",
        message="Subnet nodes logs nothing of the nodes.",
        evidence=(Evidence(asset, "logConfig.enable", False),),
    )
    assert written["message"]["text"].startswith("Subnet [nodes](1) logs nothing of the nodes.")


def test_a_subject_that_two_assets_are_named_after_is_no_link() -> None:
    asset = "//compute.googleapis.com/projects/net-host/regions/{}/subnetworks/nodes"
    evidence = tuple(Evidence(asset.format(region), "x", False) for region in ("a-b1", "c-d1"))
    text = one_finding(subject="nodes", message="Subnet nodes logs nothing.", evidence=evidence)["message"]
    assert text["text"].startswith(
        "Subnet nodes logs nothing. Read from [subnetwork nodes](1), [subnetwork nodes](2). "
    )


def test_the_name_of_one_rule_within_that_of_another_is_no_link() -> None:
    short = replace(reports.DENY_EGRESS, rule="egress", asset=f"{reports.DENY_EGRESS.asset}-2")
    traffic = reports.denied_traffic()
    boxes = (*traffic.same_node.analysis.denied, reports.box("egress", "tcp", "10.9.0.0/16", short))
    analysis = replace(traffic.same_node.analysis, denied=reports.boxes(boxes))
    traffic = replace(traffic, same_node=replace(traffic.same_node, analysis=analysis))
    text = denied(f"Denied by {BY_RULE}.", traffic)["message"]["text"]
    assert text.startswith(f"Denied by [{BY_RULE}](1).")


def test_brackets_in_a_rules_name_do_not_end_a_link() -> None:
    evil = replace(reports.DENY_EGRESS, rule="x](https://evil.example)[y\\")
    traffic = reports.denied_traffic()
    boxes = tuple(replace(box, decided_by=evil) for box in traffic.same_node.analysis.denied)
    analysis = replace(traffic.same_node.analysis, denied=reports.boxes(boxes))
    traffic = replace(traffic, same_node=replace(traffic.same_node, analysis=analysis))
    text = denied(
        "Denied by x](https://evil.example)[y\\ (VPC firewall rule, priority 65000, project net-host).",
        traffic,
    )["message"]["text"]
    links = re.findall(r"\[([^\[\]]*)\]\(([^)]*)\)", text)
    assert links == [
        ("x) (https://evil.example)(y/ (VPC firewall rule, priority 65000, project net-host)", "1")
    ]
    assert not re.search(r"\]\([^0-9]", text)


def test_every_link_in_the_demo_leads_somewhere(demo: Report) -> None:
    seen = 0
    for profile in PROFILES:
        for written in run(demo, profile)["results"]:
            ids = {str(one["id"]) for one in written.get("relatedLocations", [])}
            linked = re.findall(r"\]\((\d+)\)", written["message"]["text"])
            assert set(linked) <= ids
            seen += len(linked)
    assert seen > 40


@pytest.fixture(scope="module")
def demo() -> Report:
    return audited_demo()


def test_files_on_this_machine_are_no_locations() -> None:
    written = one_finding(evidence=(Evidence("/home/me/objects.yaml", "data.config", "x"),))
    assert "relatedLocations" not in written


# --- texts ----------------------------------------------------------------------------------------------


def test_the_message_stands_alone() -> None:
    text = one_finding()["message"]["text"]
    assert text.startswith("Cluster checkout has intra-node visibility turned off. ")
    for part in (
        "project pay-prod, europe-west1",
        "Observed networkConfig.enableIntraNodeVisibility = false; expected true.",
        "Fix: Turn on intra-node visibility.",
        "gcloud container clusters update checkout",
    ):
        assert part in text


def test_no_text_of_others_becomes_a_link_in_a_message() -> None:
    text = one_finding(message="[click](https://evil.example) [x](1)")["message"]["text"]
    assert not re.search(r"\[[^\]]*\]\(", text)


def test_every_evaluated_rule_is_listed_even_without_results() -> None:
    driver = run(reports.report())["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == [rule.id for rule in reports.rules()]
    assert run(reports.report())["results"] == []


def test_help_has_the_fix_the_cost_and_the_examples() -> None:
    driver = run(reports.report())["tool"]["driver"]
    help_ = driver["rules"][0]["help"]
    for part in ("**Fix**", "```sh\ngcloud container clusters update", "**Cost**", "**Fails**: turned off"):
        assert part in help_["markdown"]
    assert "gcloud container clusters update" in help_["text"]


def test_long_texts_and_many_tags_are_cut_to_what_github_keeps() -> None:
    rule = reports.rule(
        "long",
        title="t" * 120,
        description="d" * 5_000,
        tags=tuple(f"tag-{n}" for n in range(30)),
        controls={"cis-gke": tuple(f"5.{n}" for n in range(30))},
    )
    (descriptor,) = run(reports.report(rules_=(rule,)))["tool"]["driver"]["rules"]
    assert len(descriptor["fullDescription"]["text"]) == sarif.MAX_TEXT
    assert len(descriptor["properties"]["tags"]) == sarif.MAX_TAGS
    assert all(f"cis-gke 5.{n}`" in descriptor["help"]["markdown"] for n in range(30))


# --- coverage -------------------------------------------------------------------------------------------


def test_gaps_are_warnings_and_the_run_still_counts() -> None:
    report = reports.all_verdicts()
    only = run(report)
    gaps = notifications(only, "coverage-gap")
    assert [n["level"] for n in gaps] == ["warning"] * len(report.gaps)
    assert "folders/77" in gaps[0]["message"]["text"]
    assert "roles/cloudasset.viewer" in gaps[0]["message"]["text"]
    assert only["invocations"][0]["executionSuccessful"] is True


def test_notifications_point_at_their_descriptors() -> None:
    only = run(reports.all_verdicts())
    descriptors = only["tool"]["driver"]["notifications"]
    invocation = only["invocations"][0]
    listed = invocation["toolExecutionNotifications"] + invocation["toolConfigurationNotifications"]
    assert {n["descriptor"]["id"] for n in listed} >= {"coverage-gap", "waiver-note", "undecided"}
    for notification in listed:
        reference = notification["descriptor"]
        assert descriptors[reference["index"]]["id"] == reference["id"]


def test_a_scan_that_judged_nothing_does_not_close_alerts() -> None:
    report = reports.report(gaps=reports.all_verdicts().gaps)
    decoded = orjson.loads(b"".join(FORMATS["sarif"](report)))
    oasis().validate(decoded)
    action().validate(decoded)
    assert decoded["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert [v.rule for v in check_sarif(decoded)] == ["unsuccessful-execution"]
    (error,) = notifications(decoded["runs"][0], "nothing-judged")
    assert error["level"] == "error"


def test_the_word_of_completeness_is_passed_on() -> None:
    only = run(replace(reports.all_verdicts(), complete_by_word=True))
    assert len(notifications(only, "completeness-asserted")) == 1


def test_many_gaps_are_counted_where_they_are_not_listed() -> None:
    report = replace(
        reports.all_verdicts(),
        gaps=tuple(Gap(f"projects/p{n}", None, "Not read.", "Read it.") for n in range(1_000)),
    )
    texts = [n["message"]["text"] for n in notifications(run(report), "coverage-gap")]
    assert len(texts) == sarif.MAX_NOTIFICATIONS + 1
    assert texts[-1].startswith("800 more")
    assert len(notifications(run(report, "sarif-full"), "coverage-gap")) == 1_000


# --- limits ---------------------------------------------------------------------------------------------


def test_over_the_limit_the_mildest_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 30)
    monkeypatch.setattr(sarif, "SHOWN_RESULTS", 20)
    results = [
        reports.result("a-rule", Verdict.FAIL, reports.cluster_ref(f"c{n:03}"), severity=severity)
        for n, severity in enumerate([Severity.LOW, Severity.MEDIUM, Severity.CRITICAL] * 20)
    ]
    only = run(reports.report(results=results))
    assert [r["level"] for r in only["results"]] == ["error"] * 20 + ["warning"] * 10
    texts = [n["message"]["text"] for n in notifications(only, "results-left-out")]
    assert texts[0].startswith("30 findings left out, the mildest")
    assert "GitHub shows 20 results" in texts[1]
    assert len(run(reports.report(results=results), "sarif-full")["results"]) == 60


def test_the_compressed_file_stays_below_githubs_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_GZIP", 200_000)
    noise = random.Random(0)  # noqa: S311 - text that does not compress
    results = [
        reports.result(
            "a-rule",
            Verdict.FAIL,
            reports.cluster_ref(f"c{n:03}"),
            message=noise.randbytes(1_000).hex(),
        )
        for n in range(400)
    ]
    report = reports.report(results=results)
    raw = b"".join(FORMATS["sarif"](report))
    assert 150_000 < len(gzip.compress(raw)) < 200_000 + 30_000
    only = run(report)
    (left_out,) = notifications(only, "results-left-out")
    assert left_out["message"]["text"].startswith(f"{400 - len(only['results'])} findings left out")


def test_a_file_of_many_small_results_is_not_cut_for_its_raw_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_GZIP", 300_000)
    results = [reports.result("a-rule", Verdict.FAIL, reports.cluster_ref(f"c{n:05}")) for n in range(2_000)]
    raw = b"".join(FORMATS["sarif"](reports.report(results=results)))
    assert len(raw) > 1_500_000
    assert len(orjson.loads(raw)["runs"][0]["results"]) == 2_000


def test_nesting_stays_within_what_readers_of_sarif_take() -> None:
    deep = reports.nested(300)
    written = one_finding(evidence=(Evidence(reports.cluster_ref("checkout").name, "x", deep),))
    observed = written["properties"]["evidence"][0]["observed"]

    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + max(map(depth, inner), default=0)

    # The value stands on the eighth level of the file; the SARIF SDK reads 64.
    assert 8 + depth(observed) < 64
    assert "nested more than 40 levels deep" in str(observed)


# --- anything -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["sarif", "sarif-full"])
def test_hostile_text_gives_files_that_github_takes(profile: Any) -> None:
    document(reports.hostile(), profile)


@pytest.mark.parametrize("profile", ["sarif", "sarif-full"])
@settings(max_examples=15)
@given(report=hostile_reports)
def test_any_report_gives_files_that_github_takes(profile: Any, report: Report) -> None:
    document(report if report.results else replace(report, gaps=()), profile)
