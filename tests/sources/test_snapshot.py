"""The snapshot file proves its own completeness."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from auditor.errors import SourceError
from auditor.model import inventory as model
from auditor.model.inventory import Gap
from auditor.sources import from_assets, load
from auditor.sources.snapshot import END, KIND, Header, header, write, write_lines
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

HEADER = Header(
    scopes=(make.ORGANIZATION,),
    asset_types=frozenset({model.CLUSTER, model.FIREWALL}),
    read_time="2026-11-20T02:00:00Z",
    gaps=(Gap("folders/77", model.FIREWALL, "permission denied", "grant it"),),
)


def _lines(assets: list[make.Asset] | None = None, header: Header = HEADER) -> list[bytes]:
    return list(write(header, make.organisation() if assets is None else assets))


def _load(path: Path, lines: list[bytes]) -> Any:
    return load([make.write(path / "snapshot", b"".join(lines))])


def _error(path: Path, lines: list[bytes]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        _load(path, lines)
    assert caught.value.hint
    return caught.value


def test_a_snapshot_has_a_header_and_a_closing_line() -> None:
    lines = _lines()
    first, last = orjson.loads(lines[0]), orjson.loads(lines[-1])
    assert first["kind"] == KIND
    assert first["scopes"] == [make.ORGANIZATION]
    assert first["asset_types"] == sorted(HEADER.asset_types)
    assert last["kind"] == END
    assert last["counts"][model.CLUSTER] == 2
    assert last["digest"].startswith("sha256:")


def test_each_name_is_written_once() -> None:
    lines = _lines([make.cluster("a"), make.cluster("a", status="ERROR"), make.cluster("b")])
    assert orjson.loads(lines[-1])["counts"] == {model.CLUSTER: 2}


def test_what_the_header_says_beyond_the_scopes_is_read_back() -> None:
    stated = replace(
        HEADER,
        listed=(("projects/host", frozenset({model.NETWORK, model.FIREWALL})),),
        hierarchies=(make.ORGANIZATION,),
        counts={model.CLUSTER: 2},
    )
    value = orjson.loads(_lines(header=stated)[0])
    assert header(value, "s") == replace(stated, counts={})
    assert value["counts"] == {model.CLUSTER: 2}
    assert not {"listed", "hierarchies", "counts"} & set(orjson.loads(_lines()[0]))


def test_lines_that_are_no_assets_are_covered_by_the_digest_and_not_counted(tmp_path: Path) -> None:
    answer = {"network": make.NETWORK, "region": "", "firewalls": []}
    lines = [
        *((str(one["assetType"]), orjson.dumps(one) + b"\n") for one in make.organisation()),
        ("", orjson.dumps(answer) + b"\n"),
    ]
    written = list(write_lines(HEADER, lines))
    assert sum(orjson.loads(written[-1])["counts"].values()) == len(make.organisation())
    assert set(_load(tmp_path, written).effective) == {make.NETWORK}
    written[-2] = written[-2].replace(b'"region":""', b'"region":"x"')
    assert "digest" in _error(tmp_path, written).message


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
def test_a_snapshot_has_the_digest_of_its_assets(compression: str, tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", b"".join(_lines()), compression=compression)
    inventory = load([source])
    assert inventory.digest == from_assets(make.organisation()).digest
    assert inventory.read_time == "2026-11-20T02:00:00Z"
    assert inventory.scope == make.ORGANIZATION
    assert HEADER.gaps[0] in inventory.gaps


def test_a_snapshot_without_its_closing_line_was_cut_short(tmp_path: Path) -> None:
    for end in (1, 3, 11):
        assert "cut short" in _error(tmp_path, _lines()[:-end]).message


def test_a_snapshot_that_lost_an_asset_is_refused(tmp_path: Path) -> None:
    lines = _lines()
    assert model.FIREWALL in _error(tmp_path, [*lines[:9], *lines[10:]]).message


def test_a_snapshot_that_gained_an_asset_is_refused(tmp_path: Path) -> None:
    lines = _lines()
    extra = make.ndjson([make.cluster("extra")])
    assert model.CLUSTER in _error(tmp_path, [*lines[:-1], extra, lines[-1]]).message


def test_a_snapshot_that_was_edited_is_refused(tmp_path: Path) -> None:
    for index in range(len(_lines()) - 1):
        lines = _lines()
        lines[index] = lines[index].replace(b"99", b"98").replace(b"1234", b"1235")
        if lines != _lines():
            assert "digest" in _error(tmp_path, lines).message


def test_a_malformed_line_in_a_snapshot_is_refused(tmp_path: Path) -> None:
    lines = _lines()
    for odd in (b'{"broken\n', b"[]\n", b"3\n", b"{}\n"):
        assert "digest" in _error(tmp_path, [*lines[:3], odd, *lines[3:]]).message


def test_a_snapshot_of_another_version_is_refused(tmp_path: Path) -> None:
    lines = _lines()
    lines[0] = lines[0].replace(b"snapshot/v1", b"snapshot/v2")
    assert "snapshot/v2" in _error(tmp_path, lines).message


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": "organizations/99"},
        {"scopes": [3]},
        {"asset_types": None},
        {"read_time": 3},
        {"gaps": {}},
        {"gaps": [3]},
        {"gaps": [{"scope": "x", "asset_type": 3, "reason": "", "hint": ""}]},
        {"listed": {}},
        {"listed": ["projects/host"]},
        {"listed": [{"scope": 3, "asset_types": []}]},
        {"listed": [{"scope": "projects/host", "asset_types": "x"}]},
        {"hierarchies": "organizations/99"},
    ],
)
def test_a_malformed_header_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    first = orjson.dumps({**orjson.loads(_lines()[0]), **change}) + b"\n"
    assert "malformed" in _error(tmp_path, [first, *_lines()[1:]]).message


@pytest.mark.parametrize("end", [{"counts": None}, {"counts": {}}, {"digest": 3}, {"digest": "sha256:00"}])
def test_a_malformed_closing_line_is_refused(end: dict[str, Any], tmp_path: Path) -> None:
    last = orjson.dumps({**orjson.loads(_lines()[-1]), **end}) + b"\n"
    _error(tmp_path, [*_lines()[:-1], last])


def test_a_snapshot_that_was_reshaped_is_refused(tmp_path: Path) -> None:
    values = [orjson.loads(line) for line in _lines()]
    for content in (orjson.dumps(values), orjson.dumps(values, option=orjson.OPT_INDENT_2)):
        with pytest.raises(SourceError, match="order they were written"):
            load([make.write(tmp_path / "f", content)])
    for lines in ([_lines()[-1]], [_lines()[0], *_lines()]):
        _error(tmp_path, lines)
    pretty = b"\n".join(orjson.dumps(value, option=orjson.OPT_INDENT_2) for value in values)
    with pytest.raises(SourceError):
        load([make.write(tmp_path / "f", pretty)])


def test_two_snapshots_in_one_file_are_two_snapshots(tmp_path: Path) -> None:
    other = Header(("projects/z",), frozenset({model.CLUSTER}), "2026-11-21T02:00:00Z")
    inventory = _load(tmp_path, [*_lines(), *_lines([make.cluster("z", project="z")], other)])
    assert inventory.scope == f"{make.ORGANIZATION}, projects/z"
    assert inventory.read_time == "2026-11-21T02:00:00Z"
    assert len(inventory.clusters) == 3
    assert inventory.coverage.read(model.CLUSTER, "z")


def test_a_plain_export_beside_a_snapshot_counts_by_its_own_types(tmp_path: Path) -> None:
    only_clusters = Header((make.ORGANIZATION,), frozenset({model.CLUSTER}), "")
    snapshot = make.write(
        tmp_path / "1", b"".join(_lines([make.cluster("a"), make.network()], only_clusters))
    )
    export = make.write(tmp_path / "2", make.ndjson([make.firewall()]))
    coverage = load([snapshot, export]).coverage
    assert coverage.read(model.FIREWALL, "host")
    assert not coverage.read(model.NETWORK, "host")
