"""What the fleet did in each minute of the last hour.

Redis has counters that only grow. Once a minute a reaper keeps a snapshot of them, whichever is first, and the
difference between two snapshots is one minute. So a job costs nothing for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from worker.process import latencies
from worker.process.latencies import Quantiles
from worker.store.clock import HOUR, MICROSECONDS, MINUTE, in_microseconds, moment
from worker.store.keyspace import Keyspace, pairs

# The first minute of the hour begins with a snapshot that is up to two minutes older.
KEPT_SECONDS = HOUR + 2 * MINUTE
ENDED = "jobs "  # the beginning of the counters of ended jobs; the final status follows


@dataclass(frozen=True)
class Minute:
    """What happened between two snapshots. No reaper may have run for a while, so this may be longer than a minute.

    `queued` and `running` are the jobs at the end; `waited` and `ran` are of the jobs that workers began and of the
    attempts that ended, as far as the workers have reported them.
    """

    at: datetime  # its end
    seconds: float
    ended: Mapping[str, int]  # by final status
    queued: int
    running: int
    waited: Quantiles | None
    ran: Quantiles | None


@dataclass(frozen=True)
class _Snapshot:
    time: int
    counts: Mapping[str, int]
    latencies: Mapping[str, int]
    queued: int
    running: int

    @classmethod
    def from_json(cls, written: str, time: int) -> _Snapshot:
        found = json.loads(written)
        return cls(time, _counts(found["counts"]), _counts(found["latencies"]), found["queued"], found["running"])


def keep(keyspace: Keyspace) -> None:
    """Keep a snapshot, unless a reaper has done that in this minute. Raises RedisError."""
    keyspace.run("history_keep", in_microseconds(KEPT_SECONDS))


def read(keyspace: Keyspace) -> list[Minute]:
    """Return the minutes of the last hour, oldest first; the last one is not over. Raises RedisError."""
    found = keyspace.run("history")
    snapshots = [_Snapshot.from_json(*pair) for pair in _with_times(found)]
    since = snapshots[-1].time - in_microseconds(HOUR)
    return [_minute(before, after) for before, after in pairwise(snapshots) if after.time > since]


def _with_times(found: list[str]) -> Iterator[tuple[str, int]]:
    for written, time in zip(found[::2], found[1::2], strict=True):
        yield written, int(float(time))


def _minute(before: _Snapshot, after: _Snapshot) -> Minute:
    counts, latency = _grown(before.counts, after.counts), _grown(before.latencies, after.latencies)
    return Minute(
        at=moment(after.time),
        seconds=(after.time - before.time) / MICROSECONDS,
        ended={name.removeprefix(ENDED): count for name, count in counts.items() if name.startswith(ENDED)},
        queued=after.queued,
        running=after.running,
        waited=latencies.quantiles(latency, latencies.WAIT),
        ran=latencies.quantiles(latency, latencies.RUN),
    )


def _grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return by how much each counter has grown. If one is smaller than before, Redis lost them all and began at 0."""
    if any(after.get(name, 0) < count for name, count in before.items()):
        before = {}
    return {name: count - before.get(name, 0) for name, count in after.items()}


def _counts(flat: list[str] | dict[str, str]) -> dict[str, int]:
    """Return counters from a row of names and values. Redis's JSON of an empty row is that of an empty object."""
    return {name: int(count) for name, count in pairs(list(flat)).items()}
