"""What became of the items of a batch, in the order of its manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.batch import chunks
from worker.batch.batch import DELETED, Batch
from worker.batch.item import Item, job_id_of
from worker.job.record import Job, Status
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

WAITING = "waiting"
AT_ONCE = 50  # records that are read at a time: with 1,000 prompts each they have 2.5 MB


@dataclass(frozen=True)
class Outcome:
    """An item and its job. `job` is None if the job is not made yet, was never made, or was erased."""

    item: Item
    status: str  # of the job, or WAITING, or DELETED
    job: Job | None


class Outcomes:
    """Reads what became of the items of a batch. Thread-safe."""

    def __init__(self, keyspace: Keyspace, storage: Storage) -> None:
        self._keyspace = keyspace
        self._storage = storage

    def of(self, batch: Batch) -> Iterator[Sequence[Outcome]]:
        """Yield the outcomes of some items at a time. Raises the errors of Redis and storage."""
        for number in map(int, self._keyspace.redis.zrange(self._keyspace.key(f"batch_chunks:{batch.id}"), 0, -1)):
            items = chunks.read(self._storage, batch.id, number)
            for start in range(0, len(items), AT_ONCE):
                yield self._of_some(batch, number, items[start : start + AT_ONCE])

    def _of_some(self, batch: Batch, number: int, items: Sequence[Item]) -> Sequence[Outcome]:
        key, job_ids = self._keyspace.key, [job_id_of(batch.id, item.id) for item in items]
        with self._keyspace.pipeline() as pipeline:
            # Read before the records: an item that waits now and has a job then is shown with its job.
            pipeline.zscore(key(f"batch_unfed:{batch.id}"), str(number))
            pipeline.hmget(key(f"batch_items:{batch.id}"), [item.id for item in items])
            for job_id in job_ids:
                pipeline.hgetall(key(f"job:{job_id}"))
                pipeline.exists(key(f"erased:{job_id}"))
            is_unfed, listed, *records = pipeline.execute()
        rows = zip(items, listed, job_ids, records[::2], records[1::2], strict=True)
        return [
            _outcome(
                batch, item, is_unfed is not None, Job.from_record(job_id, record) if record else None, bool(erased)
            )
            for item, value, job_id, record, erased in rows
            if chunks.owns(number, value)
        ]


def _outcome(batch: Batch, item: Item, is_unfed: bool, job: Job | None, is_erased: bool) -> Outcome:
    if job is not None:
        return Outcome(item, job.status, job)
    if is_unfed and not is_erased:
        return Outcome(item, WAITING, None)
    if batch.canceled_at is not None and not is_erased:
        return Outcome(item, Status.CANCELED, None)
    return Outcome(item, DELETED, None)
