"""The state of the whole fleet: its workers, its lanes, its numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.process import lanes, open_streams, roster
from worker.process.lanes import Lane, RunningJob
from worker.process.roster import LostWorker, Worker
from worker.store.keyspace import Keyspace


@dataclass(frozen=True)
class State:
    """The fleet at one time."""

    # Totals since Redis was new: "jobs <final status>", "embeddings <hit, shared or miss>", "streams <end>".
    counts: Mapping[str, int]
    latencies: Mapping[str, int]  # totals since Redis was new: see `latencies.Latencies`
    queued: int  # jobs of all tenants
    delayed: int  # those of them that wait for their next attempt, in no lane
    running: Sequence[RunningJob]
    lanes: Sequence[Lane]
    workers: Sequence[Worker]  # those that are alive and whose version has reports
    alive: Mapping[str, int]  # all that are alive, by kind of device
    lost: Sequence[LostWorker]
    shared_embeddings_bytes: int
    streams: int  # the event streams that are open at all gateways

    @property
    def running_by_worker(self) -> Mapping[str, Sequence[RunningJob]]:
        """Return the jobs that each worker runs, by the worker's name. A worker that runs none has an empty list."""
        found = defaultdict[str, list[RunningJob]](list)
        for job in self.running:
            found[job.worker].append(job)
        return found


def state(keyspace: Keyspace) -> State:
    """Read the state from Redis. Raises RedisError."""
    with keyspace.pipeline() as pipeline:
        pipeline.hgetall(keyspace.key("counts"))
        pipeline.hgetall(keyspace.key("latencies"))
        pipeline.zcard(keyspace.key("delayed"))
        pipeline.get(keyspace.key("embedding_bytes"))
        pipeline.hgetall(keyspace.key("streams"))
        counts, latencies, delayed, embedding_bytes, streams = pipeline.execute()
    running = lanes.running(keyspace)
    return State(
        counts={name: int(count) for name, count in counts.items()},
        latencies={name: int(count) for name, count in latencies.items()},
        queued=int(keyspace.run("queued")),
        delayed=delayed,
        running=running,
        lanes=lanes.lanes(keyspace, running),
        workers=roster.workers(keyspace),
        alive=roster.alive(keyspace),
        lost=roster.lost(keyspace),
        shared_embeddings_bytes=int(embedding_bytes or 0),
        streams=open_streams.total(streams),
    )
