"""The firewall analysis as a page shows it: rows, one packet's path, and limits that are said."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import orjson
import pytest

from auditor.reporting import traffic
from tests.reporting import reports

ROOMY = traffic.Limits(50, 10)


def digest(found: Any, limit: traffic.Limits = ROOMY) -> Any:
    return json.loads(orjson.dumps(traffic.Digester(limit).digest(found), lambda shared: shared.value))


def witness(row: Any) -> tuple[str, str]:
    cut, source, too, destination, *_ = row["witness"]
    return (
        row["source"][: len(row["source"]) - cut] + source,
        row["destination"][: len(row["destination"]) - too] + destination,
    )


def test_boxes_that_differ_in_protocol_and_ports_alone_are_one_row() -> None:
    found = digest(reports.denied_traffic())
    rows = found["any_node"]["denied"]["rows"]
    assert [row["layer4"] for row in rows] == [
        [["tcp udp", "1-65535", 0], ["icmp", "", 0]],
        [["tcp", "3306, 5432-5433", 0]],
    ]
    assert [row["by"]["rule"] for row in rows] == ["deny-all-egress", "databases"]


def test_the_address_of_a_witness_comes_back_from_its_range() -> None:
    for row in digest(reports.denied_traffic())["same_node"]["denied"]["rows"]:
        source, destination = witness(row)
        assert ip_address(source) in ip_network(row["source"])
        assert ip_address(destination) in ip_network(row["destination"])
        assert source != destination


def test_a_scope_that_says_the_same_is_left_out() -> None:
    assert digest(reports.undecided_traffic())["any_node"] is None
    assert digest(reports.denied_traffic())["any_node"] is not None


def test_scopes_of_which_not_every_row_is_shown_are_not_said_to_be_the_same() -> None:
    two = reports.denied_traffic().any_node
    found = replace(reports.denied_traffic(), same_node=two, any_node=replace(two))
    assert digest(found)["any_node"] is None
    assert digest(found, traffic.Limits(1, 10))["any_node"] is not None


def test_what_does_not_fit_is_counted() -> None:
    found = digest(reports.denied_traffic(), traffic.Limits(1, 1))["any_node"]
    assert (len(found["denied"]["rows"]), found["denied"]["more"]) == (1, 1)
    assert (len(found["repairs"]), found["more_repairs"]) == (1, 1)


def test_half_a_command_is_not_shown() -> None:
    whole = reports.denied_traffic()
    long = replace(whole.same_node.repairs[0], command="gcloud " + "x" * 10_000)
    found = digest(replace(whole, same_node=replace(whole.same_node, repairs=(long,))))
    assert found["same_node"]["repairs"][0]["command"] is None
    assert found["same_node"]["repairs"][0]["terraform"] is not None


def test_the_path_is_of_a_packet_that_is_denied_before_one_that_is_undecided_or_harmless() -> None:
    path = digest(reports.denied_traffic())["same_node"]["path"]
    assert path["egress"]["state"] == "denied"
    assert path["egress"]["by"]["rule"] == "deny-all-egress"
    assert path["ingress"] == {"state": "allowed"}
    undecided = digest(reports.undecided_traffic())["same_node"]["path"]
    assert undecided["egress"]["state"] == "undecided"
    assert [one["rule"] for one in undecided["egress"]["candidates"]][-1] == "implied allow egress"
    harmless = digest(reports.benign_traffic())["same_node"]["path"]
    assert harmless["benign"]
    assert digest(reports.allowed_traffic())["same_node"]["path"] is None


@pytest.mark.parametrize("affected", [0, 1, 10, 1_000, 20_000, 10**6])
def test_the_more_clusters_are_affected_the_fewer_rows_each_has(affected: int) -> None:
    limit = traffic.limits(affected)
    assert 4 <= limit.rows <= 50
    assert 2 <= limit.repairs <= 10
    assert limit.rows * affected <= max(60_000, 4 * affected)
