"""The demo organisation shows every verdict, and says of each cluster what it is there to show."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from auditor import bundled, sources
from auditor.engine.result import Report, Verdict
from auditor.model import inventory
from benchmarks import demo

FOLDER = Path(demo.TARGET).parent

RULES = (
    "intranode-visibility-disabled",
    "gke-version-unsupported",
    "windows-node-pool",
    "masquerade-misses-pod-range",
    "flow-logs-disabled",
    "flow-logs-thinned",
    "mtu-needs-intranode-visibility",
    "dns-timeouts-with-intranode-visibility",
)

# One letter for each of RULES: p pass, F fail, - not applicable, ? unknown.
VERDICTS = """
storefront-eu    p p p p p p p p
storefront-us    p p p p p F p p
orders           F p p p - - p -
orders-dr        F p p p - - p -
search           p p p p p F p p
suggest          p p p p F - p p
search-indexer   F p p p - - p -
warehouse-etl    F p p F - - p -
stream           p p p F p F p p
payments         p p p p p p p p
ledger           F p p p - - p -
tokenizer        p p p p p p p p
pos-gateway      p p F p F - p p
pos-returns      F p F p - - p -
erp              F F p ? - - p -
erp-reports      p p p p p F p F
fraud-scoring    p p p p p p p p
fraud-training   F p p p - - p -
edge-proxy       p p p p p p p p
edge-cache       p p p p p p p p
partner-api      p p p p p p p p
dev-apps         F p p p - - F -
ci               F p p p - - F -
mesh             p p p p p p p p
hr-portal        F p p ? - - F -
feature-preview  - - - - - - - -
sandbox-ml       ? ? ? ? ? ? ? ?
kestrel-routing  p p p ? ? ? p p
"""

TRAFFIC_RULES = (
    "same-node-traffic-denied",
    "same-node-traffic-would-be-denied",
    "pod-traffic-denied",
    "rare-protocol-traffic-denied",
    "firewall-logging-off",
)

# The same letters, for TRAFFIC_RULES.
TRAFFIC = """
storefront-eu    p - p p p
storefront-us    p - p F p
orders           - p p p F
orders-dr        - p p p F
search           p - p p p
suggest          p - p p p
search-indexer   - p p F F
warehouse-etl    - p p p F
stream           p - p F F
payments         F - F - F
ledger           - F F - F
tokenizer        p - p p p
pos-gateway      p - p p F
pos-returns      - p p p F
erp              - p p p F
erp-reports      p - p p F
fraud-scoring    F - F - F
fraud-training   - F F - F
edge-proxy       F - F - F
edge-cache       p - p p p
partner-api      ? - ? ? F
dev-apps         - p p p F
ci               - F F - F
mesh             p - p p F
hr-portal        - p p p F
feature-preview  - - - - -
sandbox-ml       ? ? ? ? ?
kestrel-routing  ? - ? ? ?
"""

READINESS = {
    "working": "storefront-eu storefront-us search suggest tokenizer erp-reports edge-cache mesh",
    "ready": "orders orders-dr search-indexer dev-apps",
    "degraded": "stream payments fraud-scoring edge-proxy",
    "blocked": "warehouse-etl ledger fraud-training ci",
    "unsupported": "pos-gateway pos-returns erp",
    "unknown": "partner-api hr-portal feature-preview sandbox-ml kestrel-routing",
}

STALE_RULES = {
    "mrd-net-prod/prod-vpc": "p",
    "mrd-net-pay/pay-vpc": "p",
    "mrd-net-pay/vault-vpc": "p",
    "mrd-pos-prod/pos-vpc": "p",
    "mrd-legacy-erp/default": "F",
    "mrd-fraud-prod/fraud-vpc": "p",
    "mrd-edge-prod/edge-vpc": "p",
    "mrd-partner-prod/partner-vpc": "p",
    "mrd-net-dev/dev-vpc": "-",
    "mrd-labs/labs-vpc": "?",
}

SHADOWED = {"mrd-net-prod/prod-vpc", "mrd-legacy-erp/default"}

LETTERS = {Verdict.PASS: "p", Verdict.FAIL: "F", Verdict.NOT_APPLICABLE: "-", Verdict.UNKNOWN: "?"}


def _table(text: str) -> dict[str, list[str]]:
    rows = [line.split() for line in text.strip().splitlines()]
    return {name: letters for name, *letters in rows}


EXPECTED = _table(VERDICTS)


@cache
def _report() -> Report:
    from auditor.audit import audit, rules_digest
    from auditor.engine.evaluate import Judge
    from auditor.engine.load import find_packs, load_packs
    from auditor.engine.waivers import load

    packs = load_packs(find_packs(bundled.rules()))
    judge = Judge(packs)
    return audit(
        sources.load(["demo"]),
        judge,
        load(str(FOLDER / "waivers.yaml"), judge.rules),
        now=datetime(2026, 11, 20, 9, tzinfo=UTC),
        rules_digest=rules_digest(packs),
    )


@cache
def _letters() -> dict[tuple[str, str], str]:
    """By rule and resource, the worst verdict of its results: fail, unknown, pass, not applicable."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for result in _report().results:
        place = result.resource.name.split("/")
        network = f"{place[4]}/{place[-1]}" if result.resource.type == inventory.NETWORK else place[-1]
        found[result.rule, network].add(LETTERS[result.verdict])
    return {key: next(letter for letter in "F?p-" if letter in letters) for key, letters in found.items()}


