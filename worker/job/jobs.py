"""The jobs in Redis and their transitions, each one Lua script; the only writer of a job's status."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from celery import Celery
from redis import Redis

from configs.settings import Settings
from worker.job import event_type
from worker.job.idempotency import Once
from worker.job.record import Job, JobError, Run, Status
from worker.job.request import Deadline, JobRequest
from worker.store import queue
from worker.store.scripts import Scripts

MICROSECONDS = 1_000_000
RESEND_SECONDS = 30  # an event whose message was lost is sent again after this
CANCEL_SECONDS = 60  # an attempt that has not heeded a cancel request by then is not waited for
# After Redis was lost, attempts are counted from the next thousand: a worker that still has one of before in hand must
# not be taken for the holder of the new one.
ATTEMPTS_APART = 1000
MOST_DOUBLINGS = 20  # far beyond any longest delay
# A list stops reading records after so many bytes of them, so many records at a time: one may have half a megabyte.
LISTED_BYTES = 1_000_000
READ_AT_ONCE = 20
WORKER_LOST = JobError("worker_lost", "the workers that tried this job died or fell silent")


@dataclass(frozen=True)
class LeftBehind:
    """A job that the reaper found in an index, and the score it had there when it was seen."""

    job_id: str
    index: str
    score: str


@dataclass(frozen=True)
class Outcome:
    """The job that was accepted, now or before. None where something else was accepted before, where that job was
    erased since, or where no more are accepted: `full` says what is full, `jobs` or `memory`."""

    job: Job | None
    is_new: bool = False
    is_erased: bool = False
    full: str = ""


class Jobs:
    """Reads and moves jobs. Thread-safe; every method is one round trip or two."""

    def __init__(self, redis: Redis, app: Celery, settings: Settings) -> None:
        self._redis = redis
        self._app = app
        self._settings = settings
        self._prefix = settings.redis_prefix
        self._scripts = Scripts(redis, settings.redis_prefix)

    # Reading

    def get(self, job_id: str) -> Job | None:
        record = self._redis.hgetall(self._key(f"job:{job_id}"))
        return Job.from_record(job_id, record) if record else None

    def list(self, status: Status | None, limit: int, before: str | None) -> tuple[list[Job], str | None]:
        """Up to `limit` jobs, newest first, and the cursor for those `before` them (None at the end).

        Fewer where their records are large: see LISTED_BYTES.
        """
        index = self._key(f"jobs:{status}" if status else "jobs")
        newest = f"({before}" if before else "+inf"
        rows = self._redis.zrange(
            index,
            newest,
            "-inf",
            desc=True,
            byscore=True,
            offset=0,
            num=limit + 1,
            withscores=True,
        )
        records: list[dict[str, str]] = []
        while len(records) < min(limit, len(rows)) and sum(map(_size, records)) < LISTED_BYTES:
            with self._redis.pipeline(transaction=False) as pipeline:
                for job_id, _ in rows[len(records) : min(len(records) + READ_AT_ONCE, limit)]:
                    pipeline.hgetall(self._key(f"job:{job_id}"))
                records += pipeline.execute()
        jobs = [Job.from_record(row[0], record) for row, record in zip(rows, records, strict=False) if record]
        return jobs, str(int(rows[len(records) - 1][1])) if len(rows) > len(records) else None

    # A job's way

    def accept(self, job_id: str, request: JobRequest, image: bytes, once: Once | None) -> Outcome:
        """Record, indexes, message, and the image unless it is stored already (b""), in one step.

        Nothing, where a job was accepted under the same id, or `once` under the same key, before.
        """
        name = queue.QUEUE_OF_DEVICE[request.device]
        message = queue.message(self._app, queue.SEGMENT, name, job_id)
        tell = event_type.told_by(request.webhook.events) if request.webhook else ""
        start_within, run_within = _microseconds_of(request.deadline)
        outcome, found_id, *accepted_at = self._scripts(
            "accept",
            *(job_id, name, request.model_dump_json(), message, image, tell, start_within, run_within),
            *((once.key or "", once.fingerprint) if once else ("", "")),
            self._settings.idempotency_seconds,
            self._settings.max_queued_jobs,
        )
        if outcome == "full":
            return Outcome(None, full=found_id)
        if accepted_at:
            return Outcome(Job.accepted(job_id, request, accepted_at[0]), is_new=True)
        job = self.get(found_id) if outcome == "same" else None
        return Outcome(job, is_erased=outcome != "other" and job is None)

    def full(self) -> str:
        """Of what there is too much for another job to be accepted: `jobs`, `memory`, or '' for nothing."""
        return str(self._scripts("full", self._settings.max_queued_jobs))

    def begin(self, job_id: str, worker: str) -> Job | None:
        """Claim a queued job for its next attempt; None where it is not to be had (any more).

        One that should have been started earlier expires now.
        """
        flat = self._scripts("begin", job_id, worker, self._lease)
        return Job.from_record(job_id, dict(zip(flat[::2], flat[1::2], strict=True))) if flat else None

    def beat(self, held: Sequence[Job]) -> dict[str, str]:
        """Renew the leases of these jobs. Returns the claims (`Job.claim`) that should stop, and why.

        `lost`: another holds the job, or nobody; `canceled`: its caller asked for that; `timeout`: it ran too long.
        """
        pairs = [part for job in held for part in (job.id, job.attempt)]
        flat = self._scripts("beat", self._lease, *pairs)
        return dict(zip(flat[::2], flat[1::2], strict=True))

    # The end of an attempt. Each returns the status that the job has now; '' to a stale attempt, whose word no longer
    # counts. After a cancel request that status is `canceled`, and after the attempt's deadline `failed`, whatever the
    # attempt says.

    def succeed(
        self, job: Job, image: Mapping[str, object], timings_ms: Mapping[str, float], run: Run | None = None
    ) -> str:
        """The files of this attempt are the result."""
        fields = {
            "files_prefix": job.attempt_prefix,
            "image": json.dumps(image),
            "timings_ms": json.dumps(timings_ms),
        }
        if run is not None:
            fields["run"] = run.to_json()
        return self._finish(job, Status.SUCCEEDED, fields)

    def fail(self, job: Job, error: JobError) -> str:
        """A failure that another attempt would only repeat."""
        return self._finish(job, Status.FAILED, {"error": error.to_json()})

    def stop(self, job: Job) -> str:
        """The attempt goes no further: `beat` told it why."""
        return self._finish(job, Status.CANCELED, {})

    def retry_later(self, job: Job, error: JobError, is_outage: bool = False) -> str:
        """Our own failure: back to the queue after a delay, or failed after the last attempt.

        In an outage of a server that every attempt needs, none counts: it is not the job that is at fault.
        """
        doubled = self._settings.retry_delay_seconds * 2 ** min((job.attempt - 1) % ATTEMPTS_APART, MOST_DOUBLINGS)
        longest = min(doubled, self._settings.retry_delay_max_seconds)
        delay = longest * random.uniform(0.5, 1)  # jobs that failed together do not all come back together
        return str(
            self._scripts(
                "retry_later",
                job.id,
                job.attempt,
                int(delay * MICROSECONDS),
                self._settings.max_attempts,
                error.to_json(),
                self._webhook_message(job, Status.FAILED),
                RESEND_SECONDS * MICROSECONDS,
                int(is_outage),
            )
        )

    def hand_back(self, job: Job) -> str:
        """This worker is told to stop: another may begin the job at once, and the attempt does not count."""
        return str(self._scripts("hand_back", job.id, job.attempt, self._message(job)))

    # From outside

    def cancel(self, job_id: str) -> str:
        """A queued job is canceled at once, a running one soon. Returns the status it has now, '' if there is none."""
        return str(self._scripts("cancel", job_id, CANCEL_SECONDS * MICROSECONDS))

    def expire(self, job_id: str) -> str:
        """End a job that is out of time. Returns the status it has now, '' if it is in time."""
        return str(self._scripts("expire", job_id))

    # What was left behind

    def overdue(self) -> Iterator[str]:
        """Jobs not started in time, running for too long, or still running long after a cancel request."""
        for left in self._due("deadlines", self._now()):
            yield left.job_id

    def left_behind(self) -> Iterator[LeftBehind]:
        """Jobs whose lease has ended, whose next try is due, or whose message has vanished from its queue."""
        now = self._now()
        for index in ("leases", "delayed"):
            yield from self._due(index, now)
        for name in queue.QUEUE_OF_DEVICE.values():
            yield from self._due(f"waiting:{name}", self._oldest_waiting(name, now))

    def requeue(self, left: LeftBehind) -> str:
        """Put it back on the road, if it is still as it was seen. Returns the job's status now, '' if it is not."""
        job = self.get(left.job_id)
        if job is None:
            return ""
        return str(
            self._scripts(
                "requeue",
                job.id,
                left.index,
                left.score,
                self._message(job),
                self._settings.max_attempts,
                WORKER_LOST.to_json(),
                self._webhook_message(job, Status.FAILED),
                RESEND_SECONDS * MICROSECONDS,
            )
        )

    def _due(self, index: str, until: float) -> Iterator[LeftBehind]:
        rows = self._redis.zrange(self._key(index), "-inf", until, byscore=True, offset=0, num=1000, withscores=True)
        for job_id, score in rows:
            yield LeftBehind(job_id, index, str(int(score)))

    def _oldest_waiting(self, name: str, now: int) -> float:
        """Jobs that were queued before this have lost their message.

        A queue is first in, first out: whoever waits longer than the oldest message in it is not in it.
        """
        grace = now - self._settings.lost_message_seconds * MICROSECONDS
        oldest = self._redis.lindex(self._key(f"q:{name}"), -1)
        if oldest is None:
            return grace
        enqueued_at = self._redis.zscore(self._key(f"waiting:{name}"), queue.argument(oldest))
        # A message whose job no longer waits says nothing of its age; a worker takes it away soon.
        return min(grace, enqueued_at - 1) if enqueued_at is not None else 0

    def _finish(self, job: Job, status: Status, fields: Mapping[str, str]) -> str:
        flat = [part for pair in fields.items() for part in pair]
        message = self._webhook_message(job, status)
        resend = RESEND_SECONDS * MICROSECONDS
        return str(self._scripts("finish", job.id, job.attempt, status, message, resend, *flat))

    def _message(self, job: Job) -> str:
        return queue.message(self._app, queue.SEGMENT, queue.QUEUE_OF_DEVICE[job.request.device], job.id)

    def _webhook_message(self, job: Job, status: Status) -> str:
        if job.request.webhook is None:
            return ""
        return queue.message(self._app, queue.DELIVER, queue.WEBHOOK_QUEUE, f"evt_{job.id}_{status}")

    def _now(self) -> int:
        seconds, microseconds = self._redis.time()
        return int(seconds) * MICROSECONDS + int(microseconds)

    @property
    def _lease(self) -> int:
        return int(self._settings.lease_seconds * MICROSECONDS)

    def _key(self, name: str) -> str:
        return self._prefix + name


def _size(record: Mapping[str, str]) -> int:
    return sum(map(len, record.values()))


def _microseconds_of(deadline: Deadline | None) -> tuple[int | str, int | str]:
    """start_within and run_within as scripts take them, '' for none."""
    within = (deadline.start_within_s, deadline.run_within_s) if deadline else (None, None)
    start, run = ("" if seconds is None else int(seconds * MICROSECONDS) for seconds in within)
    return start, run
