"""A file that several processes read makes the inventory that one makes."""

from __future__ import annotations

import gzip
import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor import parallel
from auditor.errors import SourceError
from auditor.sources import files, in_parts, load
from auditor.sources.snapshot import Header, write
from benchmarks.generate import Shape, _Organisation

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.sources.inventory import AssetInventory

SHAPE = Shape(clusters=40, pools=3, networks=5, firewalls=200, policies=10, pools_as="both", evidence=True)
LINES = [line.rstrip("\n").encode() for line in _Organisation(SHAPE).lines()]
ODD = (
    b"{broken",
    b"",
    b"   ",
    b"[]",
    b"7",
    b'{"what": "is this"}',
    b'{"assetType": "compute.googleapis.com/Firewall"}',
    LINES[40],
    LINES[40].replace(b"UTC", b"XXX").replace(b"vpc", b"net"),
    LINES[-1].replace(b'"status":"RUNNING"', b'"status":7'),
    b'{"firewalls": [], "network": "projects/net-00000/global/networks/vpc-00000"}',
    b'{"firewalls": []}',
    orjson.dumps({"apiVersion": "v1", "kind": "ConfigMapList", "items": []}),
)


@pytest.fixture(autouse=True)
def three_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_cores", lambda: 3)
    monkeypatch.setattr(in_parts, "STRETCH", 2)
    monkeypatch.setattr(files, "WINDOW", 1_000)


def content(inventory: AssetInventory) -> dict[str, Any]:
    """All of an inventory, clusters decoded."""
    found = {
        one.name: getattr(inventory, one.name)
        for one in fields(inventory)
        if one.name not in ("spool", "stored", "coverage")
    }
    found["decoded"] = [inventory.decode(entry) for entry in inventory.clusters]
    coverage = inventory.coverage
    found["coverage"] = {
        one.name: getattr(coverage, one.name) for one in fields(coverage) if not one.name.startswith("_")
    }
    return found


def both(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, Any]:
    """What is read whole, and what is read in parts: the inventory's content, or the error."""
    told: list[Any] = []
    for fewest in (1 << 40, 2_000):
        monkeypatch.setattr(in_parts, "FEWEST", fewest)
        try:
            told.append(content(load([str(path)], **options)))
        except SourceError as error:
            told.append((type(error), str(error), error.hint))
    return told[0], told[1]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    random=st.randoms(use_true_random=False),
    odd=st.lists(st.sampled_from(ODD), max_size=6),
    end=st.sampled_from((b"", b"\n", b"\r\n\n")),
    strict=st.booleans(),
)
def test_whatever_the_lines_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, random: Any, odd: list[bytes], end: bytes, strict: bool
) -> None:
    every = [*random.sample(LINES, 150), *odd]
    random.shuffle(every)
    path = tmp_path / "assets.ndjson"
    path.write_bytes(b"\n".join(every) + end)
    whole, parts = both(path, monkeypatch, strict=strict)
    assert parts == whole


def test_three_processes_read_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "assets.ndjson"
    path.write_bytes(b"\n".join(LINES))
    forked = []
    fork = os.fork

    def counted() -> int:
        forked.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", counted)
    whole, parts = both(path, monkeypatch)
    assert len(forked) == 2
    assert parts == whole
    assert len(parts["clusters"]) == 40


def test_a_snapshot_is_read_whole_wherever_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    types = frozenset(str(orjson.loads(line)["assetType"]) for line in LINES)
    header = Header(("organizations/700000000001",), types, "2026-11-20T00:00:00Z")
    snapshot = [line.rstrip(b"\n") for line in write(header, [orjson.loads(line) for line in LINES])]
    path = tmp_path / "assets.ndjson"
    for before in (0, 1, 100):
        path.write_bytes(b"\n".join([*LINES[:before], *snapshot]) + b"\n")
        whole, parts = both(path, monkeypatch)
        assert parts == whole
        assert whole["read_time"] == "2026-11-20T00:00:00Z"
    path.write_bytes(b"\n".join(snapshot[:-3]) + b"\n")
    whole, parts = both(path, monkeypatch)
    assert parts == whole
    assert "cut short" in parts[1]


def test_what_is_compressed_or_no_lines_of_objects_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("read in parts"))
    path = tmp_path / "assets"
    text = b"\n".join(LINES)
    for body in (gzip.compress(text), b"[" + b",".join(LINES) + b"]", b"\n" + text, b"\xef\xbb\xbf" + text):
        path.write_bytes(body)
        whole, parts = both(path, monkeypatch)
        assert parts == whole
        assert len(parts["clusters"]) == 40
