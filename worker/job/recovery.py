"""Restores jobs from the archive into Redis. Jobs that had not ended are queued again; ended jobs are not repeated."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial

from celery import Celery

from configs.settings import Settings
from worker.job import archive, document_group
from worker.job.jobs import ATTEMPTS_APART
from worker.store import clock, queue
from worker.store.keyspace import Keyspace, flat
from worker.store.storage import ObjectMissing, Storage

BATCH_SIZE = 500  # jobs that are looked up in Redis at a time
# Jobs are restored in the order of their ids, in which those of several gateways and tenants alternate. The largest
# group has 16 MB.
GROUPS_HELD = 16

# The fields that attempts wrote into the record of a job that had not ended.
ATTEMPT_FIELDS = (
    "worker",
    "started_at",
    "run_by",
    "cancel_requested_at",
    "error",
    "timings_ms",
    "run",
    "image",
    "masks",
    "progress",
)


@dataclass(frozen=True)
class Lost:
    """A job that is in the archive and not in Redis."""

    id: str
    has_ended: bool
    group: str | None = None  # that has the job's document, unless the job has one of its own


class Recovery:
    """Finds lost jobs and restores them. Several may run, also at the same time: a job in Redis is not changed."""

    def __init__(self, keyspace: Keyspace, app: Celery, settings: Settings, storage: Storage) -> None:
        self._keyspace = keyspace
        self._app = app
        self._settings = settings
        self._storage = storage
        self._group = lru_cache(GROUPS_HELD)(partial(document_group.read, storage))

    def lost(self) -> list[Lost]:
        """Return the lost jobs, unfinished ones first, sorted by id. Ids that the service chose sort by time.

        Groups are listed first: if one is dissolved meanwhile, its jobs get other documents before it is deleted.
        """
        grouped = dict(self._grouped())
        accepted = set(self._ids(archive.ACCEPTED))
        ended = set(self._ids(archive.ENDED))
        found = [
            Lost(job_id, False, None if job_id in accepted else grouped[job_id])
            for job_id in sorted((accepted | grouped.keys()) - ended)
        ] + [Lost(job_id, True) for job_id in sorted(ended)]
        return [lost for batch in _in_batches(found) for lost in self._not_in_redis(batch)]

    def restore(self, lost: Lost, notify_since_seconds: float) -> str:
        """Restore a job. Returns its status now, '' if it is in Redis already or was erased.

        If the job ended in the last `notify_since_seconds`, its end is notified again, under the same event id: the
        archive does not contain whether it was notified.
        """
        try:
            record = self._record(lost)
        except ObjectMissing:  # it was erased just now
            return ""
        if not lost.has_ended:
            record = _requeued(record)
            archive.write(self._storage, archive.ACCEPTED, lost.id, record)
        is_notified_again = lost.has_ended and _age_seconds(record["completed_at"]) < notify_since_seconds
        key_seconds = int(self._settings.idempotency_seconds - _age_seconds(record["accepted_at"]))
        permit = "" if lost.has_ended else queue.permit(self._app, record["queue"])
        fields = flat(record)
        status: str = self._keyspace.run(
            "restore", lost.id, permit, int(is_notified_again), max(key_seconds, 0), *fields
        )
        if status != "erased":
            return status
        if not lost.has_ended:  # the document that was written above came after the erasure
            self._storage.delete([archive.key_of(archive.ACCEPTED, lost.id)])
        return ""

    def _record(self, lost: Lost) -> dict[str, str]:
        """Return the record in the last document of a job. Raises ObjectMissing."""
        if lost.group is not None:
            with suppress(ObjectMissing):  # the group was dissolved: the job has a document of its own now
                return self._group(lost.group)[lost.id]
        return archive.read(self._storage, archive.ENDED if lost.has_ended else archive.ACCEPTED, lost.id)

    def _grouped(self) -> Iterator[tuple[str, str]]:
        """Yield the ids of all jobs that are in groups, each with the name of the group."""
        for group in document_group.names(self._storage):
            with suppress(ObjectMissing):  # it was dissolved just now
                yield from ((job_id, group) for job_id in document_group.read(self._storage, group))

    def _ids(self, folder: str) -> Iterator[str]:
        for key in self._storage.list(folder):
            yield key.removeprefix(folder).removesuffix(".json")

    def _not_in_redis(self, batch: Sequence[Lost]) -> Iterator[Lost]:
        with self._keyspace.pipeline() as pipeline:
            for lost in batch:
                pipeline.exists(self._keyspace.key(f"job:{lost.id}"))
            found = pipeline.execute()
        yield from (lost for lost, is_found in zip(batch, found, strict=True) if not is_found)


def _requeued(record: dict[str, str]) -> dict[str, str]:
    """Return the record of a job that waits for its first attempt after the recovery."""
    attempt = int(record["attempt"])
    base = str((attempt // ATTEMPTS_APART + 1) * ATTEMPTS_APART)
    kept = {field: value for field, value in record.items() if field not in ATTEMPT_FIELDS}
    if record["status"] != "queued":  # an attempt was started in time
        kept.pop("start_by", None)
    return {**kept, "status": "queued", "attempt": base, "forgiven": base, "first": str(int(base) + 1)}


def _age_seconds(microseconds: str) -> float:
    return time.time() - int(microseconds) / clock.MICROSECONDS


def _in_batches(found: Sequence[Lost]) -> Iterator[Sequence[Lost]]:
    for start in range(0, len(found), BATCH_SIZE):
        yield found[start : start + BATCH_SIZE]
