"""What object storage keeps of a job beside its files, so that a Redis that is lost for good takes no job along.

Two documents, each the job's record as it was: under `accepted/` one that says what was asked, under `ended/` one that
says what became of it. Whoever accepts or ends a job writes it right after; a reaper does where they could not. What
is accepted and not ended is what `ovseg recover` puts back into the queue.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from redis import Redis

from configs.settings import Settings
from worker.image.inputs import Inputs
from worker.job.jobs import MICROSECONDS
from worker.job.record import Job
from worker.store.scripts import Scripts
from worker.store.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

ACCEPTED, ENDED = "archive/accepted/", "archive/ended/"
THREADS = 4
# Most jobs have ended by then, and are written once.
AFTER_ACCEPTANCE_SECONDS = 0.5
AFTER_END_SECONDS = 0.05  # first the client has its answer
# In one sweep, so that each is over soon; the rest is met by the next.
KEPT_PER_SWEEP = 200


def key_of(folder: str, job_id: str) -> str:
    return f"{folder}{job_id}.json"


def write(storage: Storage, folder: str, job_id: str, record: Mapping[str, str]) -> None:
    storage.put(key_of(folder, job_id), json.dumps({"id": job_id, "record": record}).encode(), "application/json")


def read(storage: Storage, folder: str, job_id: str) -> dict[str, str]:
    """The record. Raises ObjectMissing."""
    record: dict[str, str] = json.loads(storage.get(key_of(folder, job_id)))["record"]
    return record


class Archive:
    """Writes the documents, finds those of ended jobs, erases both. Thread-safe; all may be done twice."""

    def __init__(self, redis: Redis, settings: Settings, storage: Storage, inputs: Inputs) -> None:
        self._redis = redis
        self._prefix = settings.redis_prefix
        self._storage = storage
        self._inputs = inputs
        self._scripts = Scripts(redis, settings.redis_prefix)
        self._threads = ThreadPoolExecutor(THREADS, "archive")

    def keep_soon(self, job_id: str, after_seconds: float) -> None:
        """Write the document of a job in a moment, and let a reaper do it if that cannot be."""
        self._threads.submit(self._keep_at, time.monotonic() + after_seconds, job_id)

    def keep(self, job_id: str) -> None:
        """Write the document of a job as it is now, unless that is done: first its image, so that what is archived can
        be run.

        Raises as Redis and storage do.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(f"{self._prefix}job:{job_id}")
            pipeline.zscore(f"{self._prefix}unarchived", job_id)
            record, listed = pipeline.execute()
        if not record or listed is None:
            return
        job = Job.from_record(job_id, record)
        if job.request.image.key is not None:
            self._inputs.settle(job_id, job.request.image.key)
        write(self._storage, ENDED if job.status.is_terminal else ACCEPTED, job_id, record)
        if not self._scripts("archived", job_id, int(job.status.is_terminal)):  # erased meanwhile
            self.erase(job_id)

    def try_keep(self, job_id: str) -> bool:
        """As `keep`, but what goes wrong is left to a reaper."""
        try:
            self.keep(job_id)
        except Exception as error:  # whatever it is, the id stays on the list
            log.warning("%s is not archived yet and is tried again: %s", job_id, error)
            return False
        return True

    def ended(self, job_id: str) -> Job | None:
        """A job that has ended and that Redis knows no more, but for one that was erased."""
        if self._is_erased(job_id):
            return None
        try:
            return Job.from_record(job_id, read(self._storage, ENDED, job_id))
        except ObjectMissing:
            return None

    def has(self, job_id: str) -> bool:
        """Whether there is a document of a job that was not erased."""
        keys = (key_of(folder, job_id) for folder in (ENDED, ACCEPTED))
        return not self._is_erased(job_id) and any(self._storage.exists(key) for key in keys)

    def erase(self, job_id: str) -> None:
        self._storage.remove([key_of(folder, job_id) for folder in (ACCEPTED, ENDED)])

    def sweep(self) -> None:
        """Write the documents that those who should have did not. Raises as Redis does; storage is tried again."""
        seconds, microseconds = self._redis.time()
        now = int(seconds) * MICROSECONDS + int(microseconds)
        index = f"{self._prefix}unarchived"
        for job_id in self._redis.zrange(index, "-inf", now, byscore=True, offset=0, num=KEPT_PER_SWEEP):
            if not self.try_keep(job_id):
                break

    def _keep_at(self, start_at: float, job_id: str) -> None:
        time.sleep(max(0.0, start_at - time.monotonic()))
        self.try_keep(job_id)

    def _is_erased(self, job_id: str) -> bool:
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.exists(f"{self._prefix}erased:{job_id}")
            pipeline.zscore(f"{self._prefix}erasing", job_id)
            erased, erasing = pipeline.execute()
        return bool(erased) or erasing is not None
