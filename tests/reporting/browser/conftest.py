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

    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request

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

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def error(self, error: Error) -> None:
        self.problems.append(str(error))

    def dialog(self, dialog: Dialog) -> None:
        self.problems.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()

    def request(self, request: Request) -> None:
        self.requests.append(request.url)

    def check(self) -> None:
        assert not self.problems
        assert self.requests
        assert all(url.startswith("file:") for url in self.requests)


@pytest.fixture(scope="session")
def idle(browser: Browser) -> dict[bool, list[Page]]:
    """Pages that no test is using, with and without script.

    To make a page takes far longer than to open a file in it. Of a report nothing stays: it has no origin of
    its own and stores nothing.
    """
    return {True: [], False: []}


@pytest.fixture
def open_page(
    browser: Browser, idle: dict[bool, list[Page]], files: Callable[[str], Path]
) -> Iterator[Callable[..., Recorded]]:
    """Open a report by name, with a fragment and settings; what went wrong is checked at the end."""
    opened: list[tuple[bool, Recorded]] = []

    def open_(
        name: str = "all_verdicts",
        fragment: str = "",
        *,
        width: int = 1400,
        theme: str = "light",
        script: bool = True,
    ) -> Recorded:
        recorded = Recorded(idle[script].pop() if idle[script] else _new_page(browser, script=script))
        opened.append((script, recorded))
        page = recorded.page
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(media="null", color_scheme=theme)  # type: ignore[arg-type]
        page.on("console", recorded.console)
        page.on("pageerror", recorded.error)
        page.on("dialog", recorded.dialog)
        page.on("request", recorded.request)
        page.goto(files(name).as_uri() + fragment)
        if script:
            page.wait_for_selector("html[data-ready]")
        return recorded

    yield open_
    for script, recorded in opened:
        page = recorded.page
        page.goto("about:blank")
        page.context.clear_permissions()
        page.remove_listener("console", recorded.console)
        page.remove_listener("pageerror", recorded.error)
        page.remove_listener("dialog", recorded.dialog)
        page.remove_listener("request", recorded.request)
        recorded.check()
        idle[script].append(page)


def _new_page(browser: Browser, *, script: bool) -> Page:
    context = browser.new_context(offline=True, java_script_enabled=script)
    context.set_default_timeout(10_000)
    return context.new_page()
