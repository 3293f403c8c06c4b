"""How fast the playground is, in a Chromium without a window: `python -m benchmarks.playground`.

Starts its own stack with SAM-Lite, so the stack and the browser share the machine. The photo has 12 megapixels, the
page 1280 x 800 pixels. Prints, in milliseconds:
- click to mask: from a click until the frame with its mask is drawn, as the page measures it (Performance API);
- first mask: from dropping the photo until the mask of a click that was made as early as possible is drawn;
- frame: the time between two frames while the photo with 50 masks is moved, and while it is zoomed; also with 48
  megapixels.
Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from configs.settings import Settings
from ovseg.demo import PHOTO
from ovseg.stack import Plan, free_port, running
from tests.support import chromium
from tests.support.playground import IS_READY, Playground

SIZE = {"width": 1280, "height": 800}
MASKS = 50
# Runs in the page: moves the photo in a circle, a step in each frame, and returns the time of each frame.
MOVE = """
(frames) => new Promise((resolve) => {
  const { stage } = playground;
  const times = [];
  let last = null;
  const step = (now) => {
    if (last !== null) times.push(now - last);
    last = now;
    if (times.length === frames) return resolve(times);
    const angle = times.length / 12;
    stage.move(14 * Math.cos(angle), 14 * Math.sin(angle));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""
ZOOM = MOVE.replace(
    "stage.move(14 * Math.cos(angle), 14 * Math.sin(angle))", "stage.zoom(times.length % 60 < 30 ? 1.05 : 1 / 1.05)"
)
LAST_CLICK = "performance.getEntriesByName('click to mask').at(-1)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=100)
    parser.add_argument("--frames", type=int, default=300)
    given = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="ovseg-bench-") as folder, chromium.running() as browser:
        plan = Plan(Path(folder), "127.0.0.1", free_port(), "cpu", Settings())
        with running(plan, lambda label, line: None):
            measure(browser, plan.url, given.clicks, given.frames)


def measure(browser: Browser, url: str, clicks: int, frames: int) -> None:
    _first_mask(_open(browser, url), 1)  # the workers are warm now, as they are for every visitor but the first
    firsts = [_first_mask(_open(browser, url), seed) for seed in range(2, 7)]
    _print("first mask", firsts)
    page = _open(browser, url)
    _first_mask(page, 7)
    _print("click to mask", [_click(page, 300 + 37 * n % 3400, 300 + 53 * n % 2400) for n in range(clicks)])
    for megapixels, (width, height) in {12: (4000, 3000), 48: (8000, 6000)}.items():
        page = _open(browser, url)
        _drop(page, width, height, 20 + megapixels)
        for n in range(MASKS):
            _click(page, width * (0.05 + 0.09 * (n % 10)), height * (0.1 + 0.19 * (n // 10)))
        assert len(page.objects()) == MASKS
        page.page.evaluate("playground.stage.zoom(2)")
        _print(f"frame, moved, {megapixels} MP", page.page.evaluate(MOVE, frames))
        _print(f"frame, zoomed, {megapixels} MP", page.page.evaluate(ZOOM, frames))


def _open(browser: Browser, url: str) -> Playground:
    for context in browser.contexts:
        context.close()
    page = Playground(browser.new_context(viewport=SIZE, locale="en-US").new_page(), url)  # type: ignore[arg-type]
    return page.open()


def _drop(page: Playground, width: int, height: int, seed: int) -> None:
    """Drop a photo of a size, different for each seed, and wait until it is ready."""
    page.drop("photo.jpg", _photo(width, height, seed))
    page.wait(IS_READY)


def _first_mask(page: Playground, seed: int) -> float:
    data = _photo(4000, 3000, seed)
    page.page.evaluate("performance.clearMeasures()")
    page.page.evaluate("document.addEventListener('drop', () => { globalThis.droppedAt = performance.now(); }, true)")
    page.drop("photo.jpg", data)
    page.wait("playground.session.canClick && playground.stage.view !== null")
    page.page.mouse.click(*page.place(2000, 1500))
    page.wait(f"{LAST_CLICK} !== undefined")
    milliseconds: float = page.page.evaluate(f"{LAST_CLICK}.startTime + {LAST_CLICK}.duration - droppedAt")
    page.wait(IS_READY)
    return milliseconds


def _click(page: Playground, x: float, y: float) -> float:
    """Click a new object, and return how long its mask took."""
    page.page.keyboard.press("n")
    count = page.page.evaluate("performance.getEntriesByName('click to mask').length")
    page.page.mouse.click(*page.place(x, y))
    page.wait(f"performance.getEntriesByName('click to mask').length > {count}")
    milliseconds: float = page.page.evaluate(f"{LAST_CLICK}.duration")
    return milliseconds


def _photo(width: int, height: int, seed: int) -> bytes:
    """Return the demo's photo in another size. A few pixels differ for each seed, so that no embedding is known."""
    with Image.open(PHOTO) as photo:
        large = photo.resize((width, height))
    large.paste((seed, 0, 0), (0, 0, 32, 32))
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _print(name: str, milliseconds: list[float]) -> None:
    ordered = sorted(milliseconds)
    p95 = ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]
    print(f"{name:<22} n {len(ordered):>4}   p50 {statistics.median(ordered):7.1f}   p95 {p95:7.1f}", flush=True)


if __name__ == "__main__":
    main()
