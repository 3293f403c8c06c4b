"""Deletes shared embeddings that were not used for long, or that take too much room."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from configs.settings import MEGABYTE, Settings
from worker.store import clock, object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# In one sweep, so that each is over soon; the next sweep meets the rest.
EVICTED_PER_SWEEP = 1000


def sweep(keyspace: Keyspace, settings: Settings, storage: Storage) -> None:
    """Delete those that were not used for long and, if there are too many, those that were not used for longest.

    Raises as Redis does. One that is used at this moment may go too; it is made again.
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
    going = _going(oldest, excess, unused_since)
    try:
        storage.delete([object_names.embedding(key) for key, _ in going])
    except (BotoCoreError, ClientError) as error:
        log.warning("shared embeddings stay longer, storage is unreachable: %s", error)
        return
    for key, used in going:
        keyspace.run("embedding_forget", key, str(int(used)))


def delete_unlisted(keyspace: Keyspace, storage: Storage) -> int:
    """Delete those that a lost Redis had listed, and this one does not. Returns how many.

    Raises as Redis and storage do.
    """
    names = list(storage.list(object_names.EMBEDDINGS))
    listed = set(keyspace.redis.zrange(keyspace.key("embeddings"), 0, -1))
    lost = [name for name in names if name.removeprefix(object_names.EMBEDDINGS) not in listed]
    for start in range(0, len(lost), EVICTED_PER_SWEEP):
        storage.delete(lost[start : start + EVICTED_PER_SWEEP])
    return len(lost)


def _going(oldest: Sequence[tuple[str, float, int]], excess: int, unused_since: float) -> list[tuple[str, float]]:
    going = []
    for key, used, size in oldest:
        if used > unused_since and excess <= 0:
            break
        going.append((key, used))
        excess -= size
    return going
