"""Pictures of the console for the documentation: `make screenshots`.

Starts the whole service with keys, gives it something to show, signs in, and writes
- `console.png`, which docs/console.md shows;
- `console-states.webp`, all views on one sheet, to look at after a change; with `--states` also each as a file.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from configs.settings import Settings
from docs.screenshots import CHINESE, DESKTOP, DOCS, PHONE, write_sheet
from ovseg.embedded import valkey
from ovseg.stack import Plan, free_port, running
from tests.support import chromium
from tests.support.console import Console
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import ORDINARY, Scope
from worker.store.keyspace import Keyspace

LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE, "zh": CHINESE}
VIEWS = {
    "fleet": "/console/fleet",
    "webhooks": "/console/webhooks",
    "keys": "/console/keys",
    "usage": "/console/usage",
    "no-page": "/console/nothing",
}
SHOWN = ("keys", {"color_scheme": "dark"})  # the view of console.png


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=Path, help="keep the picture of each view in this folder")
    given = parser.parse_args()
    os.environ["OVSEG_AUTH"] = "required"
    with tempfile.TemporaryDirectory(prefix="ovseg-screenshots-") as folder, chromium.running() as browser:
        plan = Plan(Path(folder), "127.0.0.1", free_port(), "cpu", Settings())
        with running(plan, lambda label, line: None):
            admin = make_keys(Path(folder))
            view, options = SHOWN
            console = opened(browser, plan.url, options)
            sign_in(console, admin)
            console.open(VIEWS[view]).page.screenshot(path=DOCS / "console.png")
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


def write_states(browser: Browser, url: str, admin: KeyText, folder: Path) -> None:
    """Write a picture of each view and of some dialogs, in both colours, on a phone and in Chinese."""
    for look, options in LOOKS.items():
        console = opened(browser, url, options)
        console.page.goto(f"{url}/console")
        console.page.locator("#key-text").wait_for()
        console.page.screenshot(path=folder / f"{look}-sign-in.png")
        sign_in(console, admin)
        for view, path in VIEWS.items():
            console.open(path).page.screenshot(path=folder / f"{look}-{view}.png")
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
