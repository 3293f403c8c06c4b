"""Jobs taken out of the world, by their caller or after their time: the record first, then the files."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from redis import Redis

from configs.settings import Settings
from worker.job.archive import Archive
from worker.job.jobs import MICROSECONDS
from worker.job.record import prefix_of
from worker.store.scripts import Scripts
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# Whoever erases a record has so long to erase its files; then a reaper does.
FILES_SECONDS = 60
# In one sweep, so that each is over soon; the rest is met by the next.
ERASED_PER_SWEEP = 100


class Erasure:
    """Erases jobs. Thread-safe; may be repeated, and done by several at once."""

    def __init__(self, redis: Redis, settings: Settings, storage: Storage, archive: Archive) -> None:
        self._redis = redis
        self._prefix = settings.redis_prefix
        self._storage = storage
        self._archive = archive
        self._id_seconds = settings.idempotency_seconds
        self._retention_seconds = settings.retention_seconds
        self._scripts = Scripts(redis, settings.redis_prefix)

    def erase(self, job_id: str) -> str:
        """Record, indexes, event, files and documents. Returns the status that the job had: '' if there was no such
        job, `running` if it still is: then nothing is erased; `lost` where only the archive knew it.

        Files that storage does not let go of now are erased by a reaper.
        """
        status = self._erase_record(job_id, is_lost=False)
        if not status and self._archive.has(job_id):
            status = self._erase_record(job_id, is_lost=True)
        if status not in ("", "running"):
            self._erase_files(job_id)
        return status

    def sweep(self) -> None:
        """Erase jobs that ended long enough ago, and files whose record is gone."""
        if self._retention_seconds:
            for job_id in self._oldest("ended", self._retention_seconds):
                self.erase(job_id)
                log.info("%s was kept for its time and is erased", job_id)
        for job_id in self._oldest("erasing", 0):
            self._erase_files(job_id)

    def _erase_record(self, job_id: str, is_lost: bool) -> str:
        delay = FILES_SECONDS * MICROSECONDS
        return str(self._scripts("erase", job_id, delay, self._id_seconds, int(is_lost)))

    def _oldest(self, index: str, seconds_ago: float) -> Iterator[str]:
        seconds, microseconds = self._redis.time()
        until = int(seconds) * MICROSECONDS + int(microseconds) - int(seconds_ago * MICROSECONDS)
        name = f"{self._prefix}{index}"
        yield from self._redis.zrange(name, "-inf", until, byscore=True, offset=0, num=ERASED_PER_SWEEP)

    def _erase_files(self, job_id: str) -> None:
        try:
            self._storage.erase(prefix_of(job_id))
            self._archive.erase(job_id)
        except Exception as error:  # whatever it is, the id stays on the list
            log.warning("the files of %s are still in storage and are tried again: %s", job_id, error)
        else:
            self._redis.zrem(f"{self._prefix}erasing", job_id)