@pytest.mark.parametrize("cluster", EXPECTED)
def test_the_firewall_does_to_each_cluster_what_it_is_there_to_show(cluster: str) -> None:
    said = {rule: _letters()[rule, cluster] for rule in TRAFFIC_RULES}
    assert said == dict(zip(TRAFFIC_RULES, _table(TRAFFIC)[cluster], strict=True))


def test_each_cluster_is_as_ready_as_it_is_there_to_show() -> None:
    said = {report.short_name: report.readiness.state for report in _report().clusters}
    assert said == {name: state for state, names in READINESS.items() for name in names.split()}


def test_a_deny_that_never_decides_a_pod_packet_is_found_where_it_is_shadowed() -> None:
    found = [r for r in _report().results if r.rule == "shadowed-for-pods" and r.verdict == "fail"]
    assert {r.subject for r in found if r.resource.name.endswith("/prod-vpc")} >= {"deny-retired-scanner"}
    assert all(r.severity == "info" for r in found)
    said = {network: letter for (rule, network), letter in _letters().items() if rule == "shadowed-for-pods"}
    assert {network for network, letter in said.items() if letter == "F"} == SHADOWED
    # A cluster of which nothing is known may use any network.
    assert {network for network, letter in said.items() if letter == "?"} == {"mrd-labs/labs-vpc"}
    assert "-" not in said.values()


@pytest.mark.parametrize("cluster", EXPECTED)
def test_the_rules_say_of_each_cluster_what_it_is_there_to_show(cluster: str) -> None:
    said = {rule: _letters()[rule, cluster] for rule in RULES}
    assert said == dict(zip(RULES, EXPECTED[cluster], strict=True))


def test_no_cluster_is_left_out_of_the_table() -> None:
    assert sorted(report.short_name for report in _report().clusters) == sorted(EXPECTED)


def test_leftovers_of_deleted_clusters_are_found_where_every_cluster_and_rule_was_read() -> None:
    said = {
        network: letter for (rule, network), letter in _letters().items() if rule == "stale-gke-firewall-rule"
    }
    assert said == STALE_RULES
    stale = [
        r.subject for r in _report().results if r.rule == "stale-gke-firewall-rule" and r.verdict == "fail"
    ]
    assert stale == ["gke-erp-5f1c9e02-all", "gke-erp-5f1c9e02-ssh"]


@pytest.mark.parametrize(
    "rule",
    [*RULES, "stale-gke-firewall-rule", *TRAFFIC_RULES],
)
def test_every_verdict_of_every_rule_is_shown(rule: str) -> None:
    assert {letter for (of, _), letter in _letters().items() if of == rule} == set("pF-?")


@pytest.mark.parametrize(
    ("rule", "cluster", "severity"),
    [
        ("windows-node-pool", "pos-gateway", "high"),
        ("windows-node-pool", "pos-returns", "medium"),
        ("masquerade-misses-pod-range", "stream", "high"),
        ("masquerade-misses-pod-range", "warehouse-etl", "medium"),
    ],
)
def test_what_breaks_now_is_worse_than_what_waits(rule: str, cluster: str, severity: str) -> None:
    found = [
        result.severity
        for result in _report().results
        if result.rule == rule and result.verdict == "fail" and result.resource.name.endswith(f"/{cluster}")
    ]
    assert found == [severity]


