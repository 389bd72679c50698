from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.engine.result import Report, Verdict
from auditor.model.traffic import KUBELET_READ_ONLY, box_json
from auditor.reporting import FORMATS
from auditor.reporting.encode import DEEPEST, chunks, dumps, dumps_observed, utf8
from tests.reporting import reports
from tests.reporting.strategies import hostile_reports, texts, values

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs/report.schema.json").read_text())


@cache
def validator(part: str | None = None) -> jsonschema.Draft202012Validator:
    schema = SCHEMA if part is None else {**SCHEMA["$defs"][part], "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def rendered(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(b"".join(FORMATS["json"](report)))
    return document


def lines(report: Report) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in b"".join(FORMATS["ndjson"](report)).splitlines()]


@pytest.mark.parametrize("build", [reports.all_verdicts, reports.hostile, reports.report])
def test_json_and_ndjson_follow_the_published_schema(build: Any) -> None:
    report = build()
    validator().validate(rendered(report))
    header, *results = lines(report)
    validator("header").validate(header)
    one_result = validator("result")
    for result in results:
        one_result.validate(result)


@settings(max_examples=20)
@given(hostile_reports)
def test_any_report_follows_the_published_schema(report: Report) -> None:
    validator().validate(rendered(report))


def test_ndjson_is_the_report_without_clusters_and_then_its_results() -> None:
    report = reports.all_verdicts()
    document = rendered(report)
    header, *results = lines(report)
    assert results == document.pop("results")
    del document["clusters"]
    assert header == document
    assert header["inventory"]["counts"]["clusters"] == len(report.clusters)


def test_every_result_is_written_field_by_field() -> None:
    report = reports.all_verdicts()
    for written, result in zip(rendered(report)["results"], report.results, strict=True):
        expected: dict[str, object] = {
            "rule": result.rule,
            "verdict": result.verdict.value,
            "severity": result.severity.value,
            "resource": {
                "name": result.resource.name,
                "type": result.resource.type,
                "project": result.resource.project,
                "location": result.resource.location,
            },
            "subject": result.subject,
            "message": result.message,
            "evidence": [
                {"path": e.path, "observed": e.observed, "expected": e.expected, "asset": e.asset}
                for e in result.evidence
            ],
            "reasons": list(result.reasons),
            "remediation": None
            if result.remediation is None
            else {"text": result.remediation.text, "commands": list(result.remediation.commands)},
            "fingerprint": result.fingerprint,
            "waiver": None
            if result.waiver is None
            else {
                "rule": result.waiver.rule,
                "resource": result.waiver.resource,
                "subject": result.waiver.subject,
                "reason": result.waiver.reason,
                "owner": result.waiver.owner,
                "expires": result.waiver.expires.isoformat(),
            },
            "baseline": result.baseline,
        }
        assert written == expected


def test_a_cluster_carries_its_facts_and_why_some_are_unknown() -> None:
    clusters = {c["short_name"]: c for c in rendered(reports.all_verdicts())["clusters"]}
    checkout = clusters["checkout"]
    assert checkout["readiness"] == "degraded"
    assert checkout["visibility"] == {"state": "on", "basis": "field", "mechanism": "netd"}
    assert checkout["pools"][0] == {
        "name": "default",
        "pod_ranges": ["10.8.0.0/16", "fd20:0:1::/96"],
        "node_block": {"ipv4": 24, "ipv6": 112},
        "resolved": True,
    }
    assert {"cidr": "10.200.0.0/20", "family": 4, "origin": "pool gpu", "pools": ["gpu"], "in_use": True} in (
        checkout["pod_ranges"]
    )
    assert checkout["masquerade"]["uncovered"][0]["parts"] == ["10.200.0.0/20"]
    legacy = clusters["legacy"]
    assert legacy["masquerade"] == {"basis": None, "non_masquerade": None, "uncovered": None}
    assert any(u["path"] == "masquerade.uncovered" for u in legacy["unknowns"])


