"""The reaper's search for jobs that have exceeded a deadline, and for jobs that no worker would claim any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from celery import Celery

from configs.settings import Settings
from worker.job import messages
from worker.job.jobs import Jobs
from worker.job.record import JobError, Status
from worker.store import clock, queue
from worker.store.keyspace import Keyspace

# At most this many jobs are found in one index at a time, so that each search is short; the next one finds the rest.
MAX_FOUND = 1000
WORKER_LOST = JobError("worker_lost", "the workers that tried this job died or fell silent")


@dataclass(frozen=True)
class Found:
    """A job that was found in an index, and its score there at that time."""

    job_id: str
    index: str
    score: str


class LeftBehind:
    """Finds jobs that were left behind and requeues them. Any number of reapers may do so at the same time."""

    def __init__(self, jobs: Jobs, keyspace: Keyspace, app: Celery, settings: Settings) -> None:
        self._jobs = jobs
        self._keyspace = keyspace
        self._app = app
        self._settings = settings

    def overdue(self) -> Iterator[str]:
        """Yield the jobs that were not started in time, run for too long, or still run long after a cancel request."""
        for found in self._due("deadlines", self._keyspace.now()):
            yield found.job_id

    def find(self) -> Iterator[Found]:
        """Yield the jobs whose lease has expired, whose next attempt is due, or whose message was lost."""
        now = self._keyspace.now()
        for index in ("leases", "delayed"):
            yield from self._due(index, now)
        for name in queue.QUEUE_OF_DEVICE.values():
            yield from self._due(f"waiting:{name}", self._lost_until(name, now))

    def requeue(self, found: Found) -> str:
        """Requeue a job, unless it has changed since it was found. Returns its status now, '' if it has changed."""
        job = self._jobs.get(found.job_id)
        if job is None:
            return ""
        return str(
            self._keyspace.run(
                "requeue",
                job.id,
                found.index,
                found.score,
                messages.of_job(self._app, job),
                self._settings.max_attempts,
                WORKER_LOST.to_json(),
                messages.of_end(self._app, job, Status.FAILED),
                queue.resend_after(),
            )
        )

    def _due(self, index: str, until: float) -> Iterator[Found]:
        for job_id, score in self._keyspace.first(index, until, MAX_FOUND):
            yield Found(job_id, index, str(int(score)))

    def _lost_until(self, name: str, now: int) -> float:
        """Return the time up to which jobs of a queue must have been queued to be considered lost.

        A queue is first in, first out: a job that has waited longer than the oldest message in it has no message there.
        """
        grace = now - clock.in_microseconds(self._settings.lost_message_seconds)
        oldest = self._keyspace.redis.lindex(self._keyspace.key(f"q:{name}"), -1)
        if oldest is None:
            return grace
        enqueued_at = self._keyspace.redis.zscore(self._keyspace.key(f"waiting:{name}"), queue.argument(oldest))
        # If the job of the oldest message no longer waits, the age of the message is unknown; a worker removes it soon.
        return min(grace, enqueued_at - 1) if enqueued_at is not None else 0
