"""Reads jobs in Redis and changes their status. Each change is one Lua script, and nothing else changes a status."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from celery import Celery

from configs.settings import MEGABYTE, Settings
from worker.access.tenant_limits import TenantLimits
from worker.image import known_images
from worker.job import event_type, listing, messages
from worker.job.idempotency import Once
from worker.job.job_filter import JobFilter
from worker.job.outcome import Outcome, refused
from worker.job.record import Job, JobError, Run, Status
from worker.job.request import PRIORITIES, Deadline, JobRequest
from worker.job.usage import Work
from worker.store import clock, queue, tenant
from worker.store.keyspace import Keyspace, flat, pairs

CANCEL_GRACE_SECONDS = 60  # a job whose attempt has not responded to a cancel request by then ends without it
# After Redis was lost, attempts are counted from the next thousand: a worker that is still running an earlier attempt
# must not be considered the holder of the new one.
ATTEMPTS_APART = 1000
MAX_DOUBLINGS = 20  # of a retry's delay; far beyond any maximum delay
RATE_SECONDS = 60.0
MAX_EXPIRED = 100  # of the jobs that expire while a worker claims one; the reaper lets more of them expire
# The result of a click takes 2 kB. A client reads its result once, at most some seconds after the job has ended.
KEPT_RESULT_BYTES, KEPT_RESULT_SECONDS = 64_000, 60


OnEnd = Callable[[str, Mapping[str, str]], object]  # takes the id and the record of a job that has ended


@dataclass(frozen=True)
class OfBatch:
    """A new job runs this item of this batch. The numbers of its attempts start at `base`, see ATTEMPTS_APART."""

    batch_id: str
    item_id: str
    base: int = 0

    @property
    def fields(self) -> dict[str, str]:
        """Return the fields of the job's record."""
        base = str(self.base)
        started = {"attempt": base, "forgiven": base, "first": str(self.base + 1)} if self.base else {}
        return {"batch": self.batch_id, "item": self.item_id, **started}


@dataclass(frozen=True)
class Place:
    """The place of a job in its queue.

    `ahead` is about how many of the jobs that wait there now begin before it. `eta_s` is in how many seconds it is
    expected to end, at the rate at which jobs of all queues ended in the last minute; None if none ended.
    """

    ahead: int
    eta_s: float | None


