"""Which workers are alive."""

from __future__ import annotations

from collections import Counter

from configs.settings import Settings
from worker.store.clock import MICROSECONDS
from worker.store.keyspace import Keyspace

WORKERS = "workers"  # in Redis: a zset of lines, by when each worker is taken for dead, in seconds


class Roster:
    """One worker's line in the list of live workers; it goes when the worker has been silent for a lease."""

    def __init__(self, keyspace: Keyspace, settings: Settings, name: str, device: str) -> None:
        self._keyspace = keyspace
        self.line = f"{device.partition(':')[0]}/{name}"
        self._lease_seconds = settings.lease_seconds

    def enter(self) -> None:
        self._keyspace.run("worker_enter", self.line, self._lease_seconds)

    def leave(self) -> None:
        self._keyspace.redis.zrem(self._keyspace.key(WORKERS), self.line)


def alive(keyspace: Keyspace) -> Counter[str]:
    """How many workers there are of each kind of device ("cpu", "gpu")."""
    return Counter(line.partition("/")[0] for line in _lines(keyspace))


def names(keyspace: Keyspace) -> set[str]:
    """The workers alive now, as `host:pid`."""
    return {line.partition("/")[2] for line in _lines(keyspace)}


def _lines(keyspace: Keyspace) -> list[str]:
    now = keyspace.now() / MICROSECONDS
    lines: list[str] = keyspace.redis.zrange(keyspace.key(WORKERS), now, "+inf", byscore=True)
    return lines
