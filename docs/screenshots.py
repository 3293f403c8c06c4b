"""Pictures of the playground for the documentation: `make screenshots`.

Starts the whole service, uses the playground in a Chromium without a window, and writes
- `playground.png` and `playground.webp` (moving), which the README and docs/playground.md show;
- `playground-states.webp`, all states on one sheet, to look at after a change; with `--states` also each as a file.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser

from configs.settings import Settings
from docs import picture_fonts
from ovseg.stack import Plan, free_port, running
from tests.support import chromium
from tests.support.playground import IS_READY, Playground

DOCS = Path(__file__).parent
HEAD, SHUTTLE, HELMET, PATCH = (215, 90), (338, 2, 462, 302), (410, 430), (170, 386)
COLLAR, GROUND = (225, 200), (352, 275)  # beside the head and the shuttle
DESKTOP = {"width": 1280, "height": 800}
CHINESE = {"locale": "zh-CN"}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
# A key would show the frame of the stage that has the keyboard.
NEW_OBJECT, UNDO = "document.querySelector('#new').click()", "document.querySelector('#undo').click()"
FRAME_MS = 90  # of the moving picture
LAST_FRAME_MS = 2500
PROBLEM_MS = 3000  # after this time the page says that the service does not answer
SHEET_WIDTH, ROW, GAP = 2000, 300, 8  # pixels of the sheet with all states
WIDTH = 960  # of the moving picture, which is as sharp as a README shows it
MAX_BYTES = 600_000  # of the moving picture: a README is read on phones, too
SEARCH_FRAMES = 12  # of the search for everything, however long it takes here
# A picture of a page has no mouse.
HAND = """
() => {
  const hand = document.createElement("div");
  const size = { width: "18px", height: "18px", margin: "-9px 0 0 -9px", borderRadius: "50%" };
  const look = { background: "rgb(255 255 255 / 75%)", border: "2px solid #16181d", pointerEvents: "none" };
  Object.assign(hand.style, size, look, { position: "fixed", zIndex: 99 });
  document.body.append(hand);
  const follow = ({ clientX, clientY }) => Object.assign(hand.style, { left: `${clientX}px`, top: `${clientY}px` });
  addEventListener("pointermove", follow, true);
}
"""


class Film:
    """The moving picture: a frame for each step of the mouse."""

    def __init__(self, page: Playground) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._at = (640.0, 700.0)

    def shoot(self, count: int = 1) -> None:
        with Image.open(io.BytesIO(self._page.page.screenshot())) as shot:
            height = round(shot.height * WIDTH / shot.width)
            self._frames += [shot.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)] * count

    def move(self, to: tuple[float, float], steps: int = 6) -> None:
        """Move the mouse to a point of the photo."""
        self._move(self._page.place(*to), steps)

    def _move(self, to: tuple[float, float], steps: int) -> None:
        x, y = to
        for step in range(1, steps + 1):
            share = (1 - step / steps) ** 2  # slower towards the end
            self._page.page.mouse.move(x + (self._at[0] - x) * share, y + (self._at[1] - y) * share)
            self._page.page.wait_for_timeout(60)
            self.shoot()
        self._at = (x, y)
        self._page.page.wait_for_timeout(500)
        self.shoot(4)

    def click(self, to: tuple[float, float], **options: Any) -> None:
        self.move(to)
        self._page.click(*to, **options)
        self._page.page.wait_for_timeout(300)
        self.shoot(8)

    def search(self) -> None:
        """Press "Everything", and show the masks that come until all are there."""
        box = self._page.page.locator("#everything").bounding_box()
        assert box is not None
        self._move((box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), steps=8)
        self._page.page.mouse.down()
        self._page.page.mouse.up()
        start = len(self._frames)
        while self._page.page.evaluate("playground.session.running !== null"):
            self.shoot()
        seen = self._frames[start:]
        self._frames[start:] = seen[:: len(seen) // SEARCH_FRAMES + 1]
        self.shoot()

    def write(self, path: Path) -> None:
        """Write the file, in the best quality that is small enough."""
        first, *others = self._frames
        options: dict[str, Any] = {"duration": [FRAME_MS] * len(others) + [LAST_FRAME_MS], "loop": 0, "method": 4}
        for quality in (65, 55, 45, 35):
            first.save(path, save_all=True, append_images=others, quality=quality, **options)
            if path.stat().st_size <= MAX_BYTES:
                return
        raise ValueError(f"{path} has more than {MAX_BYTES} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=Path, help="keep the picture of each state in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovseg-screenshots-") as folder, browsing(Path(folder)) as browser:
        plan = Plan(Path(folder), "127.0.0.1", free_port(), "cpu", Settings())
        with running(plan, lambda label, line: None):
            write_film(_open(browser, plan.url))
            write_picture(_open(browser, plan.url, color_scheme="dark"))
            states = given.states or Path(folder) / "states"
            states.mkdir(parents=True, exist_ok=True)
            write_states(browser, plan.url, states)
            write_sheet(sorted(states.glob("*.png")), DOCS / "playground-states.webp")


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Start a browser whose pictures look the same on every machine."""
    picture_fonts.use(folder)
    with chromium.running() as browser:
        yield browser


