"""The shared cache of embeddings that are not shared."""

from __future__ import annotations

from collections.abc import Callable

from worker.inference.embeddings import E
from worker.job.attempt import Waiting


class Unshared:
    """A shared cache that finds and keeps nothing."""

    def find(self, key: str, check: Callable[[], None], waiting: Waiting) -> None:
        """Return None: the caller must make the embedding."""

    def as_found(self, embedding: E) -> E:
        """Return the embedding."""
        return embedding

    def offer(self, key: str, embedding: object, is_to_share: bool = False) -> None:
        """Keep nothing."""

    def give_up(self, key: str) -> None:
        """Do nothing: no other worker waits."""
