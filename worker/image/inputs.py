"""Where the image of a job waits for its worker.

It is accepted into Redis together with the job, in one step, and moved to object storage right after the client has
its answer: to write to S3 first would take longer than all the rest of accepting a job. Redis holds an image for
milliseconds and never more than a few at once; when storage does not keep up, images go there first, and clients
wait for it.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# Images of one gateway process that are in Redis at a time; 64 of the largest are 1.3 GB, of usual ones 200 MB.
MOST_IN_REDIS = 64
MOVING_THREADS = 4
# First the client has its answer and the worker its start; on two cores this takes 13 ms off the job's way.
MOVE_AFTER_SECONDS = 0.05


class Inputs:
    """Images by job. Thread-safe.

    `storage` serves callers that wait, `background` moves images while nobody waits; it is `storage` unless given.
    """

    def __init__(self, keyspace: Keyspace, storage: Storage, background: Storage | None = None) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._background = background or storage
        self._room = threading.BoundedSemaphore(MOST_IN_REDIS)
        self._is_storage_away = False
        self._threads = ThreadPoolExecutor(MOVING_THREADS, "inputs")

    def fetch(self, job_id: str, key: str) -> bytes:
        """The image of an accepted job, wherever it is by now. Raises ObjectMissing if it is kept no longer."""
        image = self._keyspace.get_bytes(_name(job_id))
        return image if image is not None else self._storage.get(key)

    def reserve(self) -> bool:
        """Whether one more image may be accepted into Redis; if so, `move_soon` or `release` must follow.

        Not while storage refuses earlier images: Redis would fill up with images that cannot be moved.
        """
        return not self._is_storage_away and self._room.acquire(blocking=False)

    def release(self) -> None:
        self._room.release()

    def store(self, key: str, image: bytes) -> None:
        """Put an image into storage now. Raises as boto3 does if that fails."""
        self._storage.put(key, image, "application/octet-stream")
        self._is_storage_away = False

    def settle(self, job_id: str, key: str) -> None:
        """Make sure that the image of a job is in storage. Raises as Redis and storage do."""
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
        except Exception:  # it stays in Redis, where the worker looks first; a reaper moves it
            self._is_storage_away = True
            log.exception("the image of %s stays in Redis", job_id)
        finally:
            self.release()

    def _put_away(self, job_id: str, key: str, image: bytes) -> None:
        self._background.put(key, image, "application/octet-stream")
        self._keyspace.redis.delete(self._keyspace.key(_name(job_id)))
        if not self._keyspace.redis.exists(self._keyspace.key(f"job:{job_id}")):  # the job was erased meanwhile
            self._background.delete([key])


def _name(job_id: str) -> str:
    return f"input:{job_id}"
