"""The playground when something goes wrong: what it shows, and how it continues by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Route

from tests.browser.conftest import Open
from tests.support import pictures, stacks
from tests.support.playground import Playground
from tests.support.service import Service
from tests.support.waiting import wait_until

HEAD, HELMET = (220, 90), (390, 430)


def test_an_answer_that_a_later_click_made_stale_is_dropped(pages: Open) -> None:
    page = pages(may_complain=True).open().sample()
    page.press("h")  # no previews: the first request is that of the first click
    held: list[Route] = []
    page.page.route("**/v1/jobs?*", lambda route: route.continue_() if held else held.append(route))
    page.page.mouse.click(*page.place(*HEAD))
    page.wait("playground.session.draft !== null")
    page.page.mouse.click(*page.place(230, 100))
    page.rest()
    [head] = page.objects()
    assert len(head["prompt"]["points"]) == 2
    held[0].abort()  # the page gave it up
    page.click(240, 110)
    assert len(page.objects()[0]["prompt"]["points"]) == 3
    assert page.notice() == ""


def test_a_click_during_an_outage_gets_its_mask_when_the_service_answers_again(pages: Open) -> None:
    page = pages(may_complain=True).open().sample()
    page.click(*HEAD)
    for path in ("**/v1/jobs?*", "**/readyz"):
        page.page.route(path, lambda route: route.abort())
    page.press("n")
    page.page.mouse.click(*page.place(*HELMET))
    page.page.locator("#notice").wait_for()
    assert "does not answer" in page.notice()
    assert len(page.objects()) == 1
    for path in ("**/v1/jobs?*", "**/readyz"):
        page.page.unroute(path)
    page.rest()
    assert len(page.objects()) == 2
    page.page.locator("#notice").wait_for(state="hidden")


@pytest.mark.parametrize("name", ["gateway", "worker", "valkey-server"])
def test_a_click_gets_its_mask_although_a_process_of_the_service_is_killed(
    pages: Open, stack: Service, name: str
) -> None:
    page = pages(may_complain=True).open().sample()
    os.kill(stacks.processes_of(stack)[name], signal.SIGKILL)
    page.click(*HEAD)
    assert len(page.objects()) == 1
    page.page.locator("#notice").wait_for(state="hidden")
    wait_until(stack.is_ready)


def test_another_photo_is_free_of_masks_of_the_photo_before(pages: Open) -> None:
    page = pages(may_complain=True).open().sample()
    held: list[Route] = []
    page.page.route("**/v1/jobs?*", lambda route: held.append(route))
    page.page.mouse.click(*page.place(*HEAD))
    page.wait("playground.session.draft !== null")
    page.page.unroute("**/v1/jobs?*")
    page.drop("another.jpg", pictures.photo())
    page.wait("playground.session.photo.name === 'another.jpg' && playground.session.photo.isSent")
    page.rest()
    assert page.objects() == []


def test_a_file_that_is_no_picture_is_refused_with_a_reason(pages: Open) -> None:
    page = pages(may_complain=True).open()
    page.drop("notes.jpg", b"not a picture")
    page.wait("playground.session.problem !== null")
    assert "Neither the browser nor the service" in page.notice()
    assert page.page.locator("#welcome").is_visible()
    page.sample()
    assert page.notice() == ""


def newest(stack: Service) -> dict[str, Any]:
    job: dict[str, Any] = stack.get("/v1/jobs", params={"limit": 1}).json()["jobs"][0]
    return job


def canceled(stack: Service) -> dict[str, Any]:
    """Return a job that was canceled before it ran: no worker has a GPU."""
    job = stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS, device="gpu")
    stack.post(f"/v1/jobs/{job['id']}/cancel")
    return stack.wait(job["id"])


def failed(stack: Service) -> dict[str, Any]:
    """Return a job whose photo is only the beginning of a JPEG."""
    return stack.wait(stack.submit(image=stacks.PHOTO[:2000], prompts=stacks.PROMPTS)["id"])


@pytest.mark.parametrize(("make", "sentence"), [(canceled, "was canceled"), (failed, "no picture")])
def test_a_shared_job_without_a_result_says_why(pages: Open, stack: Service, make: Any, sentence: str) -> None:
    page = pages(may_complain=True).open(f"/?job={make(stack)['id']}")
    page.page.locator("#notice").wait_for()
    assert sentence in page.notice()
    assert page.objects() == []


@contextmanager
def suspended_worker(stack: Service) -> Iterator[None]:
    worker = stacks.processes_of(stack)["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def test_a_shared_job_that_has_not_ended_is_shown_when_it_has(pages: Open, stack: Service) -> None:
    with suspended_worker(stack):
        job = stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS, outputs=["rle"])
        page = pages().open(f"/?job={job['id']}")
        page.wait("playground.session.progress?.stage === 'following'")
        assert "still running" in page.page.inner_text("#status")
    page.wait("playground.session.state.objects.length > 0")
    assert page.objects()[0]["prompt"]["box"] == stacks.PROMPTS[0]["box"]


def test_a_search_that_is_stopped_is_canceled(page: Playground, stack: Service) -> None:
    page.sample()
    before = newest(stack)["id"]
    with suspended_worker(stack):  # the search cannot end before it is stopped
        page.page.click("#everything")
        page.page.click("#stop")
        assert not page.page.locator("#stop").is_visible()
        wait_until(lambda: newest(stack)["id"] != before)
    assert stack.wait(newest(stack)["id"])["status"] == "canceled"
    assert page.objects() == []
