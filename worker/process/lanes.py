"""The lanes of the queues: how many jobs wait in each, since when, and which jobs run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.job.request import PRIORITIES
from worker.store.clock import MICROSECONDS, moment
from worker.store.keyspace import Keyspace
from worker.store.queue import QUEUE_OF_DEVICE


@dataclass(frozen=True)
class Lane:
    """The jobs of one priority in the queue of one device: "auto", "cpu" or "gpu". `oldest_s` is None if none waits."""

    device: str
    priority: str
    queued: int
    oldest_s: float | None
    running: int


@dataclass(frozen=True)
class RunningJob:
    """A job that runs, with its id inside the service."""

    id: str
    worker: str
    device: str
    priority: str
    started_at: datetime


def running(keyspace: Keyspace) -> list[RunningJob]:
    """Return all jobs that run, with those of workers that died a moment ago. Raises RedisError."""
    ids: list[str] = keyspace.redis.zrange(keyspace.key("leases"), 0, -1)
    with keyspace.pipeline() as pipeline:
        for job_id in ids:
            pipeline.hmget(keyspace.key(f"job:{job_id}"), "worker", "queue", "priority", "started_at")
        records = pipeline.execute()
    devices = {queue: device for device, queue in QUEUE_OF_DEVICE.items()}
    return [
        RunningJob(job_id, worker, devices.get(queue, "auto"), priority or "normal", moment(started_at))
        for job_id, (worker, queue, priority, started_at) in zip(ids, records, strict=True)
        if worker and started_at  # the job may have ended meanwhile
    ]


def lanes(keyspace: Keyspace, running_jobs: Iterable[RunningJob]) -> list[Lane]:
    """Return every lane, in the order of devices and priorities. A light job counts in the lane of its priority.

    Raises RedisError.
    """
    queues = list(QUEUE_OF_DEVICE.values())
    with keyspace.pipeline() as pipeline:
        pipeline.time()
        for queue in queues:
            pipeline.hgetall(keyspace.key(f"lanes:{queue}"))
        (seconds, microseconds), *counts = pipeline.execute()
    levels = [f"{queue}:{lane}" for queue, of_queue in zip(queues, counts, strict=True) for lane in of_queue]
    since = _since(keyspace, levels)
    busy = Counter((job.device, job.priority) for job in running_jobs)
    now = seconds + microseconds / MICROSECONDS
    found = []
    for (device, queue), of_queue in zip(QUEUE_OF_DEVICE.items(), counts, strict=True):
        for priority in PRIORITIES:
            both = (priority, f"{priority}.light")
            waiting = [since[f"{queue}:{lane}"] for lane in both if f"{queue}:{lane}" in since]
            oldest_s = round(max(0.0, now - min(waiting) / MICROSECONDS), 1) if waiting else None
            queued = sum(int(of_queue.get(lane, 0)) for lane in both)
            found.append(Lane(device, priority, queued, oldest_s, busy[device, priority]))
    return found


def _since(keyspace: Keyspace, levels: Sequence[str]) -> dict[str, float]:
    """Return since when the job that is in front of the others in its line waits, for each level that has such a job.

    A level is a queue and one of its lanes, as in lines.lua.
    """
    with keyspace.pipeline() as pipeline:
        for level in levels:
            pipeline.zrange(keyspace.key(f"turns:{level}"), 0, -1)
        lines = [(level, owner) for level, owners in zip(levels, pipeline.execute(), strict=True) for owner in owners]
        for level, owner in lines:
            pipeline.zrange(keyspace.key(f"line:{level}:{owner}"), 0, 0, withscores=True)
        firsts = pipeline.execute()
    since: dict[str, float] = {}
    for (level, _), first in zip(lines, firsts, strict=True):
        for _, score in first:
            since[level] = min(score, since.get(level, score))
    return since
