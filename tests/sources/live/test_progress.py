"""How far a collection is, is shown on a terminal and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from typing import TYPE_CHECKING

from tests.sources.live.emulator import Emulator
from tests.sources.live.organisation import ORGANIZATION, organisation
from tests.sources.live.test_resume import COMMAND

if TYPE_CHECKING:
    from pathlib import Path


def collect(emulator: Emulator, folder: Path, stderr: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [COMMAND, "collect", ORGANIZATION, "--output", str(folder / "s.ndjson")],
        env={
            "PATH": os.environ["PATH"],
            "TERM": "xterm",
            "COLUMNS": "120",
            "CLOUD_ASSET_EMULATOR_HOST": emulator.address,
            "CONTAINER_EMULATOR_HOST": emulator.address,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
    )


def slow() -> Emulator:
    emulator = Emulator(organisation(clusters=5, firewalls=60), page=5)
    emulator.faults.append(lambda _: time.sleep(0.25))
    return emulator


def test_a_terminal_shows_what_is_read_and_how_fast(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with slow() as emulator:
        process = collect(emulator, tmp_path, slave)
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        out, _ = process.communicate()
    os.close(master)
    assert process.returncode == 0
    assert out == b""
    for words in (b"assets", b"pages", b"/s", b"Firewall of organizations/99"):
        assert words in shown
    assert shown.rstrip().splitlines()[-1].split(b"\x1b[2K")[-1].startswith(b"wrote ")


def test_elsewhere_there_is_one_line_when_it_is_done(tmp_path: Path) -> None:
    with slow() as emulator:
        process = collect(emulator, tmp_path, subprocess.PIPE)
        out, told = process.communicate()
    assert process.returncode == 0
    assert out == b""
    assert len(told.splitlines()) == 1
    assert told.startswith(b"wrote ")