def test_one_waiver_holds_one_has_expired_and_one_covers_nothing() -> None:
    report = _report()
    waived = [result for result in report.results if result.waiver]
    assert [(result.rule, result.subject) for result in waived] == [("windows-node-pool", "windows-2019")]
    assert sorted(note.kind for note in report.waiver_notes) == ["expired", "unused"]


def test_the_report_does_not_hide_what_could_not_be_read() -> None:
    refused = {(gap.scope, gap.asset_type) for gap in _report().gaps if "PERMISSION_DENIED" in gap.reason}
    assert ("projects/mrd-labs", inventory.FIREWALL) in refused
    assert ("projects/kestrel-net-host", inventory.NETWORK) in refused


def test_a_pool_that_is_an_asset_as_well_counts_once_and_the_newer_one_wins() -> None:
    versions = {
        report.short_name: [(pool.name, pool.version) for pool in report.facts.versions.pools or ()]
        for report in _report().clusters
        if report.facts
    }
    assert sorted(name for name, _ in versions["storefront-eu"]) == ["batch", "web"]
    assert versions["orders-dr"] == [("default-pool", demo.REGULAR)]


def test_the_generator_reproduces_the_file() -> None:
    assert demo.snapshot() == demo.TARGET.read_bytes()


def test_the_file_stays_small_enough_to_be_read() -> None:
    assert demo.TARGET.stat().st_size <= 300_000


def _assets() -> list[dict[str, object]]:
    lines = demo.TARGET.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:-1]]


def test_every_gke_rule_carries_the_hash_of_its_cluster_or_of_the_deleted_one() -> None:
    hashes = {f"gke-{cluster.name}-{cluster.hash}" for cluster in demo.CLUSTERS} | {"gke-erp-5f1c9e02"}
    names = [
        str(asset["name"]).rsplit("/", 1)[-1]
        for asset in _assets()
        if asset["assetType"] == inventory.FIREWALL
    ]
    of_gke = [name.rsplit("-", 1)[0] for name in names if name.startswith("gke-") and "-ipv6-" not in name]
    assert set(of_gke) <= hashes
    without = {"dev-apps", "ci", "mesh", "hr-portal", "feature-preview", "sandbox-ml", "kestrel-routing"}
    assert {f"gke-{c.name}-{c.hash}" for c in demo.CLUSTERS if c.name not in without} <= set(of_gke)


def test_the_clusters_look_as_the_api_answers() -> None:
    clusters = [
        asset["resource"]["data"]  # type: ignore[index]
        for asset in _assets()
        if asset["assetType"] == inventory.CLUSTER and "data" in asset["resource"]  # type: ignore[operator]
    ]
    assert len(clusters) == len(demo.CLUSTERS) - 1
    for data in clusters:
        assert len(data["id"]) == 64
        assert set(data["id"]) <= set("0123456789abcdef")
        level = "zones" if data["location"][-2] == "-" else "locations"
        assert f"/{level}/{data['location']}/clusters/{data['name']}" in data["selfLink"]
        assert data["networkConfig"].get("enableIntraNodeVisibility", True) is True, "false is left out"
        assert data["defaultMaxPodsConstraint"] == {"maxPodsPerNode": "110"}
        assert ("useRoutes" in data["ipAllocationPolicy"]) == ("nodeIpv4CidrSize" in data)


def test_pod_ranges_of_one_network_do_not_overlap() -> None:
    from ipaddress import ip_network

    for network in {cluster.subnet.network for cluster in demo.CLUSTERS}:
        ranges = {
            cidr
            for cluster in demo.CLUSTERS
            if cluster.subnet.network == network
            for cidr in (cluster.pods, *(pool.pod_cidr for pool in cluster.pools))
            if cidr
        }
        blocks = sorted(map(ip_network, ranges), key=lambda block: int(block.network_address))
        assert not [pair for pair in pairwise(blocks) if pair[0].overlaps(pair[1])]


def test_the_readme_tells_of_every_cluster_and_states_these_verdicts() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    about_traffic = _table(TRAFFIC)
    assert all(len(letters) == len(TRAFFIC_RULES) for letters in about_traffic.values())
    listed = {
        line.split()[0]: line.split()[1:]
        for line in text.split("\n    cluster ")[1].splitlines()[1:]
        if line[:4] == "    "
    }
    assert listed == {name: [*EXPECTED[name], *about_traffic[name]] for name in EXPECTED}
    states = {name: state for state, names in READINESS.items() for name in names.split()}
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert {row[0].removeprefix("| "): row[1] for row in rows[1:]} == states
    assert Counter(states.values())["working"] + Counter(states.values())["ready"] >= 12
