"""Restores the items of batches from their manifests in storage, after Redis was lost."""

from __future__ import annotations

from worker.batch import chunks
from worker.store import object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage


class BatchRecovery:
    """Restores batches whose records are restored. Several may run at the same time, and repeat it."""

    def __init__(self, keyspace: Keyspace, storage: Storage) -> None:
        self._keyspace = keyspace
        self._storage = storage

    def restore(self) -> int:
        """Restore the items of every batch that waits for it. Returns how many batches these were.

        Call this after the jobs are restored: jobs are then made of the items that have none.
        """
        restored = 0
        for name in self._keyspace.redis.scan_iter(self._keyspace.key("batch:*")):
            if self._keyspace.redis.hexists(name, "recovering"):
                self._restore(name.removeprefix(self._keyspace.key("batch:")))
                restored += 1
        return restored

    def _restore(self, batch_id: str) -> None:
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
        self._keyspace.run("batch_recovered", batch_id, *erased)
