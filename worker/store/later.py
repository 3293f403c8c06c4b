"""Does work a short time after it was asked for, together with other work that is due then."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Later(Generic[Item]):
    """Passes each item to `handle`, in a thread of its own, `seconds` after it was added. Thread-safe.

    All items that are due are passed together, with those that are due within the next `early` seconds. `handle` must
    not raise an exception: the thread would end.
    """

    def __init__(
        self, seconds: float, handle: Callable[[Sequence[Item]], object], name: str, early: float = 0.0
    ) -> None:
        self._seconds = seconds
        self._early = early
        self._handle = handle
        self._added: deque[tuple[float, Item]] = deque()
        self._is_needed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._lock = threading.Lock()

    def add(self, item: Item) -> None:
        self._added.append((time.monotonic() + self._seconds, item))
        if self._is_needed.is_set():
            return
        self._is_needed.set()
        with self._lock:
            if self._thread.ident is None:  # not earlier: gunicorn forks after it has made the application
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._is_needed.wait()
            self._is_needed.clear()
            while self._added:
                time.sleep(max(0.0, self._added[0][0] - time.monotonic()))
                self._handle(self._due())

    def _due(self) -> list[Item]:
        until, due = time.monotonic() + self._early, list[Item]()
        while self._added and self._added[0][0] <= until:
            due.append(self._added.popleft()[1])
        return due
