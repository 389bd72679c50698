"""What cannot be read is an error that says where and what to do, or a gap; never a traceback."""

from __future__ import annotations

import gzip
import json
import os
import socket
from typing import TYPE_CHECKING

import pytest
import zstandard

from auditor.errors import SourceError
from auditor.model import inventory as model
from auditor.sources import files, from_assets, load
from auditor.sources.wording import USED
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

LINES = make.ndjson(make.organisation())
ARRAY = json.dumps(make.organisation(), indent=2).encode()


def _unplaced(kind: str, name: str, data: make.Asset) -> make.Asset:
    return make.asset(kind, name, data, ancestors=[])


def _error(*sources: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        load(list(sources))
    assert caught.value.hint
    assert caught.value.place
    return caught.value


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    error = _error(str(tmp_path / "nothing"))
    assert "No such file" in error.message
    assert error.place == str(tmp_path / "nothing")


def test_a_path_with_a_null_character() -> None:
    assert "cannot be opened" in _error("a\0b").message


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make.write(tmp_path / "f", LINES)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert "Permission denied" in _error(source).message


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_file(content: bytes, tmp_path: Path) -> None:
    assert _error(make.write(tmp_path / "f", content)).message.startswith(("is empty", "holds nothing"))


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_compressed_empty_file(compression: str, tmp_path: Path) -> None:
    assert _error(make.write(tmp_path / "f", b"", compression=compression)).message == "is empty"


def test_a_folder_without_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".hidden").write_bytes(LINES)
    assert "without files" in _error(str(tmp_path)).message


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_a_compressed_file_that_was_cut_short(compression: str, tmp_path: Path) -> None:
    whole = (tmp_path / "f", LINES * 50)
    make.write(*whole, compression=compression)
    data = (tmp_path / "f").read_bytes()
    for length in (len(data) - 1, len(data) // 2, 12):
        (tmp_path / "f").write_bytes(data[:length])
        error = _error(str(tmp_path / "f"))
        assert "cannot be decompressed to its end" in error.message


def test_a_gzip_file_with_something_behind_it(tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", gzip.compress(LINES) + b"rubbish")
    assert "cannot be decompressed" in _error(source).message


def test_a_zstd_file_with_something_behind_it(tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", zstandard.ZstdCompressor().compress(LINES) + b"rubbish")
    assert "cannot be decompressed" in _error(source).message


@pytest.mark.parametrize("flip", [20, 60])
def test_a_compressed_file_with_a_wrong_byte(flip: int, tmp_path: Path) -> None:
    data = bytearray(gzip.compress(LINES))
    data[-flip] ^= 0xFF
    assert "cannot be decompressed" in _error(make.write(tmp_path / "f", bytes(data))).message


def test_several_compressed_parts_in_one_file_are_read(tmp_path: Path) -> None:
    half = len(LINES) // 2
    for squeeze in (gzip.compress, zstandard.ZstdCompressor().compress):
        source = make.write(tmp_path / "f", squeeze(LINES[:half]) + squeeze(LINES[half:]))
        assert load([source]).gaps == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_utf_16_is_named_as_such(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    error = _error(make.write(tmp_path / "f", (mark + LINES.decode()).encode(encoding)))
    assert "UTF-16" in error.message
    assert "iconv" in error.hint


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\0\0\0", b"\x89PNG\r\n\x1a\n\0\0", bytes(range(256))])
def test_binary_rubbish(content: bytes, tmp_path: Path) -> None:
    _error(make.write(tmp_path / "f", content))


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[",
        b'{"name": ',
        b'[{"name": "x"}',
        b'[{"name": "x"},]',
        b'[{"name": "x"} {"name": "y"}]',
        b"{]",
        b"{}}",
        b'{"a": "\xff"}',
        b"]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"- " * 100_000,
        b"a: &x [*x, *x]",
        b"a: 'b",
        b"{{ template }}",
        b"[1" + b"0" * 10_000 + b"]",
        b"!!python/object/apply:os.system ['id']",
        b"? [a, b]\n: c\n",
        b"%YAML 9.9\n---\na\n",
        b"\x80abc",
    ],
)
def test_text_that_is_no_json(content: bytes, tmp_path: Path) -> None:
    _error(make.write(tmp_path / "f", content))


def test_an_array_that_ends_too_early_is_an_error_with_its_line(tmp_path: Path) -> None:
    error = _error(make.write(tmp_path / "f", ARRAY[: len(ARRAY) // 2]))
    assert error.place is not None
    assert int(error.place.rpartition(":")[2]) > 10


def test_a_malformed_line_among_good_ones_is_a_gap_with_its_line_and_number(tmp_path: Path) -> None:
    lines = LINES.splitlines(keepends=True)
    source = make.write(tmp_path / "f", b"".join([*lines[:3], b'{"broken": \n', *lines[3:]]))
    inventory = load([source])
    assert inventory.counts == from_assets(make.organisation()).counts
    assert [gap.scope for gap in inventory.gaps if "cannot be parsed" in gap.reason] == [f"{source}:4"]
    with pytest.raises(SourceError) as caught:
        load([source], strict=True)
    assert caught.value.place == f"{source}:4"


def test_a_malformed_first_line_is_a_gap_too(tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", b'{"broken": \n' + LINES)
    inventory = load([source])
    assert inventory.gaps[0].scope == f"{source}:1"
    assert len(inventory.clusters) == 2


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize(
    "broken",
    [
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"a": nope}',
        '{"a" 1}',
        '{"a": [1, {"b": }]}',
        "{'a': 1}",
        '{"a": 1e999}',
        "nonsense",
    ],
)
def test_a_malformed_element_among_good_ones_is_a_gap_with_its_line_and_number(
    broken: str, compact: bool, tmp_path: Path
) -> None:
    parts = [json.dumps(one, indent=None if compact else 2) for one in make.organisation()]
    source = make.write(tmp_path / "f", "[" + ",\n".join([*parts[:3], broken, *parts[3:]]) + "]")
    inventory = load([source])
    assert inventory.counts == from_assets(make.organisation()).counts
    line = 1 + sum(part.count("\n") + 1 for part in parts[:3])
    assert inventory.gaps[0].scope == f"{source}:{line}"
    assert inventory.gaps[0].reason.startswith("element 4 cannot be parsed: ")
    assert not any(inventory.coverage.read(kind, "host") for kind in USED)


@pytest.mark.parametrize(
    "broken",
    [b'{"a": NaN}', b'{"a": "\\udc00"}', b'{"a": "\xff"}', b"[" * 5000, b'{"a":' * 5000, b"\0", b'"\x01"'],
)
def test_lines_that_no_decoder_takes_are_gaps(broken: bytes, tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", LINES + broken + b"\n")
    assert [gap.scope for gap in load([source]).gaps if "cannot be parsed" in gap.reason] == [f"{source}:12"]


def test_data_nested_too_deeply_to_be_kept_is_a_gap() -> None:
    deep: object = "x"
    for _ in range(250):
        deep = {"a": deep}
    for one, kind in (
        (make.cluster("deep", labels=deep), model.CLUSTER),
        (make.firewall("deep", description=deep), model.FIREWALL),
    ):
        text = json.dumps(one).replace('"x"', '{"a":' * 300 + "1" + "}" * 300)
        inventory = from_assets([*make.organisation(), {"name": "n", "assetType": "t"}])
        assert inventory.gaps == ()
        source = [*make.organisation(), json.loads(text)]
        with pytest.raises(SourceError, match="no JSON"):
            from_assets(source)
        assert not inventory.coverage.hole(kind, "host")


def test_deep_data_in_a_file_is_a_gap(tmp_path: Path) -> None:
    deep = '{"a":' * 300 + "1" + "}" * 300
    lines = [
        json.dumps(make.firewall("deep", description="@")).replace('"@"', deep),
        json.dumps(make.cluster("deep", labels="@")).replace('"@"', deep),
        json.dumps(make.node_pool(make.cluster("a"), "deep", what="@")).replace('"@"', deep),
        json.dumps(make.hierarchy()[2]).replace('"svc"', deep, 1),
    ]
    inventory = load([make.write(tmp_path / "f", LINES + "\n".join(lines).encode())])
    assert len([gap for gap in inventory.gaps if "cannot be kept" in gap.reason]) == 4
    assert not inventory.coverage.read(model.FIREWALL, "host")


def test_wrong_types_in_a_cluster_are_a_gap_that_names_them_and_the_value_stays() -> None:
    config = {"network": make.NETWORK, "subnetwork": make.SUBNETWORK, "enableIntraNodeVisibility": "yes"}
    inventory = from_assets([*make.organisation(), make.cluster("odd", networkConfig=config, status=7)])
    (gap,) = inventory.gaps
    assert gap.scope == "assets[element 12]"
    assert "networkConfig.enableIntraNodeVisibility: text where true or false is expected" in gap.reason
    assert "status: a number where text is expected" in gap.reason
    entry = next(one for one in inventory.clusters if one.short_name == "odd")
    data = inventory.decode(entry).data
    assert data is not None
    assert data["status"] == 7


@pytest.mark.parametrize(
    "name",
    [
        "//container.googleapis.com/projects/p/locations/l/clusters",
        "//container.googleapis.com/projects/p/locations/l/clusters/",
        "//container.googleapis.com/projects//locations/l/clusters/c",
        "//container.googleapis.com/projects/p/locations/l/clusters/c/d",
        "",
        "c",
    ],
)
def test_a_cluster_of_no_valid_name_is_a_gap_and_not_lost(name: str) -> None:
    inventory = from_assets([*make.organisation(), _unplaced(model.CLUSTER, name, make.cluster_data())])
    (gap,) = inventory.gaps
    assert gap.asset_type == model.CLUSTER
    assert not inventory.coverage.every_cluster_read()


@pytest.mark.parametrize(
    "name",
    [
        "//container.googleapis.com/projects/p/locations/l/clusters/c",
        "//container.googleapis.com/projects/p/locations/l/clusters/c/nodePools/",
        "x/nodePools/y",
    ],
)
def test_a_node_pool_of_no_valid_name_is_a_gap(name: str) -> None:
    inventory = from_assets([*make.organisation(), _unplaced(model.NODE_POOL, name, make.pool())])
    (gap,) = inventory.gaps
    assert gap.asset_type == model.NODE_POOL


# Folders


def test_files_of_no_known_kind_in_a_folder_are_gaps(tmp_path: Path) -> None:
    make.write(tmp_path / "export" / "0", LINES)
    make.write(tmp_path / "export" / "README.md", "# An export\n\n* of: [assets\n")
    make.write(tmp_path / "export" / "logo.png", b"\x89PNG\r\n\x1a\n\0\0")
    make.write(tmp_path / "export" / "notes.json", {"notes": 1})
    make.write(tmp_path / "export" / ".hidden", "rubbish")
    inventory = load([str(tmp_path / "export")])
    scopes = [os.path.relpath(gap.scope, tmp_path / "export") for gap in inventory.gaps]
    assert scopes == ["README.md:3", "logo.png", "notes.json:1"]
    assert inventory.coverage.read(model.FIREWALL, "host")


def test_a_folder_of_nothing_that_is_known_is_an_error(tmp_path: Path) -> None:
    make.write(tmp_path / "export" / "README.md", "# Nothing\n")
    make.write(tmp_path / "export" / "notes.json", {"notes": 1})
    _error(str(tmp_path / "export"))


def test_an_empty_shard_may_have_held_anything(tmp_path: Path) -> None:
    make.write(tmp_path / "export" / "0", LINES)
    make.write(tmp_path / "export" / "1", b"")
    inventory = load([str(tmp_path / "export")])
    assert not inventory.coverage.read(model.FIREWALL, "host")
    assert any(gap.scope.endswith("/1") for gap in inventory.gaps)


def test_a_damaged_shard_is_an_error(tmp_path: Path) -> None:
    make.write(tmp_path / "export" / "0", LINES)
    make.write(tmp_path / "export" / "1", gzip.compress(LINES)[:-5])
    _error(str(tmp_path / "export"))


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    make.write(tmp_path / "export" / "a" / "0", LINES)
    (tmp_path / "export" / "a" / "again").symlink_to(tmp_path / "export")
    (tmp_path / "export" / "broken").symlink_to(tmp_path / "nowhere")
    inventory = load([str(tmp_path / "export")])
    assert len(inventory.clusters) == 2
    assert len([gap for gap in inventory.gaps if "passed over" in gap.reason]) == 2


def test_what_is_neither_file_nor_folder(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        assert "neither a file nor a folder" in _error(str(tmp_path / "socket")).message
    assert "neither a file nor a folder" in _error("/dev/zero").message


def test_a_fifo_in_a_folder_does_not_block(tmp_path: Path) -> None:
    make.write(tmp_path / "export" / "0", LINES)
    os.mkfifo(tmp_path / "export" / "fifo")
    inventory = load([str(tmp_path / "export")])
    assert any("passed over" in gap.reason for gap in inventory.gaps)


def test_an_empty_list_proves_nothing(tmp_path: Path) -> None:
    inventory = load([make.write(tmp_path / "f", b"[]")])
    assert "neither of which kind" in inventory.gaps[0].reason
    assert not inventory.coverage.read(model.CLUSTER, "svc")


def test_a_line_beyond_all_measure_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST", 1 << 16)
    monkeypatch.setattr(files, "WINDOW", 1 << 12)
    long = make.ndjson([make.firewall("long", description="x" * (1 << 17))])
    for content in (LINES + long, long, b'["' + b"x" * (1 << 18) + b'"]'):
        assert "longer than" in _error(make.write(tmp_path / "f", content)).message


@pytest.mark.parametrize("value", [{"a": {1, 2}}, {"a": "\ud800"}, {"a": 2**70}, object()])
def test_assets_in_memory_must_be_json(value: object) -> None:
    with pytest.raises(SourceError, match="no JSON"):
        from_assets([value])  # type: ignore[list-item]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_an_export_whose_first_lines_are_broken_is_read_all_the_same(count: int, tmp_path: Path) -> None:
    source = make.write(tmp_path / "f", b'{"name": "//x", bro\n' * count + LINES)
    inventory = load([source])
    assert inventory.counts == from_assets(make.organisation()).counts
    assert [gap.scope for gap in inventory.gaps if "cannot be parsed" in gap.reason] == [
        f"{source}:{number}" for number in range(1, count + 1)
    ]


def test_a_page_with_an_asset_on_a_line_of_its_own_is_a_page(tmp_path: Path) -> None:
    text = '{\n"assets": [\n' + json.dumps(make.cluster("a")) + '\n],\n"nextPageToken": ""\n}\n'
    inventory = load([make.write(tmp_path / "f", text)])
    assert inventory.counts["clusters"] == 1
    assert not [gap for gap in inventory.gaps if "parsed" in gap.reason]
