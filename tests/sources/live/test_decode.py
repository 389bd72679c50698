"""Decoding by hand gives what the client library's own messages give."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import orjson
import pytest
from google.cloud import asset_v1
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from auditor.model import inventory as model
from auditor.sources.live import decode, keep
from tests.sources.live.emulator import Asset, ListAssetsResponse
from tests.sources.live.organisation import organisation

BELOW: st.SearchStrategy[keep.Keep | None] = st.sampled_from([None, {"a": None}, {}, keep.HIDDEN])


def test_the_numbers_of_the_fields_are_those_of_the_protos() -> None:
    resource = asset_v1.Resource.pb().DESCRIPTOR.fields_by_name
    fields = {
        "answer": ListAssetsResponse.DESCRIPTOR.fields_by_name,
        "asset": Asset.DESCRIPTOR.fields_by_name,
    }
    assert fields["answer"]["assets"].number == 2
    assert fields["answer"]["next_page_token"].number == 3
    numbers = {
        name: fields["asset"][name].number
        for name in ("name", "asset_type", "resource", "ancestors", "update_time")
    }
    assert numbers == {"name": 1, "asset_type": 2, "resource": 3, "ancestors": 10, "update_time": 11}
    assert {
        n: resource[name].json_name
        for n, name in ((1, "version"), (3, "discovery_name"), (5, "parent"), (8, "location"))
    } == decode._RESOURCE
    assert resource["data"].number == 6
    assert Struct.DESCRIPTOR.fields_by_name["fields"].number == 1
    assert {field.name: field.number for field in Value.DESCRIPTOR.fields} == {
        "null_value": 1,
        "number_value": 2,
        "string_value": 3,
        "bool_value": 4,
        "struct_value": 5,
        "list_value": 6,
    }
    assert {field.name: field.number for field in Timestamp.DESCRIPTOR.fields} == {"seconds": 1, "nanos": 2}


def answer(*assets: dict[str, Any], token: str = "") -> bytes:
    message = ListAssetsResponse(next_page_token=token)
    for one in assets:
        json_format.ParseDict(one, message.assets.add())
    raw: bytes = message.SerializeToString()
    return raw


def decoded(raw: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line.body) for line in decode.page(raw).lines()]


def test_assets_come_out_as_their_json() -> None:
    assets = organisation()
    assert [one["name"] for one in decoded(answer(*assets))] == [one["name"] for one in assets]
    for asset, found in zip(assets, decoded(answer(*assets)), strict=True):
        kept = keep.of_type(asset["assetType"])
        assert kept is not None
        expected = {
            **asset,
            "resource": {**asset["resource"], "data": keep.pruned(asset["resource"]["data"], kept)},
        }
        assert found == expected


def test_types_that_are_not_collected_are_left_out() -> None:
    foreign = {"name": "//storage.googleapis.com/b", "assetType": "storage.googleapis.com/Bucket"}
    assert decoded(answer(foreign)) == []


def test_the_token_of_the_next_page_is_read() -> None:
    assert decode.page(answer(token="abc/+=")).next_page_token == "abc/+="
    assert decode.page(answer()).next_page_token == ""


values = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), values, max_size=6))
@example({"k" * 200: "v" * 200, "": "", "é": {"a": [None, True, -1.5, 2**53, []]}})
def test_a_struct_comes_out_as_the_library_reads_it(data: dict[str, Any]) -> None:
    struct = json_format.ParseDict(data, Struct())
    raw = struct.SerializeToString()
    for _ in range(2):  # the second time from memory
        found = decode._struct(raw, 0, len(raw), None, 0)
        expected = json_format.MessageToDict(struct)
        assert found == expected
    assert not _floats_that_are_integers(found)


def _floats_that_are_integers(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_floats_that_are_integers, value.values()))
    if isinstance(value, list):
        return any(map(_floats_that_are_integers, value))
    return isinstance(value, float) and value.is_integer() and math.fabs(value) <= 2**53


@given(st.dictionaries(st.text(max_size=3), values, max_size=4), st.data())
def test_what_is_kept_of_a_struct_is_what_pruning_would_leave(
    data: dict[str, Any], draw: st.DataObject
) -> None:
    kept: keep.Keep = {key: draw.draw(BELOW) for key in data if draw.draw(st.booleans())}
    raw = json_format.ParseDict(data, Struct()).SerializeToString()
    everything = decode._struct(raw, 0, len(raw), None, 0)
    assert decode._struct(raw, 0, len(raw), kept, 0) == _pruned(everything, kept)


def _pruned(value: dict[str, Any], kept: keep.Keep) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if key in kept:
            below = kept[key]
            if below is keep.HIDDEN:
                found[key] = keep.hidden(inner)
            else:
                found[key] = inner if below is None else _below(inner, below)
    return found


def _below(value: Any, kept: keep.Keep) -> Any:
    if isinstance(value, dict):
        return _pruned(value, kept)
    return [_below(one, kept) for one in value] if isinstance(value, list) else value


@given(st.integers(-(10**9), 10**11), st.sampled_from([0, 1, 1000, 120_000, 5_000_000, 999_999_999]))
def test_times_are_written_as_the_library_writes_them(seconds: int, nanos: int) -> None:
    stamp = Timestamp(seconds=seconds, nanos=nanos)
    raw = stamp.SerializeToString()
    assert decode._timestamp(raw, 0, len(raw)) == stamp.ToJsonString()


@given(st.binary(max_size=200))
def test_bytes_that_are_no_answer_are_told(raw: bytes) -> None:
    with suppress(decode.MalformedError):
        list(decode.page(raw).lines())


@given(st.integers(0, 4000), st.integers(0, 255))
def test_a_changed_byte_is_told_or_harmless(place: int, byte: int) -> None:
    raw = bytearray(answer(*organisation(clusters=2, firewalls=2)))
    raw[place % len(raw)] = byte
    with suppress(decode.MalformedError):
        for line in decode.page(bytes(raw)).lines():
            orjson.loads(line.body)


def test_a_cluster_gives_its_certificate_only_when_asked() -> None:
    cluster = next(one for one in organisation() if one["assetType"] == model.CLUSTER)
    cluster["resource"]["data"]["masterAuth"] = {"clusterCaCertificate": "PEM", "password": "hunter2"}
    raw = answer(cluster)
    assert [line.certificate for line in decode.page(raw).lines()] == [""]
    (line,) = decode.page(raw).lines(certificates=True)
    assert line.certificate == "PEM"
    assert b"PEM" not in line.body
    assert b"hunter2" not in line.body


def test_what_is_nested_too_deeply_is_told() -> None:
    raw = Value(string_value="x").SerializeToString()
    for _ in range(150):
        items = b"\x0a" + varint(len(raw)) + raw
        raw = b"\x32" + varint(len(items)) + items
    entry = b"\x0a\x01a\x12" + varint(len(raw)) + raw
    raw = b"\x0a" + varint(len(entry)) + entry
    with pytest.raises(decode.MalformedError):
        decode._struct(raw, 0, len(raw), None, 0)


def varint(length: int) -> bytes:
    """A length as a varint."""
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*out, length])
