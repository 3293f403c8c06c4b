"""Shared embeddings that have to go."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError
from redis import Redis

from configs.settings import MEGABYTE, Settings
from worker.job.jobs import MICROSECONDS
from worker.store import object_names
from worker.store.scripts import Scripts
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# In one sweep, so that each is over soon; the rest is met by the next.
EVICTED_PER_SWEEP = 1000


def sweep(redis: Redis, settings: Settings, storage: Storage) -> None:
    """Remove what was not used for long, and what was not used for longest where there is too much.

    Raises as Redis does. One that is used at this moment may go too; it is made again.
    """
    prefix = settings.redis_prefix
    first = redis.zrange(f"{prefix}embeddings", 0, 0, withscores=True)
    excess = int(redis.get(f"{prefix}embedding_bytes") or 0) - settings.shared_embeddings_megabytes * MEGABYTE
    unused_since = (redis.time()[0] - settings.shared_embeddings_seconds) * MICROSECONDS
    if not first or (excess <= 0 and first[0][1] > unused_since):
        return
    rows = redis.zrange(f"{prefix}embeddings", 0, EVICTED_PER_SWEEP - 1, withscores=True)
    sizes = redis.hmget(f"{prefix}embedding_sizes", [key for key, _ in rows])
    oldest = [(key, used, int(size or 0)) for (key, used), size in zip(rows, sizes, strict=True)]
    going = _going(oldest, excess, unused_since)
    try:
        storage.remove([object_names.embedding(key) for key, _ in going])
    except (BotoCoreError, ClientError) as error:
        log.warning("shared embeddings stay longer, storage is away: %s", error)
        return
    scripts = Scripts(redis, prefix)
    for key, used in going:
        scripts("embedding_forget", key, str(int(used)))


def remove_unlisted(redis: Redis, settings: Settings, storage: Storage) -> int:
    """Remove those that a lost Redis had listed, and this one does not. Returns how many.

    Raises as Redis and storage do.
    """
    names = list(storage.list(object_names.EMBEDDINGS))
    listed = set(redis.zrange(f"{settings.redis_prefix}embeddings", 0, -1))
    lost = [name for name in names if name.removeprefix(object_names.EMBEDDINGS) not in listed]
    for start in range(0, len(lost), EVICTED_PER_SWEEP):
        storage.remove(lost[start : start + EVICTED_PER_SWEEP])
    return len(lost)


def _going(oldest: Sequence[tuple[str, float, int]], excess: int, unused_since: float) -> list[tuple[str, float]]:
    going = []
    for key, used, size in oldest:
        if used > unused_since and excess <= 0:
            break
        going.append((key, used))
        excess -= size
    return going
