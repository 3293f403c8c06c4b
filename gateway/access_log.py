"""Writes a log line for each request, except for health checks, which come every second."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, request

from gateway import handover, request_id
from gateway.mark import Mark

log = logging.getLogger(__name__)

writes_line = Mark(True)
STARTED_AT = "ovseg.started_at"
MAX_TARGET = 500  # characters of the request target that are logged; a target may have 8,190


def keep(app: Flask) -> None:
    app.before_request(_start)
    app.after_request(_end)


def _start() -> None:
    request.environ.setdefault(STARTED_AT, time.perf_counter())  # a held request runs twice and keeps its first start


def _end(response: Response) -> Response:
    if writes_line.of_view() and not handover.is_held():
        ms = (time.perf_counter() - request.environ[STARTED_AT]) * 1000
        log.info("%s %d in %.0f ms, request %s", target(), response.status_code, ms, request_id.of_request())
    return response


def target() -> str:
    """Return the method and the target of the current request. The target is not decoded, so it has no spaces."""
    return f"{request.method} {request.environ['RAW_URI'][:MAX_TARGET]}"
