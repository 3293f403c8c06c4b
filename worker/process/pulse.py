"""Signs of life in Redis, one for each loop of each process; `ovseg health` reads them.

A sign is given by the loop that does the work, never by a thread beside it, and says until when the next one is due.
A loop that hangs, or cannot reach Redis, is late.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from redis import Redis

from configs.settings import Settings

BEATS_PER_LEASE = 3
# What any loop may be late: a busy machine, a call to Redis that is tried again.
LEASES_OF_PATIENCE = 2
# A host is forgotten when none of its loops gave a sign for a day, and a loop of a living host after a week.
HOST_SECONDS = 24 * 3600
LOOP_SECONDS = 7 * 24 * 3600


class Pulse:
    """The sign of one loop of this process, a `part` of the service."""

    def __init__(self, redis: Redis, settings: Settings, part: str, loop: str, seconds: float = 0.0) -> None:
        """`seconds` is how long one round of the loop may take."""
        self._redis = redis
        self._key = _key(settings, part, socket.gethostname())
        self._member = f"{os.getpid()}/{loop}"
        self._promise = seconds + LEASES_OF_PATIENCE * settings.lease_seconds
        self.has_begun = False

    def beat(self) -> None:
        """Raises RedisError."""
        now = _now(self._redis)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zadd(self._key, {self._member: now + self._promise})
            pipeline.zremrangebyscore(self._key, "-inf", now - LOOP_SECONDS)
            pipeline.expire(self._key, HOST_SECONDS)
            pipeline.execute()
        self.has_begun = True


@dataclass(frozen=True)
class Sign:
    """The last sign of a loop, and by how many seconds the next one is late; 0 if it is not."""

    pid: int
    loop: str
    late_seconds: float


def of_host(redis: Redis, settings: Settings, part: str, host: str) -> list[Sign]:
    """The signs of a part's processes on one host, whether these still run or not. Raises RedisError."""
    now = _now(redis)
    signs = []
    for member, until in redis.zrange(_key(settings, part, host), 0, -1, withscores=True):
        pid, _, loop = member.partition("/")
        signs.append(Sign(int(pid), loop, max(0.0, now - until)))
    return signs


def _now(redis: Redis) -> float:
    seconds, microseconds = redis.time()
    return int(seconds) + int(microseconds) / 1e6


def _key(settings: Settings, part: str, host: str) -> str:
    return f"{settings.redis_prefix}pulse:{part}/{host}"
