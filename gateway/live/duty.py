"""What a thread does again and again, besides what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable


class Duty:
    """A call that is due every `seconds`, the first time immediately."""

    def __init__(self, seconds: float, call: Callable[[], object]) -> None:
        self._seconds = seconds
        self._call = call
        self._done_at = 0.0

    def do_if_due(self) -> None:
        if time.monotonic() - self._done_at >= self._seconds:
            self._call()
            self._done_at = time.monotonic()
