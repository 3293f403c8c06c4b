"""The embeddings that a worker used last."""

from __future__ import annotations

from cachetools import LRUCache

from ovseg_core.embedding import Embedding


class RecentEmbeddings:
    """The embeddings that were used last, as many as fit in `max_bytes`. Not thread-safe.

    Those that only jobs in bulk have used take at most half of the space while others need it: hundreds of images that
    pass by in bulk do not evict the image that a person looks at and clicks on now and then.
    """

    def __init__(self, max_bytes: int) -> None:
        self._known = _Known(max_bytes)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def get(self, key: str, is_in_bulk: bool) -> Embedding | None:
        """Return an embedding because a job uses it; None if it is not here. `is_in_bulk`: the job is one in bulk."""
        found = self._known.get(key)
        if (size := self._known.in_bulk.pop(key, None)) and is_in_bulk:
            self._known.in_bulk[key] = size  # at the end: it was used last
        return found

    def add(self, key: str, embedding: Embedding, is_in_bulk: bool) -> None:
        """Keep an embedding that a job has got. Those that were not used for longest are evicted."""
        if embedding.nbytes <= self._known.maxsize:
            self._known[key] = embedding
            if is_in_bulk:
                self._known.in_bulk[key] = embedding.nbytes


class _Known(LRUCache[str, Embedding]):
    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, getsizeof=lambda embedding: embedding.nbytes)
        self.in_bulk: dict[str, int] = {}  # the bytes of those that only jobs in bulk have used, the last used one last

    def popitem(self) -> tuple[str, Embedding]:
        """Evict one embedding."""
        if 2 * sum(self.in_bulk.values()) >= self.maxsize:
            key = next(iter(self.in_bulk))
            return key, self.pop(key)
        return super().popitem()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.in_bulk.pop(key, None)
