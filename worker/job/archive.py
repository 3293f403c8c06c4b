"""The archive: documents about each job in object storage, so that no job is lost if Redis is lost for good.

A job has up to two documents, each a copy of its record: one under `accepted/`, written soon after the job was
accepted, and one under `ended/`, written soon after it ended. The process that accepts or ends the job writes the
document; if it cannot, a reaper does. `ovseg recover` queues the jobs again that have no document under `ended/`.

A gateway that accepts many jobs writes the first document of several of them as one object, a group
(document_group.py). When one of these jobs is erased, the group is dissolved: each of the others that has not ended
gets a document under `accepted/`, and the group is deleted. So a group never outlives the erasure of one of its jobs.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from worker.image.content import ImageSource
from worker.image.inputs import Inputs
from worker.job import document_group
from worker.job.record import Job, Status
from worker.store import tenant
from worker.store.keyspace import Keyspace
from worker.store.later import Later
from worker.store.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

Ended = tuple[str, Mapping[str, str]]  # the id and the record of a job that has ended

ACCEPTED, ENDED = "archive/accepted/", "archive/ended/"
THREADS = 4
# Most jobs have ended by then, so that only one document is written.
WRITE_ACCEPTED_AFTER_SECONDS = 0.5
GROUPED_WITHIN_SECONDS = 0.25  # jobs that were accepted within this time are written together
# A client gets its answer before the document is written. Documents that are written together are taken off the list of
# unarchived jobs by one call to Redis.
WRITE_ENDED_AFTER_SECONDS, ENDED_WITHIN_SECONDS = 0.25, 0.2
# At most this many documents are written in one sweep, so that each sweep is short; the next one writes the rest.
ARCHIVED_PER_SWEEP = 200


def key_of(folder: str, job_id: str) -> str:
    return f"{folder}{job_id}.json"


def write(storage: Storage, folder: str, job_id: str, record: Mapping[str, str]) -> None:
    # Two processes may write a document at the same time. Sorted, both write the same bytes.
    document = json.dumps({"id": job_id, "record": record}, sort_keys=True)
    storage.put(key_of(folder, job_id), document.encode(), "application/json")


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
        self._accepted = Later[str](
            WRITE_ACCEPTED_AFTER_SECONDS, self.keep_accepted, "accepted", early=GROUPED_WITHIN_SECONDS
        )
        self._ended = Later[Ended](WRITE_ENDED_AFTER_SECONDS, self._keep_ended, "ended", early=ENDED_WITHIN_SECONDS)

    def keep_accepted_soon(self, job_id: str) -> None:
        """Write the document of a job that was accepted just now; if that fails, a reaper does it."""
        self._accepted.add(job_id)

    def keep_ended_soon(self, job_id: str, record: Mapping[str, str]) -> None:
        """Write the document of a job that has ended just now, with this record; if that fails, a reaper does it."""
        self._ended.add((job_id, record))

    def keep_accepted(self, job_ids: Sequence[str]) -> None:
        """Write the documents of those jobs that have none yet, several in one object; log an error.

        Most jobs have one: the worker has written the document of their end.
        """
        try:
            listed = self._keyspace.redis.zmscore(self._keyspace.key("unarchived"), list(job_ids))
            left = [job_id for job_id, score in zip(job_ids, listed, strict=True) if score is not None]
            grouped = {job_id for some in _in_groups(left) for job_id in self._keep_group(some)}
        except Exception as error:  # any error: the ids stay on the list
            log.warning("%d jobs could not be archived, a reaper tries again: %s", len(job_ids), error)
        else:
            self._keep_all([job_id for job_id in left if job_id not in grouped])

    def keep(self, job_id: str) -> None:
        """Write the document of a job in its current state, unless it is written already.

        First move the job's image to storage, so that an archived job can run. Raises the errors of Redis and storage.
        """
        record, is_unarchived = self._read(job_id)
        if record and is_unarchived:
            self._write(job_id, record)

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

    def find(self, job_id: str) -> dict[str, str] | None:
        """Return the record in the last document of a job; None if there is none, or if the job was erased.

        Groups are not searched: a job that is in a group, has not ended and is not in Redis is not found.
        """
        if not self._is_erased(job_id):
            for folder in (ENDED, ACCEPTED):
                with suppress(ObjectMissing):
                    return read(self._storage, folder, job_id)
        return None

    def delete(self, job_id: str) -> None:
        """Delete both documents of a job."""
        self._storage.delete([key_of(folder, job_id) for folder in (ACCEPTED, ENDED)])

    def dissolve(self, group: str) -> None:
        """Delete a group. First write a document of its own for each of its jobs that has not ended.

        Does nothing if there is no such group. Raises the errors of Redis and storage.
        """
        try:
            records = document_group.read(self._storage, group)
        except ObjectMissing:
            return
        list(self._threads.map(self._take_out, records.keys(), records.values()))
        self._storage.delete([document_group.key_of(group)])

    def sweep(self) -> None:
        """Write the documents that are overdue; after one that cannot be written, the next sweep tries again."""
        for job_id, _ in self._keyspace.first("unarchived", self._keyspace.now(), ARCHIVED_PER_SWEEP):
            if not self.try_keep(job_id):
                break

    def _read(self, job_id: str) -> tuple[dict[str, str], bool]:
        """Return the record of a job, {} if there is none; and True if the job has no document of its current state."""
        with self._keyspace.pipeline() as pipeline:
            pipeline.hgetall(self._keyspace.key(f"job:{job_id}"))
            pipeline.zscore(self._keyspace.key("unarchived"), job_id)
            record, listed = pipeline.execute()
        return record, listed is not None

    def _write(self, job_id: str, record: Mapping[str, str]) -> None:
        self._store(job_id, record)
        self._take_off([job_id], _has_ended(record))

    def _store(self, job_id: str, record: Mapping[str, str]) -> None:
        """Write the document of a job that has this record, after its image is in storage."""
        image = ImageSource(**json.loads(record["request"])["image"])
        if image.key is not None and image.owner == job_id:
            self._inputs.settle(job_id, image.key)
        write(self._storage, ENDED if _has_ended(record) else ACCEPTED, job_id, record)

    def _take_off(self, job_ids: Sequence[str], have_ended: bool) -> None:
        """Take jobs whose documents are written off the list of unarchived jobs."""
        for erased_meanwhile in self._keyspace.run("archived", int(have_ended), *job_ids):
            self.delete(erased_meanwhile)

    def _keep_ended(self, jobs: Sequence[Ended]) -> None:
        """Write the documents of jobs that have ended; log an error."""
        stored = map(self._try_store, jobs) if len(jobs) == 1 else self._threads.map(self._try_store, jobs)
        if job_ids := [job_id for (job_id, _), is_stored in zip(jobs, stored, strict=True) if is_stored]:
            try:
                self._take_off(job_ids, have_ended=True)
            except Exception as error:  # any error: the ids stay on the list
                log.warning("%d archived jobs stay listed, a reaper archives them again: %s", len(job_ids), error)

    def _try_store(self, ended: Ended) -> bool:
        job_id, record = ended
        try:
            self._store(job_id, record)
        except Exception as error:  # any error: the id stays on the list
            log.warning("job %s: could not be archived, a reaper tries again: %s", job_id, error)
            return False
        return True

    def _keep_group(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Write the documents of jobs of one tenant as a group. Returns the ids of jobs that need no other document.

        The records name the group before it is written. So if a job is erased at any time, either its erasure finds the
        group, or `archived` reports the erasure here.
        """
        group = document_group.new_name(tenant.of(job_ids[0]))
        chosen: list[str] = self._keyspace.run("group", group, *job_ids)
        with self._keyspace.pipeline() as pipeline:
            for job_id in chosen:
                pipeline.hgetall(self._keyspace.key(f"job:{job_id}"))
            found = dict(zip(chosen, pipeline.execute(), strict=True))
        records = {job_id: record for job_id, record in found.items() if record and not _has_ended(record)}
        if records:
            document_group.write(self._storage, group, records)
            if self._keyspace.run("archived", 0, *records):
                self.dissolve(group)
        return chosen

    def _take_out(self, job_id: str, record_in_group: Mapping[str, str]) -> None:
        """Write the document that a job needs when its group is deleted."""
        record, is_unarchived = self._read(job_id)
        if record:
            if is_unarchived or not _has_ended(record):
                self._write(job_id, record)
        elif not self._is_erased(job_id) and self.find(job_id) is None:  # Redis has lost it
            write(self._storage, ACCEPTED, job_id, record_in_group)
            if self._is_erased(job_id):
                self.delete(job_id)

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


def _has_ended(record: Mapping[str, str]) -> bool:
    return Status(record["status"]).is_terminal


def _in_groups(job_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the ids of each group: those of one tenant. A job that would be alone in a group is left out."""
    of_tenant = defaultdict(list)
    for job_id in job_ids:
        of_tenant[tenant.of(job_id)].append(job_id)
    for ids in of_tenant.values():
        for start in range(0, len(ids), document_group.MAX_JOBS):
            group = ids[start : start + document_group.MAX_JOBS]
            if len(group) > 1:
                yield group
