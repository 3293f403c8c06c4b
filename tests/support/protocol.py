"""Calls of the job protocol for tests, and what they leave in Redis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack

from configs.settings import Settings
from ovseg_core.prompts import Prompt
from worker.image.content import ImageSource
from worker.image.inputs import Inputs
from worker.job import event_type
from worker.job.archive import Archive
from worker.job.erasure import Erasure
from worker.job.event_type import EventType
from worker.job.jobs import Jobs
from worker.job.left_behind import LeftBehind
from worker.job.own_webhook import Webhook
from worker.job.record import Job, JobError
from worker.job.request import MAX_DEADLINE_SECONDS, Deadline, Device, JobRequest
from worker.store import queue, tenant
from worker.store.clock import MICROSECONDS
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage
from worker.webhook.endpoint import Endpoint
from worker.webhook.endpoint_fields import EndpointFields
from worker.webhook.endpoints import Endpoints

HOOK, AT = "https://example.com/hook", "example.com:443"
BROKEN = JobError("internal_error", "it broke")
OF_ENDED_JOBS = ("jobs", "ended", "unarchived", "q:segment.auto", "counts")  # keys besides the record
PICTURE = {"width": 4, "height": 4, "format": "PNG"}


class Seconds(TypedDict, total=False):
    """The fields of a deadline."""

    start_within_s: float
    run_within_s: float


def request(
    device: Device = "auto",
    webhook: str | None = None,
    events: tuple[EventType, ...] = event_type.ENDS,
    **deadline: Unpack[Seconds],
) -> JobRequest:
    return JobRequest(
        image=ImageSource(url="https://example.com/a.jpg"),
        model="SAM-Lite",
        prompts=(Prompt.of_box(1, 2, 3, 4),),
        device=device,
        outputs=("rle",),
        metadata={"mine": [1, None]},
        webhook=Webhook(url=webhook, events=events) if webhook else None,
        deadline=Deadline(**deadline) if deadline else None,
    )


def endpoint(endpoints: Endpoints, url: str = HOOK, **fields: Any) -> Endpoint:
    made = endpoints.create("default", EndpointFields(url=url, **fields))
    assert made is not None
    return made


def accept(jobs: Jobs, owner: str = tenant.DEFAULT, **kwargs: Any) -> str:
    return accepted(jobs, tenant.owned(owner, str(uuid.uuid4())), request(**kwargs)).id


def accepted(jobs: Jobs, job_id: str, job_request: JobRequest, image: bytes = b"") -> Job:
    job = jobs.accept(job_id, job_request, image, None).job
    assert job is not None  # no other job has this id
    return job


def begin(jobs: Jobs, job_id: str, worker: str = "w1") -> Job:
    job = jobs.begin(job_id, worker)
    assert job is not None
    return job


def messages(settings: Settings, name: str) -> list[str]:
    """Return the arguments of the messages in a queue, oldest first."""
    with Keyspace.open(settings) as keyspace:
        return [queue.argument(m) for m in reversed(keyspace.redis.lrange(keyspace.key(f"q:{name}"), 0, -1))]


def keys(settings: Settings) -> set[str]:
    with Keyspace.open(settings) as keyspace:
        return {key.removeprefix(keyspace.prefix) for key in keyspace.redis.keys(keyspace.key("*"))}


def let_time_pass(settings: Settings, index: str, seconds: float) -> None:
    """Move every time in an index back by `seconds`, so that no test has to wait or depends on the machine's speed."""
    with Keyspace.open(settings) as keyspace:
        for member in keyspace.redis.zrange(keyspace.key(index), 0, -1):
            keyspace.redis.zincrby(keyspace.key(index), -seconds * MICROSECONDS, member)


def let_leases_end(settings: Settings) -> None:
    let_time_pass(settings, "leases", settings.lease_seconds)


def let_deadline_pass(settings: Settings, job_id: str) -> None:
    """Let the current deadline of a job pass."""
    let_time_pass(settings, "deadlines", MAX_DEADLINE_SECONDS)
    with Keyspace.open(settings) as keyspace:
        record = keyspace.key(f"job:{job_id}")
        for field in ("start_by", "run_by"):
            if keyspace.redis.hexists(record, field):
                keyspace.redis.hset(record, field, 1)


@contextmanager
def left_behind(settings: Settings) -> Iterator[LeftBehind]:
    """Give the search that a reaper uses."""
    with Keyspace.open(settings) as keyspace:
        app = queue.create(settings)
        yield LeftBehind(Jobs(keyspace, app, settings), keyspace, app, settings)


def expire(jobs: Jobs, settings: Settings) -> list[str]:
    with left_behind(settings) as search:
        return [jobs.expire(job_id) for job_id in search.overdue()]


def sweep(settings: Settings) -> list[tuple[str, str]]:
    with left_behind(settings) as search:
        return [(found.index, search.requeue(found)) for found in search.find()]


def drop_messages(settings: Settings) -> None:
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.delete(keyspace.key("q:segment.auto"))


def erasure_of(keyspace: Keyspace, settings: Settings, storage: Storage) -> Erasure:
    return Erasure(keyspace, settings, storage, Archive(keyspace, storage, Inputs(keyspace, storage)))
