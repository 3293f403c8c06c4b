"""Signs of life in Redis, one for each loop of each process; `ovseg health` reads them.

A sign is given by the loop that does the work, never by a thread beside it, and says until when the next one is due.
A loop that hangs, or cannot reach Redis, is late.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from configs.settings import Settings
from worker.store.clock import DAY, MICROSECONDS
from worker.store.keyspace import Keyspace

# What any loop may be late: a busy machine, a call to Redis that is tried again.
LEASES_OF_PATIENCE = 2
# A host is forgotten when none of its loops gave a sign for a day, and a loop of a living host after a week.
FORGET_HOST_AFTER_SECONDS = DAY
FORGET_LOOP_AFTER_SECONDS = 7 * DAY


class Pulse:
    """The sign of one loop of this process, a `part` of the service."""

    def __init__(self, keyspace: Keyspace, settings: Settings, part: str, loop: str, seconds: float = 0.0) -> None:
        """`seconds` is how long one round of the loop may take."""
        self._keyspace = keyspace
        self._key = keyspace.key(_name(part, socket.gethostname()))
        self._member = f"{os.getpid()}/{loop}"
        self._promise = seconds + LEASES_OF_PATIENCE * settings.lease_seconds
        self.has_begun = False

    def beat(self) -> None:
        """Raises RedisError."""
        now = self._keyspace.now() / MICROSECONDS
        with self._keyspace.pipeline() as pipeline:
            pipeline.zadd(self._key, {self._member: now + self._promise})
            pipeline.zremrangebyscore(self._key, "-inf", now - FORGET_LOOP_AFTER_SECONDS)
            pipeline.expire(self._key, FORGET_HOST_AFTER_SECONDS)
            pipeline.execute()
        self.has_begun = True


@dataclass(frozen=True)
class Sign:
    """The last sign of a loop, and by how many seconds the next one is late; 0 if it is not."""

    pid: int
    loop: str
    late_seconds: float


def of_host(keyspace: Keyspace, part: str, host: str) -> list[Sign]:
    """The signs of a part's processes on one host, whether these still run or not. Raises RedisError."""
    now = keyspace.now() / MICROSECONDS
    signs = []
    for member, until in keyspace.redis.zrange(keyspace.key(_name(part, host)), 0, -1, withscores=True):
        pid, _, loop = member.partition("/")
        signs.append(Sign(int(pid), loop, max(0.0, now - until)))
    return signs


def _name(part: str, host: str) -> str:
    return f"pulse:{part}/{host}"
