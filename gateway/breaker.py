"""While Redis does not answer, one request at a time tries it, and all others get 503 immediately.

Without this, each request would occupy its thread for the two seconds that a call to Redis takes to time out. Once all
threads are occupied, every answer is late.
"""

from __future__ import annotations

import threading
import time

from flask import Flask, Response, request
from redis import RedisError
from redis.exceptions import TimeoutError as NoAnswer

from gateway import errors
from gateway.mark import Mark

PAUSE_SECONDS = 1.0  # from an unanswered try to the next try
TRY_SECONDS = 3.0  # a try gets this long; a call to a Redis that does not answer times out sooner
# A view that answers with one of these has reached Redis. A request is found invalid (400, 422) without Redis.
STATUSES_FROM_REDIS = (200, 202, 204, 404, 409, 410)

needs_redis = Mark(True)


class Breaker:
    """Remembers whether Redis answers: closed while it does, open while it does not. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._next_try_at = 0.0

    def refuses(self) -> bool:
        """Return True if Redis did not answer recently; False for the one request that may try Redis again."""
        with self._lock:
            now = time.monotonic()
            if self._is_open and now >= self._next_try_at:
                self._next_try_at = now + TRY_SECONDS
                return False
            return self._is_open

    def open(self) -> None:
        with self._lock:
            self._is_open, self._next_try_at = True, time.monotonic() + PAUSE_SECONDS

    def close(self) -> None:
        with self._lock:
            self._is_open = False


def guard(app: Flask) -> None:
    """Protect every view that needs Redis."""
    breaker = Breaker()

    @app.errorhandler(NoAnswer)
    def no_answer(error: NoAnswer) -> Response:
        breaker.open()
        return errors.of_outage(error)

    @app.before_request
    def refuse() -> None:
        if _needs_redis() and breaker.refuses():
            raise RedisError("Redis did not answer recently and is not tried again yet")

    @app.after_request
    def note_answer(response: Response) -> Response:
        if _needs_redis() and response.status_code in STATUSES_FROM_REDIS:
            breaker.close()
        return response


def _needs_redis() -> bool:
    """Return True unless the view is marked otherwise. An unknown path has no view and needs no Redis."""
    return request.endpoint is not None and needs_redis.of_view()
