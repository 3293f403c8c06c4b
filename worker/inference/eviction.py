"""Evict shared embeddings that have not been used for a long time, or that take too much space."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from configs.settings import MEGABYTE, Settings
from worker.store import clock, object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# How many embeddings one sweep evicts, so that it is short; the next sweep evicts the rest.
EVICTED_PER_SWEEP = 1000


def sweep(keyspace: Keyspace, settings: Settings, storage: Storage) -> None:
    """Evict the embeddings that were not used for `shared_embeddings_seconds`.

    If the rest still takes more than `shared_embeddings_megabytes`, also evict the least recently used ones. An
    embedding may be evicted while a job uses it; then it is encoded again. Raises RedisError.
    """
    redis, index = keyspace.redis, keyspace.key("embeddings")
    first = redis.zrange(index, 0, 0, withscores=True)
    excess = int(redis.get(keyspace.key("embedding_bytes")) or 0) - settings.shared_embeddings_megabytes * MEGABYTE
    unused_since = keyspace.now() - clock.in_microseconds(settings.shared_embeddings_seconds)
    if not first or (excess <= 0 and first[0][1] > unused_since):
        return
    rows = redis.zrange(index, 0, EVICTED_PER_SWEEP - 1, withscores=True)
    sizes = redis.hmget(keyspace.key("embedding_sizes"), [key for key, _ in rows])
    oldest = [(key, used, int(size or 0)) for (key, used), size in zip(rows, sizes, strict=True)]
    evicted = _to_evict(oldest, excess, unused_since)
    try:
        storage.delete([object_names.embedding(key) for key, _ in evicted])
    except (BotoCoreError, ClientError) as error:
        log.warning("shared embeddings: storage is unreachable, evicting them in a later sweep: %s", error)
        return
    for key, used in evicted:
        keyspace.run("embedding_forget", key, str(int(used)))


def delete_unlisted(keyspace: Keyspace, storage: Storage) -> int:
    """Delete stored embeddings that this Redis does not list, because it replaces a lost one. Returns how many.

    Raises RedisError and the errors of storage.
    """
    names = list(storage.list(object_names.EMBEDDINGS))
    listed = set(keyspace.redis.zrange(keyspace.key("embeddings"), 0, -1))
    unlisted = [name for name in names if name.removeprefix(object_names.EMBEDDINGS) not in listed]
    for start in range(0, len(unlisted), EVICTED_PER_SWEEP):
        storage.delete(unlisted[start : start + EVICTED_PER_SWEEP])
    return len(unlisted)


def _to_evict(oldest: Sequence[tuple[str, float, int]], excess: int, unused_since: float) -> list[tuple[str, float]]:
    evicted = []
    for key, used, size in oldest:
        if used > unused_since and excess <= 0:
            break
        evicted.append((key, used))
        excess -= size
    return evicted
