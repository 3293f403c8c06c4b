"""The archive: documents about each job in object storage, so that no job is lost if Redis is lost for good.

A job has up to two documents, each a copy of its record: one under `accepted/`, written soon after the job was
accepted, and one under `ended/`, written soon after it ended. The process that accepts or ends the job writes the
document; if it cannot, a reaper does. `ovseg recover` queues the jobs again that have no document under `ended/`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from redis import RedisError

from worker.image.content import ImageSource
from worker.image.inputs import Inputs
from worker.job.record import Job, Status
from worker.store.keyspace import Keyspace
from worker.store.later import Later
from worker.store.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

ACCEPTED, ENDED = "archive/accepted/", "archive/ended/"
THREADS = 4
# Most jobs have ended by then, so that only one document is written.
WRITE_ACCEPTED_AFTER_SECONDS = 0.5
WRITE_ENDED_AFTER_SECONDS = 0.05  # so that the client gets its answer first
# At most this many documents are written in one sweep, so that each sweep is short; the next one writes the rest.
ARCHIVED_PER_SWEEP = 200


def key_of(folder: str, job_id: str) -> str:
    return f"{folder}{job_id}.json"


def write(storage: Storage, folder: str, job_id: str, record: Mapping[str, str]) -> None:
    storage.put(key_of(folder, job_id), json.dumps({"id": job_id, "record": record}).encode(), "application/json")


def read(storage: Storage, folder: str, job_id: str) -> dict[str, str]:
    """Return the record in a document. Raises ObjectMissing."""
    record: dict[str, str] = json.loads(storage.get(key_of(folder, job_id)))["record"]
    return record


class Archive:
    """Writes, reads and deletes the documents. Thread-safe; every call may be repeated."""

    def __init__(self, keyspace: Keyspace, storage: Storage, inputs: Inputs) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._inputs = inputs
        self._threads = ThreadPoolExecutor(THREADS, "archive")
        self._accepted = Later(WRITE_ACCEPTED_AFTER_SECONDS, self._keep_unarchived, "accepted")
        self._ended = Later(WRITE_ENDED_AFTER_SECONDS, self._keep_all, "ended")

    def keep_accepted_soon(self, job_id: str) -> None:
        """Write the document of a job that was accepted just now; if that fails, a reaper does it."""
        self._accepted.add(job_id)

    def keep_ended_soon(self, job_id: str) -> None:
        """Write the document of a job that has ended just now; if that fails, a reaper does it."""
        self._ended.add(job_id)

    def keep(self, job_id: str) -> None:
        """Write the document of a job in its current state, unless it is written already.

        First move the job's image to storage, so that an archived job can run. Raises the errors of Redis and storage.
        """
        with self._keyspace.pipeline() as pipeline:
            pipeline.hgetall(self._keyspace.key(f"job:{job_id}"))
            pipeline.zscore(self._keyspace.key("unarchived"), job_id)
            record, listed = pipeline.execute()
        if not record or listed is None:
            return
        image, has_ended = ImageSource(**json.loads(record["request"])["image"]), Status(record["status"]).is_terminal
        if image.key is not None and image.owner == job_id:
            self._inputs.settle(job_id, image.key)
        write(self._storage, ENDED if has_ended else ACCEPTED, job_id, record)
        if not self._keyspace.run("archived", job_id, int(has_ended)):  # the job was erased meanwhile
            self.delete(job_id)

    def try_keep(self, job_id: str) -> bool:
        """Do the same as `keep`, but log an error; a reaper tries again. Returns True if the document is written."""
        try:
            self.keep(job_id)
        except Exception as error:  # any error: the id stays on the list
            log.warning("job %s: could not be archived, a reaper tries again: %s", job_id, error)
            return False
        return True

    def ended(self, job_id: str) -> Job | None:
        """Return an ended job from the archive; None if it is not there or was erased."""
        if self._is_erased(job_id):
            return None
        try:
            return Job.from_record(job_id, read(self._storage, ENDED, job_id))
        except ObjectMissing:
            return None

    def has(self, job_id: str) -> bool:
        """Return True if the archive has a document of this job, and the job was not erased."""
        keys = (key_of(folder, job_id) for folder in (ENDED, ACCEPTED))
        return not self._is_erased(job_id) and any(self._storage.exists(key) for key in keys)

    def delete(self, job_id: str) -> None:
        """Delete both documents of a job."""
        self._storage.delete([key_of(folder, job_id) for folder in (ACCEPTED, ENDED)])

    def sweep(self) -> None:
        """Write the documents that are overdue; after one that cannot be written, the next sweep tries again."""
        for job_id, _ in self._keyspace.first("unarchived", self._keyspace.now(), ARCHIVED_PER_SWEEP):
            if not self.try_keep(job_id):
                break

    def _keep_unarchived(self, job_ids: Sequence[str]) -> None:
        """Write the documents of those jobs that have none yet: of most of them, their worker has written it."""
        try:
            listed = self._keyspace.redis.zmscore(self._keyspace.key("unarchived"), list(job_ids))
        except RedisError as error:
            log.warning("%d jobs could not be archived, a reaper tries again: %s", len(job_ids), error)
            return
        self._keep_all([job_id for job_id, score in zip(job_ids, listed, strict=True) if score is not None])

    def _keep_all(self, job_ids: Sequence[str]) -> None:
        if len(job_ids) == 1:  # without the cost of another thread
            self.try_keep(job_ids[0])
        else:
            list(self._threads.map(self.try_keep, job_ids))

    def _is_erased(self, job_id: str) -> bool:
        with self._keyspace.pipeline() as pipeline:
            pipeline.exists(self._keyspace.key(f"erased:{job_id}"))
            pipeline.zscore(self._keyspace.key("erasing"), job_id)
            erased, erasing = pipeline.execute()
        return bool(erased) or erasing is not None
