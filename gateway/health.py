"""The routes for probes: is this process alive, and can it serve requests?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify

from gateway import access_log, auth, breaker, operation, origin, query
from gateway.answers.health import Alive, Ready
from gateway.operation import Answer, Operation
from gateway.services import services
from worker.job import acceptance
from worker.process import roster

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@auth.needs(None)
@access_log.writes_line(False)
@origin.takes_any_host(True)
@breaker.needs_redis(False)
@operation.describes(Operation("Is this process alive?", {200: Answer("It is.", Alive)}))
def alive() -> Response:
    """Answer 200: this process is alive. Nothing else is checked."""
    return jsonify({"status": "ok"})


class ReadyQuery(query.Query):
    """The number of live workers that the caller requires."""

    workers: Annotated[int, query.whole_number(0, 1_000_000)] = 0


@blueprint.get("/readyz")
@auth.needs(None)
@access_log.writes_line(False)
@origin.takes_any_host(True)
@breaker.needs_redis(False)  # it checks Redis itself
@query.takes(ReadyQuery)
@operation.describes(
    Operation(
        "Can this process serve requests?",
        {200: Answer("It can.", Ready), 503: Answer("It cannot: `checks` has the reason.", Ready)},
    )
)
def ready() -> tuple[Response, int]:
    """Answer 200 if Redis and object storage can be reached and this process is not stopping, else 503 with the reason.

    Workers are counted but not required, except with `?workers=N`: a fleet that is scaled to zero accepts jobs, and is
    scaled up because of them. A full queue or a full Redis is no reason for 503 either: the routes that empty it must
    stay reachable.
    """
    wanted = query.of(ReadyQuery).workers
    with ThreadPoolExecutor(2) as both:  # each may have to wait for an unreachable server
        redis, storage = both.map(_check, (services().keyspace.redis.ping, services().storage.check))
    checks = {"redis": redis, "storage": storage}
    workers = dict(roster.alive(services().keyspace)) if redis == "ok" else {}
    if wanted:
        checks["workers"] = _check_workers(sum(workers.values()), wanted)
    checks["gateway"] = "stopping" if services().leaving.is_set() else "ok"
    is_ready = all(outcome == "ok" for outcome in checks.values())
    body: dict[str, Any] = {
        "status": "ready" if is_ready else "not ready",
        "checks": checks,
        "workers": workers,
        "submissions": submissions() if redis == "ok" else "unknown",
    }
    return jsonify(body), 200 if is_ready else 503


def _check_workers(alive: int, wanted: int) -> str:
    if alive >= wanted:
        return "ok"
    return f"{alive} of {wanted} live workers" if alive else "no live worker"


def submissions() -> str:
    """Return "ok", or the reason why new jobs are refused."""
    what = services().jobs.full()
    return f"queue_full: {acceptance.why_full(what, services().settings)}" if what else "ok"


def _check(call: Callable[[], object]) -> str:
    try:
        call()
    except Exception as error:  # any error is the result of this check
        return f"{type(error).__name__}: {error}"
    return "ok"
