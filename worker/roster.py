"""Which workers are alive."""

from __future__ import annotations

from collections import Counter

from redis import Redis

from configs.settings import Settings


class Roster:
    """One worker's line in the list of the living; it is struck out when the worker has been silent for a lease."""

    def __init__(self, redis: Redis, settings: Settings, name: str, device: str) -> None:
        self._redis = redis
        self._key = _key(settings)
        self.line = f"{device.partition(':')[0]}/{name}"
        self._lease_seconds = settings.lease_seconds

    def enter(self) -> None:
        seconds, microseconds = self._redis.time()
        until = int(seconds) + int(microseconds) / 1e6 + self._lease_seconds
        self._redis.zadd(self._key, {self.line: until})

    def leave(self) -> None:
        self._redis.zrem(self._key, self.line)


def alive(redis: Redis, settings: Settings) -> Counter[str]:
    """How many workers there are of each kind of device ("cpu", "gpu")."""
    seconds, _ = redis.time()
    redis.zremrangebyscore(_key(settings), "-inf", int(seconds))
    return Counter(line.partition("/")[0] for line in redis.zrange(_key(settings), 0, -1))


def names(redis: Redis, settings: Settings) -> set[str]:
    """The workers alive now, as `host:pid`."""
    seconds, _ = redis.time()
    return {line.partition("/")[2] for line in redis.zrangebyscore(_key(settings), int(seconds), "+inf")}


def _key(settings: Settings) -> str:
    return f"{settings.redis_prefix}workers"
