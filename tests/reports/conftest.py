import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP, PHONE = 1280, 390
"""CSS pixels of a common laptop and of a common phone."""


class Visit(NamedTuple):
    """A page that was opened, what it said on the console, and what it asked for."""

    page: "Page"
    said: list[str]
    asked: list[str]


class Visitor(Protocol):
    """The type of `visit`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, file: Path, *, width: int = DESKTOP, dark: bool = False) -> Visit: ...


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A headless Chromium; its tests are skipped where there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.skip("no Chromium is installed: scripts/install-browser gets Debian's package `chromium`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visitor]:
    """Opens a page from a file, as a reader would, and closes it when the test is done."""
    contexts = []

    def open_page(file: Path, *, width: int = DESKTOP, dark: bool = False) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url[:80]}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.absolute().as_uri(), wait_until="load")
        return Visit(page, said, asked)

    yield open_page
    for context in contexts:
        context.close()
