"""Records of Redis that a process remembers for a moment, so that not every request has to read them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from cachetools import LRUCache

Record = TypeVar("Record")

# What is deleted or revoked works in this process for at most this long. The promise is one second, and a request may
# be slow.
SECONDS = 0.5
MAX_RECORDS = 4096  # a record takes a kilobyte


class Remembered(Generic[Record]):
    """The records that were read within SECONDS, by name. Thread-safe."""

    def __init__(self, read: Callable[[str], Record | None]) -> None:
        self._read = read
        self._known: LRUCache[str, tuple[float, Record]] = LRUCache(MAX_RECORDS)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def recent(self, name: str) -> Record | None:
        """Return a record that was read within SECONDS; None if it must be read."""
        with self._lock:
            read_at, record = self._known.get(name, (0.0, None))
        return record if time.monotonic() - read_at < SECONDS else None

    def read(self, name: str) -> Record | None:
        """Return a record as it is in Redis now; None if there is none."""
        read_at = time.monotonic()  # not after the answer of Redis: the record may be as old as the question
        record = self._read(name)
        if record is not None:
            with self._lock:
                self._known[name] = (read_at, record)
        return record

    def replace(self, name: str, record: Record, by: Record) -> None:
        """Remember a changed record in place of `record`; not if another thread has read a newer one meanwhile."""
        with self._lock:
            read_at, known = self._known.get(name, (0.0, None))
            if known is record:
                self._known[name] = (read_at, by)
