"""Who does not read from Google Cloud does not pay for its libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("grpc", "google.cloud", "google.auth", "requests", "sqlite3")


@pytest.mark.parametrize("arguments", [["scan", "demo", "-q"], ["rules", "list"], ["collect", "--help"]])
def test_the_libraries_are_not_loaded(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from auditor.cli import cli\n"
        "try:\n"
        f"    cli({arguments!r})\n"
        "except SystemExit:\n"
        f"    print([one for one in {HEAVY!r} if one in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
