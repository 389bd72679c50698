"""A real Chromium, and pages in it that record whatever goes wrong."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from auditor.reporting.html import render
from tests.reporting import reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Dialog, Page

    from auditor.engine.result import Report

ROOT = Path(__file__).resolve().parents[3]


def _missing(what: str, remedy: str) -> None:
    """On a user's machine the browser tests may be left out; where CI is set they may not."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing: {remedy}")
    pytest.skip(f"{what} is missing: {remedy}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        _missing("Chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core: from node_modules, else from the Python package that carries it."""
    package = find_spec("axe_playwright_python")
    places = [ROOT / "node_modules/axe-core/axe.min.js"]
    if package and package.origin:
        places.append(Path(package.origin).parent / "axe.min.js")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        _missing("axe-core", "npm install --no-save axe-core")
    assert found is not None
    return found.read_text("utf-8")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a report by the name of its builder in `reports`, rendered once."""
    folder = tmp_path_factory.mktemp("reports")
    builders: dict[str, Callable[[], Report]] = {
        "all_verdicts": reports.all_verdicts,
        "hostile": reports.hostile,
        "declared": reports.declared,
        "empty": reports.report,
        "big": lambda: reports.big(2000),
    }

    def path(name: str) -> Path:
        file = folder / f"{name}.html"
        if not file.exists():
            file.write_bytes(b"".join(render(builders[name]())))
        return file

    return path


@dataclass
class Recorded:
    """A page, and what happened on it that should not have."""

    page: Page
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        self.problems.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def check(self) -> None:
        assert not self.problems
        assert self.requests
        assert all(url.startswith("file:") for url in self.requests)


@pytest.fixture
def open_page(browser: Browser, files: Callable[[str], Path]) -> Iterator[Callable[..., Recorded]]:
    """Open a report by name, with a fragment and settings; what went wrong is checked at the end."""
    opened: list[Recorded] = []

    def open_(
        name: str = "all_verdicts",
        fragment: str = "",
        *,
        width: int = 1400,
        theme: str = "light",
        script: bool = True,
    ) -> Recorded:
        context = browser.new_context(
            offline=True,
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
            java_script_enabled=script,
        )
        context.set_default_timeout(10_000)
        recorded = Recorded(context.new_page())
        page = recorded.page
        page.on("console", lambda m: recorded.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: recorded.problems.append(str(error)))
        page.on("dialog", recorded.dismiss)
        page.on("request", lambda request: recorded.requests.append(request.url))
        page.goto(files(name).as_uri() + fragment)
        if script:
            page.wait_for_selector("html[data-ready]")
        opened.append(recorded)
        return recorded

    yield open_
    for recorded in opened:
        recorded.check()
        recorded.page.context.close()
