"""The size of a page is limited in bytes: a page ends early, and its next_cursor leads to the rest."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway import paging
from gateway.paging import PAGE_BYTES
from tests.support import protocol
from tests.support.protocol import AT, BROKEN, HOOK
from worker.store.clock import moment
from worker.webhook.delivery import Delivery
from worker.webhook.events import KEPT_DELIVERIES

POINTS = {"points": [[n / 7, n / 11] for n in range(1, 101)]}


def submit(client: FlaskClient, prompts: list[Any], **fields: Any) -> str:
    body = {"image": "https://example.com/a.jpg", "prompts": prompts, "device": "gpu", **fields}
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["id"])


def pages(client: FlaskClient, path: str, name: str, limit: int) -> list[list[dict[str, Any]]]:
    """Read all pages. Check that each is within the limit or has a single item."""
    found, cursor = [], None
    while True:
        query = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        answer = client.get(path, query_string=query)
        assert answer.status_code == 200, answer.text
        items = answer.get_json()[name]
        assert len(items) == 1 or len(answer.data) < PAGE_BYTES + 1000
        found.append(items)
        cursor = answer.get_json()["next_cursor"]
        if cursor is None:
            return found


def test_the_pages_of_large_jobs_have_every_job_once(asked: FlaskClient) -> None:
    sizes = [100, 100, 1, 100, 1, 1, 60, 100]  # prompts of 100 points
    ids = [submit(asked, [POINTS] * size) for size in sizes]
    found = pages(asked, "/v1/jobs", "jobs", 100)
    assert 1 < len(found) < len(ids)
    assert [job["id"] for page in found for job in page] == ids[::-1]
    assert [job["id"] for page in pages(asked, "/v1/jobs", "jobs", 3) for job in page] == ids[::-1]


def test_an_item_larger_than_a_page_is_alone_on_its_page(asked: FlaskClient) -> None:
    sizes = [10, PAGE_BYTES, 10, 10]

    def first_page(rest: list[int]) -> tuple[list[int], str]:
        items = (({"x": "y" * size}, f"after {n}") for n, size in enumerate(rest, 1))
        with asked.application.app_context():
            answer = paging.answer("items", items, "the end").get_json()
        return [len(each["x"]) for each in answer["items"]], answer["next_cursor"]

    assert first_page(sizes) == ([10], "after 1")
    assert first_page(sizes[1:]) == ([PAGE_BYTES], "after 1")
    assert first_page(sizes[2:]) == ([10, 10], "the end")
    assert first_page([]) == ([], "the end")


def failing(services: Any, event_id: str) -> None:
    """Record deliveries that fail with the largest answers that are stored."""
    for _ in range(KEPT_DELIVERIES):
        event = services.events.begin(event_id, AT)
        services.events.try_again(
            event, 0, Delivery(moment("1"), HOOK + "?" + "x" * 2000, 500, None, 1.0, "\ufffd" * 1024)
        )


@pytest.mark.parametrize("limit", [100, 2])
def test_the_pages_of_events_are_limited_too(asked: FlaskClient, limit: int) -> None:
    services = asked.application.extensions["ovseg"]
    endpoints = [asked.post("/v1/webhook-endpoints", json={"url": HOOK}).get_json()["id"] for _ in range(8)]
    jobs = [submit(asked, [{"box": [1, 2, 3, 4]}]) for _ in range(8)]
    for job_id in jobs:
        services.jobs.fail(protocol.begin(services.jobs, job_id), BROKEN)
        failing(services, f"evt_{job_id}_failed_{endpoints[0]}")
    for endpoint_id in endpoints[1:]:
        failing(services, f"evt_{jobs[0]}_failed_{endpoint_id}")

    of_endpoint = pages(asked, f"/v1/webhook-endpoints/{endpoints[0]}/events", "events", limit)
    assert len(of_endpoint) > 1
    assert [event["job_id"] for page in of_endpoint for event in page] == jobs[::-1]
    of_job = pages(asked, f"/v1/jobs/{jobs[0]}/webhook-deliveries", "events", limit)
    assert len(of_job) > 1
    assert [event["endpoint_id"] for page in of_job for event in page] == endpoints
    for endpoint_id in endpoints:
        asked.delete(f"/v1/webhook-endpoints/{endpoint_id}")
