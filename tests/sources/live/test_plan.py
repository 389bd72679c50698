"""The plan names every call, and none is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.cli import cli
from auditor.sources import wording
from auditor.sources.live import calls
from tests.sources.live.organisation import ORGANIZATION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sources.live.emulator import Emulator


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as exit_:
        cli(["collect", "--plan", *arguments])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, capsys.readouterr().out


def test_every_call_is_named_and_none_is_made(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = plan(capsys, "folders/55", "--kubernetes-evidence", "--effective-firewalls")
    assert code == 0
    for call in (*calls.GRPC.values(), *calls.HTTP):
        assert call.permission in text
        assert call.role in text
    assert all(kind in text for kind in wording.USED)
    assert emulator.requests == []
    assert not list(tmp_path.iterdir())


def test_it_names_no_call_that_would_not_be_made(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = plan(capsys, ORGANIZATION, "--cluster-api=never", "--rate", "7")
    assert "at most 7 a minute" in text
    assert text.count("permission") == 1


def test_the_number_of_listings_is_that_of_a_collection(
    emulator: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = plan(capsys, ORGANIZATION)
    with pytest.raises(SystemExit):
        cli(["collect", ORGANIZATION, "--output", str(tmp_path / "s"), "-q"])
    first = [one for one in emulator.of("ListAssets") if not one.token]
    assert f"calls       {len(first)}, and one more" in text


def test_without_a_plan_an_output_is_needed(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli(["collect", ORGANIZATION])
    assert exit_.value.code == 2
    assert "--output" in capsys.readouterr().err
    assert emulator.requests == []
