"""Signs of life in Redis, one for each loop of each process. `ovseg health` reads them.

The loop that does the work gives the sign itself, never another thread. The sign contains the time by which the next
one is due. So the sign of a loop that hangs, or cannot reach Redis, is late.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from configs.settings import Settings
from worker.store.clock import DAY, MICROSECONDS
from worker.store.keyspace import Keyspace

# How late a sign may be, in leases: the machine may be busy, or a call to Redis may be retried.
LEASES_OF_PATIENCE = 2
# The signs of a host are deleted after a day without any, and the sign of one loop after a week without a new one.
FORGET_HOST_AFTER_SECONDS = DAY
FORGET_LOOP_AFTER_SECONDS = 7 * DAY


class Pulse:
    """The sign of one loop of this process. `part` is the part of the service that the process runs."""

    def __init__(self, keyspace: Keyspace, settings: Settings, part: str, loop: str, seconds: float = 0.0) -> None:
        """`seconds` is the longest time that one round of the loop may take."""
        self._keyspace = keyspace
        self._key = keyspace.key(_name(part, socket.gethostname()))
        self._member = f"{os.getpid()}/{loop}"
        self._due_in_seconds = seconds + LEASES_OF_PATIENCE * settings.lease_seconds
        self.has_begun = False

    def beat(self) -> None:
        """Give a sign. Raises RedisError."""
        now = self._keyspace.now() / MICROSECONDS
        with self._keyspace.pipeline() as pipeline:
            pipeline.zadd(self._key, {self._member: now + self._due_in_seconds})
            pipeline.zremrangebyscore(self._key, "-inf", now - FORGET_LOOP_AFTER_SECONDS)
            pipeline.expire(self._key, FORGET_HOST_AFTER_SECONDS)
            pipeline.execute()
        self.has_begun = True


@dataclass(frozen=True)
class Sign:
    """The last sign of a loop. `late_seconds` is how late the next sign is; 0 if it is not late."""

    pid: int
    loop: str
    late_seconds: float


def of_host(keyspace: Keyspace, part: str, host: str) -> list[Sign]:
    """Return the signs of a part's processes on one host, also of processes that have ended. Raises RedisError."""
    now = keyspace.now() / MICROSECONDS
    signs = []
    for member, due in keyspace.redis.zrange(keyspace.key(_name(part, host)), 0, -1, withscores=True):
        pid, _, loop = member.partition("/")
        signs.append(Sign(int(pid), loop, max(0.0, now - due)))
    return signs


def _name(part: str, host: str) -> str:
    return f"pulse:{part}/{host}"