def write_film(page: Playground) -> None:
    page.sample()
    page.page.evaluate(HAND)
    film = Film(page)
    film.shoot(4)
    film.search()
    film.shoot(8)
    page.page.evaluate(UNDO)
    film.click(HEAD)
    film.click(COLLAR, button="right")
    page.page.evaluate(NEW_OBJECT)
    film.move(SHUTTLE[:2])
    page.page.mouse.down()
    film.move(SHUTTLE[2:], steps=8)
    page.page.mouse.up()
    page.rest()
    film.shoot(8)
    film.click(GROUND, button="right")
    page.page.evaluate(NEW_OBJECT)
    film.click(HELMET)
    film.write(DOCS / "playground.webp")


def write_picture(page: Playground) -> None:
    _annotate(page)
    page.page.screenshot(path=DOCS / "playground.png")


def write_states(browser: Browser, url: str, folder: Path) -> None:
    """Write a picture of each state, in both colours, and on a phone."""
    looks: dict[str, dict[str, Any]] = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE, "zh": CHINESE}
    for name, options in looks.items():
        page = _open(browser, url, **options)
        page.page.screenshot(path=folder / f"{name}-empty.png")
        page.page.evaluate("playground.session.set({ progress: { stage: 'fetching' } })")
        page.page.screenshot(path=folder / f"{name}-loading.png")
        page.page.evaluate("playground.session.set({ progress: null })")
        _annotate(page)
        page.page.screenshot(path=folder / f"{name}-masks.png")
        page.press("[")
        page.page.screenshot(path=folder / f"{name}-selected.png")
        for button in ("export", "model", "share", "help"):
            if page.page.locator(f"#{button}").is_visible():
                page.page.click(f"#{button}")
                page.page.screenshot(path=folder / f"{name}-{button}.png")
                page.page.keyboard.press("Escape")
        page.page.route("**/v1/jobs?*", lambda route: route.abort())
        page.press("n")
        page.page.mouse.click(*page.place(*PATCH))
        page.page.wait_for_timeout(PROBLEM_MS)
        page.page.screenshot(path=folder / f"{name}-problem.png")
        page.page.unroute_all()
        page.rest()
        page.page.click("#everything")
        page.wait("playground.session.running === null || playground.session.running.masks?.length > 0")
        page.page.screenshot(path=folder / f"{name}-finding.png")


def write_sheet(files: list[Path], to: Path) -> None:
    """Write a sheet with all pictures in rows of one height, as wide as the page of the documentation."""
    sheet = Image.new("RGB", (SHEET_WIDTH, len(files) * (ROW + GAP)), "#80858f")
    x, y = GAP, GAP
    for file in files:
        with Image.open(file) as picture:
            small = picture.convert("RGB").resize((round(picture.width * ROW / picture.height), ROW))
        if x + small.width + GAP > SHEET_WIDTH:
            x, y = GAP, y + ROW + GAP
        sheet.paste(small, (x, y))
        x += small.width + GAP
    sheet.crop((0, 0, SHEET_WIDTH, y + ROW + GAP)).save(to, quality=70, method=6)


def _open(browser: Browser, url: str, **options: Any) -> Playground:
    context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US", **options})
    return Playground(context.new_page(), url).open()


def _annotate(page: Playground) -> None:
    """Make four objects with labels; the last one is selected, with its candidates."""
    page.sample()
    page.wait(IS_READY)
    page.click(*HEAD)
    page.click(*COLLAR, button="right")
    page.press("n")
    page.draw_box(*SHUTTLE)
    page.click(*GROUND, button="right")
    page.press("n")
    page.click(*PATCH)
    page.press("n")
    page.click(*HELMET)
    fields = page.page.locator("#objects input")
    for field, label in zip(fields.all(), ("head", "shuttle", "patch", "helmet"), strict=True):
        field.fill(label)
        field.press("Enter")
    page.page.wait_for_timeout(300)


if __name__ == "__main__":
    main()
