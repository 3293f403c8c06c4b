"""The roster: the list of workers that are alive, each with its report, and of those that died a short time ago."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from redis import RedisError

from configs.settings import Settings
from worker.process.latencies import Latencies
from worker.process.model_report import ModelReport
from worker.process.worker_report import Process, WorkerReport
from worker.store.clock import MICROSECONDS, MINUTE, moment
from worker.store.keyspace import Keyspace

WORKERS = "workers"  # a sorted set in Redis: lines by the time, in seconds, at which each worker's lease ends
MODELS = "worker_models"  # a hash in Redis: the report of each line
LOST = "lost_workers"  # a sorted set in Redis: lines of workers that died, by the time at which the lease ended
LOST_SECONDS = 10 * MINUTE  # for this time a dead worker is shown; worker_enter.lua keeps it as long


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
        self.latencies = Latencies()  # sent with each renewal
        self._report = report
        slots, lease_seconds = settings.worker_concurrency, settings.lease_seconds
        self._process = Process(device, version("ovseg"), slots, datetime.now(UTC), lease_seconds)

    def enter(self) -> None:
        """Add or renew the line. Raises RedisError."""
        report = WorkerReport(self._report(), self._process)
        self._send("worker_enter", self.line, self._process.lease_seconds, report.to_json())

    def drain(self) -> None:
        """Report from the next renewal on that this worker begins no more jobs."""
        self._process = replace(self._process, is_draining=True)

    def leave(self) -> None:
        """Remove the line and its report. Raises RedisError."""
        self._send("worker_leave", self.line)

    def _send(self, script: str, *args: str | float) -> None:
        counts = self.latencies.take()
        try:
            self._keyspace.run(script, *args, *(part for pair in counts.items() for part in pair))
        except RedisError:
            self.latencies.add(counts)  # sent with the next renewal
            raise


@dataclass(frozen=True)
class Worker:
    """A live worker. `name` is `host:pid`, `device` a kind of device ("cpu", "gpu")."""

    name: str
    device: str
    report: WorkerReport
    lease_until: datetime

    @property
    def models(self) -> ModelReport:
        return self.report.models

    @property
    def seen_at(self) -> datetime | None:
        """When the worker sent its last heartbeat; None if its version is too old to report that."""
        process = self.report.process
        return self.lease_until - timedelta(seconds=process.lease_seconds) if process else None


@dataclass(frozen=True)
class LostWorker:
    """A worker that died without leaving. `lost_at` is when its lease ended."""

    name: str
    device: str
    lost_at: datetime


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
            found.append(Worker(name, device, WorkerReport.from_json(reports[line]), _moment(until)))
    return sorted(found, key=lambda worker: worker.name)


def lost(keyspace: Keyspace) -> list[LostWorker]:
    """Return the workers that died in the last LOST_SECONDS, the last one first."""
    now = keyspace.now() / MICROSECONDS
    with keyspace.pipeline() as pipeline:
        for name in (WORKERS, LOST):  # a dead worker is in the first one until another worker notices that
            pipeline.zrange(keyspace.key(name), now - LOST_SECONDS, now, byscore=True, withscores=True)
        unnoticed, noticed = pipeline.execute()
    last = sorted(dict([*noticed, *unnoticed]).items(), key=lambda pair: -pair[1])
    return [LostWorker(line.partition("/")[2], line.partition("/")[0], _moment(until)) for line, until in last]


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


def _moment(seconds: float) -> datetime:
    return moment(seconds * MICROSECONDS)
