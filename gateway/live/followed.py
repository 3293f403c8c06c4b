"""A feed that streams of this process follow."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gateway.live.message import Message
from gateway.live.stream import Stream
from gateway.live.subject import Subject
from worker.store.feeds import Entry, place


class Followed:
    """A feed, its streams, and the entries whose messages are not made yet. Its user has a lock.

    `is_busy` is True while a thread makes messages: one at a time, so that the messages stay in order. `is_stale` is
    True if entries may have been missed since `last_id`.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.streams: set[Stream] = set()
        self.last_id = ""
        self.is_busy = self.is_stale = False
        self._entries: deque[Entry] = deque()

    def add(self, entry: Entry) -> None:
        """Add an entry. Those that come while the feed is stale are read from Redis later."""
        if not self.is_stale:
            self._entries.append(entry)

    def take(self) -> list[Entry]:
        """Return the entries that have come since the last call, without those that were read from Redis meanwhile."""
        taken = [entry for entry in self._entries if not self.last_id or place(entry.id) > place(self.last_id)]
        self._entries.clear()
        return taken

    def make_stale(self) -> None:
        self.is_stale = True
        self._entries.clear()

    def send(self, messages: Sequence[Message]) -> None:
        """Give messages to all streams, and remember the last entry that they have."""
        for message in messages:
            self.last_id = message.id or self.last_id
        for stream in self.streams:
            stream.put(messages)

    @property
    def has_work(self) -> bool:
        return self.is_stale or bool(self._entries)
