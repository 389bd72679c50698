"""Measure the program against its budgets.

`python -m benchmarks.run` prints every figure beside its budget and exits with 1 if one does not hold.
A time is the smaller of wall clock and CPU (user and system) of the whole process, the best of some runs;
MB are 10^6 bytes of peak resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.generate import ORG, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COMMAND = str(Path(sys.executable).with_name("gke-auditor"))
ALL_FORMATS = ("html", "sarif", "sarif-full", "ndjson", "json", "csv", "markdown", "junit")
BIG_FORMATS = ("html", "sarif", "ndjson")
ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"

FLEET = Shape(clusters=20_000, pools=2, networks=2_000, firewalls=0, policies=0, pools_as="embedded")
LARGE = Shape(clusters=20_000, pools=5, networks=2_000, firewalls=200_000, policies=200, pools_as="assets")
LIVE = Shape(clusters=5_000, pools=3, networks=500, firewalls=28_000, policies=50, pools_as="assets")
YARDSTICK = "import sys, orjson\nfor line in open(sys.argv[1], 'rb'):\n    orjson.loads(line)\n"


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took: seconds of wall clock, seconds of CPU, peak resident memory in MB."""

    wall: float
    cpu: float
    memory: float

    @property
    def time(self) -> float:
        """The smaller of wall clock and CPU."""
        return min(self.wall, self.cpu)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `budget` None for a value that is only told, `at_least` if more is better."""

    what: str
    value: float
    unit: str
    budget: float | None = None
    note: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the value is within its budget."""
        if self.budget is None:
            return True
        return self.value >= self.budget if self.at_least else self.value <= self.budget


class BenchmarkError(Exception):
    """A measured command did not do its work, so that its figures mean nothing."""


def measure(
    command: Sequence[str],
    *,
    accept: frozenset[int] = frozenset({0}),
    runs: int = 1,
    environment: dict[str, str] | None = None,
) -> Run:
    """The best of `runs` runs of a command. `BenchmarkError` if it exits with a code not in `accept`.

    Linux counts a process's peak memory from before it becomes the command, when it still is its parent:
    the figure is never below the peak of this process, which therefore must stay small.
    """
    taken = []
    for _ in range(runs):
        with tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            # Tell Popen, which did not see the process end.
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in accept:
                errors.seek(0)
                told = errors.read().decode(errors="replace").strip()
                raise BenchmarkError(f"{' '.join(command)} exited with {process.returncode}\n{told}")
        taken.append(Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6))
    return min(taken, key=lambda run: run.time)


def _scan(source: str, formats: Sequence[str], folder: Path, runs: int) -> Run:
    """A scan that writes reports, or else prints its summary."""
    outputs = [part for form in formats for part in ("--output", f"{form}={folder / f'report.{form}'}")]
    command = [COMMAND, "scan", source, *outputs, "--now", "2026-11-22", *(["--quiet"] if formats else [])]
    # 0 clean, 1 findings, 3 unknown results: all of them are complete scans.
    run = measure(command, accept=frozenset({0, 1, 3}), runs=runs)
    for form in formats:
        if (folder / f"report.{form}").stat().st_size == 0:
            raise BenchmarkError(f"{form} is empty after {' '.join(command)}")
    return run


def start(_: Path) -> Iterator[Figure]:
    """The start of the program."""
    run = measure([COMMAND, "--version"], runs=10)
    yield Figure("`gke-auditor --version`", run.time, "s", 0.15)


def demo(folder: Path) -> Iterator[Figure]:
    """The demo organisation in every format."""
    run = _scan("demo", ALL_FORMATS, folder, runs=5)
    yield Figure("demo organisation, all formats", run.time, "s", 1.0, f"{run.memory:.0f} MB")


def fleet(folder: Path) -> Iterator[Figure]:
    """Clusters alone."""
    yield from _big("20,000 clusters of 5 KB", FLEET, folder, _Budgets(scan=6, scan_memory=400))


def analysis(_: Path) -> Iterator[Figure]:
    """The firewall analysis of one cluster among 200, the median, by the rules of its network."""
    for rules, milliseconds in ((30, 0.12), (500, 0.25), (5_000, 7.0)):
        command = [sys.executable, "-m", "benchmarks.analysis", str(rules)]
        runs = [json.loads(subprocess.check_output(command, cwd=ROOT)) for _ in range(3)]
        again, first = (min(run[key] for run in runs) for key in ("next", "first"))
        yield Figure(f"firewall analysis, {rules:,} rules compiled", again * 1e3, "ms", milliseconds)
        yield Figure(
            f"compiling {rules:,} rules and 200 of GKE's, a rule",
            (first - again) / (rules + 200) * 1e3,
            "ms",
            0.06,
        )


