"""Reads batches in Redis and changes them. Each change is one Lua script."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import IntEnum

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.access.quota import QuotaExceeded
from worker.batch import chunks
from worker.batch.batch import Batch, Counts
from worker.batch.item import Item
from worker.batch.own_webhook import BatchWebhook
from worker.store import clock, tenant
from worker.store.keyspace import Keyspace, flat
from worker.store.storage import Storage
from worker.upload.uploads import Uploads

OPEN_BATCHES = "open-batches"  # the name of the policy
OPEN_RETRY_SECONDS = 60  # a batch takes minutes or hours
RATE_SECONDS = 60.0


class Added(IntEnum):
    """What became of an item that was added to a batch."""

    KNOWN = 0  # the batch has it already
    NEW = 1
    ID_TAKEN = 2  # the batch has another item with this id
    TOO_MANY = 3  # the batch has as many items as are allowed


class Batches:
    """Batches in Redis, and their manifests in storage. Thread-safe."""

    def __init__(self, keyspace: Keyspace, storage: Storage, uploads: Uploads, settings: Settings) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._uploads = uploads
        self._settings = settings

    # Reading

    def get(self, batch_id: str) -> Batch | None:
        """Return a batch; None if there is none, or if it was deleted."""
        return next(iter(self._read([batch_id])), None)

    def page(self, owner: str, limit: int, before: str | None) -> tuple[Sequence[Batch], str | None]:
        """Return up to `limit` batches of a tenant, newest first, and the cursor for older ones; None if none is older.

        Pass that cursor as `before`.
        """
        rows, has_more = self._keyspace.page(f"{tenant.prefix(owner)}batches", limit, before)
        return self._read([batch_id for batch_id, _ in rows]), rows[-1][1] if has_more else None

    def eta_seconds(self, batch: Batch) -> float | None:
        """Return in how many seconds the items of a batch are expected to have ended; None if that is not known.

        That is at the rate at which jobs of all batches and queues ended in the last minute.
        """
        left = batch.counts.total - batch.counts.ended
        since = clock.in_microseconds(time.time() - RATE_SECONDS)
        ended = self._keyspace.redis.zcount(self._keyspace.key("ended"), since, "+inf") if left else 0
        return round(left * RATE_SECONDS / ended, 1) if ended else None

    # Submitting

    def create(self, batch_id: str, webhook: BatchWebhook | None = None) -> bool:
        """Make a batch without items, unless there is one with this id. Returns True if it is new.

        A `webhook` also replaces that of a batch that exists.
        Raises OvsegError `batch_deleted`, and QuotaExceeded if its tenant has too many open batches.
        """
        fields = flat(webhook.fields) if webhook else []
        outcome = self._keyspace.run("batch_create", batch_id, self._settings.max_open_batches, *fields)
        if outcome == "erased":
            raise _deleted(batch_id)
        if outcome == "exceeded":
            quota = self._settings.max_open_batches
            message = f"{quota:,} batches of this tenant have not completed, which is the maximum; try again later"
            raise QuotaExceeded(OPEN_BATCHES, quota, 0, message, OPEN_RETRY_SECONDS)
        return bool(outcome == "created")

    def add(self, batch_id: str, items: Sequence[Item]) -> list[Added]:
        """Add items to a batch: those that it has already stay as they are. Returns what became of each item.

        Raises OvsegError `batch_canceled`, `batch_deleted`, `queue_full`, `unavailable`.
        """
        new = self._unknown(batch_id, items)
        number = self._reserve(batch_id) if new else 0
        if new:
            images = (item.request.image for item in new)
            self._uploads.hold([image.upload.id for image in images if image.upload is not None])
            # In storage first, so that an item that Redis lists is always in storage.
            chunks.write(self._storage, batch_id, number, [item.line for item in new])
        pairs = [part for item in items for part in (item.id, item.fingerprint)]
        outcome, *added = self._keyspace.run("batch_add", batch_id, number, self._settings.max_batch_items, *pairs)
        if outcome != "added":
            raise _deleted(batch_id) if outcome == "missing" else _canceled(batch_id)
        return [Added(each) for each in added]

    def seal(self, batch_id: str, unchanged_since: int | None = None) -> None:
        """Mark the manifest of a batch as complete. The batch completes once all its items have ended.

        Does nothing if the batch has changed after `unchanged_since`, in microseconds.
        """
        self._keyspace.run("batch_seal", batch_id, "" if unchanged_since is None else unchanged_since)

    # The end

    def cancel(self, batch_id: str) -> str:
        """Cancel a batch: its waiting items now, its jobs soon.

        Returns `canceled`, now or before; `completed` if all items have ended; '' if there is no such batch.
        """
        return str(self._keyspace.run("batch_cancel", batch_id))

    def delete(self, batch_id: str) -> str:
        """Delete a batch that has completed; a reaper erases its jobs and its manifest.

        Returns `deleted`; `running` if the batch has not completed; '' if there is no such batch.
        """
        return str(self._keyspace.run("batch_delete", batch_id))

    def erase(self, batch_id: str) -> None:
        """Erase a batch whose jobs are erased: its manifest, then its record. Another batch may have the id later."""
        self._storage.delete_prefix(chunks.prefix_of(batch_id))
        self._keyspace.run("batch_erase", batch_id, self._settings.idempotency_seconds)

    def _read(self, batch_ids: Sequence[str]) -> Sequence[Batch]:
        with self._keyspace.pipeline() as pipeline:
            for batch_id in batch_ids:
                pipeline.hgetall(self._keyspace.key(f"batch:{batch_id}"))
                pipeline.hgetall(self._keyspace.key(f"batch_counts:{batch_id}"))
                pipeline.hlen(self._keyspace.key(f"batch_items:{batch_id}"))
            read = pipeline.execute()
        rows = zip(batch_ids, read[::3], read[1::3], read[2::3], strict=True)
        found = (
            Batch.from_record(name, record, Counts.of(total, counts)) for name, record, counts, total in rows if record
        )
        return [batch for batch in found if not batch.is_deleted]

    def _unknown(self, batch_id: str, items: Sequence[Item]) -> Sequence[Item]:
        """Return the first item of each id that the batch does not have."""
        ids = [item.id for item in items]
        known = dict(
            zip(ids, self._keyspace.redis.hmget(self._keyspace.key(f"batch_items:{batch_id}"), ids), strict=True)
        )
        first = {item.id: item for item in reversed(items) if known[item.id] is None}
        return [item for item in items if first.get(item.id) is item]

    def _reserve(self, batch_id: str) -> int:
        """Return the number of the next chunk of a batch."""
        answer = self._keyspace.run("batch_reserve", batch_id)
        if answer == "missing":
            raise _deleted(batch_id)
        if answer == "canceled":
            raise _canceled(batch_id)
        if answer == "memory":
            raise OvsegError("queue_full", "Redis's memory has reached the limit for new items; try again later")
        if answer == "recovering":
            raise OvsegError("unavailable", "the items of this batch are being restored; try again soon")
        return int(answer)


def _deleted(batch_id: str) -> OvsegError:
    return OvsegError("batch_deleted", f"the batch {tenant.shown(batch_id)} was deleted; choose another id")


def _canceled(batch_id: str) -> OvsegError:
    return OvsegError("batch_canceled", f"the batch {tenant.shown(batch_id)} was canceled and takes no further items")
