"""What all tests share: snapshots of output, and how Hypothesis searches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.reporting.sarif_files import check_everything_written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SNAPSHOTS = Path(__file__).parent / "snapshots"

# The machine decides how fast an example runs, not the code; and a suite that fails must fail again.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-snapshots",
        action="store_true",
        help="write what the code produces to tests/snapshots instead of comparing with it",
    )


_WAITING = ("sources/live/", "reporting/browser/", "test_action.py", "test_deploy.py", "test_upload.py")
"""Tests that wait for servers, processes and the browser more than they compute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Half of the processes begin with the tests that wait: at the end nothing would fill the waiting."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    here = Path(__file__).parent
    waiting: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        waits = item.path.relative_to(here).as_posix().startswith(_WAITING)
        (waiting if waits else others).append(item)
    # Each process is first given as many tests as any other, those that follow each other.
    share = len(items) // workers
    beginning = max(1, workers // 2)
    items.clear()
    for number in range(beginning):
        low, high = (len(waiting) * end // beginning for end in (number, number + 1))
        room = max(0, share - (high - low))
        items += [*waiting[low:high], *others[:room]]
        del others[:room]
    items += others


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Compare bytes with a file in tests/snapshots; with --rewrite-snapshots, write the file."""
    rewrite: bool = request.config.getoption("--rewrite-snapshots")

    def check(name: str, produced: bytes) -> None:
        path = SNAPSHOTS / name
        if rewrite:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(produced)
            return
        assert path.exists(), f"{path} is missing: review the output, then run pytest --rewrite-snapshots"
        # Text compares with a readable diff; bytes decide.
        assert produced.decode("utf-8", "backslashreplace") == path.read_bytes().decode(
            "utf-8", "backslashreplace"
        )
        assert produced == path.read_bytes()

    return check


@pytest.fixture(scope="session", autouse=True)
def _every_sarif_file_is_acceptable() -> Iterator[None]:
    """Whatever test writes a SARIF file: both schemas and GitHub's rules accept it, or the test fails."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        check_everything_written(monkeypatch)
        yield


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skipped test is a failure: what should run there must run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or exitstatus != pytest.ExitCode.OK or reporter is None:
        return
    if reporter.stats.get("skipped"):
        reporter.write_line("tests were skipped, which CI does not allow", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
