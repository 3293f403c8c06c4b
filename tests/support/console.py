"""The console in a browser, as a person uses it."""

from __future__ import annotations

from tests.support.browser_page import BrowserPage

IS_SHOWN = """
document.querySelector("#view").childElementCount > 0 && document.querySelector("[aria-busy=true]") === null
"""


class Console(BrowserPage):
    def open(self, path: str = "/console") -> Console:
        self.page.goto(self.url + path)
        self.wait(IS_SHOWN)
        return self

    def heading(self) -> str:
        return self.page.inner_text("h1")

    def views(self) -> list[str]:
        """Return the names of the views in the bar."""
        return self.page.locator("#views a").all_inner_texts()
