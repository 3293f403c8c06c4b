"""Erases jobs for their clients or after the retention time: first the record, then the files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from configs.settings import Settings
from worker.job.archive import Archive
from worker.job.record import prefix_of
from worker.store import clock, object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# A reaper deletes the files that are still in storage at this time after their record was erased.
DELETE_FILES_WITHIN_SECONDS = 60
# At most this many jobs are erased in one sweep, so that each sweep is short; the next one erases the rest.
ERASED_PER_SWEEP = 100


class Erasure:
    """Erases jobs. Thread-safe; several processes may erase the same job, and repeat it."""

    def __init__(self, keyspace: Keyspace, settings: Settings, storage: Storage, archive: Archive) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._archive = archive
        self._id_seconds = settings.idempotency_seconds
        self._retention_seconds = settings.retention_seconds

    def erase(self, job_id: str, files_later: bool = False) -> str:
        """Erase a job: its record, index entries, events, files and documents. A running job is not erased.

        Returns the status that the job had; '' if there is no such job; `lost` if it was only in the archive;
        `ephemeral` for an ephemeral job.
        A reaper deletes the files that storage cannot delete now; with `files_later`, all files, in one of its next
        sweeps: the requests to storage take most of the time.
        """
        delay = 0 if files_later else DELETE_FILES_WITHIN_SECONDS
        status = self._erase_record(job_id, delay)
        if not status and (lost := self._archive.find(job_id)) is not None:
            self._note_item(job_id, lost.get("batch"), lost.get("item"))
            status = self._erase_record(job_id, delay, lost)
        if status not in ("", "running", "ephemeral") and not files_later:
            self._erase_files(job_id)
        return status

    def sweep(self) -> None:
        """Erase the jobs whose retention time is over, and the files that are left of erased jobs."""
        if self._retention_seconds:
            for job_id in self._older_than(self._retention_seconds, "ended"):
                self.erase(job_id)
                log.info("job %s: erased after the retention time", job_id)
        for job_id in self._older_than(0, "erasing"):
            self._erase_files(job_id)

    def _erase_record(self, job_id: str, delay_seconds: float, lost: Mapping[str, str] | None = None) -> str:
        """Erase what Redis has of a job. `lost` is its record in the archive, if Redis does not have it."""
        delay, group = clock.in_microseconds(delay_seconds), (lost or {}).get("group", "")
        return str(self._keyspace.run("erase", job_id, delay, self._id_seconds, int(lost is not None), group))

    def _older_than(self, seconds: float, index: str) -> Iterator[str]:
        until = self._keyspace.now() - clock.in_microseconds(seconds)
        yield from (job_id for job_id, _ in self._keyspace.first(index, until, ERASED_PER_SWEEP))

    def _erase_files(self, job_id: str) -> None:
        try:
            with self._keyspace.pipeline() as pipeline:
                pipeline.hget(self._keyspace.key("erasing_groups"), job_id)
                pipeline.get(self._keyspace.key(f"erased:{job_id}"))
                group, item = pipeline.execute()
            batch_id, _, item_id = (item or "").partition(" ")
            batch = self._keyspace.key(f"batch:{batch_id}")
            if batch_id and self._keyspace.redis.exists(batch):  # it was not erased meanwhile
                self._note_item(job_id, batch_id, item_id)
            self._storage.delete_prefix(prefix_of(job_id))
            self._archive.delete(job_id)
            if group is not None:
                self._archive.dissolve(group)
        except Exception as error:  # any error: the id stays on the list
            log.warning("job %s: its files could not be deleted, a reaper tries again: %s", job_id, error)
        else:
            with self._keyspace.pipeline() as pipeline:
                pipeline.hdel(self._keyspace.key("erasing_groups"), job_id)
                pipeline.zrem(self._keyspace.key("erasing"), job_id)
                pipeline.execute()

    def _note_item(self, job_id: str, batch_id: str | None, item_id: str | None) -> None:
        """Note in storage that the job of an item was erased: a recovery must make no other job of the item."""
        if batch_id and item_id:
            self._storage.put(object_names.erased_item(batch_id, job_id), item_id.encode(), "text/plain")
