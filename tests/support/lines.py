"""The lines of queued jobs in Redis, and what must hold for them after every call."""

from __future__ import annotations

from collections import Counter

from tests.support import protocol
from worker.store import tenant
from worker.store.keyspace import Keyspace


def check(keyspace: Keyspace, queue: str = protocol.AUTO) -> None:
    """Assert that each waiting job is in one line, and that exactly the lanes and tenants with jobs take turns."""
    redis, key = keyspace.redis, keyspace.key
    names = {name.removeprefix(keyspace.prefix) for name in redis.keys(key(f"*:{queue}*"))}
    lines = [name for name in names if name.startswith("line:")]
    turns = [name for name in names if name.startswith(("turns:", "left:"))]
    with keyspace.pipeline() as pipeline:
        pipeline.hgetall(key(f"lanes:{queue}"))
        for name in (f"waiting:{queue}", *lines, *turns):
            pipeline.zrange(key(name), 0, -1)
        counts, waiting, *found = pipeline.execute()
    members = dict(zip((*lines, *turns), found, strict=True))
    jobs = {job_id: name for name in lines for job_id in members[name]}
    assert sorted(jobs) == sorted(waiting)
    assert len(jobs) == sum(len(members[name]) for name in lines)
    for job_id, name in jobs.items():
        status, lane = redis.hmget(key(f"job:{job_id}"), "status", "lane")
        assert (status, name) == ("queued", f"line:{queue}:{lane}:{tenant.of(job_id)}")
    split = [name.split(":") for name in jobs.values()]
    assert counts == {lane: str(count) for lane, count in Counter(lane for _, _, lane, _ in split).items()}
    levels: dict[str, set[str]] = {queue: set(counts)} if counts else {}
    for _, _, lane, owner in split:
        levels.setdefault(f"{queue}:{lane}", set()).add(owner)
    for kind in ("turns", "left", "clock"):
        assert {name.partition(":")[2] for name in names if name.startswith(f"{kind}:")} <= levels.keys()
    for level, taking in levels.items():
        assert set(members[f"turns:{level}"]) == taking
        assert taking.isdisjoint(members.get(f"left:{level}", ()))
