"""Several jobs for one image cost one encoding: embeddings that this process still has, then those of the fleet."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from cachetools import LRUCache

from ovseg_core.embedding import Embedding
from worker.job.attempt import LeaseLost, Stopped

CHECK_EVERY_SECONDS = 0.25  # whether the job that waits should still go on; each check asks Redis


class Cache(StrEnum):
    HIT = "hit"  # this worker had it, or was making it
    SHARED = "shared"  # another worker of the fleet had made it
    MISS = "miss"  # it was encoded for this job


class Encoder(Protocol):
    def encode(self, model: str, image_rgb: np.ndarray) -> tuple[Embedding, float]:
        """An image's embedding, and the milliseconds that the network took."""
        ...

    def fingerprint(self, model: str) -> str:
        """Of all that an embedding depends on beside its image."""
        ...


class SharedCache(Protocol):
    """The embeddings of all workers, as `SharedEmbeddings` documents them."""

    def find(self, key: str, check: Callable[[], None]) -> Embedding | None: ...

    def offer(self, key: str, embedding: Embedding, is_to_share: bool = ..., milliseconds: float = ...) -> None: ...

    def give_up(self, key: str) -> None: ...


class Found(NamedTuple):
    embedding: Embedding
    cache: Cache
    milliseconds: float = 0.0  # of encoding


class Embeddings:
    """The embeddings used last, as many as fit. Callable from any thread.

    An embedding is known by the SHA-256 of the image's file, of the model's name, weights and precision, and of our
    code, so no other image's or model's can be taken for it. It is rounded to float16 as soon as it is made, so that a
    mask does not depend on where its embedding comes from.
    """

    def __init__(self, encoder: Encoder, shared: SharedCache, max_bytes: int) -> None:
        self._encoder, self._shared, self._max_bytes = encoder, shared, max_bytes
        self._known: LRUCache[str, Embedding] = LRUCache(max_bytes, getsizeof=lambda embedding: embedding.nbytes)
        self._under_way: dict[str, Future[Embedding]] = {}
        self._lock = threading.Lock()

    def key(self, model: str, sha256: str) -> str:
        """What an embedding is known by, here and to the other workers. Raises what the encoder raises."""
        parts = (model, self._encoder.fingerprint(model), sha256)
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def has(self, model: str, sha256: str) -> bool:
        """Whether this worker has it now. Raises what the encoder raises."""
        key = self.key(model, sha256)  # before the lock: it may load the model
        with self._lock:
            return key in self._known

    def of(
        self,
        model: str,
        sha256: str,
        picture: Callable[[], np.ndarray],
        is_to_share: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> Found:
        """The embedding of an image, by the digest of its file; `picture` reads that where it must be encoded. A thread
        that asks for one that another is making waits for it, and gets the same error if that fails. If only the job of
        the other is stopped, it makes the embedding itself.

        With `is_to_share` the fleet gets it too, whatever it costs to make. While this waits for others, `check` is
        called every fraction of a second, and may raise to interrupt.
        Raises what `picture`, `check` and the encoder raise.
        """

        def make() -> Found:
            return self._of_fleet(key, check) or self._encoded(model, picture())

        key = self.key(model, sha256)
        while True:
            with self._lock:
                known, others = self._known.get(key), self._under_way.get(key)
                if known is None and others is None:
                    mine = self._under_way[key] = Future()
            if known is not None:
                if is_to_share:
                    self._shared.offer(key, known, is_to_share)
                return Found(known, Cache.HIT)
            if others is None:
                return self._kept(key, mine, make, is_to_share)
            while not wait([others], CHECK_EVERY_SECONDS).done:
                check()
            try:
                return Found(others.result(), Cache.HIT)
            except CancelledError:
                continue

    def _kept(self, key: str, mine: Future[Embedding], make: Callable[[], Found], is_to_share: bool) -> Found:
        try:
            found = make()
        except BaseException as error:
            self._give_up(key, mine, error)
            raise
        self._settle(key, mine, found.embedding)
        if found.cache is Cache.MISS:
            self._shared.offer(key, found.embedding, is_to_share, found.milliseconds)
        return found

    def _of_fleet(self, key: str, check: Callable[[], None]) -> Found | None:
        embedding = self._shared.find(key, check)
        return None if embedding is None else Found(embedding, Cache.SHARED)

    def _encoded(self, model: str, image_rgb: np.ndarray) -> Found:
        embedding, milliseconds = self._encoder.encode(model, image_rgb)
        return Found(embedding.rounded(), Cache.MISS, milliseconds)

    def _give_up(self, key: str, promise: Future[Embedding], error: BaseException) -> None:
        with self._lock:
            del self._under_way[key]
        if isinstance(error, (LeaseLost, Stopped)):
            promise.cancel()  # this is about one job; the others still want the embedding
            promise.set_running_or_notify_cancel()  # else `wait` would not see it
        else:
            promise.set_exception(error)
        self._shared.give_up(key)

    def _settle(self, key: str, promise: Future[Embedding], embedding: Embedding) -> None:
        with self._lock:
            del self._under_way[key]
            if embedding.nbytes <= self._max_bytes:
                self._known[key] = embedding
        promise.set_result(embedding)