class Jobs:
    """Reads jobs and changes their status. Thread-safe; almost every method takes one or two round trips."""

    def __init__(
        self, keyspace: Keyspace, app: Celery, settings: Settings, on_end: OnEnd = lambda job_id, record: None
    ) -> None:
        """`on_end` is called after an attempt has ended a job here, unless the job is ephemeral."""
        self._keyspace = keyspace
        self._app = app
        self._settings = settings
        self._on_end = on_end

    # Reading

    def get(self, job_id: str) -> Job | None:
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"job:{job_id}"))
        return Job.from_record(job_id, record) if record else None

    def get_with_result(self, job_id: str) -> Job | None:
        """Return a job with its result, if Redis still has that."""
        with self._keyspace.pipeline() as pipeline:
            pipeline.hgetall(self._keyspace.key(f"job:{job_id}"))
            pipeline.get(self._keyspace.key(f"result:{job_id}"))
            record, document = pipeline.execute()
        return Job.from_record(job_id, record, document) if record else None

    def several(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Return those of these jobs that exist, by id, without results."""
        return dict(listing.several(self._keyspace, job_ids))

    def place(self, job: Job) -> Place | None:
        """Return the place of a job in its queue; None if it is not waiting there, as between two attempts."""
        minute_ago = clock.in_microseconds(time.time() - RATE_SECONDS)
        found = self._keyspace.run("place", job.id, minute_ago)
        if not found:
            return None
        ahead, ended = found
        return Place(ahead, round((ahead + 1) * RATE_SECONDS / ended, 1) if ended else None)

    def list(self, owner: str, wanted: JobFilter, limit: int, before: str | None) -> tuple[list[Job], str | None]:
        """Return up to `limit` jobs of a tenant and the cursor for older ones: see `listing.page`."""
        return listing.page(self._keyspace, owner, wanted, limit, before)

    # The way of a job through the service

    def accept(
        self,
        job_id: str,
        request: JobRequest,
        image: bytes,
        once: Once | None,
        image_bytes: int = 0,
        of_batch: OfBatch | None = None,
        names_image: bool = False,
    ) -> Outcome:
        """Write a job's record, index entries, permit and image in one step.

        `image` is b"" if the image is in storage already, or if the request has a URL. `image_bytes` is its size if
        it is stored for this job, there or in Redis. With `names_image`, another job has sent the image, which must
        still be known. Nothing is written if a job was accepted before under the same id, or under the key of `once`.
        """
        request_json = request.model_dump_json()
        # Masks and points in requests can fill Redis, so they count as bytes that the tenant stores, as images do.
        input_bytes = 0 if request.ephemeral else image_bytes + len(request_json.encode())
        start_within, run_within = _microseconds_of(request.deadline)
        fields = {
            "queue": queue.QUEUE_OF_DEVICE[request.device],
            "request": request_json,
            "tell": event_type.encode(request.webhook.events) if request.webhook else "",
            "priority": request.priority,
            "cost": str(request.cost.total),
            **_if_light(job_id, request),
            **({"run_within": str(run_within)} if run_within else {}),
            **({"input_bytes": str(input_bytes)} if input_bytes else {}),
            **(of_batch.fields if of_batch else {}),
        }
        limits = TenantLimits.of_settings(self._settings)
        outcome, found_id, *more = self._keyspace.run(
            "accept",
            *(job_id, messages.permit(self._app, request), image),
            *((once.key or "", once.fingerprint) if once else ("", "")),
            *(self._settings.idempotency_seconds, self._settings.max_queued_jobs, start_within),
            *(limits.max_queued_jobs or "", limits.max_stored_bytes or "", input_bytes),
            self._settings.ephemeral_megabytes * MEGABYTE if request.ephemeral else "",
            of_batch.batch_id if of_batch else "",
            *(known_images.named(request.image) if names_image else ("", "", "")),
            *flat(fields),
        )
        if outcome in ("other", "exceeded", "closed", "unknown", "full"):
            return refused(outcome, found_id, more, input_bytes)
        if more:
            return Outcome(Job.accepted(job_id, request, more[0]), is_new=True)
        job = self.get_with_result(found_id) if outcome == "same" else None
        return Outcome(job, refusal=None if job else "erased")

    def full(self) -> str:
        """Return why no more jobs are accepted: `jobs` (too many are queued), `memory`, or '' if they are accepted."""
        return str(self._keyspace.run("full", self._settings.max_queued_jobs))

    def waits(self, queues: Sequence[str]) -> bool:
        """True if a job waits in one of these queues."""
        return bool(self._keyspace.redis.exists(*(self._keyspace.key(f"waiting:{name}") for name in queues)))

    def light_waits(self, queues: Sequence[str]) -> bool:
        """True if a job waits in one of these queues whose image's embedding a worker probably has."""
        lanes = [f"turns:{name}:{priority}.light" for name in queues for priority in PRIORITIES]
        return bool(self._keyspace.redis.exists(*map(self._keyspace.key, lanes)))

    def begin(self, name: str, worker: str, only_light: bool = False) -> Job | None:
        """Claim the next job of a queue for an attempt. Returns None if none waits.

        Jobs that should have been started earlier expire now.

        Args:
            name: The queue. The message of an older version names one of its jobs instead.
            worker: The name of the worker that will run the job.
            only_light: Claim only a job whose image's embedding a worker probably has.
        """
        if name not in queue.QUEUE_OF_DEVICE.values():
            name = self._keyspace.run("adopt", name)
        for _ in range(MAX_EXPIRED + 1):
            found = self._keyspace.run("begin", name, worker, self._lease, int(only_light))
            if not found:
                return None
            job_id, *record = found
            if record:
                return Job.from_record(job_id, pairs(record))
            self.expire(job_id)
        return None

    def beat(self, held: Sequence[Job]) -> dict[str, str]:
        """Renew the leases of these jobs. Returns the attempts (`Job.claim`) that should stop, and why.

        `lost`: this attempt no longer holds the job; `canceled`: the client asked for that; `timeout`: it ran too long.
        Also returns the attempts that may continue and whose jobs are `followed`.
        """
        attempts = [part for job in held for part in (job.id, job.attempt)]
        return pairs(self._keyspace.run("beat", self._lease, *attempts))

    def report_progress(self, job: Job, done: int, total: int) -> None:
        """Record how far the attempt is, in parts of its work. Does nothing if it no longer holds the job."""
        self._keyspace.run("progress", job.id, job.attempt, json.dumps({"done": done, "total": total}))

    def report(self, job: Job, kind: str, data: str) -> None:
        """Send an event with this JSON to those who follow the job. Does nothing if the attempt no longer holds it."""
        self._keyspace.run("report", job.id, job.attempt, kind, data)

    # The end of an attempt. Each method returns the status that the job has now, or '' if the attempt is stale: then
    # nothing is changed. After a cancel request that status is `canceled`, and after the attempt's deadline it is
    # `failed`, regardless of the method.

    def succeed(
        self,
        job: Job,
        image: Mapping[str, object],
        timings_ms: Mapping[str, float],
        mask_count: int,
        run: Run | None = None,
        document: bytes = b"",
        work: Work | None = None,
    ) -> str:
        """End the job as succeeded, with `mask_count` masks. The files of this attempt are the result.

        `document` is the document of its result, which is in storage already. A small one is kept in Redis, too; that
        of an ephemeral job is kept only there.
        `work` counts as usage of the job's tenant, also if the job was canceled meanwhile.
        """
        fields = {
            **({} if job.request.ephemeral else {"files_prefix": job.attempt_prefix}),
            "image": json.dumps(image),
            "timings_ms": json.dumps(timings_ms),
            "masks": str(mask_count),
        }
        if run is not None:
            fields["run"] = run.to_json()
        if work is not None:
            fields |= {"work": work.to_json(), "output_bytes": str(work.stored_bytes)}
        return self._finish(job, Status.SUCCEEDED, fields, document)

    def fail(self, job: Job, error: JobError) -> str:
        """End the job as failed, because another attempt would fail in the same way."""
        return self._finish(job, Status.FAILED, {"error": error.to_json()})

    def finish_as_decided(self, job: Job) -> str:
        """End a job that was canceled or whose attempt ran too long, as `beat` returned."""
        return self._finish(job, Status.CANCELED, {})

    def retry_later(self, job: Job, error: JobError, is_outage: bool = False) -> str:
        """Queue the job again after a delay, because of an internal error; after the last attempt end it as failed.

        An attempt does not count if it ended in an outage of Redis or storage: the job did not cause that.
        """
        doubled = self._settings.retry_delay_seconds * 2 ** min((job.attempt - 1) % ATTEMPTS_APART, MAX_DOUBLINGS)
        longest = min(doubled, self._settings.retry_delay_max_seconds)
        delay = longest * random.uniform(0.5, 1)  # jobs that failed together are not all retried at the same time
        return self._end(
            "retry_later",
            job,
            clock.in_microseconds(delay),
            self._settings.max_attempts,
            error.to_json(),
            messages.of_end(self._app, job, Status.FAILED),
            queue.resend_after(),
            int(is_outage),
        )

    def hand_back(self, job: Job) -> str:
        """Requeue a job because this worker must stop: another can begin it immediately; the attempt does not count."""
        return str(self._keyspace.run("hand_back", job.id, job.attempt, messages.permit(self._app, job.request)))

    # Changes that do not come from an attempt

    def cancel(self, job_id: str) -> str:
        """Cancel a queued job now, a running one soon. Returns its status now, '' if there is no such job."""
        return str(self._keyspace.run("cancel", job_id, clock.in_microseconds(CANCEL_GRACE_SECONDS)))

    def expire(self, job_id: str) -> str:
        """End a job that has exceeded a deadline. Returns its status now, '' if it has not."""
        return str(self._keyspace.run("expire", job_id))

    def _finish(self, job: Job, status: Status, fields: Mapping[str, str], document: bytes = b"") -> str:
        message, resend = messages.of_end(self._app, job, status), queue.resend_after()
        if job.request.ephemeral:
            room, result = self._settings.ephemeral_megabytes * MEGABYTE, document
        else:
            room = self._settings.kept_results_megabytes * MEGABYTE
            result = document if len(document) <= min(KEPT_RESULT_BYTES, room) else b""
        kept = (result, KEPT_RESULT_SECONDS, room)
        return self._end("finish", job, status, message, resend, *kept, *flat(fields))

    def _end(self, script: str, job: Job, *args: str | bytes | float) -> str:
        """Call a script that may end a job. It returns the job's status, and the record of a job that it has ended."""
        status, *record = self._keyspace.run(script, job.id, job.attempt, *args)
        if record:
            self._on_end(job.id, pairs(record))
        return str(status)

    @property
    def _lease(self) -> int:
        return clock.in_microseconds(self._settings.lease_seconds)


def _if_light(job_id: str, request: JobRequest) -> dict[str, str]:
    """Return what decides whether the job is light, and its cost then: see lines.lua."""
    content, cost = request.image.content, request.light_cost
    if content is None:
        return {}  # the digest of an image behind a URL is not known yet
    embedding = f"{request.model}:{tenant.owned(tenant.of(job_id), content.sha256)}"
    return {"embedding": embedding, **({"light_cost": str(cost)} if cost else {})}


def _microseconds_of(deadline: Deadline | None) -> tuple[int | str, int | str]:
    """Return start_within and run_within in the unit that the scripts take; '' for none."""
    within = (deadline.start_within_s, deadline.run_within_s) if deadline else (None, None)
    start, run = ("" if seconds is None else clock.in_microseconds(seconds) for seconds in within)
    return start, run