def test_an_empty_list_is_a_statement_and_null_is_none() -> None:
    ref = reports.cluster_ref("a")
    known = rendered(reports.report([reports.cluster(ref, "working", facts_=reports.facts(ref))]))[
        "clusters"
    ][0]
    assert known["masquerade"]["uncovered"] == []
    without_data = rendered(reports.report([reports.cluster(ref, "unknown", facts_=None)]))["clusters"][0]
    assert without_data["pod_ranges"] is None
    assert without_data["visibility"]["state"] == "unknown"


def test_the_firewall_analysis_follows_the_published_schema() -> None:
    schema = {**SCHEMA["$defs"]["cluster"]["properties"]["traffic"], "$defs": SCHEMA["$defs"]}
    validator = jsonschema.Draft202012Validator(schema)
    written = {c["short_name"]: c["traffic"] for c in rendered(reports.all_verdicts())["clusters"]}
    for traffic in written.values():
        validator.validate(traffic)
    written["checkout"]["same_node"]["denied"][0]["ports"] = "a"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(written["checkout"])


def test_every_box_and_repair_of_the_firewall_analysis_is_written() -> None:
    written = {c["short_name"]: c["traffic"] for c in rendered(reports.all_verdicts())["clusters"]}
    denied = reports.denied_traffic()
    for scope, packets in (("same_node", denied.same_node), ("any_node", denied.any_node)):
        found = written["checkout"][scope]
        assert found["denied"] == [box_json(box) for box in packets.analysis.denied]
        assert [one["command"] for one in found["repairs"]] == [one.command for one in packets.repairs]
    assert written["checkout"]["same_node"]["verdict"] == "partial"
    assert "candidates" in written["legacy"]["same_node"]["undecided"][0]
    assert written["legacy"]["same_node"]["reasons"] == list(
        reports.undecided_traffic().same_node.analysis.reasons
    )
    assert written["ledger"]["same_node"]["denied"][0]["benign"] == KUBELET_READ_ONLY


def test_names_survive_as_they_are() -> None:
    report = reports.hostile()
    written = rendered(report)["results"]
    assert [w["message"] for w in written] == [utf8(r.message) for r in report.results]


def test_the_summary_counts_what_the_results_say() -> None:
    document = rendered(reports.all_verdicts())
    results = document["results"]
    for verdict in (Verdict.PASS, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE):
        assert document["summary"][verdict.value] == sum(r["verdict"] == verdict.value for r in results)
    failed = [r for r in results if r["verdict"] == "fail" and r["baseline"] != "absent"]
    assert document["summary"]["waived"] == sum(r["waiver"] is not None for r in failed)
    assert document["summary"]["fail"] == sum(r["waiver"] is None for r in failed)


# --- values ---------------------------------------------------------------------------------------------


@given(values)
def test_any_observed_value_is_written_as_json_that_strict_readers_take(value: Any) -> None:
    encoded = dumps_observed(value)
    assert orjson.loads(encoded) == json.loads(encoded)


@given(texts)
def test_text_comes_back_as_it_was_but_for_lone_surrogates(text: str) -> None:
    assert orjson.loads(dumps(text)) == utf8(text)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**64 - 1, 2**64 - 1),
        (2**64, str(2**64)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (10**5000, hex(10**5000)),
        (math.nan, "nan"),
        ([math.inf, None, 1.5], ["inf", None, 1.5]),
        ({"\ud800": "\udfff"}, {"\\ud800": "\\udfff"}),
        (None, None),
        (b"bytes", "b'bytes'"),
    ],
    ids=["64 bits", "65 bits", "-65 bits", "5001 digits", "nan", "inf", "surrogates", "null", "bytes"],
)
def test_what_json_cannot_say_is_written_as_text(value: Any, written: Any) -> None:
    assert orjson.loads(dumps_observed(value)) == written


def test_deep_nesting_ends_in_a_sentence() -> None:
    value = orjson.loads(dumps_observed(reports.nested(5_000)))
    depth = 0
    while not isinstance(value, str):
        value = value[0] if isinstance(value, list) else value["k"]
        depth += 1
    assert depth == DEEPEST
    assert value == f"nested more than {DEEPEST} levels deep"


@given(st.lists(st.binary(max_size=50_000), max_size=20))
def test_chunks_hold_the_same_bytes(parts: list[bytes]) -> None:
    assert b"".join(chunks(parts)) == b"".join(parts)
