"""A real browser, Debian's Chromium driven by playwright, with screenshots and checks of accessibility."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

NO_CHROMIUM = "Chromium is not installed: apt-get install chromium"
#: Widths of the page in pixels, as on a desktop and on a phone.
WIDTHS = {"wide": 1280, "narrow": 390}
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
#: The directory in which to keep the screenshots: ``SCREENSHOTS=docs/images``.
PICTURES = os.environ.get("SCREENSHOTS")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Page:
    """A page in a browser, and the errors in its console."""

    def __init__(self, chromium: Any, **context: Any) -> None:
        # Without a GPU, Chromium draws an icon that turns with a tenth of all its work.
        self.context = chromium.new_context(
            viewport={"width": WIDTHS["wide"], "height": 900}, reduced_motion="reduce", **context
        )
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("console", self._log)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(f"a dialog: {dialog.message}"))

    def _log(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def picture(self, name: str) -> None:
        """Take a screenshot of the whole page at both widths, if screenshots are to be kept."""
        if PICTURES is None:
            return
        folder = Path(PICTURES)
        folder.mkdir(parents=True, exist_ok=True)
        for width, pixels in WIDTHS.items():
            self.page.set_viewport_size({"width": pixels, "height": 900})
            self.page.screenshot(path=folder / f"{name}-{width}.jpg", full_page=True, type="jpeg", quality=55)
        self.page.set_viewport_size({"width": WIDTHS["wide"], "height": 900})

    def is_within(self, pixels: int) -> bool:
        """Return whether the page fits into a width without scrolling."""
        self.page.set_viewport_size({"width": pixels, "height": 900})
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        self.page.set_viewport_size({"width": WIDTHS["wide"], "height": 900})
        return width <= pixels

    def barriers(self) -> list[str]:
        """Return the serious and critical problems of accessibility that axe finds in the panel."""
        # A page keeps it until it is loaded again.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run('.s3sync', {resultTypes: ['violations']})")
        return [
            f"{violation['id']}: {node['html']} {node['failureSummary']}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
