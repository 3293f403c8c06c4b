"""The state of the whole fleet, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis import Redis

from configs.settings import Settings
from worker.job.record import Status
from worker.process import roster


@dataclass(frozen=True)
class State:
    counts: Mapping[str, int]  # since Redis began: "jobs <final status>", "embeddings <hit, shared or miss>"
    jobs: Mapping[str, int]  # that have not ended, by status
    workers: Mapping[str, int]  # that live, by kind of device
    shared_embeddings_bytes: int


def state(redis: Redis, settings: Settings) -> State:
    prefix = settings.redis_prefix
    open_statuses = [status for status in Status if not status.is_terminal]
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(f"{prefix}counts")
        pipeline.get(f"{prefix}embedding_bytes")
        for status in open_statuses:
            pipeline.zcard(f"{prefix}jobs:{status}")
        counts, embedding_bytes, *jobs = pipeline.execute()
    return State(
        counts={what: int(count) for what, count in counts.items()},
        jobs=dict(zip(open_statuses, jobs, strict=True)),
        workers=roster.alive(redis, settings),
        shared_embeddings_bytes=int(embedding_bytes or 0),
    )
