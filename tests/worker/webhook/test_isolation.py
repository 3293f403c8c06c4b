"""A receiver that hangs does not delay other receivers: real senders, a reaper, and two real receivers."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler

from configs.settings import Settings
from tests.support import drips, fakes, protocol
from tests.support.fakes import Host
from tests.support.parts import processes
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Events, History

THREADS, PER_HOST = 4, 2
PATIENCE_SECONDS, QUICK_SECONDS = 300, 60  # far apart, because machines may be slow
MANY = 40


class Hanging:
    """Answers no request before `end` is set; `max_waiting` is the largest number of requests that waited together."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.max_waiting = self._now = 0
        self._lock = threading.Lock()

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self._now += 1
            self.max_waiting = max(self.max_waiting, self._now)
        self.end.wait(600)
        with self._lock:
            self._now -= 1
        fakes.reply(request, 200, b"", {})


def test_a_fast_receiver_does_not_wait_for_one_that_hangs(settings: Settings, host: Host) -> None:
    hanging = Hanging()
    with fakes.host() as other:
        other.answers["/hang"] = hanging
        host.serve("/quick")
        settings = settings.model_copy(
            update={
                "allowed_private_hosts": (host.address, other.address),
                "webhook_threads": THREADS,
                "webhook_threads_per_host": PER_HOST,
                "webhook_timeout_seconds": PATIENCE_SECONDS,
            }
        )
        with Keyspace.open(settings) as keyspace, processes(settings, "webhooks", "reaper"):
            app = queue.create(settings)
            jobs, events = Jobs(keyspace, app, settings), Events(keyspace, app, settings)
            protocol.endpoint(Endpoints(keyspace, settings), other.url("/hang"))
            first = cancel_many(jobs, MANY, None)
            other.wait_for("/hang", PER_HOST, seconds=120)

            quick = cancel_many(jobs, MANY, host.url("/quick"))
            host.wait_for("/quick", MANY, seconds=300)
            of_jobs = [event for event in delivered(events, quick, MANY) if event.event.endpoint_id is None]
            waits = [seconds_until_delivered(event) for event in of_jobs]
            assert len(waits) == MANY
            assert max(waits) < QUICK_SECONDS
            assert hanging.max_waiting == PER_HOST

            hanging.end.set()
            histories = delivered(events, first + quick, 3 * MANY)
            assert {history.event.tries for history in histories} == {1}  # the time on hold counts as no try
            assert hanging.max_waiting == PER_HOST


def test_receivers_with_slow_answers_do_not_block_the_senders(settings: Settings, host: Host) -> None:
    host.serve("/quick")
    with fakes.host() as other:
        for how, answer in drips.WITHOUT_ANSWER.items():
            other.answers[f"/{how.replace(' ', '-')}"] = answer
        settings = settings.model_copy(
            update={
                "allowed_private_hosts": (host.address, other.address),
                "webhook_threads": 2,
                "webhook_threads_per_host": 2,
                "webhook_timeout_seconds": 0.5,
            }
        )
        with Keyspace.open(settings) as keyspace, processes(settings, "webhooks", "reaper"):
            app = queue.create(settings)
            jobs, events = Jobs(keyspace, app, settings), Events(keyspace, app, settings)
            dripping = [job for path in other.answers for job in cancel_many(jobs, 1, other.url(path))]
            other.wait_for(next(iter(other.answers)), seconds=120)
            quick = cancel_many(jobs, MANY, host.url("/quick"))
            assert len(delivered(events, quick, MANY)) == MANY
            deadline = time.monotonic() + 120
            while [event for job in dripping for event in events.of_job(job) if not event.deliveries]:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def cancel_many(jobs: Jobs, count: int, webhook: str | None) -> list[str]:
    ids = [protocol.accept(jobs, webhook=webhook) for _ in range(count)]
    for job_id in ids:
        jobs.cancel(job_id)
    return ids


def delivered(events: Events, job_ids: list[str], count: int) -> list[History]:
    """Wait until `count` events of these jobs are delivered. Returns their histories."""
    deadline = time.monotonic() + 300
    while True:
        histories = [event for job_id in job_ids for event in events.of_job(job_id) if event.event.state == "delivered"]
        if len(histories) >= count:
            return histories
        assert time.monotonic() < deadline, len(histories)
        time.sleep(0.1)


def seconds_until_delivered(history: History) -> float:
    first = history.deliveries[-1]
    return (first.at - history.event.created_at).total_seconds() + first.duration_ms / 1000
