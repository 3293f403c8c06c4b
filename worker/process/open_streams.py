"""How many event streams are open at each gateway, and how streams ended, in Redis, for metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping

from worker.store.keyspace import Keyspace

# A gateway that has not reported for this time is considered dead. It reports more often.
REPORTED_SECONDS = 30.0


def report(keyspace: Keyspace, gateway: str, is_open: int, ended: Mapping[str, int]) -> None:
    """Record how many streams a gateway has open, and how many have just ended for each reason. Raises RedisError."""
    key, now = keyspace.key("streams"), time.time()
    reports = keyspace.redis.hgetall(key)
    with keyspace.pipeline() as pipeline:
        pipeline.hset(key, gateway, f"{is_open} {now + REPORTED_SECONDS:.0f}")
        for other, line in reports.items():
            if float(line.split()[1]) < now:
                pipeline.hdel(key, other)
        for reason, count in ended.items():
            pipeline.hincrby(keyspace.key("counts"), f"streams {reason}", count)
        pipeline.execute()


def total(reports: Mapping[str, str]) -> int:
    """Return how many streams are open at all gateways that are alive; `reports` is the hash that `report` writes."""
    lines = [line.split() for line in reports.values()]
    return sum(int(count) for count, until in lines if float(until) >= time.time())
