"""The images that clients sent in the last day, by their digest: a later request may name one instead of sending it."""

from __future__ import annotations

from contextlib import suppress

from redis import RedisError

from worker.image.content import ImageSource
from worker.store.clock import DAY
from worker.store.keyspace import Keyspace

# Since an image was last sent or named. Annotating one takes hours at most, and each entry takes 400 bytes in Redis.
KNOWN_SECONDS = DAY


class KnownImages:
    """Thread-safe. The images of one `scope` are unknown in another."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace

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
        return ImageSource.model_validate_json(written) if written else None

    def _key(self, scope: str, sha256: str) -> str:
        return self._keyspace.key(f"image:{scope}:{sha256}")
