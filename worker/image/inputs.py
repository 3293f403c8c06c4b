"""The image of a job, from its acceptance until a worker reads it.

The image is accepted into Redis together with the job, in one step, and moved to object storage right after the client
has its answer: writing to S3 first would take longer than the rest of accepting a job. Redis holds an image for
milliseconds, and only a few at a time. If storage is too slow, images are stored there first, and clients wait.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from worker.image.s3_address import S3Address
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# Most images of one gateway process that are in Redis at a time. 64 of the largest are 1.3 GB, 64 usual ones 200 MB.
MOST_IN_REDIS = 64
MOVING_THREADS = 4
# The client gets its answer, and the worker starts, before the upload; on two cores this makes a job 13 ms faster.
MOVE_AFTER_SECONDS = 0.05


class Inputs:
    """Images by job. Thread-safe.

    `storage` serves callers that wait for it; `background` uploads images that no caller waits for. The default of
    `background` is `storage`.
    """

    def __init__(self, keyspace: Keyspace, storage: Storage, background: Storage | None = None) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._background = background or storage
        self._room = threading.BoundedSemaphore(MOST_IN_REDIS)
        self._is_storage_away = False
        self._threads = ThreadPoolExecutor(MOVING_THREADS, "inputs")

    def fetch(self, owner: str, key: str) -> bytes:
        """Return the image that a job, the `owner`, sent, from Redis or storage.

        Raises ObjectMissing if it no longer exists.
        """
        image = self._keyspace.get_bytes(_name(owner))
        return image if image is not None else self._storage.get(key)

    def fetch_from(self, address: S3Address, max_bytes: int) -> bytes:
        """Return the first `max_bytes` bytes of an image in a bucket of others. Raises ObjectMissing, Denied."""
        return self._storage.read(address.bucket, address.key, max_bytes)

    def reserve(self) -> bool:
        """True if one more image may be accepted into Redis; then the caller must call `move_soon` or `release`.

        False while storage refuses earlier images: Redis would fill up with images that cannot be moved.
        """
        return not self._is_storage_away and self._room.acquire(blocking=False)

    def release(self) -> None:
        self._room.release()

    def store(self, key: str, image: bytes) -> None:
        """Store an image in storage now. Raises what boto3 raises if it fails."""
        self._storage.put(key, image, "application/octet-stream")
        self._is_storage_away = False

    def settle(self, job_id: str, key: str) -> None:
        """Make sure that the image of a job is in storage. Raises what Redis and storage raise."""
        image = self._keyspace.get_bytes(_name(job_id))
        if image is not None:
            self._put_away(job_id, key, image)

    def move_soon(self, job_id: str, key: str, image: bytes) -> None:
        """Move the image of an accepted job to storage, soon."""
        self._threads.submit(self._move, job_id, key, image, time.monotonic() + MOVE_AFTER_SECONDS)

    def _move(self, job_id: str, key: str, image: bytes, start_at: float) -> None:
        time.sleep(max(0.0, start_at - time.monotonic()))
        try:
            self._put_away(job_id, key, image)
            self._is_storage_away = False
        except Exception:  # the image stays in Redis, where the worker looks first; a reaper moves it
            self._is_storage_away = True
            log.exception("the image of %s stays in Redis", job_id)
        finally:
            self.release()

    def _put_away(self, job_id: str, key: str, image: bytes) -> None:
        self._background.put(key, image, "application/octet-stream")
        self._keyspace.redis.delete(self._keyspace.key(_name(job_id)))
        if not self._keyspace.redis.exists(self._keyspace.key(f"job:{job_id}")):  # the job was erased in the meantime
            self._background.delete([key])


def _name(job_id: str) -> str:
    return f"input:{job_id}"
