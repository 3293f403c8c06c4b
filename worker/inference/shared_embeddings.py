"""The fleet's embeddings: float16 in storage; Redis knows which there are, when each was last used, and who is making
one now.

To store one takes longer than a small network takes to encode, so it is stored where that pays: it took long to make,
another worker waits for it or asked for it lately, or the client wants it there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError

from configs.settings import Settings
from ovseg_core.embedding import Embedding
from worker.store import object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

LONG_MILLISECONDS = 500  # of encoding; to store an embedding takes some 30
MAX_MAKING_SECONDS = 600  # a worker that lives but is not done by then is not waited for
WANTED_SECONDS = 600  # for so long another worker's wish for an embedding counts as "lately"
PAUSES_SECONDS = (0.02, 0.25)  # between two looks whether another worker is done: the first, and the longest
UNREACHABLE = (RedisError, BotoCoreError, ClientError)


class SharedEmbeddings:
    """The fleet's embeddings as one worker sees them, by its line in the roster. Thread-safe.

    An error is logged and not raised: without the fleet's embeddings, a worker makes its own.
    """

    def __init__(self, keyspace: Keyspace, settings: Settings, storage: Storage, line: str) -> None:
        self._keyspace, self._storage, self._line = keyspace, storage, line
        self._is_on = settings.shared_embeddings_megabytes > 0

    def find(self, key: str, check: Callable[[], None] = lambda: None) -> Embedding | None:
        """The embedding, once the worker that makes it is done. None: the caller is to make it, and to `offer` it or
        `give_up`; others wait for that. While this waits, `check` is called now and then, and may raise to interrupt.
        """
        pause, longest = PAUSES_SECONDS
        try:
            while self._is_on:
                state = self._keyspace.run("embedding_begin", key, self._line, MAX_MAKING_SECONDS)
                if state == "mine":
                    return None
                if state == "stored":
                    if (embedding := self._loaded(key)) is not None:
                        return embedding
                else:
                    time.sleep(pause)
                    check()
                    pause = min(1.5 * pause, longest)
        except UNREACHABLE as error:
            log.warning("the embeddings of other workers are unreachable: %s", error)
        return None

    def offer(self, key: str, embedding: Embedding, is_to_share: bool = False, milliseconds: float = 0.0) -> None:
        """Store what was made, where that pays, and let the others go on."""
        if not self._is_on:
            return
        try:
            if is_to_share or milliseconds >= LONG_MILLISECONDS or self._keyspace.run("embedding_wanted", key):
                self._store(key, embedding)
        except UNREACHABLE as error:
            log.warning("an embedding is not shared: %s", error)
        self.give_up(key)

    def give_up(self, key: str) -> None:
        """Stop making it: another worker that waits for it makes it now, if it is not stored."""
        if not self._is_on:
            return
        try:
            self._keyspace.run("embedding_leave", key, self._line, WANTED_SECONDS)
        except RedisError as error:
            log.warning("others may wait for an embedding until this worker is gone: %s", error)

    def _store(self, key: str, embedding: Embedding) -> None:
        data = key.encode() + embedding.to_bytes()
        # List it before storing it: an object that is stored but not listed would never be deleted.
        self._keyspace.run("embedding_list", key, len(data))
        self._storage.put(object_names.embedding(key), data, "application/octet-stream")

    def _loaded(self, key: str) -> Embedding | None:
        try:
            data = self._storage.get(object_names.embedding(key))
            if data[: len(key)] != key.encode():
                raise ValueError("it is another one's")
            return Embedding.from_bytes(data[len(key) :])
        except (ObjectMissing, ValueError) as error:
            log.warning("the stored embedding %s is of no use: %s", key, error)
            self._keyspace.run("embedding_forget", key, "")
            return None
