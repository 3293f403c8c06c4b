"""The state of the whole fleet in numbers, for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.job.record import Status
from worker.process import open_streams, roster
from worker.store.keyspace import Keyspace


@dataclass(frozen=True)
class State:
    """The numbers of the fleet at one time."""

    # Totals since Redis was new: "jobs <final status>", "embeddings <hit, shared or miss>", "streams <end>".
    counts: Mapping[str, int]
    jobs: Mapping[str, int]  # the jobs of all tenants without a final status, by status
    workers: Mapping[str, int]  # the workers that are alive, by kind of device
    shared_embeddings_bytes: int
    streams: int  # the event streams that are open at all gateways


def state(keyspace: Keyspace) -> State:
    """Read the numbers from Redis. Raises RedisError."""
    with keyspace.pipeline() as pipeline:
        pipeline.hgetall(keyspace.key("counts"))
        pipeline.get(keyspace.key("embedding_bytes"))
        pipeline.zcard(keyspace.key("leases"))
        pipeline.hgetall(keyspace.key("streams"))
        counts, embedding_bytes, running, streams = pipeline.execute()
    return State(
        counts={name: int(count) for name, count in counts.items()},
        jobs={Status.QUEUED: int(keyspace.run("queued")), Status.RUNNING: running},
        workers=roster.alive(keyspace),
        shared_embeddings_bytes=int(embedding_bytes or 0),
        streams=open_streams.total(streams),
    )
