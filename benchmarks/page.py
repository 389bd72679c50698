"""How long Chromium takes to open an HTML report and to filter it.

`python -m benchmarks.page FILE` prints `{"open": seconds, "filter": seconds}`: from navigation until the page
is drawn, and from a new filter until its first rows are on the screen, the best of some runs.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

RUNS = 5
FILTERS = ("#sev=high", "#q=gke", "#readiness=degraded&verdict=fail", "#rule=flow-logs-disabled", "#")

# The page follows its hash; two frames later what it drew is on the screen.
_FILTER = """hash => new Promise(done => {
  const before = performance.now();
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - before)));
})"""


def measure(report: Path) -> dict[str, float]:
    """Seconds to open the report, and seconds of its slowest filter."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("error: no Chromium found\nhint: apt-get install chromium")
    opened: list[float] = []
    slowest: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for _ in range(RUNS):
            context = browser.new_context(offline=True, viewport={"width": 1400, "height": 900})
            page = context.new_page()
            start = time.perf_counter()
            page.goto(report.resolve().as_uri())
            page.wait_for_selector("html[data-ready]")
            opened.append(time.perf_counter() - start)
            page.wait_for_timeout(1500)  # what a reader does first is to read
            slowest.append(max(page.evaluate(_FILTER, one) for one in FILTERS) / 1e3)
            context.close()
        browser.close()
    return {"open": min(opened), "filter": min(slowest)}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
