"""A browser without a window, for tests of the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# `.ci/run` sets it: there, a missing browser is a failure.
IS_REQUIRED = os.environ.get("CHROMIUM_REQUIRED") == "1"


def needed() -> str:
    """Return the path of a Chromium. Without one, the test is skipped, or fails if a browser is required."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        message = f"no Chromium is installed (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium"
        if IS_REQUIRED:
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextmanager
def running() -> Iterator[Browser]:
    """Start a browser. Without one, the test is skipped, or fails if a browser is required."""
    executable = needed()
    with sync_playwright() as playwright:
        # The sandbox needs namespaces, which root in a container does not have.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()
