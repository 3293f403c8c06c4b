"""A line in the log for each request, but for the health checks that come every second."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

log = logging.getLogger(__name__)

UNINTERESTING = ("/healthz", "/readyz", "/health")


def keep(app: Flask) -> None:
    app.before_request(_start)
    app.after_request(_end)


def _start() -> None:
    g.started_at = time.perf_counter()


def _end(response: Response) -> Response:
    if request.path not in UNINTERESTING:
        ms = (time.perf_counter() - g.started_at) * 1000
        log.info("%s %s %d in %.0f ms", request.method, request.full_path.rstrip("?"), response.status_code, ms)
    return response
