"""The embeddings that a worker used last."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from cachetools import LRUCache


class Sized(Protocol):
    """An embedding of any kind."""

    @property
    def nbytes(self) -> int:
        """The size in memory, in bytes."""
        ...


class RecentEmbeddings:
    """The embeddings that were used last, as many as fit in `max_bytes`. Thread-safe.

    Those that only jobs in bulk have used take at most half of the space while others need it: hundreds of images that
    pass by in bulk do not evict the image that a person looks at and clicks on now and then.
    """

    def __init__(self, max_bytes: int) -> None:
        self._known = _Known(max_bytes)
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._known

    def get(self, key: str, is_in_bulk: bool) -> Any:
        """Return an embedding because a job uses it; None if it is not here. `is_in_bulk`: the job is one in bulk."""
        with self._lock:
            found = self._known.get(key)
            if (size := self._known.in_bulk.pop(key, None)) and is_in_bulk:
                self._known.in_bulk[key] = size  # at the end: it was used last
            return found

    def add(self, key: str, embedding: Sized, is_in_bulk: bool) -> None:
        """Keep an embedding that a job has got. Those that were not used for longest are evicted."""
        with self._lock:
            if embedding.nbytes <= self._known.maxsize:
                self._known[key] = embedding
                if is_in_bulk:
                    self._known.in_bulk[key] = embedding.nbytes


class _Known(LRUCache[str, Sized]):
    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, getsizeof=lambda embedding: embedding.nbytes)
        self.in_bulk: dict[str, int] = {}  # the bytes of those that only jobs in bulk have used, the last used one last

    def popitem(self) -> tuple[str, Sized]:
        """Evict one embedding."""
        if 2 * sum(self.in_bulk.values()) >= self.maxsize:
            key = next(iter(self.in_bulk))
            return key, self.pop(key)
        return super().popitem()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.in_bulk.pop(key, None)
