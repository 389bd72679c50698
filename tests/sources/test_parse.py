"""The oddities of sources, undone in one place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sources import parse, schema
from auditor.sources.spool import Spool
from tests.sources import assets as make


def _cluster(**fields: Any) -> tuple[dict[str, Any], list[str]]:
    data: dict[str, Any] = dict(fields)
    misfits = parse.cluster(data)
    return data, list(misfits)


def test_the_table_of_fields_is_that_of_the_installed_api() -> None:
    from importlib.resources import files

    assert (files("auditor.sources") / schema.FILE).read_bytes() == schema.build()


def test_int64_as_text_becomes_an_integer() -> None:
    data, misfits = _cluster(defaultMaxPodsConstraint={"maxPodsPerNode": "110"})
    assert data == {"defaultMaxPodsConstraint": {"maxPodsPerNode": 110}}
    assert misfits == []


def test_a_float_that_is_whole_becomes_an_integer_also_deep_inside() -> None:
    data, misfits = _cluster(
        initialNodeCount=3.0, nodePools=[{"podIpv4CidrSize": 24.0, "config": {"diskSizeGb": "9"}}]
    )
    assert data == {
        "initialNodeCount": 3,
        "nodePools": [{"podIpv4CidrSize": 24, "config": {"diskSizeGb": 9}}],
    }
    assert isinstance(data["initialNodeCount"], int)
    assert misfits == []


def test_null_is_absent() -> None:
    assert _cluster(networkConfig=None, status=None, nodePools=None, futureField=None) == ({}, [])


def test_a_message_as_a_list_of_one_is_the_message() -> None:
    data, misfits = _cluster(
        databaseEncryption=[{"key_name": "k", "state": "DECRYPTED"}],
        releaseChannel=[{"channel": "RAPID"}],
        autopilot=[],
        nodePools=[{"config": [{"tags": ["a"], "taints": [{"key": "k"}]}]}],
    )
    assert data == {
        "databaseEncryption": {"keyName": "k", "state": "DECRYPTED"},
        "releaseChannel": {"channel": "RAPID"},
        "nodePools": [{"config": {"tags": ["a"], "taints": [{"key": "k"}]}}],
    }
    assert misfits == []


def test_snake_case_fields_get_their_json_names_unless_both_are_there() -> None:
    data, _ = _cluster(network_config={"enable_intra_node_visibility": True}, current_node_count=3.0)
    assert data == {"networkConfig": {"enableIntraNodeVisibility": True}, "currentNodeCount": 3}
    both, _ = _cluster(networkConfig={"network": "a"}, network_config={"network": "b"})
    assert both["networkConfig"] == {"network": "a"}


def test_unknown_fields_are_kept_with_whole_numbers_as_integers() -> None:
    data, misfits = _cluster(futureField={"size": 3.0, "share": 0.5, "none": None}, other="x", more=[1.0])
    assert data == {"futureField": {"size": 3, "share": 0.5}, "other": "x", "more": [1]}
    assert misfits == []


def test_names_and_labels_with_underscores_are_not_touched() -> None:
    labels = {"my_label": "a", "other": "b"}
    data, _ = _cluster(
        resourceLabels=labels, nodePools=[{"config": {"metadata": {"disable_legacy": "true"}}}]
    )
    assert data["resourceLabels"] == labels
    assert data["nodePools"][0]["config"]["metadata"] == {"disable_legacy": "true"}


@pytest.mark.parametrize(
    ("fields", "misfit"),
    [
        ({"status": 3}, "status: a number where text is expected"),
        ({"initialNodeCount": "many"}, "initialNodeCount: text where an integer is expected"),
        ({"initialNodeCount": 1.5}, "initialNodeCount: a number where an integer is expected"),
        ({"initialNodeCount": 1e30}, "initialNodeCount: a number where an integer is expected"),
        ({"initialNodeCount": "9" * 20}, "initialNodeCount: text where an integer is expected"),
        ({"initialNodeCount": True}, "initialNodeCount: a truth value where an integer is expected"),
        ({"networkConfig": "x"}, "networkConfig: text where an object is expected"),
        ({"networkConfig": [{}, {}]}, "networkConfig: a list where an object is expected"),
        ({"locations": "x"}, "locations: text where a list is expected"),
        ({"locations": ["x", 3]}, "locations[1]: a number where text is expected"),
        ({"nodePools": {"name": "x"}}, "nodePools: an object where a list is expected"),
        ({"nodePools": [{}, None]}, "nodePools[1]: null where an object is expected"),
        (
            {"nodePools": [{"networkConfig": {"enablePrivateNodes": "no"}}]},
            "nodePools[0].networkConfig.enablePrivateNodes: text where true or false is expected",
        ),
        ({"resourceLabels": ["a"]}, "resourceLabels: a list where an object is expected"),
        ({"network_config": 3}, "networkConfig: a number where an object is expected"),
    ],
)
def test_what_does_not_fit_is_named_and_not_dropped(fields: dict[str, Any], misfit: str) -> None:
    data, misfits = _cluster(**fields)
    assert misfits == [misfit]
    assert len(data) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_plain_is_stable(value: Any) -> None:
    once = parse.plain(value)
    assert parse.plain(once) == once


@given(
    st.sampled_from(sorted(schema.message("Cluster")[1])), st.lists(st.dictionaries(st.text(), st.integers()))
)
def test_mending_twice_changes_nothing_more(field: str, value: Any) -> None:
    data: dict[str, Any] = {field: value, "initialNodeCount": "3"}
    first = list(parse.cluster(data))
    copy = {**data}
    assert list(parse.cluster(data)) == first
    assert data == copy


def test_an_envelope_may_be_wrapped_by_a_converter() -> None:
    plain = make.cluster("a")
    wrapped = {**plain, "resource": [{"data": [plain["resource"]["data"]]}]}
    assert parse.asset(wrapped) == parse.asset(plain)


@pytest.mark.parametrize("resource", [None, 3, "x", [], [1], {"data": None}, {"data": []}, {"data": "x"}, {}])
def test_an_envelope_without_data_has_none(resource: Any) -> None:
    found = parse.asset({"name": "n", "assetType": "t", "resource": resource})
    assert found is not None
    assert found[2] is None


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "[1]", "3"])
def test_text_that_is_no_object_is_no_data(text: str) -> None:
    found = parse.asset({"name": "n", "asset_type": "t", "resource": {"data": text}})
    assert found is not None
    assert found[2] is None


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (["v1"], 0),
        (["v1beta1"], 0),
        (["v1beta1", "v1"], 1),
        (["v1beta1", "v1alpha1"], None),
        (["v1", "v1"], None),
        ([], None),
    ],
)
def test_of_several_versions_of_a_search_result_v1_counts(versions: list[str], expected: int | None) -> None:
    found = parse.asset(
        {
            "name": "n",
            "assetType": "t",
            "versionedResources": [
                {"version": version, "resource": {"number": number}}
                for number, version in enumerate(versions)
            ],
        }
    )
    assert found is not None
    assert found[2] == (None if expected is None else {"number": expected})


def test_a_search_result_names_its_project_and_not_where_that_is() -> None:
    result: dict[str, Any] = {
        "name": "n", "assetType": "t", "project": "projects/1", "organization": "organizations/9"
    }  # fmt: skip
    several: list[Any] = [[], ["folders/1"], ["folders/1", "folders/2"]]
    for folders in several:
        found = parse.asset({**result, "folders": folders})
        assert found is not None
        assert found[4] == []
        assert parse.parent_project({**result, "folders": folders}) == "projects/1"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-01-01 00:00:00 UTC", "2026-01-01T00:00:00Z"),
        ("2026-01-01 00:00:00.25", "2026-01-01T00:00:00.25Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_times_of_rows_are_spelt_as_the_api_spells_them(time: str, expected: str) -> None:
    found = parse.asset({"name": "n", "asset_type": "t", "update_time": time})
    assert found is not None
    assert found[3] == expected


@pytest.mark.parametrize("value", [{}, {"name": "n"}, {"assetType": "t"}, {"name": 3, "assetType": "t"}])
def test_what_is_no_envelope_is_none(value: dict[str, Any]) -> None:
    assert parse.asset(value) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01T00:00:00Z", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T02:00:00+02:00", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T00:00:00.123456789Z", datetime(2024, 5, 1, microsecond=123456, tzinfo=UTC)),
        ("2024-05-01T00:00:00", datetime(2024, 5, 1, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_read(text: str, expected: datetime | None) -> None:
    assert parse.instant(text) == expected


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(0, 60))
def test_the_spool_gives_back_what_it_was_given(pieces: list[bytes], limit: int) -> None:
    spool = Spool(limit)
    places = [(spool.append(piece), piece) for piece in pieces]
    for offset, piece in reversed(places):
        assert spool.read(offset, len(piece)) == piece
