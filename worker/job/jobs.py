"""The jobs in Redis and their transitions, each one Lua script; the only writer of a job's status."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from celery import Celery

from configs.settings import Settings
from worker.job import event_type, messages
from worker.job.idempotency import Once
from worker.job.record import Job, JobError, Run, Status
from worker.job.request import Deadline, JobRequest
from worker.store import clock, queue
from worker.store.keyspace import Keyspace, flat, pairs

CANCEL_GRACE_SECONDS = 60  # an attempt that has not heeded a cancel request by then is not waited for
# After Redis was lost, attempts are counted from the next thousand: a worker that is still running an earlier one
# must not be taken for the holder of the new one.
ATTEMPTS_APART = 1000
MOST_DOUBLINGS = 20  # far beyond any longest delay
# A list stops reading records after so many bytes of them, so many records at a time: one may have half a megabyte.
LISTED_BYTES = 1_000_000
READ_AT_ONCE = 20


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

    def __init__(self, keyspace: Keyspace, app: Celery, settings: Settings) -> None:
        self._keyspace = keyspace
        self._app = app
        self._settings = settings

    # Reading

    def get(self, job_id: str) -> Job | None:
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"job:{job_id}"))
        return Job.from_record(job_id, record) if record else None

    def list(self, status: Status | None, limit: int, before: str | None) -> tuple[list[Job], str | None]:
        """Up to `limit` jobs, newest first, and the cursor for those `before` them (None at the end).

        Fewer where their records are large: see LISTED_BYTES.
        """
        rows, has_more = self._keyspace.page(f"jobs:{status}" if status else "jobs", limit, before)
        records: list[dict[str, str]] = []
        while len(records) < len(rows) and sum(map(_size, records)) < LISTED_BYTES:
            with self._keyspace.pipeline() as pipeline:
                for job_id, _ in rows[len(records) : len(records) + READ_AT_ONCE]:
                    pipeline.hgetall(self._keyspace.key(f"job:{job_id}"))
                records += pipeline.execute()
        has_more = has_more or len(rows) > len(records)
        rows = rows[: len(records)]
        jobs = [Job.from_record(row[0], record) for row, record in zip(rows, records, strict=True) if record]
        return jobs, rows[-1][1] if has_more else None

    # A job's way

    def accept(self, job_id: str, request: JobRequest, image: bytes, once: Once | None) -> Outcome:
        """Record, indexes, message, and the image unless it is stored already (b""), in one step.

        Nothing, where a job was accepted under the same id, or `once` under the same key, before.
        """
        name = queue.QUEUE_OF_DEVICE[request.device]
        message = queue.message(self._app, queue.SEGMENT, name, job_id)
        notified = event_type.encode(request.webhook.events) if request.webhook else ""
        start_within, run_within = _microseconds_of(request.deadline)
        outcome, found_id, *accepted_at = self._keyspace.run(
            "accept",
            *(job_id, name, request.model_dump_json(), message, image, notified, start_within, run_within),
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
        return str(self._keyspace.run("full", self._settings.max_queued_jobs))

    def begin(self, job_id: str, worker: str) -> Job | None:
        """Claim a queued job for its next attempt; None if it cannot be claimed (any more).

        One that should have been started earlier expires now.
        """
        record = pairs(self._keyspace.run("begin", job_id, worker, self._lease))
        return Job.from_record(job_id, record) if record else None

    def beat(self, held: Sequence[Job]) -> dict[str, str]:
        """Renew the leases of these jobs. Returns the claims (`Job.claim`) that should stop, and why.

        `lost`: another holds the job, or nobody; `canceled`: its caller asked for that; `timeout`: it ran too long.
        """
        attempts = [part for job in held for part in (job.id, job.attempt)]
        return pairs(self._keyspace.run("beat", self._lease, *attempts))

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

    def finish_as_decided(self, job: Job) -> str:
        """The attempt must not go on: it was canceled or ran too long, as `beat` has said."""
        return self._finish(job, Status.CANCELED, {})

    def retry_later(self, job: Job, error: JobError, is_outage: bool = False) -> str:
        """Our own failure: back to the queue after a delay, or failed after the last attempt.

        In an outage of a server that every attempt needs, none counts: it is not the job that is at fault.
        """
        doubled = self._settings.retry_delay_seconds * 2 ** min((job.attempt - 1) % ATTEMPTS_APART, MOST_DOUBLINGS)
        longest = min(doubled, self._settings.retry_delay_max_seconds)
        delay = longest * random.uniform(0.5, 1)  # jobs that failed together do not all come back together
        return str(
            self._keyspace.run(
                "retry_later",
                job.id,
                job.attempt,
                clock.in_microseconds(delay),
                self._settings.max_attempts,
                error.to_json(),
                messages.of_end(self._app, job, Status.FAILED),
                queue.resend_after(),
                int(is_outage),
            )
        )

    def hand_back(self, job: Job) -> str:
        """This worker is to stop: another may begin the job at once, and the attempt does not count."""
        return str(self._keyspace.run("hand_back", job.id, job.attempt, messages.of_job(self._app, job)))

    # From outside

    def cancel(self, job_id: str) -> str:
        """A queued job is canceled at once, a running one soon. Returns the status it has now, '' if there is none."""
        return str(self._keyspace.run("cancel", job_id, clock.in_microseconds(CANCEL_GRACE_SECONDS)))

    def expire(self, job_id: str) -> str:
        """End a job that is out of time. Returns the status it has now, '' if it is in time."""
        return str(self._keyspace.run("expire", job_id))

    def _finish(self, job: Job, status: Status, fields: Mapping[str, str]) -> str:
        message, resend = messages.of_end(self._app, job, status), queue.resend_after()
        return str(self._keyspace.run("finish", job.id, job.attempt, status, message, resend, *flat(fields)))

    @property
    def _lease(self) -> int:
        return clock.in_microseconds(self._settings.lease_seconds)


def _size(record: Mapping[str, str]) -> int:
    return sum(map(len, record.values()))


def _microseconds_of(deadline: Deadline | None) -> tuple[int | str, int | str]:
    """start_within and run_within as scripts take them, '' for none."""
    within = (deadline.start_within_s, deadline.run_within_s) if deadline else (None, None)
    start, run = ("" if seconds is None else clock.in_microseconds(seconds) for seconds in within)
    return start, run
