"""While Redis does not answer, one request at a time tries it, and all others get 503 at once.

Otherwise each would hold its thread for the two seconds of a call, and with all threads held every answer is late.
"""

from __future__ import annotations

import threading
import time

from flask import Flask, Response, request
from redis import RedisError
from redis.exceptions import TimeoutError as NoAnswer

from gateway import errors
from gateway.mark import Mark

PAUSE_SECONDS = 1.0  # between two requests that ask
ASKING_SECONDS = 3.0  # longer than a call to a Redis that does not answer
# Answers that come from Redis; that a request makes no sense is found out without it.
FROM_REDIS = (200, 202, 204, 404, 409, 410)

needs_no_redis = Mark()


class Breaker:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._ask_again_at = 0.0

    def refuses(self) -> bool:
        """Whether Redis did not answer a moment ago; now and then False, for the one request that tries it again."""
        with self._lock:
            now = time.monotonic()
            if self._is_open and now >= self._ask_again_at:
                self._ask_again_at = now + ASKING_SECONDS
                return False
            return self._is_open

    def open(self) -> None:
        with self._lock:
            self._is_open, self._ask_again_at = True, time.monotonic() + PAUSE_SECONDS

    def close(self) -> None:
        with self._lock:
            self._is_open = False


def guard(app: Flask) -> None:
    """Every view that needs Redis."""
    breaker = Breaker()

    @app.errorhandler(NoAnswer)
    def no_answer(error: NoAnswer) -> Response:
        breaker.open()
        return errors.of_outage(error)

    @app.before_request
    def refuse() -> None:
        if _needs_redis() and breaker.refuses():
            raise RedisError("it did not answer a moment ago, and is not asked again yet")

    @app.after_request
    def heal(response: Response) -> Response:
        if _needs_redis() and response.status_code in FROM_REDIS:
            breaker.close()
        return response


def _needs_redis() -> bool:
    """True unless the view is known to need none; an unknown path has no endpoint, and needs none."""
    return request.endpoint is not None and not needs_no_redis.is_on_view()
