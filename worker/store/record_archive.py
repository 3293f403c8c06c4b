"""Copies of the records of tenants, API keys, endpoints, batches and uploads in object storage, in case Redis is lost.

`Uploads` writes and deletes the copy of an upload. The scripts that change another record list its name in
`unarchived_records`, and a reaper writes the copy within a sweep. So what changes a record needs only Redis.
`ovseg recover` restores the records that Redis does not have.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from worker.store import tenant
from worker.store.keyspace import Keyspace, flat
from worker.store.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)

RECORDS = "archive/records/"
INDEX = "unarchived_records"
# In this order they are restored: the secrets before what needs them.
KINDS = ("tenant", "apikey", "endpoint", "batch", "upload")
ARCHIVED_PER_SWEEP = 200  # so that each sweep is short; the next one writes the rest


def key_of(name: str) -> str:
    """Return the key of the copy of a record: `apikey:<id>` is `archive/records/apikey/<id>.json`."""
    kind, _, record_id = name.partition(":")
    return f"{RECORDS}{kind}/{record_id}.json"


class RecordArchive:
    """Writes, restores and deletes the copies. Thread-safe; every call may be repeated."""

    def __init__(self, keyspace: Keyspace, storage: Storage) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._has_listed_all = False

    def sweep(self) -> None:
        """Write the copies that are due, and delete those of deleted records. Raises RedisError.

        The first sweep of a process writes all copies, because older versions wrote none. While storage is unreachable,
        the records stay listed, and the next sweep tries again.
        """
        if not self._has_listed_all:
            self._list(*self._names())
            self._has_listed_all = True
        for name, listed_at in self._keyspace.first(INDEX, self._keyspace.now(), ARCHIVED_PER_SWEEP):
            try:
                is_current = self._copy(name)
            except (BotoCoreError, ClientError) as error:
                log.warning("%s: could not be archived, the next sweep tries again: %s", name, error)
                return
            if is_current:
                self._keyspace.run("record_archived", name, str(int(listed_at)))
            else:
                self._list(name)

    def restore(self) -> int:
        """Restore every record that Redis does not have. Returns how many. Raises the errors of Redis and storage."""
        return sum(self._restored(kind, key) for kind in KINDS for key in self._storage.list(f"{RECORDS}{kind}/"))

    def _restored(self, kind: str, key: str) -> int:
        record_id = key.removeprefix(f"{RECORDS}{kind}/").removesuffix(".json")
        try:
            record: dict[str, str] = json.loads(self._storage.get(key))
        except ObjectMissing:  # it was deleted just now
            return 0
        return int(self._keyspace.run("record_restore", kind, record_id, *flat(record)))

    def _copy(self, name: str) -> bool:
        """Write or delete the copy of a record. Returns False if the record has changed meanwhile.

        Another reaper may have copied the change already, and this copy may have replaced that one.
        """
        before = self._read(name)
        if before:
            self._storage.put(key_of(name), json.dumps(before).encode(), "application/json")
        else:
            self._storage.delete([key_of(name)])
        return self._read(name) == before

    def _read(self, name: str) -> dict[str, str]:
        record: dict[str, str] = self._keyspace.redis.hgetall(self._keyspace.key(name))
        return record

    def _list(self, *names: str) -> None:
        """List records as unarchived, unless they are listed."""
        if names:
            self._keyspace.redis.zadd(self._keyspace.key(INDEX), dict.fromkeys(names, self._keyspace.now()), nx=True)

    def _names(self) -> Iterator[str]:
        redis, key = self._keyspace.redis, self._keyspace.key
        tenants = redis.zrange(key("tenants"), 0, -1)
        yield from (f"tenant:{name}" for name in tenants)
        yield from (f"apikey:{key_id}" for key_id in redis.zrange(key("apikeys"), 0, -1))
        for owner in (tenant.DEFAULT, *tenants):
            ids = redis.zrange(key(f"{tenant.prefix(owner)}endpoints"), 0, -1)
            yield from (f"endpoint:{endpoint_id}" for endpoint_id in ids)
