"""Jobs whose images are made to block a worker, on a real worker, Valkey and SeaweedFS."""

from __future__ import annotations

import hashlib
import re
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import pytest

from configs.settings import Settings
from ovseg.child import Child, Command
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.support import bombs, pictures, protocol
from tests.support.decoder_without_counts import CRASHES, FALLS_ONCE, HANGS, HANGS_ONCE
from tests.support.processes import children, is_gone
from tests.support.waiting import wait_until
from worker.image.content import ImageContent, ImageSource
from worker.job.jobs import Jobs
from worker.job.record import Job, Status
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

PATIENCE_SECONDS = 120  # machines may be slow
BOMB_SECONDS = 1  # of CPU time


@dataclass(frozen=True)
class Worker:
    process: Child
    lines: list[str]
    jobs: Jobs
    storage: Storage

    def accept(self, data: bytes, width: int = 512, height: int = 512, **deadline: Unpack[protocol.Seconds]) -> str:
        job_id, key = str(uuid.uuid4()), f"inputs/{uuid.uuid4()}"
        self.storage.put(key, data, "application/octet-stream")
        digest = hashlib.sha256(data).hexdigest()
        content = ImageContent(sha256=digest, width=width, height=height, format="PNG")
        source = ImageSource(key=key, content=content)
        request = protocol.request(**deadline).model_copy(update={"image": source})
        return protocol.accepted(self.jobs, job_id, request).id

    def wait(self, job_id: str, *states: Status) -> Job:
        """Wait until the job has one of these states or a final one. Returns the job."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            job = self.jobs.get(job_id)
            assert job is not None
            if job.status.is_terminal or job.status in states:
                return job
            assert time.monotonic() < deadline, "\n".join(self.lines)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def worker(redis_url: str, s3: Seaweedfs) -> Iterator[Worker]:
    settings = Settings(
        redis_url=redis_url,
        redis_prefix=f"test-{uuid.uuid4().hex[:8]}:",
        s3_endpoint_url=s3.endpoint_url,
        s3_bucket=BUCKET,
        decode_seconds=BOMB_SECONDS,
    )
    changed = settings.model_dump(exclude_defaults=True)
    environment = {f"OVSEG_{name.upper()}": str(value) for name, value in changed.items()}
    lines: list[str] = []
    command = Command("worker", [sys.executable, "-m", "tests.support.worker_without_counts"], environment)
    process = Child(command, lambda _, line: lines.append(line))
    try:
        with Keyspace.open(settings) as keyspace:
            yield Worker(process, lines, Jobs(keyspace, queue.create(settings), settings), Storage(settings))
    finally:
        process.ask_to_end()
        process.end_by(time.monotonic() + 30)


def test_a_job_next_to_four_costly_images_succeeds_and_their_jobs_fail_without_a_retry(worker: Worker) -> None:
    costly = [
        worker.accept(bombs.bmp_rle_ends_of_line(), 8000, 10_000),
        worker.accept(bombs.jpeg_progressive_scans(4000, 4000, 5000), 4000, 4000),
        worker.accept(bombs.ppm_comments(), 100, 100),
        worker.accept(bombs.tiff_tile(16_384), 16, 16),
    ]
    for job_id in costly:
        worker.wait(job_id, Status.RUNNING)
    usual = worker.wait(worker.accept(pictures.photo()))
    assert (usual.status, usual.attempt) == (Status.SUCCEEDED, 1)
    for job in map(worker.wait, costly):
        assert job.error is not None
        assert (job.status, job.attempt) == (Status.FAILED, 1)
        assert (job.error.code, job.error.field) == ("image_too_costly", "image")


def test_a_job_whose_decoder_hangs_can_be_canceled(worker: Worker) -> None:
    job_id = worker.accept(HANGS)
    worker.wait(job_id, Status.RUNNING)
    worker.jobs.cancel(job_id)
    assert worker.wait(job_id).status is Status.CANCELED


def test_a_job_whose_decoder_hangs_ends_at_its_deadline(worker: Worker) -> None:
    job = worker.wait(worker.accept(HANGS + b" until then", run_within_s=1))
    assert job.error is not None
    assert (job.status, job.error.code) == (Status.FAILED, "timeout")


def test_a_job_that_waits_for_the_embedding_of_a_canceled_job_succeeds(worker: Worker, tmp_path: Path) -> None:
    data, mark = HANGS_ONCE + bytes(tmp_path / "hung"), tmp_path / "hung"
    first = worker.accept(data, 40, 30)
    wait_until(mark.exists)
    second = worker.accept(data, 40, 30)
    worker.wait(second, Status.RUNNING)
    worker.jobs.cancel(first)
    assert worker.wait(first).status is Status.CANCELED
    assert worker.wait(second).status is Status.SUCCEEDED


def test_a_job_whose_decoder_is_killed_succeeds_in_its_first_attempt(worker: Worker, tmp_path: Path) -> None:
    job = worker.wait(worker.accept(FALLS_ONCE + bytes(tmp_path / "fell"), 40, 30))
    assert (job.status, job.attempt) == (Status.SUCCEEDED, 1)
    assert (tmp_path / "fell").exists()


def test_an_image_that_crashes_every_decoder_is_unreadable_and_the_worker_keeps_running(worker: Worker) -> None:
    pid = worker.process.pid
    job = worker.wait(worker.accept(CRASHES))
    assert job.error is not None
    assert (job.status, job.attempt, job.error.code) == (Status.FAILED, 1, "image_unreadable")
    assert worker.process.pid == pid
    assert worker.wait(worker.accept(pictures.photo())).status is Status.SUCCEEDED


def test_a_stopped_worker_finishes_its_jobs_and_leaves_no_child_behind(worker: Worker) -> None:
    assert worker.wait(worker.accept(pictures.noise(30, 40), 40, 30)).status is Status.SUCCEEDED
    pids = children(worker.process.pid)
    assert pids
    worker.process.ask_to_end()
    worker.process.end_by(time.monotonic() + PATIENCE_SECONDS)
    assert not any(re.search(r"^(Traceback|\S*Error)", line) for line in worker.lines), "\n".join(worker.lines)
    wait_until(lambda: all(is_gone(pid) for pid in pids))
