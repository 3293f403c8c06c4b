"""While Redis does not answer, one request at a time pings it, and all others get 503 immediately.

Without this, each request would occupy its thread for the two seconds that a call to Redis takes to time out. Once all
threads are occupied, every answer is late.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from flask import Flask, Response, request
from redis import RedisError
from redis.exceptions import TimeoutError as NoAnswer

from gateway import errors
from gateway.mark import Mark

PAUSE_SECONDS = 1.0  # from an unanswered call to the next ping

needs_redis = Mark(True)


class Breaker:
    """Remembers whether Redis answers: closed while it does, open while it does not. Thread-safe."""

    def __init__(self, ping: Callable[[], object]) -> None:
        self._ping = ping
        self._lock = threading.Lock()
        self._is_open = False
        self._next_ping_at = 0.0

    def check(self) -> None:
        """Raise RedisError if Redis did not answer recently, or does not answer now that it is time to ping it."""
        with self._lock:
            if not self._is_open:
                return
            if time.monotonic() < self._next_ping_at:
                raise RedisError("Redis did not answer recently and is not tried again yet")
            self._next_ping_at = math.inf  # no other request pings it meanwhile
        try:
            self._ping()
        except BaseException:
            self.open()
            raise
        with self._lock:
            self._is_open = False

    def open(self) -> None:
        with self._lock:
            self._is_open, self._next_ping_at = True, time.monotonic() + PAUSE_SECONDS


def guard(app: Flask) -> None:
    """Protect every view that needs Redis."""
    breaker = Breaker(app.extensions["ovseg"].keyspace.redis.ping)

    @app.errorhandler(NoAnswer)
    def no_answer(error: NoAnswer) -> Response:
        breaker.open()
        return errors.of_outage(error)

    @app.before_request
    def check() -> None:
        if request.endpoint is not None and needs_redis.of_view():  # None: an unknown path has no view
            breaker.check()
