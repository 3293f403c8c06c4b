"""Which workers are alive."""

from __future__ import annotations

from collections import Counter

from redis import Redis

from configs.settings import Settings
from worker.store.scripts import Scripts


class Roster:
    """One worker's line in the list of the living; it is struck out when the worker has been silent for a lease."""

    def __init__(self, redis: Redis, settings: Settings, name: str, device: str) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, settings.redis_prefix)
        self._key = _key(settings)
        self.line = f"{device.partition(':')[0]}/{name}"
        self._lease_seconds = settings.lease_seconds

    def enter(self) -> None:
        self._scripts("worker_enter", self.line, self._lease_seconds)

    def leave(self) -> None:
        self._redis.zrem(self._key, self.line)


def alive(redis: Redis, settings: Settings) -> Counter[str]:
    """How many workers there are of each kind of device ("cpu", "gpu")."""
    seconds, _ = redis.time()
    lines = redis.zrange(_key(settings), int(seconds), "+inf", byscore=True)
    return Counter(line.partition("/")[0] for line in lines)


def names(redis: Redis, settings: Settings) -> set[str]:
    """The workers alive now, as `host:pid`."""
    seconds, _ = redis.time()
    return {line.partition("/")[2] for line in redis.zrangebyscore(_key(settings), int(seconds), "+inf")}


def _key(settings: Settings) -> str:
    return f"{settings.redis_prefix}workers"
