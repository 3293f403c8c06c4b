"""Redis rebuilt from the archive: what was accepted and not ended is queued again, what had ended is known again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from celery import Celery

from configs.settings import Settings
from worker.job import archive
from worker.job.jobs import ATTEMPTS_APART
from worker.store import clock, queue
from worker.store.keyspace import Keyspace, flat
from worker.store.storage import ObjectMissing, Storage

ASKED_AT_ONCE = 500

# Of the record of a job that had not ended, what its attempts had left in it.
OF_ATTEMPTS = (
    "worker",
    "started_at",
    "run_by",
    "cancel_requested_at",
    "error",
    "timings_ms",
    "run",
    "image",
)


@dataclass(frozen=True)
class Lost:
    """A job that the archive knows and Redis does not."""

    id: str
    has_ended: bool


class Recovery:
    """May be run twice, at the same time too: a job that is there is left alone."""

    def __init__(self, keyspace: Keyspace, app: Celery, settings: Settings, storage: Storage) -> None:
        self._keyspace = keyspace
        self._app = app
        self._settings = settings
        self._storage = storage

    def lost(self) -> list[Lost]:
        """Unfinished jobs first, in the order of their ids: those that the service chose are in order of time."""
        ended = set(self._ids(archive.ENDED))
        unfinished = [job_id for job_id in self._ids(archive.ACCEPTED) if job_id not in ended]
        found = [Lost(job_id, False) for job_id in unfinished] + [Lost(job_id, True) for job_id in sorted(ended)]
        return [lost for some in _in_batches(found) for lost in self._unknown(some)]

    def restore(self, lost: Lost, notify_since_seconds: float) -> str:
        """Returns the job's status now, '' if it is there already, or was erased.

        The end of a job that ended in the last `notify_since_seconds` is notified again, under the id that it had: only
        Redis knew whether it was notified.
        """
        try:
            record = archive.read(self._storage, archive.ENDED if lost.has_ended else archive.ACCEPTED, lost.id)
        except ObjectMissing:  # erased at this moment
            return ""
        if not lost.has_ended:
            record = _begun_anew(record)
            archive.write(self._storage, archive.ACCEPTED, lost.id, record)
        is_notified_again = lost.has_ended and _age_seconds(record["completed_at"]) < notify_since_seconds
        key_seconds = int(self._settings.idempotency_seconds - _age_seconds(record["accepted_at"]))
        message = "" if lost.has_ended else queue.message(self._app, queue.SEGMENT, record["queue"], lost.id)
        fields = flat(record)
        return str(
            self._keyspace.run("restore", lost.id, message, int(is_notified_again), max(key_seconds, 0), *fields)
        )

    def _ids(self, folder: str) -> Iterator[str]:
        for key in self._storage.list(folder):
            yield key.removeprefix(folder).removesuffix(".json")

    def _unknown(self, some: Sequence[Lost]) -> Iterator[Lost]:
        with self._keyspace.pipeline() as pipeline:
            for lost in some:
                pipeline.exists(self._keyspace.key(f"job:{lost.id}"))
            known = pipeline.execute()
        yield from (lost for lost, is_known in zip(some, known, strict=True) if not is_known)


def _begun_anew(record: dict[str, str]) -> dict[str, str]:
    """The record of a job that waits for its first attempt after the recovery."""
    attempt = int(record["attempt"])
    base = str((attempt // ATTEMPTS_APART + 1) * ATTEMPTS_APART)
    kept = {field: value for field, value in record.items() if field not in OF_ATTEMPTS}
    if record["status"] != "queued":  # it was begun in time
        kept.pop("start_by", None)
    return {**kept, "status": "queued", "attempt": base, "forgiven": base, "first": str(int(base) + 1)}


def _age_seconds(microseconds: str) -> float:
    return time.time() - int(microseconds) / clock.MICROSECONDS


def _in_batches(found: Sequence[Lost]) -> Iterator[Sequence[Lost]]:
    for start in range(0, len(found), ASKED_AT_ONCE):
        yield found[start : start + ASKED_AT_ONCE]
