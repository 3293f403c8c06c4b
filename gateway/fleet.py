"""The route of the fleet: its workers, its lanes, and its last hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, jsonify

from configs.settings import MEGABYTE
from gateway import auth, health, operation
from gateway.answers.fleet import FleetObject
from gateway.operation import Answer, Operation
from gateway.services import services
from worker.access.scope import Scope
from worker.job.record import Status
from worker.process import fleet, history
from worker.process.history import Minute
from worker.process.lanes import RunningJob
from worker.process.latencies import Quantiles
from worker.process.roster import LostWorker, Worker
from worker.store import tenant
from worker.store.clock import moment, timestamp

blueprint = Blueprint("fleet", __name__, url_prefix="/v1/fleet")

MAX_WORKERS = 500  # in an answer: a quarter of a megabyte


@blueprint.get("")
@auth.needs(Scope.ADMIN)
@operation.describes(
    Operation("Look at the workers, the queues and the last hour", {200: Answer("The fleet.", FleetObject)})
)
def show() -> Response:
    """Return the workers, the lanes, and what the fleet did in each minute of the last hour, for all tenants."""
    keyspace, settings = services().keyspace, services().settings
    state, minutes = fleet.state(keyspace), history.read(keyspace)
    running = state.running_by_worker
    workers = [_describe_worker(worker, running[worker.name]) for worker in state.workers]
    workers += [_describe_lost(worker, running[worker.name]) for worker in state.lost]
    body = {
        "at": timestamp(moment(keyspace.now())),
        "submissions": health.submissions(),
        "queued_jobs": state.queued,
        "max_queued_jobs": settings.max_queued_jobs,
        "delayed_jobs": state.delayed,
        "running_jobs": len(state.running),
        "worker_count": sum(state.alive.values()),
        "workers": workers[:MAX_WORKERS],
        "lanes": [vars(lane) for lane in state.lanes],
        "streams": state.streams,
        "shared_embeddings_bytes": state.shared_embeddings_bytes,
        "max_shared_embeddings_bytes": settings.shared_embeddings_megabytes * MEGABYTE,
        "history": [_describe_minute(minute) for minute in minutes],
    }
    return jsonify(body)


def _describe_worker(worker: Worker, running: Sequence[RunningJob]) -> dict[str, Any]:
    process = worker.report.process
    loaded = sorted(worker.models.loaded.items())
    return {
        "name": worker.name,
        "status": "draining" if process and process.is_draining else "ready",
        "device": process.device if process else worker.device,
        "models": [{"model": name, "engine": engine, "precision": precision} for name, (engine, precision) in loaded],
        "version": process.version if process else None,
        "slots": process.slots if process else None,
        "running": [_describe_job(job) for job in running],
        "started_at": timestamp(process.started_at if process else None),
        "last_seen_at": timestamp(worker.seen_at),
        "lost_at": None,
    }


def _describe_lost(worker: LostWorker, running: Sequence[RunningJob]) -> dict[str, Any]:
    return {
        "name": worker.name,
        "status": "lost",
        "device": worker.device,
        "models": [],
        "version": None,
        "slots": None,
        "running": [_describe_job(job) for job in running],
        "started_at": None,
        "last_seen_at": None,
        "lost_at": timestamp(worker.lost_at),
    }


def _describe_job(job: RunningJob) -> dict[str, Any]:
    return {"id": tenant.shown(job.id), "tenant": tenant.of(job.id), "started_at": timestamp(job.started_at)}


def _describe_minute(minute: Minute) -> dict[str, Any]:
    ended = {status.value: minute.ended.get(status, 0) for status in Status if status.is_terminal}
    return {
        "at": timestamp(minute.at),
        "seconds": round(minute.seconds, 1),
        "ended": ended,
        "ended_per_s": round(sum(ended.values()) / max(minute.seconds, 1.0), 3),
        "queued": minute.queued,
        "running": minute.running,
        "wait_ms": _describe_latency(minute.waited),
        "run_ms": _describe_latency(minute.ran),
    }


def _describe_latency(found: Quantiles | None) -> dict[str, Any] | None:
    return vars(found) if found else None