def terraform(_: Path) -> Iterator[Figure]:
    """Reading a Terraform configuration, and linking as many resources as it has blocks."""
    blocks = 2_000
    command = [sys.executable, "-m", "benchmarks.terraform", str(blocks)]
    runs = [json.loads(subprocess.check_output(command, cwd=ROOT)) for _ in range(3)]
    if any(run["found"] != blocks for run in runs):
        raise BenchmarkError(f"{runs[0]['found']} of {blocks:,} resources were linked to their block")
    yield Figure(f"Terraform mapping of {blocks:,} blocks", min(run["map"] for run in runs), "s", 2.0)


def large(folder: Path) -> Iterator[Figure]:
    """Everything that a large organisation has."""
    what = "20,000 clusters, 100,000 pools, 200,000 firewall rules, 2,000 networks, 200 policies"
    yield from _big(what, LARGE, folder, _Budgets(reports=12, reports_memory=700, passes=8))


def growth(folder: Path) -> Iterator[Figure]:
    """How the time of a scan without reports grows with one kind of thing alone."""
    base = Shape(clusters=4_000, pools=4, networks=400, firewalls=40_000, policies=40, pools_as="embedded")
    first = _timed(base, folder)
    for what, shape in (
        ("clusters", replace(base, clusters=2 * base.clusters)),
        ("node pools", replace(base, pools=2 * base.pools)),
        ("firewall rules", replace(base, firewalls=2 * base.firewalls)),
    ):
        run = _timed(shape, folder)
        note = f"{first.time:.2f} s, then {run.time:.2f} s"
        yield Figure(f"twice the {what}", run.time / first.time, "x", 2.1, note)


def live(folder: Path) -> Iterator[Figure]:
    """A collection from a server on loopback, which runs on the same cores; start-up is taken off."""
    source, snapshot = folder / "live.ndjson", folder / "live.ndjson.zst"
    _generate(LIVE, source)
    with _served(source) as address:
        started = _collect("organizations/1", snapshot, address, runs=2)
        # The server prepares its pages the first time that they are asked for.
        _collect(ORG, snapshot, address, runs=1)
        run = _collect(ORG, snapshot, address, runs=3)
    with source.open("rb") as lines:
        assets = sum(1 for _ in lines)
    source.unlink()
    rate = assets / (run.time - started.time)
    note = f"{assets:,} assets, {run.time:.2f} s, of which start {started.time:.2f} s; wall {run.wall:.2f} s"
    yield Figure("live collection from loopback", rate, "assets/s", 8_000, note, at_least=True)
    yield Figure("live collection: peak memory", run.memory, "MB", 150)


@contextmanager
def _served(source: Path) -> Iterator[str]:
    """Cloud Asset Inventory on loopback with the assets of a file: its address."""
    command = [sys.executable, "-m", "tests.sources.live.emulator", str(source)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip() if server.stdout else ""
            if not address:
                raise BenchmarkError("the server on loopback did not start")
            yield address
        finally:
            server.kill()


def _collect(scope: str, snapshot: Path, address: str, runs: int) -> Run:
    """Collect a scope; its pages are fewer than the calls that a minute allows."""
    command = [COMMAND, "collect", scope, "--output", str(snapshot), "--quiet"]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "CLOUD_ASSET_EMULATOR_HOST": address,
        "CONTAINER_EMULATOR_HOST": address,
    }
    return measure(command, runs=runs, environment=environment)


def _timed(shape: Shape, folder: Path) -> Run:
    source = folder / "growth.ndjson"
    _generate(shape, source)
    run = _scan(str(source), (), folder, runs=2)
    source.unlink()
    return run


def _generate(shape: Shape, target: Path) -> None:
    """Write an organisation in a process of its own, in random order: merged exports come in no other."""
    command = [
        *(sys.executable, "-m", "benchmarks.generate", "--shuffle", "1", "--output", str(target)),
        *("--clusters", str(shape.clusters), "--pools-per-cluster", str(shape.pools)),
        *("--networks", str(shape.networks), "--firewalls", str(shape.firewalls)),
        *("--policies", str(shape.policies), "--pools-as", shape.pools_as),
    ]
    subprocess.run(command, cwd=ROOT, check=True)


@dataclass(frozen=True, slots=True)
class _Budgets:
    """Seconds and MB of a scan alone and of one with reports, and how many plain passes that may take."""

    scan: float | None = None
    scan_memory: float | None = None
    reports: float | None = None
    reports_memory: float | None = None
    passes: float | None = None


