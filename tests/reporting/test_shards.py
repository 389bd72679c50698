from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.engine.result import Report, Verdict
from auditor.model.inventory import Gap
from auditor.reporting.check_sarif import check_together
from auditor.reporting.sarif import render_github
from auditor.reporting.shards import Shard, shard_number, split
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports, texts


def organisation(projects: int, gaps: tuple[Gap, ...] = ()) -> Report:
    """One failing cluster in each of so many projects, all in the Shared VPC of one host project."""
    refs = [reports.cluster_ref("c", f"project-{number}") for number in range(projects)]
    clusters = [
        reports.cluster(ref, "ready", (), facts_=reports.facts(ref, state="off", block=number % 200))
        for number, ref in enumerate(refs)
    ]
    results = [reports.result("intranode-visibility-disabled", Verdict.FAIL, ref) for ref in refs]
    return reports.report(clusters, results, gaps=gaps)


def gap(scope: str) -> Gap:
    return Gap(scope, None, "Not read.", "Read it.")


def written(shard: Shard) -> Any:
    return orjson.loads(b"".join(render_github(shard.report, shard)))["runs"][0]


def incomplete(report: Report, count: int) -> set[int]:
    return {shard.number for shard in split(report, count) if not shard.complete}


def test_every_result_is_in_one_shard_and_none_is_lost() -> None:
    report = organisation(100)
    shards = split(report, 7)
    assert [shard.number for shard in shards] == [1, 2, 3, 4, 5, 6, 7]
    found = Counter(result.fingerprint for shard in shards for result in shard.report.results)
    assert found == Counter(result.fingerprint for result in report.results)
    assert all(len(shard.report.results) > 3 for shard in shards), "projects spread over all shards"


@settings(max_examples=50)
@given(hostile_reports, st.integers(2, 20))
def test_any_report_splits_without_loss(report: Report, count: int) -> None:
    shards = split(report, count)
    assert len(shards) == count
    assert Counter(r.fingerprint for s in shards for r in s.report.results) == Counter(
        r.fingerprint for r in report.results
    )
    assert {g for s in shards for g in s.report.gaps} == set(report.gaps)


@given(texts, st.integers(2, 20))
def test_the_shard_of_a_project_is_its_hash_and_nothing_else(project: str, count: int) -> None:
    digest = hashlib.sha256(project.encode("utf-8", "surrogatepass")).hexdigest()
    assert shard_number(project, count) == int(digest[:16], 16) % count + 1


def test_the_shard_of_a_project_never_changes() -> None:
    # Alerts would be closed in one category and opened in another.
    assert [shard_number(f"project-{n}", 8) for n in range(8)] == [8, 6, 2, 6, 1, 3, 6, 8]


def test_each_shard_has_a_category_of_its_own_that_stays_the_same() -> None:
    today = split(organisation(20), 3)
    tomorrow = split(replace(organisation(20), read_time="2026-11-21T02:00:00Z"), 3)
    ids = [written(shard)["automationDetails"]["id"] for shard in today]
    assert ids[0] == "gke-auditor/organizations-123456789012/shard-01/2026-11-20T02-00-00Z"
    categories = [id_.rpartition("/")[0] for id_ in ids]
    assert len(set(categories)) == 3
    assert categories == [written(s)["automationDetails"]["id"].rpartition("/")[0] for s in tomorrow]
    files = [(shard.name, {"runs": [written(shard)]}) for shard in today]
    assert check_together(files) == []


def test_an_empty_shard_lists_every_rule_and_counts_as_a_success() -> None:
    shards = [
        shard for shard in split(organisation(1, (gap("organizations/1"),)), 4) if not shard.report.results
    ]
    assert len(shards) == 3
    for shard in shards:
        run = written(shard)
        assert run["results"] == []
        assert len(run["tool"]["driver"]["rules"]) == len(reports.rules())
        assert run["invocations"][0]["executionSuccessful"] is True


def test_without_gaps_every_shard_is_complete() -> None:
    assert incomplete(organisation(50), 8) == set()


@pytest.mark.parametrize(
    "scope",
    [
        "organizations/123456789012",
        "folders/77",
        "export/clusters.ndjson:17",
        "projects/123456789012",
        "//compute.googleapis.com/locations/global/firewallPolicies/123",
        "",
    ],
)
def test_a_gap_that_is_not_of_one_project_makes_every_shard_incomplete(scope: str) -> None:
    assert incomplete(organisation(50, (gap(scope),)), 8) == {1, 2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize(
    "scope",
    [
        "projects/project-3",
        "//container.googleapis.com/projects/project-3/locations/europe-west1/clusters/c",
        "//cloudresourcemanager.googleapis.com/projects/project-3",
    ],
)
def test_a_gap_in_a_project_makes_its_own_shard_incomplete(scope: str) -> None:
    assert incomplete(organisation(50, (gap(scope),)), 8) == {shard_number("project-3", 8)}


def test_a_gap_in_a_host_project_makes_the_shards_of_its_clusters_incomplete() -> None:
    report = organisation(3, (gap("projects/net-host"),))
    used = {shard_number(f"project-{n}", 20) for n in range(3)}
    assert incomplete(report, 20) == used | {shard_number("net-host", 20)}


def test_a_cluster_of_unknown_network_depends_on_every_project_that_lacks_something() -> None:
    blind = reports.cluster_ref("blind", "project-x")
    report = organisation(0, (gap("projects/elsewhere"),))
    report = replace(report, clusters=(reports.cluster(blind, "unknown", (), facts_=None),))
    assert incomplete(report, 20) == {shard_number("project-x", 20), shard_number("elsewhere", 20)}


def test_a_shard_says_what_it_lacks() -> None:
    gaps = (gap("projects/project-3"), replace(gap("projects/project-3"), asset_type="x/Y"))
    (lacking,) = [s for s in split(organisation(9, gaps), 8) if not s.complete]
    assert lacking.why_incomplete() == "projects/project-3: Not read., and 1 more gap"
    texts = [n["message"]["text"] for n in written(lacking)["invocations"][0]["toolExecutionNotifications"]]
    assert len([text for text in texts if "project-3" in text]) == 2
