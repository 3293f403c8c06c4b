"""Makes jobs of the items of batches, a few at a time; cancels the jobs of canceled batches; erases deleted batches.

A reaper runs it. It has no state, so any number of reapers may run: an item that is fed twice has one job.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from configs.settings import Settings
from worker.batch import chunks
from worker.batch.batch import Batch
from worker.batch.batches import Batches
from worker.batch.item import Item, job_id_of
from worker.job.acceptance import Acceptance
from worker.job.erasure import Erasure
from worker.job.jobs import ATTEMPTS_APART, Jobs, OfBatch
from worker.job.record import Status
from worker.store import clock
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# At most this many jobs of a batch are queued at a time: workers that end 1,000 jobs a second do not run out of them,
# and they take 2 MB of Redis.
MAX_QUEUED = 1000
# A sweep stops after this time, so that it is short. All other work is left for the next one.
SWEEP_SECONDS = 5.0
# How many batches a sweep finds, how many items it feeds of one batch before it looks at the next, and how many jobs it
# erases.
DUE_PER_SWEEP, AT_ONCE = 100, 200
STORAGE_AGAIN_SECONDS = 5.0
# A client whose manifest was not sent to its end can send it again within this time. After it, the batch consists of
# the items that have arrived.
SEALED_AFTER_SECONDS = 24 * 3600


class Feeder:
    """Looks at batches that are due."""

    def __init__(
        self,
        batches: Batches,
        jobs: Jobs,
        acceptance: Acceptance,
        erasure: Erasure,
        keyspace: Keyspace,
        storage: Storage,
        settings: Settings,
    ) -> None:
        self._batches = batches
        self._jobs = jobs
        self._acceptance = acceptance
        self._erasure = erasure
        self._keyspace = keyspace
        self._storage = storage
        self._settings = settings

    def sweep(self) -> None:
        """Look at every batch that is due, at those whose retention time is over, and at those that were never sealed.

        Raises the errors of Redis and storage.
        """
        self._delete_old()
        self._seal_abandoned()
        until = time.monotonic() + SWEEP_SECONDS
        while found := self._due():
            for batch_id in found:
                if time.monotonic() > until:
                    return
                self._try(batch_id)

    def _try(self, batch_id: str) -> None:
        try:
            self.look(batch_id)
        except (BotoCoreError, ClientError) as error:  # other batches may work meanwhile
            log.warning("batch %s: storage is unreachable or lacks a chunk, trying again: %s", batch_id, error)
            self._fed(batch_id, delay_seconds=STORAGE_AGAIN_SECONDS)

    def look(self, batch_id: str) -> None:
        """Do a part of what is due for a batch."""
        record = self._keyspace.redis.hmget(self._keyspace.key(f"batch:{batch_id}"), "deleted_at", "canceled_at")
        if record[0] is not None:
            self._erase(batch_id)
        elif record[1] is not None:
            self._cancel(batch_id)
        elif (batch := self._batches.get(batch_id)) is not None:
            self._feed(batch)
        else:
            self._fed(batch_id)

    def _feed(self, batch: Batch) -> None:
        """Make jobs of the next items of a batch, if there is room for them."""
        numbers = self._keyspace.redis.zrange(self._keyspace.key(f"batch_unfed:{batch.id}"), 0, 0)
        room = min(MAX_QUEUED - batch.counts.by_status[Status.QUEUED], AT_ONCE)
        if not numbers or room <= 0 or batch.is_recovering:
            self._fed(batch.id, delay_seconds=self._settings.sweep_seconds)
            return
        number = int(numbers[0])
        items = chunks.read(self._storage, batch.id, number)
        start = self._position(batch.id, number)
        mine = self._of_chunk(batch.id, number, items[start : start + room])
        accepted = 0
        for item in mine:
            if item is not None and not self._accept(batch, item):
                self._fed(batch.id, number, start + accepted, self._settings.sweep_seconds)
                return
            accepted += 1
        self._fed(batch.id, number, None if start + accepted >= len(items) else start + accepted)

    def _accept(self, batch: Batch, item: Item) -> bool:
        """Make a job of an item, unless it has one. Returns False if there is no room for it now."""
        base = batch.recoveries * ATTEMPTS_APART
        of_batch = OfBatch(batch.id, item.id, base)
        outcome = self._acceptance.accept_item(job_id_of(batch.id, item.id), item.request, item.once, of_batch)
        return not outcome.has_no_room

    def _cancel(self, batch_id: str) -> None:
        for job_id in self._keyspace.redis.srandmember(self._keyspace.key(f"batch_open:{batch_id}"), MAX_QUEUED):
            self._jobs.cancel(job_id)
        self._fed(batch_id, delay_seconds=self._settings.sweep_seconds)

    def _erase(self, batch_id: str) -> None:
        """Erase some jobs of a deleted batch; after the last one its manifest and its record."""
        job_ids = self._keyspace.redis.zrange(self._keyspace.key(f"batch_jobs:{batch_id}"), 0, AT_ONCE - 1)
        for job_id in job_ids:
            self._erasure.erase(job_id, files_later=True)
        if job_ids:
            self._fed(batch_id)
        else:
            self._batches.erase(batch_id)
            log.info("batch %s: erased", batch_id)

    def _due(self) -> Sequence[str]:
        return [batch_id for batch_id, _ in self._keyspace.first("batches:due", self._keyspace.now(), DUE_PER_SWEEP)]

    def _fed(
        self, batch_id: str, number: int | None = None, position: int | None = None, delay_seconds: float = 0
    ) -> None:
        """Note how far a chunk is fed (None: to its end), and after which pause the batch is due again."""
        fed = ["" if each is None else each for each in (number, position)]
        self._keyspace.run("batch_fed", batch_id, *fed, clock.in_microseconds(delay_seconds))

    def _position(self, batch_id: str, number: int) -> int:
        """Return how many items of a chunk are fed."""
        fed = self._keyspace.redis.hget(self._keyspace.key(f"batch_counts:{batch_id}"), "fed") or "0 0"
        chunk, position = map(int, fed.split())
        return position if chunk == number else 0

    def _of_chunk(self, batch_id: str, number: int, items: Sequence[Item]) -> Iterator[Item | None]:
        """Yield each item; None in place of one that Redis lists in another chunk, because it was sent twice."""
        if not items:
            return
        values = self._keyspace.redis.hmget(self._keyspace.key(f"batch_items:{batch_id}"), [item.id for item in items])
        for item, value in zip(items, values, strict=True):
            yield item if value is not None and value.partition(" ")[0] == str(number) else None

    def _delete_old(self) -> None:
        if self._settings.retention_seconds:
            until = self._keyspace.now() - clock.in_microseconds(self._settings.retention_seconds)
            for batch_id, _ in self._keyspace.first("batches:ended", until, DUE_PER_SWEEP):
                self._batches.delete(batch_id)
                log.info("batch %s: deleted after the retention time", batch_id)

    def _seal_abandoned(self) -> None:
        until = self._keyspace.now() - clock.in_microseconds(SEALED_AFTER_SECONDS)
        for batch_id, _ in self._keyspace.first("batches:unsealed", until, DUE_PER_SWEEP):
            self._batches.seal(batch_id, until)
