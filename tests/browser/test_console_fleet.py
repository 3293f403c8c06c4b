"""The fleet in the console: workers that come and go, the last hour, and names that are HTML."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from playwright.sync_api import Route

from configs.settings import Settings
from ovseg.embedded import valkey
from tests.support import protocol, stacks
from tests.support.console import Console
from tests.support.service import Service
from worker.process import history
from worker.process.model_report import ModelReport
from worker.process.roster import Roster
from worker.store.keyspace import Keyspace

Open = Callable[..., Console]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
EVIL = "<img src=x onerror=alert(1)>"
ROWS = "[...document.querySelectorAll('.fleet .table tbody tr')].map((row) => row.innerText)"


@pytest.fixture
def settings_of_stack(stack: Service) -> Settings:
    return Settings(redis_url=valkey.url(stack.data_dir / "valkey"), lease_seconds=1)


@pytest.fixture
def keyspace(settings_of_stack: Settings) -> Iterator[Keyspace]:
    with Keyspace.open(settings_of_stack) as keyspace:
        yield keyspace


@contextmanager
def worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run another worker of the stack, which is considered dead after a second without a heartbeat."""
    environment = {**os.environ, "OVSEG_REDIS_URL": settings.redis_url, "OVSEG_LEASE_SECONDS": "1"}
    with subprocess.Popen([sys.executable, "-m", "tests.support.gated_worker"], env=environment) as running:
        try:
            yield running
        finally:
            running.kill()


def row_with(name: str, word: str) -> str:
    return f"{ROWS}.some((text) => text.includes('{name}') && text.includes('{word}'))"


def test_a_worker_that_starts_is_shown_and_one_that_was_killed_is_lost(
    consoles: Open, settings_of_stack: Settings
) -> None:
    console = consoles().open("/console/fleet")
    console.wait(f"{ROWS}.some((text) => text.includes('SAM-Lite'))")
    with worker(settings_of_stack) as running:
        name = f"{socket.gethostname()}:{running.pid}"
        console.wait(row_with(name, "Ready"))
        running.kill()
        console.wait(row_with(name, "Lost"))
    assert " lost" in console.page.inner_text(".figures")


def test_the_last_hour_is_a_chart_for_the_mouse_and_the_keyboard_and_a_table(
    consoles: Open, stack: Service, keyspace: Keyspace, settings_of_stack: Settings
) -> None:
    history.keep(keyspace)
    stack.wait(stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS)["id"])
    for _ in range(2):
        protocol.let_time_pass(settings_of_stack, "history", 60)
        history.keep(keyspace)
    console = consoles().open("/console/fleet")
    chart = console.page.locator(".chart", has_text="Jobs ended a minute")
    plot = chart.locator(".plot")
    plot.focus()
    console.page.keyboard.press("End")  # chosen, so that it stays when another minute begins
    latest = int(plot.get_attribute("aria-valuenow") or "")
    console.page.keyboard.press("ArrowLeft")
    assert plot.get_attribute("aria-valuenow") == str(latest - 1)
    spoken = [plot.get_attribute("aria-valuetext") or ""]
    for _ in range(latest - 1):
        console.page.keyboard.press("ArrowLeft")
        spoken.append(plot.get_attribute("aria-valuetext") or "")
    assert any("Succeeded" in text and "Succeeded 0" not in text for text in spoken)
    box = plot.bounding_box()
    assert box is not None
    console.page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 40)
    assert ":" in chart.locator(".time").inner_text()
    console.page.mouse.move(0, 0)
    console.page.click("summary")
    rows = "document.querySelectorAll('.minutes tbody tr').length"
    points = "Number(document.querySelector('.chart .plot').ariaValueMax) + 1"
    assert console.page.evaluate(f"{rows} === {points}")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_the_view_has_no_serious_fault_and_fits_whatever_a_worker_is_called(
    consoles: Open, keyspace: Keyspace, settings_of_stack: Settings, options: dict[str, object]
) -> None:
    roster = Roster(keyspace, settings_of_stack, EVIL, "cpu", lambda: ModelReport({}, {EVIL: (EVIL, "x" * 200)}))
    with roster.latencies.of_attempt(timedelta(seconds=1)):
        pass
    roster.enter()
    console = consoles(**options).open("/console/fleet")
    console.wait(f"{ROWS}.some((text) => text.includes('<img'))")
    assert console.page.locator("#view img").count() == 0
    assert console.broken(".lanes :is(th, td:first-child)") == []
    assert console.faults() == []
    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_fleet_that_cannot_be_read_is_read_again_and_one_without_workers_says_how_to_start_one(
    consoles: Open,
) -> None:
    console = consoles(may_complain=True)
    console.page.route("**/v1/fleet", lambda route: route.abort())
    console.open("/console/fleet")
    assert "does not answer" in console.page.inner_text("[role=alert]")

    def without_workers(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "workers": [], "worker_count": 0})

    console.page.unroute("**/v1/fleet")
    console.page.route("**/v1/fleet", without_workers)
    console.wait("document.querySelector('[role=alert]') === null")
    assert "ovseg worker" in console.page.inner_text(".fleet")
