"""The roster: the list of workers that are alive, each with the report of its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from configs.settings import Settings
from worker.process.model_report import ModelReport
from worker.store.clock import MICROSECONDS
from worker.store.keyspace import Keyspace

WORKERS = "workers"  # a sorted set in Redis: lines by the time, in seconds, at which each worker's lease ends
MODELS = "worker_models"  # a hash in Redis: the report of each line


class Roster:
    """One worker's line in the roster. The line expires if the worker does not renew it for one lease."""

    def __init__(
        self,
        keyspace: Keyspace,
        settings: Settings,
        name: str,
        device: str,
        report: Callable[[], ModelReport] = lambda: ModelReport({}, {}),
    ) -> None:
        """`report` is called with each renewal, so that a model that was installed or loaded meanwhile is listed."""
        self._keyspace = keyspace
        self.line = f"{device.partition(':')[0]}/{name}"
        self._lease_seconds = settings.lease_seconds
        self._report = report

    def enter(self) -> None:
        """Add or renew the line. Raises RedisError."""
        self._keyspace.run("worker_enter", self.line, self._lease_seconds, self._report().to_json())

    def leave(self) -> None:
        """Remove the line and its report. Raises RedisError."""
        with self._keyspace.pipeline() as pipeline:
            pipeline.zrem(self._keyspace.key(WORKERS), self.line)
            pipeline.hdel(self._keyspace.key(MODELS), self.line)
            pipeline.execute()


@dataclass(frozen=True)
class Worker:
    """A live worker. `name` is `host:pid`, `device` a kind of device ("cpu", "gpu")."""

    name: str
    device: str
    models: ModelReport


def workers(keyspace: Keyspace) -> list[Worker]:
    """Return the live workers, by name, in one round trip. Workers of versions before reports existed are left out."""
    with keyspace.pipeline() as pipeline:
        pipeline.time()
        pipeline.zrange(keyspace.key(WORKERS), 0, -1, withscores=True)
        pipeline.hgetall(keyspace.key(MODELS))
        (now, _), lines, reports = pipeline.execute()
    found = []
    for line, until in lines:
        if until >= now and line in reports:
            device, _, name = line.partition("/")
            found.append(Worker(name, device, ModelReport.from_json(reports[line])))
    return sorted(found, key=lambda worker: worker.name)


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
