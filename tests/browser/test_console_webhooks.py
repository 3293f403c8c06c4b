"""Webhook endpoints in the console, against a real receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from ovseg_client import verify_webhook
from tests.support import stacks
from tests.support.console import Console
from tests.support.fakes import Host
from tests.support.service import Service

Open = Callable[..., Console]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
EVIL = "<img src=x onerror=alert(1)>"
ENDPOINTS = "/v1/webhook-endpoints"


@pytest.fixture(autouse=True)
def _no_endpoint_stays(stack: Service) -> Iterator[None]:
    yield
    for endpoint in stack.get(ENDPOINTS).json()["endpoints"]:
        stack.delete(f"{ENDPOINTS}/{endpoint['id']}")


def press(console: Console, name: str) -> None:
    """Press the button of the dialog, or else of the page, that has this name."""
    area = console.page.locator("dialog[open]")
    place = area if area.count() else console.page.locator("#view")
    place.get_by_role("button", name=name, exact=True).first.click()


def secret_shown(console: Console) -> str:
    """Return the secret in the dialog that shows it, and close the dialog."""
    console.page.locator("dialog[open] pre", has_text="whsec_").first.wait_for()
    found = console.page.locator("dialog[open] pre").first.inner_text()
    console.page.keyboard.press("Escape")
    return found


def row(console: Console, name: str) -> str:
    return f"[...document.querySelectorAll('tbody tr')].find((row) => row.innerText.includes('{name}'))?.innerText"


def test_an_endpoint_from_its_creation_to_its_deletion(consoles: Open, stack: Service, trusted_host: Host) -> None:
    path = f"/hook-{time.monotonic_ns()}"
    url = trusted_host.serve(path, b"thanks")
    console = consoles().open("/console/webhooks")
    press(console, "New endpoint")
    console.page.keyboard.type(url)
    console.page.get_by_label("Description").fill("the archive")
    console.page.get_by_label("Headers").fill("X-Token: 42")
    press(console, "Create")
    secret = secret_shown(console)
    console.page.get_by_role("link", name=url).click()

    press(console, "Send a test")
    [test] = trusted_host.wait_for(path)
    assert verify_webhook(test.body, test.headers, secret)["type"] == "webhook.test"
    assert {name.lower(): value for name, value in test.headers.items()}["x-token"] == "42"
    console.wait(f"/Delivered.*200/s.test({row(console, 'webhook.test')})")

    job = stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS)
    console.wait(f"/Delivered.*200/s.test({row(console, job['id'])})")
    console.page.get_by_role("button", name=f"Redeliver: evt_{job['id']}").click()
    again = trusted_host.wait_for(path, 3)
    assert again[1].headers["webhook-id"] == again[2].headers["webhook-id"]
    console.wait(f"/Delivered.*200.*ms\\t2/s.test({row(console, job['id'])})")
    console.page.locator("tbody tr", has_text=job["id"]).locator("button.text").click()
    assert console.page.locator("dialog[open] .tries li", has_text="200").count() == 2
    console.page.keyboard.press("Escape")

    press(console, "Rotate the secret")
    press(console, "Rotate the secret")
    rotated = secret_shown(console)
    assert rotated != secret
    press(console, "Replay")
    press(console, "Replay")
    console.wait("document.querySelector('#said').textContent.includes('1 events')")  # for six seconds
    replayed = trusted_host.wait_for(path, 4)[3]
    assert verify_webhook(replayed.body, replayed.headers, rotated)["data"]["id"] == job["id"]

    press(console, "Disable")
    console.wait("document.querySelector('.facts').innerText.includes('Disabled')")
    assert console.page.get_by_role("button", name="Send a test").is_disabled()
    press(console, "Delete")
    press(console, "Delete")
    console.wait("document.querySelector('#view').innerText.includes('No endpoint yet')")
    assert stack.get(ENDPOINTS).json() == {"endpoints": []}


def test_a_refused_endpoint_is_explained_in_its_form(consoles: Open) -> None:
    console = consoles(may_complain=True).open("/console/webhooks")
    press(console, "New endpoint")
    console.page.keyboard.type("https://127.0.0.1/hook")
    console.page.get_by_label("Headers").fill("no header")
    console.page.keyboard.press("Tab")
    press(console, "Create")
    assert "Name: value" in console.page.inner_text("dialog .problem")
    console.page.get_by_label("Headers").fill("")
    press(console, "Create")
    console.wait("document.querySelector('dialog .problem').innerText.includes('not allowed')")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_the_views_have_no_serious_fault_and_fit_whatever_an_endpoint_contains(
    consoles: Open, stack: Service, trusted_host: Host, options: dict[str, object]
) -> None:
    path = "/" + "long" * 60
    trusted_host.serve(f"{path}?q={quote(EVIL, safe='=()')}", EVIL.encode(), status=500)  # as the service requests it
    fields = {"url": trusted_host.url(f"{path}?q={EVIL}"), "description": EVIL}
    endpoint = stack.post(ENDPOINTS, json=fields).json()
    event = stack.post(f"{ENDPOINTS}/{endpoint['id']}/test").json()
    stacks_event = f"/v1/events/{event['id']}"
    console = consoles(**options).open("/console/webhooks")
    assert console.faults() == []
    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    stack.wait(stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS)["id"])
    console.open(f"/console/webhooks/{endpoint['id']}")
    console.wait("document.querySelector('tbody')?.innerText.includes('500')")
    assert json.loads(stack.get(stacks_event).text)["state"] == "pending"
    assert console.page.locator("#view img").count() == 0
    assert console.faults() == []
    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    press(console, "Edit")
    assert console.faults() == []
