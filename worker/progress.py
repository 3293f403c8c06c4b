"""What a job reports while it runs: its stage, how far it is, and results that it has already.

Stages and partial results are reported only while someone follows the job, so that other jobs cost nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import RedisError

from worker.inference.embeddings import CHECK_EVERY_SECONDS
from worker.job.record import Job
from worker.worker_services import WorkerServices

REPORT_EVERY_SECONDS = 1.0  # a person who watches the progress needs no more, and each report is a call to Redis
MAX_PARTIAL_BYTES = 32 * 1024  # of one event; a feed keeps a thousand, and sends all that a client missed


class Progress:
    """The reports of one attempt."""

    def __init__(self, job: Job, services: WorkerServices) -> None:
        self._job, self._services = job, services
        self._stage = self._reported = ""
        self._check_at = self._report_at = self._partial_at = 0.0

    def check(self, unless_recent: bool = False) -> None:
        """Check whether the job may continue, as `Heartbeat.check` does, and report the stage if it is followed now."""
        self._services.heartbeat.check(self._job, unless_recent)
        self._report_stage()

    def enter(self, stage: str) -> None:
        """Begin a stage: fetching, decoding_image, encoding, detecting, decoding_masks or uploading."""
        self._stage = stage
        self._report_stage()

    @contextmanager
    def during(self, stage: str) -> Iterator[None]:
        """Be in a stage while the block runs, and then in the previous one again."""
        before = self._stage
        self.enter(stage)
        yield
        self._stage = before

    def count(self, done: int, total: int) -> None:
        """Check whether the job may continue, and record how many of its parts are done, unless it was done just now.

        Raises what `check` raises.
        """
        now = time.monotonic()
        if now >= self._check_at:
            self._check_at = now + CHECK_EVERY_SECONDS
            self.check()
        if now >= self._report_at:
            self._report_at = now + REPORT_EVERY_SECONDS
            with suppress(RedisError):  # the job can continue, and its heartbeat logs that Redis is unreachable
                self._services.jobs.report_progress(self._job, done, total)

    @property
    def wants_partial(self) -> bool:
        """True if the job is followed, and its last partial result is not too recent."""
        return self._is_followed and time.monotonic() >= self._partial_at

    def send_partial(self, result: Callable[[int], dict[str, Any]], count: int) -> None:
        """Report a partial result of up to `count` objects: `result(n)` has the first n. It has a maximum size."""
        self._partial_at = time.monotonic() + REPORT_EVERY_SECONDS
        data = json.dumps(result(count))
        while len(data) > MAX_PARTIAL_BYTES and count:
            count //= 2
            data = json.dumps(result(count))
        if count:
            self._report("job.partial", data)

    @property
    def _is_followed(self) -> bool:
        return self._services.heartbeat.is_followed(self._job)

    def _report_stage(self) -> None:
        if self._stage not in ("", self._reported) and self._is_followed:
            self._reported = self._stage
            self._report("job.stage", json.dumps({"attempt": self._job.attempt, "stage": self._stage}))

    def _report(self, kind: str, data: str) -> None:
        with suppress(RedisError):
            self._services.jobs.report(self._job, kind, data)
