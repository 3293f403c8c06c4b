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

from worker.image.inputs import Inputs
from worker.job.record import Job
from worker.store.keyspace import Keyspace
from worker.store.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

ACCEPTED, ENDED = "archive/accepted/", "archive/ended/"
THREADS = 4
# Most jobs have ended by then, and are written once.
WRITE_ACCEPTED_AFTER_SECONDS = 0.5
WRITE_ENDED_AFTER_SECONDS = 0.05  # first the client has its answer
# In one sweep, so that each is over soon; the next sweep meets the rest.
ARCHIVED_PER_SWEEP = 200


def key_of(folder: str, job_id: str) -> str:
    return f"{folder}{job_id}.json"


def write(storage: Storage, folder: str, job_id: str, record: Mapping[str, str]) -> None:
    storage.put(key_of(folder, job_id), json.dumps({"id": job_id, "record": record}).encode(), "application/json")


def read(storage: Storage, folder: str, job_id: str) -> dict[str, str]:
    """The record. Raises ObjectMissing."""
    record: dict[str, str] = json.loads(storage.get(key_of(folder, job_id)))["record"]
    return record


class Archive:
    """Writes the documents, finds those of ended jobs, deletes both. Thread-safe; all may be done twice."""

    def __init__(self, keyspace: Keyspace, storage: Storage, inputs: Inputs) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._inputs = inputs
        self._threads = ThreadPoolExecutor(THREADS, "archive")

    def keep_accepted_soon(self, job_id: str) -> None:
        """Write the document of a job that was accepted just now; if that fails, a reaper does it."""
        self._keep_soon(job_id, WRITE_ACCEPTED_AFTER_SECONDS)

    def keep_ended_soon(self, job_id: str) -> None:
        """Write the document of a job that has ended just now; if that fails, a reaper does it."""
        self._keep_soon(job_id, WRITE_ENDED_AFTER_SECONDS)

    def keep(self, job_id: str) -> None:
        """Write the document of a job as it is now, unless that is done: first its image, so that what is archived
        can be run.

        Raises as Redis and storage do.
        """
        with self._keyspace.pipeline() as pipeline:
            pipeline.hgetall(self._keyspace.key(f"job:{job_id}"))
            pipeline.zscore(self._keyspace.key("unarchived"), job_id)
            record, listed = pipeline.execute()
        if not record or listed is None:
            return
        job = Job.from_record(job_id, record)
        if job.request.image.key is not None:
            self._inputs.settle(job_id, job.request.image.key)
        write(self._storage, ENDED if job.status.is_terminal else ACCEPTED, job_id, record)
        if not self._keyspace.run("archived", job_id, int(job.status.is_terminal)):  # erased meanwhile
            self.delete(job_id)

    def try_keep(self, job_id: str) -> bool:
        """As `keep`, but an error is logged, and a reaper tries again. Returns whether it is written."""
        try:
            self.keep(job_id)
        except Exception as error:  # whatever it is, the id stays on the list
            log.warning("%s is not archived yet and is tried again: %s", job_id, error)
            return False
        return True

    def ended(self, job_id: str) -> Job | None:
        """A job that has ended and that Redis no longer knows; None for one that was erased."""
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

    def delete(self, job_id: str) -> None:
        """Delete both documents of a job."""
        self._storage.delete([key_of(folder, job_id) for folder in (ACCEPTED, ENDED)])

    def sweep(self) -> None:
        """Write the documents that were due and are not written. Raises as Redis does; storage is tried again."""
        for job_id, _ in self._keyspace.first("unarchived", self._keyspace.now(), ARCHIVED_PER_SWEEP):
            if not self.try_keep(job_id):
                break

    def _keep_soon(self, job_id: str, after_seconds: float) -> None:
        self._threads.submit(self._keep_at, time.monotonic() + after_seconds, job_id)

    def _keep_at(self, start_at: float, job_id: str) -> None:
        time.sleep(max(0.0, start_at - time.monotonic()))
        self.try_keep(job_id)

    def _is_erased(self, job_id: str) -> bool:
        with self._keyspace.pipeline() as pipeline:
            pipeline.exists(self._keyspace.key(f"erased:{job_id}"))
            pipeline.zscore(self._keyspace.key("erasing"), job_id)
            erased, erasing = pipeline.execute()
        return bool(erased) or erasing is not None
