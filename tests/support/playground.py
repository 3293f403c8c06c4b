"""The playground in a browser, as a person uses it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from playwright.sync_api import Download

from tests.support.browser_page import BrowserPage

DROP = """
([name, type, data]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  transfer.items.add(new File([bytes], name, { type }));
  const target = document.querySelector("#stage");
  for (const kind of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}
"""
PLACE = """
(point) => {
  const { stage } = playground;
  const { left, top } = document.querySelector("#stage").getBoundingClientRect();
  const { x, y, scale } = stage.view;
  return [left + (point[0] * scale + x) / stage.ratio, top + (point[1] * scale + y) / stage.ratio];
}
"""
OBJECTS = """
() => playground.session.state.objects.map(({ number, label, prompt, candidates, chosen }) => ({
  number, label, chosen,
  prompt: { ...prompt, base: prompt.base?.counts },
  candidates: candidates.map(({ mask, ...coded }) => ({ ...coded, area: mask.area, box: mask.box })),
}))
"""
# A list that gets a row makes the stage of a phone smaller. The page notes the new size in the next frame.
IS_FITTED = """
(({ clientWidth, clientHeight }, { ratio, screen }) =>
  screen.width === Math.round(clientWidth * ratio) && screen.height === Math.round(clientHeight * ratio)
)(document.querySelector("#stage"), playground.stage)
"""
IS_READY = "playground.session.photo?.isSent === true && playground.session.progress === null"
IS_AT_REST = "playground.session.draft === null && playground.session.running === null"


class Playground(BrowserPage):
    def open(self, path: str = "/") -> Playground:
        self.page.goto(self.url + path)
        self.wait("typeof playground === 'object' && playground.session.models.length > 0")
        return self

    def sample(self) -> Playground:
        """Open the photo of the demo."""
        self.page.click("#sample")
        self.wait(IS_READY)
        return self

    def drop(self, name: str, data: bytes, kind: str = "image/jpeg") -> None:
        self.page.evaluate(DROP, [name, kind, base64.b64encode(data).decode()])

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the photo is on the page."""
        self.wait(IS_FITTED)
        left, top = self.page.evaluate(PLACE, [x, y])
        return left, top

    def click(self, x: float, y: float, **options: Any) -> None:
        """Click at a point of the photo, and wait for the mask."""
        self.page.mouse.click(*self.place(x, y), **options)
        self.rest()

    def draw_box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.page.mouse.move(*self.place(x0, y0))
        self.page.mouse.down()
        self.page.mouse.move(*self.place((x0 + x1) / 2, y1))
        self.page.mouse.move(*self.place(x1, y1))
        self.page.mouse.up()
        self.rest()

    def rest(self) -> None:
        """Wait until no mask is on its way."""
        self.wait(IS_AT_REST)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.rest()

    def objects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate(OBJECTS)
        return found

    def notice(self) -> str:
        """Return the text of the notice of a problem, or nothing."""
        found = self.page.locator("#notice")
        return found.inner_text() if found.is_visible() else ""

    def export(self, kind: str) -> bytes:
        """Export the objects and return the file."""
        if not self.page.locator("dialog[open]").is_visible():
            self.page.click("#export")
        with self.page.expect_download() as waiting:
            self.page.click(f"[data-format={kind}]")
        download: Download = waiting.value
        self.page.keyboard.press("Escape")
        return Path(download.path()).read_bytes()
