"""Is this process alive; can it serve."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Blueprint, Response, jsonify

from gateway.services import services
from worker import roster

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """This process answers; nothing else is asked."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> tuple[Response, int]:
    """Redis, object storage and at least one worker can be reached, and this process stays: 200, or 503 and why not."""
    at = services()
    with ThreadPoolExecutor(2) as both:  # each may have to wait for a server that is away
        redis, storage = both.map(_check, (at.redis.ping, at.storage.check))
    checks = {"redis": redis, "storage": storage}
    workers = dict(roster.alive(at.redis, at.settings)) if checks["redis"] == "ok" else {}
    checks["workers"] = "ok" if workers else "no live worker"
    checks["gateway"] = "told to stop" if at.leaving.is_set() else "ok"
    is_ready = all(outcome == "ok" for outcome in checks.values())
    body: dict[str, Any] = {"status": "ready" if is_ready else "not ready", "checks": checks, "workers": workers}
    return jsonify(body), 200 if is_ready else 503


def _check(call: Callable[[], object]) -> str:
    try:
        call()
    except Exception as error:  # whatever it is, it is the answer to this question
        return f"{type(error).__name__}: {error}"
    return "ok"
