"""Event streams: what happens to a job is sent while it happens, and what a client missed is sent again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from configs.settings import Settings
from tests.support import event_stream, protocol
from tests.support.lone_gateway import LoneGateway
from worker.job.jobs import Jobs
from worker.job.record import JobError
from worker.store import queue
from worker.store.keyspace import Keyspace


@pytest.fixture
def lone(redis_url: str) -> Settings:
    """The settings of the process that has no gateway of its own: it works on the jobs of `gateway`."""
    return Settings(redis_url=redis_url, redis_prefix="lone:")


@pytest.fixture
def jobs(lone: Settings) -> Iterator[Jobs]:
    with Keyspace.open(lone) as keyspace:
        yield Jobs(keyspace, queue.create(lone), lone)


def address(gateway: LoneGateway, job_id: str) -> str:
    return f"{gateway.url}/v1/jobs/{job_id}/events"


def test_a_stream_has_the_present_state_then_each_change_and_ends_with_the_job(
    gateway: LoneGateway, jobs: Jobs
) -> None:
    job_id = protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id)) as stream:
        first = stream.next()
        assert (first.type, first.data["type"], first.data["data"]["status"]) == ("job.state", "job.state", "queued")
        assert 1000 <= (stream.retry or 0) <= 3000
        job = protocol.begin(jobs, job_id)
        assert stream.next().type == "job.started"
        jobs.report_progress(job, 3, 7)
        progress = stream.next()
        assert (progress.type, progress.data["data"]) == ("job.progress", {"id": job_id, "done": 3, "total": 7})
        jobs.hand_back(job)
        assert stream.next().type == "job.queued"
        again = protocol.begin(jobs, job_id)
        assert stream.next().type == "job.started"
        jobs.fail(again, JobError("image_unreadable", "no image"))
        [last] = stream
        assert last.type == "job.failed"
        assert last.data["data"] == requests.get(f"{gateway.url}/v1/jobs/{job_id}", timeout=30).json()


@pytest.mark.parametrize(
    ("end", "kind"), [(Jobs.cancel, "job.canceled"), (lambda jobs, job_id: erase(jobs, job_id), "job.deleted")]
)
def test_a_job_that_is_canceled_or_deleted_while_it_is_followed_ends_its_stream(
    gateway: LoneGateway, jobs: Jobs, end: Any, kind: str
) -> None:
    job_id = protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id)) as stream:
        stream.next()
        end(jobs, job_id)
        [last] = stream
        assert (last.type, last.data["data"]["id"]) == (kind, job_id)


def erase(jobs: Jobs, job_id: str) -> None:
    jobs._keyspace.run("erase", job_id, 0, 60, 0, "")


def test_a_client_that_connects_again_gets_what_it_missed_and_nothing_twice(gateway: LoneGateway, jobs: Jobs) -> None:
    job_id = protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id)) as stream:
        first = stream.next()
    job = protocol.begin(jobs, job_id)
    jobs.hand_back(job)
    with event_stream.opened(address(gateway, job_id), first.id) as stream:
        assert [stream.next().type for _ in range(2)] == ["job.started", "job.queued"]
        jobs.cancel(job_id)
        [last] = stream
        assert last.type == "job.canceled"
    with event_stream.opened(f"{address(gateway, job_id)}?last_event_id={first.id}") as stream:
        assert stream.types() == ["job.started", "job.queued", "job.canceled"]
    done = requests.get(address(gateway, job_id), headers={"Last-Event-ID": str(last.id)}, timeout=30)
    assert (done.status_code, done.content) == (204, b"")


@pytest.mark.parametrize("last_id", ["1-0", "final", "nonsense", "1"])
def test_a_client_that_comes_too_late_is_told_that_there_is_a_gap(
    gateway: LoneGateway, jobs: Jobs, last_id: str
) -> None:
    job_id = protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id), last_id) as stream:
        assert [stream.next().type for _ in range(2)] == ["gap", "job.state"]
        jobs.cancel(job_id)
        assert stream.types() == ["job.canceled"]


def test_the_stream_of_a_job_that_has_ended_has_its_state_and_ends(gateway: LoneGateway, jobs: Jobs) -> None:
    job_id = protocol.accept(jobs)
    jobs.cancel(job_id)
    with event_stream.opened(address(gateway, job_id)) as stream:
        [only] = stream
        assert (only.type, only.data["data"]["status"], only.id) == ("job.state", "canceled", "final")
    with event_stream.opened(address(gateway, job_id), "1-0") as stream:
        assert stream.types() == ["gap", "job.state"]
    again = requests.get(address(gateway, job_id), headers={"Last-Event-ID": "final"}, timeout=30)
    assert again.status_code == 204
    assert requests.get(address(gateway, "unknown"), timeout=30).status_code == 404


def test_while_nothing_happens_a_client_gets_comments(gateway: LoneGateway, jobs: Jobs) -> None:
    job_id = protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id)) as stream:
        stream.next()
        assert stream.response.readline() == b": waiting\n"
        jobs.cancel(job_id)
        assert stream.types() == ["job.canceled"]


def test_events_that_come_while_the_subscription_is_broken_are_sent_afterwards(
    gateway: LoneGateway, jobs: Jobs
) -> None:
    job_id = protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id)) as stream:
        stream.next()
        jobs._keyspace.redis.client_kill_filter(_type="pubsub")
        job = protocol.begin(jobs, job_id)
        jobs.fail(job, protocol.BROKEN)
        assert stream.types() == ["job.started", "job.failed"]


def test_a_feed_that_redis_has_lost_is_a_gap(gateway: LoneGateway, jobs: Jobs) -> None:
    job_id = protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id)) as stream:
        stream.next()
        redis = jobs._keyspace.redis
        redis.delete(jobs._keyspace.key(f"feed:job:{job_id}"))
        protocol.begin(jobs, job_id)
        redis.client_kill_filter(_type="pubsub")
        assert [stream.next().type for _ in range(2)] == ["gap", "job.state"]


def test_a_queued_job_reports_when_another_number_of_jobs_begins_before_it(gateway: LoneGateway, jobs: Jobs) -> None:
    before, job_id = protocol.accept(jobs), protocol.accept(jobs)
    with event_stream.opened(address(gateway, job_id)) as stream:
        ahead = stream.next().data["data"]["queue"]["ahead"]
        jobs.cancel(before)
        moved = stream.next()
        assert (moved.type, moved.data["data"]["id"]) == ("job.position", job_id)
        assert moved.data["data"]["queue"]["ahead"] == ahead - 1


def test_a_job_without_followers_has_no_feed(jobs: Jobs) -> None:
    job_id = protocol.accept(jobs)
    jobs.fail(protocol.begin(jobs, job_id), protocol.BROKEN)
    assert not jobs._keyspace.redis.exists(jobs._keyspace.key(f"feed:job:{job_id}"))


def test_a_client_of_http_1_0_gets_the_stream_until_the_connection_is_closed(gateway: LoneGateway, jobs: Jobs) -> None:
    job_id = protocol.accept(jobs)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as client, client.makefile("rb") as answer:
        client.sendall(f"GET /v1/jobs/{job_id}/events HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        while not answer.readline().startswith(b"data:"):
            pass
        jobs.cancel(job_id)
        assert b"event: job.canceled" in answer.read()


def test_head_has_the_headers_and_no_stream(gateway: LoneGateway, jobs: Jobs) -> None:
    answer = requests.head(address(gateway, protocol.accept(jobs)), timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert "Content-Encoding" not in answer.headers
