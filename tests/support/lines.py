"""The lines of queued jobs in Redis, and what must hold for them after every call."""

from __future__ import annotations

from collections import Counter

from tests.support import protocol
from worker.store import tenant
from worker.store.keyspace import Keyspace


def read(keyspace: Keyspace, queue: str = protocol.AUTO) -> dict[tuple[str, str], list[str]]:
    """Return the jobs of each lane and tenant, first to last."""
    prefix = keyspace.key(f"line:{queue}:")
    keys = [key.removeprefix(prefix) for key in keyspace.redis.scan_iter(f"{prefix}*")]
    split = [(key.rpartition(":")[0], key.rpartition(":")[2]) for key in keys]
    return {(lane, owner): keyspace.redis.zrange(f"{prefix}{lane}:{owner}", 0, -1) for lane, owner in split}


def check(keyspace: Keyspace, queue: str = protocol.AUTO) -> None:
    """Assert that each waiting job is in one line, and that exactly the lanes and tenants with jobs take turns."""
    lines = read(keyspace, queue)
    redis, key = keyspace.redis, keyspace.key
    jobs = [job_id for line in lines.values() for job_id in line]
    assert sorted(jobs) == sorted(redis.zrange(key(f"waiting:{queue}"), 0, -1))
    for (lane, owner), line in lines.items():
        for job_id in line:
            assert redis.hmget(key(f"job:{job_id}"), "status", "queue", "lane") == ["queued", queue, lane]
            assert tenant.of(job_id) == owner
    counts: Counter[str] = Counter()
    for (lane, _), line in lines.items():
        counts[lane] += len(line)
    assert redis.hgetall(key(f"lanes:{queue}")) == {lane: str(count) for lane, count in counts.items()}
    levels = {queue: set(counts)}
    for lane, owner in lines:
        levels.setdefault(f"{queue}:{lane}", set()).add(owner)
    for kind in ("turns", "left", "clock"):
        found = {name.removeprefix(key(f"{kind}:")) for name in redis.scan_iter(key(f"{kind}:{queue}*"))}
        assert found <= {level for level, members in levels.items() if members}
    for level, members in levels.items():
        assert set(redis.zrange(key(f"turns:{level}"), 0, -1)) == members
        assert members.isdisjoint(redis.zrange(key(f"left:{level}"), 0, -1))
