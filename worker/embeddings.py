"""Embeddings that this process still has: several jobs for one image cost one encoding."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from cachetools import LRUCache

from ovseg_core.segmenter import Embedding

Key = tuple[str, bytes]
Encoded = tuple[Embedding, float]  # and the milliseconds that the network took


class Embeddings:
    """The embeddings used last, as many as fit. Callable from any thread.

    An embedding is known by its model and the SHA-256 of the image's file, so no other image's can be taken for it.
    """

    def __init__(self, encode: Callable[[str, np.ndarray], Encoded], max_bytes: int) -> None:
        self._encode, self._max_bytes = encode, max_bytes
        self._known: LRUCache[Key, Embedding] = LRUCache(max_bytes, getsizeof=lambda embedding: embedding.nbytes)
        self._under_way: dict[Key, Future[Embedding]] = {}
        self._lock = threading.Lock()

    def of(self, model: str, file: bytes, picture: Callable[[], np.ndarray]) -> Encoded:
        """The embedding of an image's file; `picture` reads it where it is not known. Who asks for one that another
        thread is making waits for that, and gets the same error if it fails. 0 ms where nothing was encoded.

        Raises what `picture` and the encoder raise.
        """
        key = (model, hashlib.sha256(file).digest())
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                return known, 0.0
            others = self._under_way.get(key)
            if others is None:
                mine = self._under_way[key] = Future()
        if others is not None:
            return others.result(), 0.0
        return self._made(key, mine, picture)

    def _made(self, key: Key, promise: Future[Embedding], picture: Callable[[], np.ndarray]) -> Encoded:
        try:
            embedding, milliseconds = self._encode(key[0], picture())
        except BaseException as error:
            self._settle(key, None)
            promise.set_exception(error)
            raise
        self._settle(key, embedding)
        promise.set_result(embedding)
        return embedding, milliseconds

    def _settle(self, key: Key, embedding: Embedding | None) -> None:
        with self._lock:
            del self._under_way[key]
            if embedding is not None and embedding.nbytes <= self._max_bytes:
                self._known[key] = embedding
