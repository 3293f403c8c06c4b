"""Jobs and batches in the console, followed while they happen."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Route

from tests.support import pictures, waiting
from tests.support.console import Console
from tests.support.fakes import Host
from tests.support.service import Service
from tests.support.stacks import processes_of

Open = Callable[..., Console]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
NASTY = "<img src=x onerror=alert(1)>\"'&"
CLICK = [{"points": [[220, 90]]}]
NEVER = {"device": "gpu", "image": "https://example.com/a.jpg", "prompts": CLICK}  # no worker has a GPU


def status(job_id: str) -> str:
    """Return an expression for the status that the list shows of a job."""
    row = f"[...document.querySelectorAll('tbody tr')].find((row) => row.innerHTML.includes({job_id!r}))"
    return f"{row}?.querySelector('.status-word')?.dataset.status"


def wait_until(console: Console, expected: str) -> None:
    console.wait(f"document.querySelector('.heading .status-word')?.dataset.status === {expected!r}")


@pytest.fixture(scope="module")
def photo(stack: Service) -> dict[str, str]:
    """A photo that the service knows."""
    answer = stack.post("/v1/embeddings?wait=60", files={"image": pictures.photo()})
    assert answer.json()["status"] == "succeeded"
    return {"sha256": hashlib.sha256(pictures.photo()).hexdigest()}


@pytest.fixture(scope="module")
def nasty_job(stack: Service, photo: dict[str, str]) -> dict[str, Any]:
    """A job that has ended, with names that would be HTML."""
    prompts = [{**CLICK[0], "name": NASTY}, {"box": [340, 4, 462, 300]}]
    return stack.wait(stack.submit(image=photo, prompts=prompts, metadata={NASTY: NASTY, "site": "nasty"})["id"])


def test_a_job_is_followed_from_the_list_to_its_result_without_a_reload(
    consoles: Open, stack: Service, trusted_host: Host
) -> None:
    release = trusted_host.serve_later("/followed.jpg", pictures.photo())
    console = consoles().open("/console")
    console.page.evaluate("document.kept = true")
    job = stack.submit(image=trusted_host.url("/followed.jpg"), prompts=CLICK)
    console.wait(f"{status(job['id'])} === 'running'")
    console.page.click(f"a[href$='{job['id']}']")
    wait_until(console, "running")
    release.set()
    wait_until(console, "succeeded")
    console.wait("document.querySelectorAll('.masks li').length === 1")
    assert "Decode the masks" in console.page.inner_text(".waterfall")
    assert "Attempt 1 on" in console.page.inner_text(".history")
    console.wait("document.querySelector('.no-picture').hidden")
    console.page.go_back()
    console.wait(f"{status(job['id'])} === 'succeeded'")
    assert console.page.evaluate("document.kept")


def test_conditions_are_in_the_address_and_hold_for_jobs_that_come_later(consoles: Open, stack: Service) -> None:
    first = stack.submit(**NEVER, metadata={"run": 5, "site": "north"})
    console = consoles().open("/console?metadata.run=5&status=queued")
    assert console.page.locator("tbody tr").count() == 1
    other = stack.submit(**NEVER, metadata={"run": 6})
    second = stack.submit(**NEVER, metadata={"run": 5})
    console.wait(f"{status(second['id'])} === 'queued'")
    assert console.page.locator("tbody tr").count() == 2
    console.page.select_option("#filter-status", "failed")
    console.page.locator(".table .state").wait_for()
    console.page.wait_for_url(lambda url: url.endswith("/console?status=failed&metadata.run=5"))
    for job in (first, other, second):
        stack.post(f"/v1/jobs/{job['id']}/cancel")


def test_a_job_that_comes_between_the_list_and_the_stream_of_events_is_shown(consoles: Open, stack: Service) -> None:
    console = consoles()
    streams: list[Route] = []
    console.page.route("**/v1/events", lambda route: streams.append(route))
    console.open("/console?metadata.between=list")
    job = stack.submit(**NEVER, metadata={"between": "list"})
    streams[0].continue_()
    console.wait(f"{status(job['id'])} === 'queued'")
    stack.post(f"/v1/jobs/{job['id']}/cancel")


def test_a_list_that_was_read_before_a_job_came_does_not_remove_it(consoles: Open, stack: Service) -> None:
    first = stack.submit(**NEVER, metadata={"late": "list"})
    console = consoles()
    lists: list[tuple[Route, APIResponse]] = []
    console.page.route("**/v1/jobs?*", lambda route: lists.append((route, route.fetch())))
    console.page.goto(f"{stack.url}/console?metadata.late=list")
    waiting.wait_until(lambda: console.page.title() and len(lists) == 2)  # read, and again when there is a stream
    second = stack.submit(**NEVER, metadata={"late": "list"})
    console.wait(f"{status(second['id'])} === 'queued'")
    route, answer = lists[1]
    route.fulfill(response=answer)
    console.wait(f"{status(first['id'])} === 'queued' && {status(second['id'])} === 'queued'")
    for job in (first, second):
        stack.post(f"/v1/jobs/{job['id']}/cancel")


def test_selected_jobs_are_canceled_with_the_keyboard_alone(consoles: Open, stack: Service) -> None:
    jobs = [stack.submit(**NEVER, metadata={"keys": "only"}) for _ in range(2)]
    console = consoles().open("/console?metadata.keys=only")
    console.page.get_by_label("Select all jobs that are shown").focus()
    console.page.keyboard.press("Space")
    assert "Selected: 2" in console.page.inner_text(".selection")
    console.page.get_by_role("button", name="Cancel jobs").focus()
    console.page.keyboard.press("Enter")
    console.page.locator("dialog").wait_for()
    assert console.page.evaluate("document.activeElement.textContent") == "Cancel"
    console.page.keyboard.press("Tab")
    console.page.keyboard.press("Enter")
    for job in jobs:
        console.wait(f"{status(job['id'])} === 'canceled'")


def test_a_webhook_is_delivered_again(
    consoles: Open, stack: Service, photo: dict[str, str], trusted_host: Host
) -> None:
    hook = trusted_host.serve("/hook", status=204)
    job = stack.submit(image=photo, prompts=CLICK, webhook=hook)
    console = consoles().open(f"/console/jobs/{job['id']}")
    first = trusted_host.wait_for("/hook")[0]
    console.page.locator(".deliveries [data-status=delivered]").wait_for()
    console.page.get_by_role("button", name="Deliver job.succeeded again").click()
    again = trusted_host.wait_for("/hook", 2)[1]
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    console.wait("document.querySelector('.deliveries summary').textContent.includes('Tries: 1')")
    console.wait("document.querySelectorAll('.deliveries .delivery').length === 2")


def test_a_batch_is_followed_until_it_has_completed(
    consoles: Open, stack: Service, photo: dict[str, str], trusted_host: Host
) -> None:
    images: list[Any] = [photo, trusted_host.serve("/no.jpg", status=404), photo]
    items = [{"id": f"{n}.jpg", "image": image, "prompts": CLICK} for n, image in enumerate(images)]
    console = consoles().open("/console/batches")
    stack.put("/v1/batches/followed", json={"items": items})
    console.page.get_by_role("link", name="followed").click()
    wait_until(console, "completed")
    console.wait("document.querySelectorAll('tbody tr').length === 3")
    assert console.page.locator(".counts [data-status=succeeded] + b").inner_text() == "2"
    console.page.locator(".failures code", has_text="url_unreachable").wait_for()


def test_texts_from_outside_are_never_html(consoles: Open, nasty_job: dict[str, Any]) -> None:
    console = consoles().open("/console?metadata.site=nasty")
    assert NASTY in console.page.inner_text(".job-name small")
    console.open(f"/console/jobs/{nasty_job['id']}")
    console.wait("document.querySelectorAll('.masks li').length === 2")
    assert NASTY in console.page.inner_text(".masks")
    assert console.page.inner_text(".job-facts").count(NASTY) == 2
    for summary in console.page.locator(".documents summary").all():
        summary.click()
    console.page.get_by_role("link", name="result.json").wait_for()  # a document is made after it is opened
    assert console.page.locator("main img").count() == 0


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_jobs_have_no_serious_fault_and_fit(
    consoles: Open, nasty_job: dict[str, Any], options: dict[str, object]
) -> None:
    console = consoles(**options)
    for path in ("/console", f"/console/jobs/{nasty_job['id']}", "/console/batches"):
        console.open(path)
        assert console.faults() == []
        assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shown = console.page.evaluate("document.querySelector('#view').getBoundingClientRect().width")
        assert shown > 0.85 * console.page.evaluate("innerWidth"), "the view does not fill the page"


def test_the_page_of_a_job_recovers_from_a_killed_worker_and_a_killed_gateway(
    consoles: Open, stack: Service, trusted_host: Host
) -> None:
    release = trusted_host.serve_later("/killed.jpg", pictures.photo())
    job = stack.submit(image=trusted_host.url("/killed.jpg"), prompts=CLICK)
    console = consoles(may_complain=True).open(f"/console/jobs/{job['id']}")
    wait_until(console, "running")
    processes = processes_of(stack)
    os.kill(processes["worker"], signal.SIGKILL)
    os.kill(processes["gateway"], signal.SIGKILL)
    release.set()
    wait_until(console, "succeeded")
    history = console.page.inner_text(".history")
    assert "Attempt 1 on" in history
    assert "Attempt 2 on" in history
    console.page.locator("#banner").wait_for(state="hidden")


def test_a_job_that_does_not_exist_is_named_so(consoles: Open) -> None:
    console = consoles(may_complain=True).open("/console/jobs/nothing")
    assert console.heading() == "There is no such job, or it was deleted."
