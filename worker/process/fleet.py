"""The state of the whole fleet in numbers, for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.job.record import Status
from worker.process import roster
from worker.store.keyspace import Keyspace


@dataclass(frozen=True)
class State:
    """The numbers of the fleet at one time."""

    counts: Mapping[str, int]  # totals since Redis was new: "jobs <final status>", "embeddings <hit, shared or miss>"
    jobs: Mapping[str, int]  # the jobs without a final status, by status
    workers: Mapping[str, int]  # the workers that are alive, by kind of device
    shared_embeddings_bytes: int


def state(keyspace: Keyspace) -> State:
    """Read the numbers from Redis. Raises RedisError."""
    open_statuses = [status for status in Status if not status.is_terminal]
    with keyspace.pipeline() as pipeline:
        pipeline.hgetall(keyspace.key("counts"))
        pipeline.get(keyspace.key("embedding_bytes"))
        for status in open_statuses:
            pipeline.zcard(keyspace.key(f"jobs:{status}"))
        counts, embedding_bytes, *jobs = pipeline.execute()
    return State(
        counts={name: int(count) for name, count in counts.items()},
        jobs=dict(zip(open_statuses, jobs, strict=True)),
        workers=roster.alive(keyspace),
        shared_embeddings_bytes=int(embedding_bytes or 0),
    )
