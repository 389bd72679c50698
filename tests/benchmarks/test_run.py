"""The measuring tells figures that mean something, and fails when a budget does not hold."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks import run
from benchmarks.run import BenchmarkError, Figure, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _groups(monkeypatch: pytest.MonkeyPatch, *figures: Figure) -> None:
    def group(_: Path) -> Iterator[Figure]:
        yield from figures

    monkeypatch.setattr(run, "GROUPS", {"start": group})


def test_the_memory_of_a_process_is_its_own_peak_in_megabytes() -> None:
    # From a process of its own: a peak is never below that of the measuring process.
    code = """if True:
        import sys
        from benchmarks.run import measure
        small = measure([sys.executable, "-c", "pass"])
        large = measure([sys.executable, "-c", "x = b'1' * 100_000_000"])
        print(large.memory - small.memory)
    """
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=run.ROOT, capture_output=True, text=True, check=True
    )
    assert 60 <= float(told.stdout) <= 130


def test_processor_time_counts_and_waiting_does_not() -> None:
    waiting = run.measure([sys.executable, "-c", "import select; select.select([], [], [], 0.3)"])
    assert waiting.wall >= 0.3
    assert waiting.time == waiting.cpu < 0.3


def test_a_command_that_fails_gives_no_figure_but_its_own_words() -> None:
    with pytest.raises(BenchmarkError, match=r"exited with 2\n.*no such organisation"):
        run.measure(
            [sys.executable, "-c", "import sys; print('no such organisation', file=sys.stderr); sys.exit(2)"]
        )


def test_an_accepted_exit_code_is_a_figure() -> None:
    assert run.measure([sys.executable, "-c", "import sys; sys.exit(3)"], accept=frozenset({3})).wall > 0


def test_a_command_killed_by_a_signal_gives_no_figure() -> None:
    with pytest.raises(BenchmarkError, match="exited with -9"):
        run.measure([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (1.1, 1)])
def test_a_budget_that_does_not_hold_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: float, code: int
) -> None:
    _groups(monkeypatch, Figure("scan", value, "s", 1.0), Figure("only told", 9, "MB"))
    assert run.main([]) == code
    printed = capsys.readouterr().out.splitlines()
    assert printed[2] == f"| scan | {value:.3g} s | ≤ 1 s | {'**no**' if code else 'yes'} |  |"
    assert printed[3] == "| only told | 9 MB |  |  |  |"


def test_what_cannot_be_measured_is_an_error_and_not_a_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def group(_: Path) -> Iterator[Figure]:
        yield Figure("start", 0.1, "s", 0.15)
        raise BenchmarkError("scan exited with 2")

    monkeypatch.setattr(run, "GROUPS", {"start": group})
    assert run.main([]) == 2
    assert "error: scan exited with 2" in capsys.readouterr().err


def test_the_page_is_written_only_on_demand_and_only_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "docs" / "benchmarks.md"
    monkeypatch.setattr(run, "PAGE", page)
    _groups(monkeypatch, Figure("scan", 0.5, "s", 1.0, "in one go"))
    assert run.main([]) == 0
    assert not page.exists()
    with pytest.raises(SystemExit):
        run.main(["--write", "--only", "start"])
    assert not page.exists()
    assert run.main(["--write"]) == 0
    assert "| scan | 0.5 s | ≤ 1 s | yes | in one go |" in page.read_text(encoding="utf-8")
    assert str(tmp_path) not in page.read_text(encoding="utf-8")
    capsys.readouterr()


def test_the_time_of_a_run_is_the_smaller_of_wall_and_processor() -> None:
    assert Run(wall=2.0, cpu=3.0, memory=1).time == 2.0
    assert Run(wall=4.0, cpu=3.0, memory=1).time == 3.0
