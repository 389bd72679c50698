"""Effective firewalls, where asked for: for networks whose policies could not be read, and for no others."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from auditor.cli import cli
from auditor.model import inventory as model
from auditor.sources import load
from tests.sources import assets as make
from tests.sources.live.emulator import Emulator, Status
from tests.sources.live.organisation import ORGANIZATION, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GLOBAL = f"/compute/v1/{make.NETWORK}/getEffectiveFirewalls"
ANSWER: dict[str, Any] = {
    "firewalls": [make.firewall()["resource"]["data"]],
    "firewallPolicys": [
        {"name": "7", "shortName": "top", "type": "HIERARCHY", "priority": 0, "rules": [
            {"priority": 1, "direction": "INGRESS", "action": "deny",
             "match": {"layer4Configs": [{"ipProtocol": "tcp"}], "srcIpRanges": ["10.0.0.0/8"]}},
        ]},
    ],
}  # fmt: skip


class Compute:
    """The Compute API on loopback."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200
        self.body: Any = ANSWER
        compute = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                compute.paths.append(unquote(self.path))
                raw = json.dumps(compute.body).encode()
                self.send_response(compute.status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def compute(monkeypatch: pytest.MonkeyPatch) -> Iterator[Compute]:
    running = Compute()
    thread = threading.Thread(target=running.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("COMPUTE_EMULATOR_HOST", f"127.0.0.1:{running.server.server_address[1]}")
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


def collect(folder: Path, scope: str) -> tuple[int, Snapshot]:
    output = folder / "s.ndjson"
    with pytest.raises(SystemExit) as exit_:
        cli(["collect", scope, "--output", str(output), "--effective-firewalls", "-q"])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, Snapshot(output)


def deny_above(emulator: Emulator) -> None:
    emulator.faults.append(
        lambda one: Status("PERMISSION_DENIED", "no") if one.parent in (ORGANIZATION, "folders/55") else None
    )


def test_the_answer_stands_in_for_what_may_not_be_read(
    emulator: Emulator, compute: Compute, tmp_path: Path
) -> None:
    deny_above(emulator)
    code, snapshot = collect(tmp_path, "projects/svc")
    assert code == 3
    assert [(one["network"], one["region"]) for one in snapshot.others] == [
        (make.NETWORK, ""),
        (make.NETWORK, "europe-west1"),
    ]
    assert sorted(compute.paths)[0] == GLOBAL
    inventory = load([str(tmp_path / "s.ndjson")])
    first = inventory.effective[make.NETWORK][0]
    assert [one.kind for one in first.policies] == ["hierarchical"]


def test_networks_whose_policies_were_read_are_not_asked_about(
    emulator: Emulator, compute: Compute, tmp_path: Path
) -> None:
    code, snapshot = collect(tmp_path, ORGANIZATION)
    assert code == 0
    assert compute.paths == []
    assert snapshot.others == []


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, {"error": {"message": "Required permission"}}, "Required permission"),
        (200, {"kind": "else"}, "no firewalls"),
        (200, [], "no firewalls"),
    ],
)
def test_an_answer_that_is_refused_or_none_is_a_gap(
    emulator: Emulator, compute: Compute, tmp_path: Path, status: int, body: Any, words: str
) -> None:
    deny_above(emulator)
    compute.status, compute.body = status, body
    code, snapshot = collect(tmp_path, "projects/svc")
    assert code == 3
    assert snapshot.others == []
    gaps = [one for one in snapshot.gaps if "effective firewalls" in one["reason"]]
    assert len(gaps) == 2
    assert all(words in one["reason"] for one in gaps)
    assert {one["asset_type"] for one in gaps} == {model.FIREWALL_POLICY}
