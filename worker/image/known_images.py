"""The images that clients sent in the last day, by their digest: a later request may name one instead of sending it."""

from __future__ import annotations

import threading
from contextlib import suppress

from cachetools import LRUCache
from redis import RedisError

from worker.image.content import ImageSource
from worker.store.clock import DAY
from worker.store.keyspace import Keyspace

# Since an image was last sent or named. Annotating one takes hours at most, and each entry takes 400 bytes in Redis.
KNOWN_SECONDS = DAY
MAX_RECALLED = 4096  # images of a process; each takes a kilobyte


def named(source: ImageSource) -> tuple[str, str, int]:
    """Return what `accept.lua` needs to check that an image is still known, and to remember it for longer."""
    assert source.content is not None
    assert source.owner is not None
    return source.content.sha256, source.owner, KNOWN_SECONDS


class KnownImages:
    """Thread-safe. The images of one `scope` are unknown in another."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._found: LRUCache[tuple[str, str], ImageSource] = LRUCache(MAX_RECALLED)
        self._lock = threading.Lock()

    def remember(self, scope: str, source: ImageSource) -> None:
        """Remember an image that a job has stored. An error of Redis is ignored: the job is accepted already."""
        if source.key is not None and source.content is not None:
            key = self._key(scope, source.content.sha256)
            with suppress(RedisError):
                self._keyspace.redis.set(key, source.model_dump_json(), ex=KNOWN_SECONDS)

    def find(self, scope: str, sha256: str) -> ImageSource | None:
        """Return the image with this digest, and remember it for longer.

        Return None if none was sent in time, or if the job that sent it was erased.
        """
        written = self._keyspace.run("image_find", scope, sha256, KNOWN_SECONDS)
        if not written:
            return None
        source = ImageSource.model_validate_json(written)
        with self._lock:
            self._found[scope, sha256] = source
        return source

    def recall(self, scope: str, sha256: str) -> ImageSource | None:
        """Return the image with this digest as this process found it last, which is what `find` returns at first.

        The image may be unknown by now. `Jobs.accept` notices that, and remembers it for longer otherwise.
        """
        with self._lock:
            source = self._found.get((scope, sha256))
        return source or self.find(scope, sha256)

    def _key(self, scope: str, sha256: str) -> str:
        return self._keyspace.key(f"image:{scope}:{sha256}")
