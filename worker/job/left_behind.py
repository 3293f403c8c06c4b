"""The reaper's search for jobs that have exceeded a deadline, and for jobs that no worker would begin any more."""

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
        """Yield the jobs whose lease has expired, and those whose next attempt is due."""
        now = self._keyspace.now()
        for index in ("leases", "delayed"):
            yield from self._due(index, now)

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
                messages.permit(self._app, job.request),
                self._settings.max_attempts,
                WORKER_LOST.to_json(),
                messages.of_end(self._app, job, Status.FAILED),
                queue.resend_after(),
            )
        )

    def replace_permits(self) -> Iterator[tuple[str, int]]:
        """Push the permits that queues lack because messages were lost. Yields these queues, and how many they lacked.

        A queue with a permit too many is no error, so several reapers may do this at the same time.
        """
        long = clock.in_microseconds(self._settings.lost_message_seconds)
        for name in queue.QUEUE_OF_DEVICE.values():
            if missing := self._keyspace.run("missing_permits", name, long):
                permits = [queue.permit(self._app, name) for _ in range(min(missing, MAX_FOUND))]
                self._keyspace.redis.lpush(self._keyspace.key(f"q:{name}"), *permits)
                yield name, len(permits)

    def _due(self, index: str, until: float) -> Iterator[Found]:
        for job_id, score in self._keyspace.first(index, until, MAX_FOUND):
            yield Found(job_id, index, str(int(score)))