def _big(what: str, shape: Shape, folder: Path, budgets: _Budgets) -> Iterator[Figure]:
    """A shape alone, with HTML, SARIF and NDJSON, half of it, and the pass that only reads and decodes."""
    half = Shape(
        shape.clusters // 2,
        shape.pools,
        shape.networks // 2,
        shape.firewalls // 2,
        shape.policies // 2,
        shape.pools_as,
    )
    source, smaller = folder / "fleet.ndjson", folder / "half.ndjson"
    _generate(shape, source)
    _generate(half, smaller)
    of_half = _scan(str(smaller), BIG_FORMATS, folder, runs=3)
    run = _scan(str(source), BIG_FORMATS, folder, runs=3)
    alone = _scan(str(source), (), folder, runs=3)
    passed = measure([sys.executable, "-c", YARDSTICK, str(source)], runs=3)
    size = source.stat().st_size / 1e6
    source.unlink()
    smaller.unlink()
    yield Figure(f"{what}: scan with its summary", alone.time, "s", budgets.scan, _taken(alone, size))
    yield Figure(f"{what}: peak memory", alone.memory, "MB", budgets.scan_memory)
    reported = f"{what}, HTML, SARIF and NDJSON"
    yield Figure(reported, run.time, "s", budgets.reports, _taken(run, size))
    yield Figure(f"{reported}: peak memory", run.memory, "MB", budgets.reports_memory)
    yield Figure(
        f"{reported}: against half of it", run.time / of_half.time, "x", 2.1, f"half: {of_half.time:.2f} s"
    )
    note = f"the pass: {passed.time:.2f} s"
    passes = run.time / passed.time
    yield Figure(f"{reported}: against reading and decoding each line", passes, "x", budgets.passes, note)
    report = folder / "report.html"
    command = [sys.executable, "-m", "benchmarks.page", str(report)]
    page_ = json.loads(subprocess.check_output(command, cwd=ROOT))
    yield Figure(f"{what}: HTML", report.stat().st_size / 1e6, "MB", 3)
    yield Figure(f"{what}: HTML opens in Chromium", page_["open"], "s", 1.5)
    yield Figure(f"{what}: HTML filters", page_["filter"], "s", 0.15)


def _taken(run: Run, size: float) -> str:
    return f"wall {run.wall:.2f} s, CPU {run.cpu:.2f} s, {size:.0f} MB read"


def change(folder: Path) -> Iterator[Figure]:
    """What a baseline and a history add to the scan of many clusters."""
    source = folder / "fleet.ndjson"
    _generate(FLEET, source)
    command = [sys.executable, "-m", "benchmarks.change", str(source), str(folder)]
    taken = json.loads(subprocess.check_output(command, cwd=ROOT))
    source.unlink()
    size = f"{taken['results']:,.0f} results, {taken['findings']:,.0f} findings"
    for form in ("ndjson", "sarif-full", "json"):
        note = f"{size}, {taken[f'{form} MB']:,.0f} MB read"
        yield Figure(f"20,000 clusters: comparison with a baseline, {form}", taken[form], "s", 1.0, note)
    yield Figure("20,000 clusters: first record in a history", taken["first record"], "s", 1.0, size)
    note = f"{taken['history MB']:.1f} MB after 10 scans"
    yield Figure("20,000 clusters: next record in a history", taken["next record"], "s", 1.0, note)


GROUPS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "start": start,
    "demo": demo,
    "analysis": analysis,
    "terraform": terraform,
    "growth": growth,
    "live": live,
    "fleet": fleet,
    "change": change,
    "large": large,
}


def row(figure: Figure) -> str:
    """A figure as a row of a Markdown table."""
    bound = "≥" if figure.at_least else "≤"
    budget = "" if figure.budget is None else f"{bound} {figure.budget:g} {figure.unit}"
    holds = "" if figure.budget is None else "yes" if figure.holds else "**no**"
    return f"| {figure.what} | {figure.value:.3g} {figure.unit} | {budget} | {holds} | {figure.note} |"


HEAD = "| work | figure | budget | holds | |\n|---|---:|---:|---|---|"


def page(figures: Sequence[Figure]) -> str:
    """The page for the documentation."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    rows = "\n".join(row(figure) for figure in figures)
    return (
        "# Benchmarks\n\n"
        "Written by `python -m benchmarks.run --write`. A time is the smaller of wall clock and CPU of the\n"
        "whole process, start included; MB are 10^6 bytes of peak resident memory. The organisations are\n"
        "made by `python -m benchmarks.generate`, in random order.\n\n"
        f"Machine: {machine}.\n\n{HEAD}\n{rows}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if a budget does not hold, 2 if something could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description="Measure against the budgets."
    )
    parser.add_argument("--only", choices=tuple(GROUPS), action="append", help="only this group; repeatable")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md as well")
    given = parser.parse_args(arguments)
    if given.write and given.only:
        parser.error("--write needs every figure, so it does not go with --only")
    figures: list[Figure] = []
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="gke-auditor-bench-") as folder:
        for group in given.only or GROUPS:
            try:
                for figure in GROUPS[group](Path(folder)):
                    figures.append(figure)
                    print(row(figure), flush=True)
            except BenchmarkError as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
    if given.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(figures), encoding="utf-8")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
