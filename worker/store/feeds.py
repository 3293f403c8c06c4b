"""Feeds: the last events of a job, a batch or a tenant, for clients that follow it. See lua/prelude/feeds.lua."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.store.keyspace import Keyspace

# A feed is kept for this time after it was followed last, so that a client that connects again gets what it missed.
KEPT_SECONDS = 300
# At most this many missed events are sent to a client that connects again.
MAX_REPLAYED = 1000
ENTRY_ID = re.compile(r"[0-9]{1,16}-[0-9]{1,16}")


def of_job(job_id: str) -> str:
    """Return the name of the feed of a job."""
    return f"job:{job_id}"


def of_batch(batch_id: str) -> str:
    """Return the name of the feed of a batch."""
    return f"batch:{batch_id}"


def of_tenant(name: str) -> str:
    """Return the name of the feed of a tenant."""
    return f"tenant:{name}"


@dataclass(frozen=True)
class Entry:
    """An event in a feed.

    `type` is such as `job.started`; it is empty in the first entry of a feed, which is no event. `about` is the id of
    the job or the batch. `data` is JSON, or empty if the job or the batch itself is the data.
    """

    id: str
    type: str
    about: str
    data: str

    @property
    def time(self) -> datetime:
        """Return when the event happened, in milliseconds."""
        return datetime.fromtimestamp(int(self.id.partition("-")[0]) / 1000, UTC)


class Feeds:
    """The feeds that one gateway process follows. Thread-safe. Every method raises RedisError."""

    def __init__(self, keyspace: Keyspace, gateway: str) -> None:
        self._keyspace = keyspace
        self._gateway = gateway

    @property
    def channel(self) -> str:
        """Return the channel on which Redis publishes the events to this gateway; `published` reads a message."""
        return self._keyspace.key(f"gateway:{self._gateway}")

    def follow(self, feeds: Sequence[str]) -> Mapping[str, str]:
        """Follow feeds, now or still: for the next KEPT_SECONDS. Return the id of the last entry of each."""
        last = self._keyspace.run("feed_follow", self._gateway, KEPT_SECONDS, *feeds)
        return dict(zip(feeds, last, strict=True))

    def since(self, feed: str, entry_id: str) -> list[Entry] | None:
        """Return the entries after one of them; None if the feed no longer has that entry, so that some may be lost."""
        if not ENTRY_ID.fullmatch(entry_id):
            return None
        rows = self._keyspace.redis.xrange(self._keyspace.key(f"feed:{feed}"), entry_id, count=MAX_REPLAYED + 2)
        if not rows or rows[0][0] != entry_id or len(rows) > MAX_REPLAYED + 1:
            return None
        return [Entry(found, row["type"], row["about"], row["data"]) for found, row in rows[1:]]


def published(message: str) -> tuple[str, Entry]:
    """Return the feed and the entry of a message on the channel of a gateway."""
    feed, entry_id, kind, about, data = message.split("\n", 4)
    return feed, Entry(entry_id, kind, about, data)


def place(entry_id: str) -> tuple[int, int]:
    """Return what sorts entries by their order in a feed."""
    milliseconds, number = entry_id.split("-")
    return int(milliseconds), int(number)
