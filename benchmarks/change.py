"""What a comparison with a baseline, and a record in a history, add to the scan of a fleet.

`python -m benchmarks.change SOURCE FOLDER` scans, writes the report, and prints JSON: for each work the
smaller of wall clock and CPU, in seconds. The work is done in the process of the scan, as `scan` does it.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditor import bundled
from auditor.audit import audit, rules_digest
from auditor.engine.baseline import compare
from auditor.engine.evaluate import Judge
from auditor.engine.load import find_packs, load_packs
from auditor.engine.waivers import Waivers
from auditor.history import record
from auditor.reporting.previous import load as load_report
from auditor.reporting.write import write_reports
from auditor.sources import load

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 3
FORMS = ("ndjson", "sarif-full", "json")


def best(work: Callable[[int], object]) -> float:
    """The smaller of wall clock and CPU of the best of some runs."""
    taken = []
    for number in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        work(number)
        taken.append(min(time.perf_counter() - wall, time.process_time() - cpu))
    return min(taken)


def main(source: str, folder: Path) -> dict[str, float]:
    # As the program does.
    gc.disable()
    packs = load_packs(find_packs(bundled.rules()))
    inventory = load([source])
    now = datetime(2026, 11, 22, tzinfo=UTC)
    digest = rules_digest(packs)
    report = audit(inventory, Judge(packs), Waivers(), now=now, rules_digest=digest)
    numbers = inventory.project_numbers
    outputs = [(form, str(folder / form)) for form in FORMS]
    written = {one.path: one.size for one in write_reports(report, outputs)}

    def compared(path: str, _: int) -> None:
        compare(report, load_report(path), numbers)

    figures: dict[str, float] = {"results": len(report.results), "findings": len(report.findings)}
    for form in FORMS:
        path = str(folder / form)
        figures[f"{form} MB"] = written[path] / 1e6
        figures[form] = best(partial(compared, path))
        Path(path).unlink()
    figures["first record"] = best(lambda number: record(str(folder / f"new-{number}"), report, numbers))

    # A history of some days, each with the same fleet.
    history = str(folder / "history")
    times = [f"2026-10-{day:02d}T00:00:00Z" for day in range(1, 8 + RUNS)]
    for text in times[:-RUNS]:
        object.__setattr__(report, "read_time", text)
        record(history, report, numbers)

    def next_day(number: int) -> None:
        object.__setattr__(report, "read_time", times[number - RUNS])
        record(history, report, numbers)

    figures["next record"] = best(next_day)
    figures["history MB"] = Path(history).stat().st_size / 1e6
    return figures


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
