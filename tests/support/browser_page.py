"""A page of the service in a browser."""

from __future__ import annotations

import json
import time
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page

from tests.support.waiting import PATIENCE_SECONDS as SECONDS

SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")  # the last is that of a new page

BROKEN = """
(elements) => elements.filter((each) => {
  const range = document.createRange();
  range.selectNodeContents(each);
  return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1;
}).map((each) => each.innerText)
"""


class BrowserPage:
    """A page. `complaints` are what the browser reported: errors, violations of the policy, requests to other hosts."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.set_default_timeout(1000 * SECONDS)
        page.on("console", lambda message: self._hear(message) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._check_host(request.url))

    def _hear(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.text} ({message.location['url']})")

    def _check_host(self, url: str) -> None:
        if not url.startswith((self.url, "blob:" + self.url)):
            self.complaints.append(f"a request to {url}")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true. Playwright's own function needs eval, which is forbidden."""
        deadline = time.monotonic() + SECONDS
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, (condition, self.page.inner_text("body"), self.complaints)
            time.sleep(0.05)

    def run(self, module: str, code: str, value: Any = None) -> Any:
        """Run a function with the exports of one of the page's modules, and a value that JSON can contain."""
        path = json.dumps(f"/assets/{module}")
        return self.page.evaluate(f"async (value) => ({code})(await import({path}), value)", value)

    def broken(self, selector: str) -> list[str]:
        """Return the texts, of those that a selector names, that are not on one line."""
        found: list[str] = self.page.locator(selector).evaluate_all(BROKEN)
        return found

    def faults(self) -> list[tuple[str, str]]:
        """Return the serious faults that axe finds, in dark and in light, for users of keyboards and screen readers.

        Without animations: a text that appears has little contrast for a moment.
        """
        found = []
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += Axe().run(self.page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        return [(each["id"], node["html"]) for each in serious for node in each["nodes"]]
