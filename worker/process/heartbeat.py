"""A worker's sign of life: it renews the leases of its running jobs, and its own name in the list of workers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis import RedisError

from worker.job.attempt import LeaseLost, Stopped
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.process.roster import Roster

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats in a thread of its own, for as long as the process lives."""

    def __init__(self, jobs: Jobs, roster: Roster, pause_seconds: float) -> None:
        self._jobs = jobs
        self._roster = roster
        self._pause_seconds = pause_seconds
        self._held: dict[str, Job] = {}  # by claim
        self._verdicts: dict[str, str] = {}  # by claim, of those that should stop
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leave the list of workers now, so that nobody waits for this worker's lease to end."""
        self._stopping.set()
        if self._thread.is_alive():  # not where Redis was never reached
            self._thread.join()

    @contextmanager
    def holding(self, job: Job) -> Iterator[None]:
        """Renews the job's lease for as long as the block runs."""
        with self._lock:
            self._held[job.claim] = job
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(job.claim, None)
                self._verdicts.pop(job.claim, None)

    @property
    def held(self) -> list[Job]:
        """The jobs that this process is running."""
        with self._lock:
            return list(self._held.values())

    def check(self, job: Job) -> None:
        """Whether the attempt may go on, as Redis says now or, while Redis is unreachable, as it said last.

        Raises LeaseLost if another attempt holds the job, Stopped if it was canceled or is out of time.
        """
        try:
            self._renew([job])
        except RedisError as error:
            log.warning("%s continues without a check, Redis is unreachable: %s", job.claim, error)
        verdict = self._verdicts.get(job.claim)
        if verdict == "lost":
            raise LeaseLost(job.claim)
        if verdict is not None:
            raise Stopped(verdict)

    def _run(self) -> None:
        while True:
            try:
                self._beat()
            except RedisError as error:
                log.warning("no heartbeat, Redis is unreachable: %s", error)
            if self._stopping.wait(self._pause_seconds):
                break
        try:
            self._roster.leave()
        except RedisError as error:
            log.warning("this worker stays in the list until its lease ends, Redis is unreachable: %s", error)

    def _beat(self) -> None:
        self._roster.enter()
        if held := self.held:
            self._renew(held)

    def _renew(self, held: Sequence[Job]) -> None:
        verdicts = self._jobs.beat(held)
        with self._lock:
            self._verdicts.update((claim, why) for claim, why in verdicts.items() if claim in self._held)
