"""The roster: the list of workers that are alive."""

from __future__ import annotations

from collections import Counter

from configs.settings import Settings
from worker.store.clock import MICROSECONDS
from worker.store.keyspace import Keyspace

WORKERS = "workers"  # a sorted set in Redis: lines by the time, in seconds, at which each worker's lease ends


class Roster:
    """One worker's line in the roster. The line expires if the worker does not renew it for one lease."""

    def __init__(self, keyspace: Keyspace, settings: Settings, name: str, device: str) -> None:
        self._keyspace = keyspace
        self.line = f"{device.partition(':')[0]}/{name}"
        self._lease_seconds = settings.lease_seconds

    def enter(self) -> None:
        """Add or renew the line. Raises RedisError."""
        self._keyspace.run("worker_enter", self.line, self._lease_seconds)

    def leave(self) -> None:
        """Remove the line. Raises RedisError."""
        self._keyspace.redis.zrem(self._keyspace.key(WORKERS), self.line)


def alive(keyspace: Keyspace) -> Counter[str]:
    """Return the number of live workers by kind of device ("cpu", "gpu")."""
    return Counter(line.partition("/")[0] for line in _lines(keyspace))


def names(keyspace: Keyspace) -> set[str]:
    """Return the names of the live workers, as `host:pid`."""
    return {line.partition("/")[2] for line in _lines(keyspace)}


def _lines(keyspace: Keyspace) -> list[str]:
    now = keyspace.now() / MICROSECONDS
    lines: list[str] = keyspace.redis.zrange(keyspace.key(WORKERS), now, "+inf", byscore=True)
    return lines
