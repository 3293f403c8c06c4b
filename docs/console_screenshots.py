"""Pictures of the console for the documentation: `make screenshots`.

Starts the whole service with keys, gives it something to show, signs in, and writes
- `console.png`, which docs/console.md shows;
- `console-states.webp`, all views on one sheet, to look at after a change; with `--states` also each as a file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser

from configs.settings import Settings
from docs.screenshots import CHINESE, COLLAR, DESKTOP, DOCS, HEAD, HELMET, PATCH, PHONE, SHUTTLE, browsing, write_sheet
from ovseg.embedded import valkey
from ovseg.stack import Plan, free_port, running
from tests.support.console import Console
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import ORDINARY, Scope
from worker.store.keyspace import Keyspace

LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE, "zh": CHINESE}
VIEWS = {
    "jobs": "/console",
    "job": "/console/jobs/astronaut",
    "batches": "/console/batches",
    "batch": "/console/batches/night-shift",
    "fleet": "/console/fleet",
    "webhooks": "/console/webhooks",
    "keys": "/console/keys",
    "usage": "/console/usage",
    "no-page": "/console/nothing",
}
PHOTO = DOCS.parent / "ovseg" / "photos" / "astronaut.jpg"
PROMPTS = [
    {"name": "head", "points": [HEAD, COLLAR], "labels": [1, 0]},
    {"name": "shuttle", "box": SHUTTLE},
    {"name": "helmet", "points": [HELMET], "labels": [1]},
    {"name": "patch", "points": [PATCH], "labels": [1]},
]
IS_COMPLETE = """
document.querySelector("#view [aria-busy=true]") === null && [...document.images].every((each) => each.complete)
"""
SECONDS = 120  # for a request; a busy machine is slow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=Path, help="keep the picture of each view in this folder")
    given = parser.parse_args()
    os.environ["OVSEG_AUTH"] = "required"
    with tempfile.TemporaryDirectory(prefix="ovseg-screenshots-") as folder, browsing(Path(folder)) as browser:
        plan = Plan(Path(folder), "127.0.0.1", free_port(), "cpu", Settings())
        with running(plan, lambda label, line: None):
            admin = make_keys(Path(folder))
            make_jobs(plan.url, admin)
            console = opened(browser, plan.url, {"color_scheme": "dark"})
            sign_in(console, admin)
            shoot(console, VIEWS["job"], DOCS / "console.png")
            states = given.states or Path(folder) / "states"
            states.mkdir(parents=True, exist_ok=True)
            write_states(browser, plan.url, admin, states)
            write_sheet(sorted(states.glob("*.png")), DOCS / "console-states.webp")


def make_keys(folder: Path) -> KeyText:
    """Make some keys, and return that of an admin."""
    with Keyspace.open(Settings(redis_url=valkey.url(folder / "valkey"))) as keyspace:
        keys = Keys(keyspace)
        for name, tenant in (("camera 7", "acme"), ("nightly import", "acme"), ("dashboard", "default")):
            keys.create(name, ORDINARY, tenant=tenant)
        keys.revoke(keys.create("camera 3", ORDINARY, tenant="acme").id)
        return keys.create("Ada", [Scope.ADMIN])


def make_jobs(url: str, key: KeyText) -> None:
    """Make a job with four masks, a batch on the same photo, and a webhook endpoint."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        request = {"metadata": {"site": "front page"}, "prompts": PROMPTS, "outputs": ["rle", "overlay"]}
        files: dict[str, Any] = {
            "image": PHOTO.read_bytes(),
            "request": (None, json.dumps(request), "application/json"),
        }
        session.put(f"{url}/v1/jobs/astronaut?wait=60", files=files, timeout=SECONDS).raise_for_status()
        image = {"sha256": hashlib.sha256(PHOTO.read_bytes()).hexdigest()}
        common = {"image": image, "outputs": ["overlay"]}
        batch = {
            "items": [{**common, "id": each["name"], "prompts": [each]} for each in PROMPTS],
        }
        session.put(f"{url}/v1/batches/night-shift", json=batch, timeout=SECONDS).raise_for_status()
        session.get(f"{url}/v1/batches/night-shift?wait=60", timeout=SECONDS).raise_for_status()
        endpoint = {"url": "https://example.com/hooks/masks", "description": "the archive", "events": ["job.succeeded"]}
        session.post(f"{url}/v1/webhook-endpoints", json=endpoint, timeout=SECONDS).raise_for_status()


def shoot(console: Console, path: str, file: Path) -> None:
    console.open(path).wait(IS_COMPLETE)
    console.page.wait_for_timeout(1500)  # pictures that are drawn after they were loaded
    console.page.screenshot(path=file)


def write_states(browser: Browser, url: str, admin: KeyText, folder: Path) -> None:
    """Write a picture of each view and of some dialogs, in both colours, on a phone and in Chinese."""
    for look, options in LOOKS.items():
        console = opened(browser, url, options)
        console.page.goto(f"{url}/console")
        console.page.locator("#key-text").wait_for()
        console.page.screenshot(path=folder / f"{look}-sign-in.png")
        sign_in(console, admin)
        for view, path in VIEWS.items():
            shoot(console, path, folder / f"{look}-{view}.png")
        console.open(VIEWS["keys"]).page.click(".heading button")
        console.page.screenshot(path=folder / f"{look}-new-key.png")
        console.page.keyboard.press("Escape")
        console.page.locator("tbody button").last.click()
        console.page.screenshot(path=folder / f"{look}-revoke.png")


def opened(browser: Browser, url: str, options: dict[str, Any]) -> Console:
    context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US", **options})
    return Console(context.new_page(), url)


def sign_in(console: Console, key: KeyText) -> None:
    console.page.context.request.post(f"{console.url}/v1/session", data={"key": str(key)})


if __name__ == "__main__":
    main()
