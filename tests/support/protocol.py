"""Calls of the job protocol for tests, and what they leave in Redis."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack

from configs.settings import Settings
from ovseg_core.prompts import Prompt
from worker.image.content import ImageContent, ImageSource
from worker.image.inputs import Inputs
from worker.job import event_type
from worker.job.archive import Archive
from worker.job.erasure import Erasure
from worker.job.event_type import EventType
from worker.job.jobs import Jobs
from worker.job.left_behind import Found, LeftBehind
from worker.job.own_webhook import Webhook
from worker.job.record import Job, JobError
from worker.job.request import MAX_DEADLINE_SECONDS, Deadline, Device, JobRequest, Priority
from worker.store import queue, tenant
from worker.store.clock import MICROSECONDS
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage
from worker.webhook.endpoint import Endpoint
from worker.webhook.endpoint_fields import EndpointFields
from worker.webhook.endpoints import Endpoints

HOOK, AT = "https://example.com/hook", "example.com:443"
BROKEN = JobError("internal_error", "it broke")
AUTO = "segment.auto"
# Keys besides the record.
OF_ENDED_JOBS = ("jobs", "ended", "unarchived", "q:segment.auto", "counts", "usage", "stored_bytes")
PICTURE = {"width": 4, "height": 4, "format": "PNG"}


class Seconds(TypedDict, total=False):
    """The fields of a deadline."""

    start_within_s: float
    run_within_s: float


def request(
    device: Device = "auto",
    webhook: str | None = None,
    events: tuple[EventType, ...] = event_type.ENDS,
    priority: Priority = "normal",
    sha256: str | None = None,
    **deadline: Unpack[Seconds],
) -> JobRequest:
    """Return a request for one box. With a `sha256`, its image is in storage; otherwise it is behind a URL."""
    content = sha256 and ImageContent(sha256=sha256, width=4, height=4, format="PNG")
    stored = ImageSource(key=f"jobs/{sha256}/input", content=content) if content else None
    return JobRequest(
        image=stored or ImageSource(url="https://example.com/a.jpg"),
        model="SAM-Lite",
        prompts=(Prompt.of_box(1, 2, 3, 4),),
        device=device,
        priority=priority,
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
    """Begin this job, whichever is next; also if its next attempt is not due yet."""
    keyspace = jobs._keyspace
    if due := keyspace.redis.zscore(keyspace.key("delayed"), job_id):
        search = LeftBehind(jobs, keyspace, jobs._app, jobs._settings)
        assert search.requeue(Found(job_id, "delayed", str(int(due)))) == "queued"
    put_first(jobs, job_id)
    job = jobs.begin(keyspace.redis.hget(keyspace.key(f"job:{job_id}"), "queue"), worker)
    assert job is not None
    assert job.id == job_id
    return job


def put_first(jobs: Jobs, job_id: str) -> None:
    """Let this job be the next one of its queue, if it waits: its lane, its tenant there, and itself in its line."""
    redis, key = jobs._keyspace.redis, jobs._keyspace.key
    name, lane = redis.hmget(key(f"job:{job_id}"), "queue", "lane")
    if lane is None:
        return
    owner = tenant.of(job_id)
    level = f"{name}:{lane}"
    for index, member in ((f"turns:{name}", lane), (f"turns:{level}", owner), (f"line:{level}:{owner}", job_id)):
        for _, first in redis.zrange(key(index), 0, 0, withscores=True):
            redis.zadd(key(index), {member: first - 1})


def messages(settings: Settings, name: str) -> list[str]:
    """Return the arguments of the messages in a queue, oldest first."""
    with Keyspace.open(settings) as keyspace:
        found = [json.loads(m) for m in reversed(keyspace.redis.lrange(keyspace.key(f"q:{name}"), 0, -1))]
        return [json.loads(base64.b64decode(each["body"]))[0][0] for each in found]


def permits(settings: Settings, name: str = "segment.auto") -> int:
    """Return how many messages there are in a queue."""
    with Keyspace.open(settings) as keyspace:
        return int(keyspace.redis.llen(keyspace.key(f"q:{name}")))


def line(settings: Settings, level: str = "segment.auto:normal", owner: str = tenant.DEFAULT) -> list[str]:
    """Return the jobs in a line, first to last."""
    with Keyspace.open(settings) as keyspace:
        return list(keyspace.redis.zrange(keyspace.key(f"line:{level}:{owner}"), 0, -1))


def keys(settings: Settings) -> set[str]:
    """Return the names of all keys, with `usage` for the counters of every day."""
    with Keyspace.open(settings) as keyspace:
        names = [key.removeprefix(keyspace.prefix) for key in keyspace.redis.keys(keyspace.key("*"))]
    return {re.sub(r"usage:\d+$", "usage", name) for name in names}


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


def replace_permits(settings: Settings) -> dict[str, int]:
    with left_behind(settings) as search:
        return dict(search.replace_permits())


def drop_messages(settings: Settings) -> None:
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.delete(keyspace.key("q:segment.auto"))


def erasure_of(keyspace: Keyspace, settings: Settings, storage: Storage) -> Erasure:
    return Erasure(keyspace, settings, storage, Archive(keyspace, storage, Inputs(keyspace, storage)))
