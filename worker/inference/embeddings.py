"""The cache of image embeddings, so that several jobs for one image cost one encoding.

An embedding is looked for in this process first, then in the fleet's shared cache. The features of a detector are
embeddings, too.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from contextlib import nullcontext, suppress
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from worker.inference.recent_embeddings import RecentEmbeddings, Sized
from worker.inference.urgency import Urgency
from worker.job.attempt import LeaseLost, Stopped, Waiting

CHECK_EVERY_SECONDS = 0.25  # the pause between two checks of a waiting job; each check is a call to Redis


class Cache(StrEnum):
    """Where an embedding came from."""

    HIT = "hit"  # this worker's cache, or an encoding that was running in this worker
    SHARED = "shared"  # another worker of the fleet
    MISS = "miss"  # an encoding for this job


E = TypeVar("E", bound=Sized)  # the embeddings of one kind of encoder
Made = TypeVar("Made", bound=Sized, covariant=True)


class Encoder(Protocol[Made]):
    def encode(self, model: str, image_rgb: np.ndarray, urgency: Urgency) -> tuple[Made, float]:
        """Return the embedding of an image (H, W, 3), and the milliseconds that the network took."""
        ...

    def fingerprint(self, model: str) -> str:
        """Return a text that changes with everything that an embedding depends on, except the image."""
        ...

    def is_costly(self, model: str) -> bool:
        """True if encoding an image takes much longer than storing its embedding for other workers."""
        ...


class SharedCache(Protocol[E]):
    """The embeddings of all workers. `SharedEmbeddings` documents the methods."""

    def find(self, key: str, check: Callable[[], None], waiting: Waiting) -> E | None: ...

    def as_found(self, embedding: E) -> E: ...

    def offer(self, key: str, embedding: E, is_to_share: bool = ...) -> None: ...

    def give_up(self, key: str) -> None: ...


class Found(NamedTuple, Generic[E]):
    """An embedding, where it came from, and how long this job's encoding took; 0 if another job's was used."""

    embedding: E
    cache: Cache
    milliseconds: float = 0.0


class Embeddings(Generic[E]):
    """The embeddings of an encoder that were used last, and those that are being made. Thread-safe.

    The key of an embedding is a SHA-256 over the image's file and tenant, the model's name, weights and precision, and
    our code, so that no embedding of another image or model is used by mistake. A new embedding immediately becomes
    what other workers find, so that a mask does not depend on which cache its embedding comes from.
    """

    def __init__(self, encoder: Encoder[E], shared: SharedCache[E], recent: RecentEmbeddings) -> None:
        """`recent` keeps the embeddings. Encoders whose keys differ may share it, and then they share its space."""
        self._encoder, self._shared, self._known = encoder, shared, recent
        self._under_way: dict[str, Future[E]] = {}
        self._lock = threading.Lock()

    def key(self, model: str, sha256: str) -> str:
        """Return an embedding's key in this cache and in the shared one. Raises the errors of the encoder."""
        parts = (model, self._encoder.fingerprint(model), sha256)
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def has(self, model: str, sha256: str) -> bool:
        """True if this worker has the embedding now. Raises the errors of the encoder."""
        return self.key(model, sha256) in self._known

    def of(
        self,
        model: str,
        sha256: str,
        picture: Callable[[], np.ndarray],
        is_to_share: bool = False,
        urgency: Urgency = Urgency.NORMAL,
        check: Callable[[], None] = lambda: None,
        waiting: Waiting = nullcontext,
    ) -> Found[E]:
        """Return the embedding of an image.

        If another thread is making the embedding, this waits for it, and raises the same error if that fails. If the
        other thread's job is stopped, this makes the embedding itself.

        Args:
            model: The model's name.
            sha256: The digest of the image's file, as an id of its tenant (`tenant.owned`).
            picture: Reads the image (H, W, 3). It is called only if the image must be encoded.
            is_to_share: Store the embedding for the fleet even if it is cheap to make.
            urgency: How urgent the encoding is. What only jobs in bulk use is evicted sooner, and stored for the fleet
                only if another worker needs it: a data set would fill the storage, and few images are used twice.
            check: Called several times a second while this waits for another thread or worker. It may raise an
                exception to interrupt the wait.
            waiting: Entered while this waits for another thread or worker.

        Raises:
            Exception: What `picture`, `check` and the encoder raise.
        """

        def make() -> Found[E]:
            return self._of_fleet(key, check, waiting) or self._encoded(model, picture(), urgency)

        key, is_in_bulk = self.key(model, sha256), urgency is Urgency.BULK
        while True:
            with self._lock:
                known: E | None = self._known.get(key, is_in_bulk)
                others = self._under_way.get(key)
                if known is None and others is None:
                    mine = self._under_way[key] = Future()
            if known is not None:
                if is_to_share:
                    self._shared.offer(key, known, is_to_share)
                return Found(known, Cache.HIT)
            if others is None:
                shares = is_to_share or (not is_in_bulk and self._encoder.is_costly(model))
                return self._kept(key, mine, make, shares, is_in_bulk)
            _await(others, check, waiting)
            with suppress(CancelledError):
                return Found(others.result(), Cache.HIT)

    def _kept(
        self, key: str, mine: Future[E], make: Callable[[], Found[E]], is_to_share: bool, is_in_bulk: bool
    ) -> Found[E]:
        try:
            found = make()
        except BaseException as error:
            self._give_up(key, mine, error)
            raise
        self._settle(key, mine, found.embedding, is_in_bulk)
        if found.cache is Cache.MISS:
            self._shared.offer(key, found.embedding, is_to_share)
        return found

    def _of_fleet(self, key: str, check: Callable[[], None], waiting: Waiting) -> Found[E] | None:
        embedding = self._shared.find(key, check, waiting)
        return None if embedding is None else Found(embedding, Cache.SHARED)

    def _encoded(self, model: str, image_rgb: np.ndarray, urgency: Urgency) -> Found[E]:
        embedding, milliseconds = self._encoder.encode(model, image_rgb, urgency)
        return Found(self._shared.as_found(embedding), Cache.MISS, milliseconds)

    def _give_up(self, key: str, promise: Future[E], error: BaseException) -> None:
        with self._lock:
            del self._under_way[key]
        if isinstance(error, (LeaseLost, Stopped)):
            promise.cancel()  # only this job stops; the jobs that wait still need the embedding
            promise.set_running_or_notify_cancel()  # without this call `wait` does not see the cancel
        else:
            promise.set_exception(error)
        self._shared.give_up(key)

    def _settle(self, key: str, promise: Future[E], embedding: E, is_in_bulk: bool) -> None:
        with self._lock:
            del self._under_way[key]
            self._known.add(key, embedding, is_in_bulk)
        promise.set_result(embedding)


def _await(others: Future[E], check: Callable[[], None], waiting: Waiting) -> None:
    """Wait until another thread has made an embedding."""
    if not others.done():
        with waiting():
            while not wait([others], CHECK_EVERY_SECONDS).done:
                check()
