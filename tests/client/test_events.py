"""`client.events` continues an event stream over broken connections."""

from __future__ import annotations

import asyncio
import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from ovseg_client import AsyncClient, Client, Job, NotFound, Unreachable
from tests.support.fakes import Host, reply

PATH = "/v1/jobs/j/events"
JOB = {"id": "j", "status": "queued", "is_final": False, "progress": None}


def event(number: int, kind: str, **data: Any) -> bytes:
    body = {"type": kind, "timestamp": "2026-11-26T17:00:23.514211Z", "data": {"id": "j", **data}}
    return f": waiting\n\nid: {number}-0\nevent: {kind}\ndata: {json.dumps(body)}\n\n".encode()


def connections(host: Host, *sent: bytes) -> None:
    """Each connection sends one of these, and breaks. Later ones are 204."""
    left = list(sent)

    def answer(request: BaseHTTPRequestHandler) -> None:
        if not left:
            return reply(request, 204, b"", {})
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Content-Length", "100000000")
        request.end_headers()
        request.wfile.write(b"retry: 1\n\n" + left.pop(0))
        return None

    host.answers[PATH] = answer


def test_a_stream_continues_after_the_last_event_until_the_job_has_ended(host: Host) -> None:
    large = {"result": "x" * 3_000_000}  # a result is larger than readers of event streams usually allow
    progress = [event(number, "job.progress", done=number) for number in (2, 3)]
    connections(
        host, event(1, "job.started") + progress[0][:-9], progress[0], progress[1] + event(4, "job.succeeded", **large)
    )
    with Client(f"http://{host.address}", "ovk_a_b") as client:
        events = list(client.events(Job(client, JOB)))
    assert [found.type for found in events] == ["job.started", "job.progress", "job.progress", "job.succeeded"]
    assert [found.id for found in events] == ["1-0", "2-0", "3-0", "4-0"]
    assert events[3].data["result"] == large["result"]
    assert [request.headers.get("last-event-id") for request in host.received] == [None, "1-0", "2-0"]
    assert {request.headers["accept"] for request in host.received} == {"text/event-stream"}


def test_a_stream_that_has_nothing_more_ends(host: Host) -> None:
    connections(host, event(1, "job.started"))
    with Client(f"http://{host.address}") as client:
        assert [found.type for found in client.events(Job(client, JOB))] == ["job.started"]


def test_the_end_of_another_job_does_not_end_the_stream_of_all(host: Host) -> None:
    connections(host, event(1, "job.succeeded") + event(2, "job.failed"))
    host.answers["/v1/events"] = host.answers[PATH]
    with Client(f"http://{host.address}") as client:
        assert [found.type for found in client.events(last_event_id="0-1")] == ["job.succeeded", "job.failed"]
    assert host.received[0].headers["last-event-id"] == "0-1"


def test_a_stream_that_stays_broken_is_unreachable_and_an_unknown_job_is_not_found(host: Host) -> None:
    connections(host, *[b""] * 1000)
    start = time.monotonic()
    with Client(f"http://{host.address}", retry_seconds=0.2) as client:
        with pytest.raises(Unreachable):
            list(client.events(Job(client, JOB)))
        assert time.monotonic() - start < 60
        with pytest.raises(NotFound):
            next(client.events(Job(client, {**JOB, "id": "none"})))


def test_the_async_client_has_events_too(host: Host) -> None:
    connections(host, event(1, "job.state", is_final=False), event(2, "job.state", is_final=True))

    async def types() -> list[str]:
        async with AsyncClient(f"http://{host.address}") as client:
            job = await client.job("j")
            return [found.type async for found in client.events(job)]

    host.serve("/v1/jobs/j", json.dumps(JOB).encode())
    assert asyncio.run(types()) == ["job.state", "job.state"]
