"""The fleet object, which `gateway.fleet` makes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict


class FleetJob(TypedDict):
    id: Annotated[str, Field(description="as its tenant sees it")]
    tenant: str
    started_at: datetime


class LoadedModel(TypedDict):
    model: str
    engine: str
    precision: str


class FleetWorker(TypedDict):
    """A worker. What its version is too old to report is null."""

    name: Annotated[str, Field(description="host:pid")]
    status: Annotated[
        Literal["ready", "draining", "lost"],
        Field(description="`draining`: finishes its jobs and begins no more; `lost`: died up to 10 minutes ago"),
    ]
    device: Annotated[str, Field(description="`cpu` or `gpu:N`")]
    models: Annotated[list[LoadedModel], Field(description="models and detectors that are loaded")]
    version: str | None
    slots: Annotated[
        int | None,
        Field(description="how many jobs it runs at the same time, besides one on an image that was just encoded"),
    ]
    running: Annotated[
        list[FleetJob],
        Field(description="can be more than its slots: a job that waits for another one's encoding lends its slot"),
    ]
    started_at: datetime | None
    last_seen_at: Annotated[datetime | None, Field(description="the last heartbeat")]
    lost_at: datetime | None


class FleetLane(TypedDict):
    device: Literal["auto", "cpu", "gpu"]
    priority: Literal["interactive", "normal", "bulk"]
    queued: int
    oldest_s: Annotated[float | None, Field(description="since when the oldest of them waits; null if none waits")]
    running: int


class Latency(TypedDict):
    """Milliseconds, at most a fifth wrong."""

    count: int
    p50: float
    p95: float


class EndedJobs(TypedDict):
    succeeded: int
    failed: int
    canceled: int
    expired: int


class FleetMinute(TypedDict):
    at: Annotated[datetime, Field(description="its end")]
    seconds: Annotated[float, Field(description="about 60; less in the last entry, which is not over")]
    ended: EndedJobs
    ended_per_s: float
    queued: Annotated[int, Field(description="at its end")]
    running: Annotated[int, Field(description="at its end")]
    wait_ms: Annotated[Latency | None, Field(description="from the acceptance of jobs to their first attempt")]
    run_ms: Annotated[Latency | None, Field(description="of attempts that ended")]


class FleetObject(TypedDict):
    """The fleet of all tenants."""

    at: datetime
    submissions: Annotated[str, Field(description="`ok`, or why new jobs are refused")]
    queued_jobs: int
    max_queued_jobs: int
    delayed_jobs: Annotated[int, Field(description="those queued jobs that wait for another attempt, in no lane")]
    running_jobs: int
    worker_count: Annotated[int, Field(description="of live workers")]
    workers: Annotated[list[FleetWorker], Field(description="the live ones by name, then the lost ones; at most 500")]
    lanes: list[FleetLane]
    streams: Annotated[int, Field(description="open event streams")]
    shared_embeddings_bytes: int
    max_shared_embeddings_bytes: int
    history: Annotated[list[FleetMinute], Field(description="the last hour, oldest first")]
