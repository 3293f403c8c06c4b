"""The embeddings that all workers of the fleet share.

Storage has them in float16. Redis lists them, with the time of their last use, and records which worker is making one.
Storing an embedding takes longer than a small network takes to encode the image. So an embedding is stored only if its
network is costly and the job is not in bulk, if another worker waits for it or recently asked for it, or if the client
asks to share it. How long an encoding took does not matter: on a busy machine even a small network takes long.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError

from configs.settings import Settings
from ovseg_core.embedding import Embedding
from worker.job.attempt import Waiting
from worker.store import object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

MAX_MAKING_SECONDS = 600  # other workers do not wait longer for a worker, even if it is alive
WANTED_SECONDS = 600  # a request of another worker counts as recent for this time
PAUSES_SECONDS = (0.02, 0.25)  # between two checks whether another worker has finished: the first pause, the longest
BUSY = "busy"  # another worker is making the embedding
UNREACHABLE = (RedisError, BotoCoreError, ClientError)


class SharedEmbeddings:
    """The shared embeddings, for one worker. `line` is its line in the roster. Thread-safe.

    Errors of Redis and storage are logged and not raised: without shared embeddings, a worker encodes every image.
    """

    def __init__(self, keyspace: Keyspace, settings: Settings, storage: Storage, line: str) -> None:
        self._keyspace, self._storage, self._line = keyspace, storage, line
        self._is_on = settings.shared_embeddings_megabytes > 0

    def find(
        self, key: str, check: Callable[[], None] = lambda: None, waiting: Waiting = nullcontext
    ) -> Embedding | None:
        """Find an embedding. If another worker is making it, wait for that.

        While this waits, `waiting` is entered, and `check` is called after each pause; it may raise an exception to
        interrupt the wait.

        Returns:
            The embedding; or None if the caller must make it. The caller must then call `offer` or `give_up`, because
            other workers wait for one of these calls.
        """
        try:
            while self._is_on:
                state = self._begin(key)
                if state == BUSY:
                    with waiting():
                        state = self._when_not_busy(key, check)
                if state == "mine":
                    return None
                if (embedding := self._loaded(key)) is not None:
                    return embedding
        except UNREACHABLE as error:
            log.warning("embedding %s: Redis or storage is unreachable, encoding the image here: %s", key, error)
        return None

    def as_found(self, embedding: Embedding) -> Embedding:
        """Return the embedding as another worker finds it: rounded to float16."""
        return embedding.rounded()

    def offer(self, key: str, embedding: Embedding, is_to_share: bool = False) -> None:
        """Store a new embedding with `is_to_share`, or if another worker needs it. Let workers that wait continue."""
        if not self._is_on:
            return
        try:
            if is_to_share or self._keyspace.run("embedding_wanted", key):
                self._store(key, embedding)
        except UNREACHABLE as error:
            log.warning("embedding %s: not shared, because Redis or storage is unreachable: %s", key, error)
        self.give_up(key)

    def give_up(self, key: str) -> None:
        """Stop making an embedding. If it is not stored, one of the workers that wait for it makes it now."""
        if not self._is_on:
            return
        try:
            self._keyspace.run("embedding_leave", key, self._line, WANTED_SECONDS)
        except RedisError as error:
            log.warning("embedding %s: Redis is unreachable, others may wait until this worker ends: %s", key, error)

    def _begin(self, key: str) -> str:
        return str(self._keyspace.run("embedding_begin", key, self._line, MAX_MAKING_SECONDS))

    def _when_not_busy(self, key: str, check: Callable[[], None]) -> str:
        """Wait until no other worker is making the embedding. Return `stored` or `mine`."""
        pause, longest_pause = PAUSES_SECONDS
        while True:
            time.sleep(pause)
            check()
            if (state := self._begin(key)) != BUSY:
                return state
            pause = min(1.5 * pause, longest_pause)

    def _store(self, key: str, embedding: Embedding) -> None:
        data = key.encode() + embedding.to_bytes()
        # List it before storing it: an object that is stored but not listed would never be deleted.
        self._keyspace.run("embedding_list", key, len(data))
        self._storage.put(object_names.embedding(key), data, "application/octet-stream")

    def _loaded(self, key: str) -> Embedding | None:
        try:
            data = self._storage.get(object_names.embedding(key))
            if data[: len(key)] != key.encode():
                raise ValueError("it has the key of another embedding")
            return Embedding.from_bytes(data[len(key) :])
        except (ObjectMissing, ValueError) as error:
            log.warning("embedding %s: the stored one is missing or damaged, making a new one: %s", key, error)
            self._keyspace.run("embedding_forget", key, "")
            return None
