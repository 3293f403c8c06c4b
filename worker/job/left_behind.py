"""The reaper's search: jobs that are out of time, and jobs that no worker will take up by itself."""

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

# Found in one look at one index, so that each is over soon; the next look finds the rest.
FOUND_AT_ONCE = 1000
WORKER_LOST = JobError("worker_lost", "the workers that tried this job died or fell silent")


@dataclass(frozen=True)
class Found:
    """A job that was found in an index, and the score that it had there when it was seen."""

    job_id: str
    index: str
    score: str


class LeftBehind:
    """Finds jobs and requeues them. Any number of reapers may do so at the same time."""

    def __init__(self, jobs: Jobs, keyspace: Keyspace, app: Celery, settings: Settings) -> None:
        self._jobs = jobs
        self._keyspace = keyspace
        self._app = app
        self._settings = settings

    def overdue(self) -> Iterator[str]:
        """Jobs not started in time, running for too long, or still running long after a cancel request."""
        for found in self._due("deadlines", self._keyspace.now()):
            yield found.job_id

    def find(self) -> Iterator[Found]:
        """Jobs whose lease has ended, whose next try is due, or whose message has vanished from its queue."""
        now = self._keyspace.now()
        for index in ("leases", "delayed"):
            yield from self._due(index, now)
        for name in queue.QUEUE_OF_DEVICE.values():
            yield from self._due(f"waiting:{name}", self._oldest_waiting(name, now))

    def requeue(self, found: Found) -> str:
        """Put a job back into its queue, if it is still as it was seen. Returns its status now, '' if it is not."""
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
        for job_id, score in self._keyspace.first(index, until, FOUND_AT_ONCE):
            yield Found(job_id, index, str(int(score)))

    def _oldest_waiting(self, name: str, now: int) -> float:
        """Jobs that were queued before this have lost their message.

        A queue is first in, first out: a job that has waited longer than the oldest message in it is not in it.
        """
        grace = now - clock.in_microseconds(self._settings.lost_message_seconds)
        oldest = self._keyspace.redis.lindex(self._keyspace.key(f"q:{name}"), -1)
        if oldest is None:
            return grace
        enqueued_at = self._keyspace.redis.zscore(self._keyspace.key(f"waiting:{name}"), queue.argument(oldest))
        # A message whose job no longer waits says nothing of its age; a worker removes it soon.
        return min(grace, enqueued_at - 1) if enqueued_at is not None else 0
