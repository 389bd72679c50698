"""An interrupted collection: killed, stopped, out of room; what was read is kept, and nothing comes twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditor.cli import cli
from auditor.model import inventory as model
from tests.sources import assets as make
from tests.sources.live.emulator import Emulator
from tests.sources.live.organisation import ORGANIZATION, Snapshot, names, organisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sources.live.emulator import Request

COMMAND = str(Path(sys.executable).with_name("gke-auditor"))
ASSETS = organisation(clusters=40, firewalls=120)


@pytest.fixture
def slow() -> Iterator[Emulator]:
    """An emulator with many small pages, each of which takes a moment."""
    emulator = Emulator(ASSETS, page=5)
    emulator.faults.append(lambda _: time.sleep(0.1))
    with emulator:
        yield emulator


def start(emulator: Emulator, output: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {
        "CLOUD_ASSET_EMULATOR_HOST": emulator.address,
        "CONTAINER_EMULATOR_HOST": emulator.address,
    }
    command = [COMMAND, "collect", ORGANIZATION, "--output", str(output), *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def wait_for(emulator: Emulator, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(emulator.of("ListAssets")) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def tokens(requests: list[Request], kind: str) -> list[str]:
    return [one.token for one in requests if kind in one.types]


def test_killed_again_and_again_it_loses_and_doubles_nothing(slow: Emulator, tmp_path: Path) -> None:
    output = tmp_path / "s.ndjson.zst"
    for count in (14, 24, 36):
        process = start(slow, output, "--resume", "-q")
        wait_for(slow, count)
        process.kill()
        process.communicate()
        assert not output.exists()
    seen = len(slow.of("ListAssets"))
    process = start(slow, output, "--resume", "-q")
    process.communicate()
    assert process.returncode == 0
    snapshot = Snapshot(output)
    assert snapshot.names == names(ASSETS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.ndjson.zst"]
    assert len({one.read_time for one in slow.of("ListAssets")}) == 1
    # What was done is not asked for again.
    assert "" not in tokens(slow.of("ListAssets")[seen:], model.FIREWALL)
    assert not tokens(slow.of("ListAssets")[seen:], model.NETWORK)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_go_on(slow: Emulator, tmp_path: Path, which: signal.Signals) -> None:
    output = tmp_path / "s.ndjson.zst"
    process = start(slow, output)
    wait_for(slow, 14)
    process.send_signal(which)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"--resume" in told
    assert b"Traceback" not in told
    assert not output.exists()
    assert (tmp_path / "s.ndjson.zst.partial").exists()
    process = start(slow, output, "--resume", "-q")
    process.communicate()
    assert process.returncode == 0
    assert Snapshot(output).names == names(ASSETS)


def test_without_resume_it_begins_anew_and_says_so(slow: Emulator, tmp_path: Path) -> None:
    output = tmp_path / "s.ndjson.zst"
    process = start(slow, output)
    wait_for(slow, 14)
    process.kill()
    process.communicate()
    seen = len(slow.of("ListAssets"))
    process = start(slow, output)
    _, told = process.communicate()
    assert process.returncode == 0
    assert b"is discarded" in told
    assert "" in tokens(slow.of("ListAssets")[seen:], model.NETWORK)
    assert Snapshot(output).names == names(ASSETS)


def test_two_at_once_do_not_share_a_state(slow: Emulator, tmp_path: Path) -> None:
    output = tmp_path / "s.ndjson.zst"
    first = start(slow, output, "-q")
    wait_for(slow, 14)
    for arguments in ((), ("--resume",)):
        second = start(slow, output, *arguments)
        _, told = second.communicate()
        assert second.returncode == 2
        assert b"another collection" in told
    first.communicate()
    assert first.returncode == 0
    assert Snapshot(output).names == names(ASSETS)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        cli(["collect", *arguments])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_with_nothing_to_resume_it_begins(emulator: Emulator, tmp_path: Path) -> None:
    assert run(ORGANIZATION, "--output", str(tmp_path / "s.ndjson"), "--resume") == 0


def interrupted(emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state that a collection left which could not write its snapshot."""

    def no_room(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("auditor.sources.live.collect.os.open", no_room)
        assert run(ORGANIZATION, "--output", str(folder / "s.ndjson")) == 2
    return folder / "s.ndjson.partial"


def test_a_snapshot_that_cannot_be_written_leaves_the_state(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert interrupted(emulator, tmp_path, monkeypatch).exists()
    assert "No space left" in capsys.readouterr().err
    seen = len(emulator.of("ListAssets"))
    assert run(ORGANIZATION, "--output", str(tmp_path / "s.ndjson"), "--resume") == 0
    assert len(emulator.of("ListAssets")) == seen
    assert Snapshot(tmp_path / "s.ndjson").names == names(organisation())


def test_the_state_of_another_collection_is_not_taken(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(emulator, tmp_path, monkeypatch)
    assert run("folders/55", "--output", str(tmp_path / "s.ndjson"), "--resume") == 2
    assert "other scopes" in capsys.readouterr().err


def test_a_damaged_state_is_an_error_and_can_be_left_behind(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(emulator, tmp_path, monkeypatch).write_bytes(b"no database" * 1000)
    assert run(ORGANIZATION, "--output", str(tmp_path / "s.ndjson"), "--resume") == 2
    assert "leave out --resume" in capsys.readouterr().err
    assert run(ORGANIZATION, "--output", str(tmp_path / "s.ndjson")) == 0


def test_a_state_older_than_the_api_remembers_is_not_continued(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = interrupted(emulator, tmp_path, monkeypatch)
    with sqlite3.connect(state) as connection:
        connection.execute("UPDATE about SET read_time = '2020-01-01T00:00:00Z'")
    connection.close()
    assert run(ORGANIZATION, "--output", str(tmp_path / "s.ndjson"), "--resume") == 0
    assert Snapshot(tmp_path / "s.ndjson").header["read_time"] > "2026"


def test_the_output_stays_as_it_was_until_the_new_one_is_whole(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.ndjson").write_text("the last one")
    interrupted(emulator, tmp_path, monkeypatch)
    assert (tmp_path / "s.ndjson").read_text() == "the last one"
    assert {path.name for path in tmp_path.iterdir()} == {"s.ndjson", "s.ndjson.partial"}


def test_equal_content_is_equal_bytes_whatever_the_pages(emulator: Emulator, tmp_path: Path) -> None:
    found = []
    for page in (10, 7):
        emulator.page = page
        emulator._pages.clear()
        output = tmp_path / f"{page}.ndjson"
        assert run(ORGANIZATION, "--output", str(output)) == 0
        found.append(output.read_bytes().splitlines()[1:-1])
    assert found[0] == found[1]
    assert make.ORGANIZATION in found[0][0].decode()


def test_interrupted_while_clusters_are_compared_it_ends_at_once(tmp_path: Path) -> None:
    emulator = Emulator(ASSETS)
    emulator.faults.append(lambda one: time.sleep(20 if one.method == "ListClusters" else 0))
    with emulator:
        process = start(emulator, tmp_path / "s.ndjson")
        deadline = time.monotonic() + 60
        while not emulator.of("ListClusters"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
        assert time.monotonic() - begun < 10
        assert process.returncode == 130
        assert b"Traceback" not in told
        emulator.faults.clear()
        process = start(emulator, tmp_path / "s.ndjson", "--resume")
        process.communicate()
        assert process.returncode == 0
    assert Snapshot(tmp_path / "s.ndjson").names == names(ASSETS)


def test_a_network_that_is_down_costs_no_progress(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functools import partial

    from auditor.sources.live import collect
    from auditor.sources.live.retry import Caller

    interrupted(emulator, tmp_path, monkeypatch)
    state = sqlite3.connect(tmp_path / "s.ndjson.partial")
    state.execute("UPDATE listing SET done = 0, token = '10'")
    state.commit()
    state.close()
    emulator.stop()
    monkeypatch.setattr(collect, "Caller", partial(Caller, bound=0.5))
    assert run(ORGANIZATION, "--output", str(tmp_path / "s.ndjson"), "--resume") == 2
    emulator.start(emulator.port)
    monkeypatch.undo()
    monkeypatch.setenv("CLOUD_ASSET_EMULATOR_HOST", emulator.address)
    assert run(ORGANIZATION, "--output", str(tmp_path / "s.ndjson"), "--resume") == 0
    assert Snapshot(tmp_path / "s.ndjson").names == names(organisation())
