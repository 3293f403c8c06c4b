"""A worker answers clicks while all its slots are in use, and it stops without losing a job or a permit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from configs.settings import Settings
from tests.support import pictures
from tests.support.gated_worker import GatedInference
from tests.support.waiting import wait_until
from worker import tasks
from worker.job.acceptance import new_id
from worker.job.parsing import parse
from worker.job.record import Job, Status
from worker.job.request import Priority
from worker.process.lookout import Lookout
from worker.services import Services
from worker.store import queue
from worker.worker_services import WorkerServices

QUEUES = queue.queues_of_worker("cpu")
AUTO = queue.QUEUE_OF_DEVICE["auto"]


class Gate:
    """Open at first. Counts the encodings that have reached it."""

    def __init__(self) -> None:
        self._is_open = threading.Event()
        self._reached = threading.Semaphore(0)
        self.open()

    def open(self) -> None:
        self._is_open.set()

    def close(self) -> None:
        self._is_open.clear()
        while self._reached.acquire(blocking=False):
            pass

    def wait(self) -> None:
        self._reached.release()
        assert self._is_open.wait(60)

    def wait_until_reached(self) -> None:
        assert self._reached.acquire(timeout=60)


class Worker:
    """A worker without Celery: `threads` takes the part of Celery's threads."""

    def __init__(self, settings: Settings, gate: Gate) -> None:
        self._gate = gate
        self.services = WorkerServices(settings, "cpu", GatedInference(gate.wait))
        self.threads = ThreadPoolExecutor(settings.worker_concurrency)
        self.lookout: Lookout = tasks.lookout(QUEUES, self.services)

    def begin(self) -> None:
        """Use a permit."""
        self.threads.submit(tasks.segment, AUTO, self.services)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.open()
        self.lookout.stop()
        self.threads.shutdown()
        self.lookout.join()
        self.services.close()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def worker(s3_settings: Settings, gate: Gate) -> Iterator[Worker]:
    with Worker(s3_settings.model_copy(update={"worker_concurrency": 1}), gate) as worker:
        yield worker


def image(number: int) -> bytes:
    return pictures.noise(40, 40, seed=number)


def submit(services: Services, number: int, priority: Priority = "normal") -> str:
    body = {"prompts": [{"box": [1, 2, 30, 30]}], "outputs": ["rle"], "priority": priority}
    request, file = parse(body, image(number), services.settings)
    job_id = new_id()
    services.acceptance.accept(job_id, request, file)
    return job_id


def read(services: Services, job_id: str) -> Job:
    job = services.jobs.get(job_id)
    assert job is not None
    return job


def wait_for(services: Services, job_id: str, status: Status) -> None:
    wait_until(lambda: read(services, job_id).status == status)


def make_known(worker: Worker, number: int) -> None:
    """Let the worker have the embedding of an image."""
    job_id = submit(worker.services, number)
    worker.begin()
    wait_for(worker.services, job_id, Status.SUCCEEDED)


def test_a_click_on_a_known_image_is_answered_while_the_only_slot_encodes_another_image(
    worker: Worker, gate: Gate
) -> None:
    make_known(worker, 1)
    gate.close()
    worker.lookout.start()
    encodes = submit(worker.services, 2, "bulk")
    worker.begin()
    gate.wait_until_reached()
    waits = submit(worker.services, 3, "bulk")  # another image that must be encoded
    click = submit(worker.services, 1, "interactive")
    wait_for(worker.services, click, Status.SUCCEEDED)
    assert read(worker.services, encodes).status == Status.RUNNING
    assert read(worker.services, waits).status == Status.QUEUED


def test_while_a_job_waits_for_the_encoding_of_another_its_slot_runs_a_third(s3_settings: Settings, gate: Gate) -> None:
    with Worker(s3_settings.model_copy(update={"worker_concurrency": 2}), gate) as worker:
        worker.lookout.start()
        gate.close()
        encodes = submit(worker.services, 1)
        worker.begin()
        gate.wait_until_reached()
        waits = submit(worker.services, 1)
        worker.begin()
        wait_for(worker.services, waits, Status.RUNNING)
        third = submit(worker.services, 2)
        gate.wait_until_reached()
        assert [read(worker.services, job_id).status for job_id in (encodes, waits, third)] == [Status.RUNNING] * 3
        gate.open()
        for job_id in (encodes, waits, third):
            wait_for(worker.services, job_id, Status.SUCCEEDED)


def test_a_stopped_lookout_begins_no_job_and_waits_for_the_one_that_it_runs(worker: Worker, gate: Gate) -> None:
    make_known(worker, 1)
    gate.close()
    submit(worker.services, 2)
    worker.begin()
    gate.wait_until_reached()
    worker.lookout.start()
    click = submit(worker.services, 1)
    wait_for(worker.services, click, Status.SUCCEEDED)
    worker.lookout.stop()
    late = submit(worker.services, 1)
    worker.lookout.join()
    assert read(worker.services, late).status == Status.QUEUED
    assert read(worker.services, click).status == Status.SUCCEEDED


@contextmanager
def process(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Run a real worker with one slot."""
    environment = {
        **os.environ,
        "OVSEG_REDIS_URL": settings.redis_url,
        "OVSEG_REDIS_PREFIX": settings.redis_prefix,
        "OVSEG_S3_ENDPOINT_URL": str(settings.s3_endpoint_url),
        "OVSEG_S3_BUCKET": settings.s3_bucket,
        "OVSEG_WORKER_CONCURRENCY": "1",
    }
    command = [sys.executable, "-m", "tests.support.gated_worker"]
    with subprocess.Popen(command, env=environment, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def test_a_worker_that_drains_ends_its_jobs_and_keeps_no_permit_of_those_that_wait(s3_settings: Settings) -> None:
    services = Services(s3_settings)
    gate, permits = services.keyspace.key("gate"), services.keyspace.key(f"q:{AUTO}")
    redis = services.keyspace.redis
    redis.set(gate, 1)
    with process(s3_settings) as running:
        wait_for(services, submit(services, 1), Status.SUCCEEDED)
        redis.delete(gate)
        encodes = submit(services, 2, "bulk")
        wait_for(services, encodes, Status.RUNNING)
        waiting = [submit(services, number, "bulk") for number in (3, 4)]
        click = submit(services, 1, "interactive")
        wait_for(services, click, Status.SUCCEEDED)
        assert read(services, encodes).status == Status.RUNNING
        running.send_signal(signal.SIGTERM)
        redis.set(gate, 1)
        assert running.wait(60) == 0
    assert read(services, encodes).status == Status.SUCCEEDED
    assert {read(services, job_id).status for job_id in waiting} <= {Status.QUEUED, Status.SUCCEEDED}
    queued = [job_id for job_id in waiting if read(services, job_id).status == Status.QUEUED]
    assert redis.llen(permits) >= len(queued)
