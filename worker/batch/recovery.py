"""Restores the items of batches from their manifests in storage, after Redis was lost."""

from __future__ import annotations

from worker.batch import chunks
from worker.store import clock, object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage


class BatchRecovery:
    """Restores batches whose records are restored. Several may run at the same time, and repeat it."""

    def __init__(self, keyspace: Keyspace, storage: Storage) -> None:
        self._keyspace = keyspace
        self._storage = storage

    def restore(self, notify_since_seconds: float = 0) -> int:
        """Restore the items of every batch that waits for it. Returns how many batches these were.

        The end of a batch that completed in the last `notify_since_seconds` is notified again, under the same event id.

        Call this after the jobs are restored: jobs are then made of the items that have none.
        """
        since = self._keyspace.now() - clock.in_microseconds(notify_since_seconds)
        restored = 0
        for name in self._keyspace.redis.scan_iter(self._keyspace.key("batch:*")):
            if self._keyspace.redis.hexists(name, "recovering"):
                self._restore(name.removeprefix(self._keyspace.key("batch:")), since)
                restored += 1
        return restored

    def _restore(self, batch_id: str, notify_since: int) -> None:
        for number in chunks.numbers(self._storage, batch_id):
            pairs = [
                part for item in chunks.read(self._storage, batch_id, number) for part in (item.id, item.fingerprint)
            ]
            self._keyspace.run("batch_restore", batch_id, number, *pairs)
        folder = object_names.erased_item(batch_id, "")
        erased = [
            part
            for key in self._storage.list(folder)
            for part in (self._storage.get(key).decode(), key.removeprefix(folder))
        ]
        self._keyspace.run("batch_recovered", batch_id, notify_since, *erased)
