"""One browser for the tests of a file, and one stack for all. Each test has a fresh profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser

from tests.support import chromium
from tests.support.browser_page import BrowserPage
from tests.support.console import Console
from tests.support.fakes import Host
from tests.support.playground import Playground
from tests.support.service import Service

SIZE = {"width": 1280, "height": 800}
Open = Callable[..., Playground]
Opened = TypeVar("Opened", bound=BrowserPage)


# Not for the whole session: while Playwright runs, its event loop is the running one of this thread, and no other test
# of this process could run one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture(scope="session")
def stack(trusted_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`ovseg up`. A machine without a browser does not start it."""
    chromium.needed()
    environment = {
        "OVSEG_ALLOWED_PRIVATE_HOSTS": trusted_host.address,
        "OVSEG_FETCH_TIMEOUT_SECONDS": "300",  # tests hold an image while they look at a page
        "OVSEG_MODELS_DIR": str(tmp_path_factory.mktemp("models")),  # none of this machine's
    }
    running = Service(tmp_path_factory.mktemp("stack"), environment)
    try:
        yield running.wait_until_ready()
    finally:
        running.stop()


@pytest.fixture
def pages(browser: Browser, stack: Service) -> Iterator[Open]:
    """Open the playground in a profile of its own. At the end of a test the browser must have no complaints."""
    yield from _opener(browser, stack.url, Playground)


@pytest.fixture
def consoles(browser: Browser, stack: Service) -> Iterator[Callable[..., Console]]:
    """As `pages`, for the console."""
    yield from _opener(browser, stack.url, Console)


@pytest.fixture
def page(pages: Open) -> Playground:
    return pages().open()


def _opener(browser: Browser, service: str, kind: type[Opened]) -> Iterator[Callable[..., Opened]]:
    opened: list[tuple[Opened, bool]] = []

    def open_page(url: str = service, may_complain: bool = False, **options: Any) -> Opened:
        context = browser.new_context(**{"viewport": SIZE, "locale": "en-US", **options})
        page = kind(context.new_page(), url)
        opened.append((page, may_complain))
        return page

    yield open_page
    for page, may_complain in opened:
        page.page.unroute_all(behavior="ignoreErrors")  # a page that is polled may have a request in a test's hands
        page.page.context.close()
        assert may_complain or page.complaints == []
