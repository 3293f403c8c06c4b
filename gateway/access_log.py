"""A line in the log for each request, except those of quiet routes: health checks come every second."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, request

from gateway import handover
from gateway.mark import Mark

log = logging.getLogger(__name__)

quiet = Mark()
STARTED_AT = "ovseg.started_at"
MAX_TARGET = 500  # of a target's 8,190 characters


def keep(app: Flask) -> None:
    app.before_request(_start)
    app.after_request(_end)


def _start() -> None:
    request.environ.setdefault(STARTED_AT, time.perf_counter())  # a request that was held keeps its first start


def _end(response: Response) -> Response:
    if not quiet.is_on_view() and not handover.is_held():
        ms = (time.perf_counter() - request.environ[STARTED_AT]) * 1000
        target = request.environ["RAW_URI"][:MAX_TARGET]  # not decoded, so without spaces: the line keeps its words
        log.info("%s %s %d in %.0f ms", request.method, target, response.status_code, ms)
    return response
