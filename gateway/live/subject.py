"""What a stream is about: a job, a batch, or all jobs and batches of a tenant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.live.message import Message
from worker.store.feeds import Entry


class Present(NamedTuple):
    """The JSON of a job or a batch as it is now, and whether nothing more will happen to it."""

    data: dict[str, Any]
    is_final: bool


class Subject(ABC):
    """Makes the messages of a stream.

    `feed` is the name of its feed. `state` is the type of the message that has the present state, `deleted` that of the
    last message if there is none any more, and `named` its data.
    """

    feed: str
    state: str
    deleted: str
    named: dict[str, Any]

    @abstractmethod
    def present(self) -> Present | None:
        """Return what the stream is about as it is now; None if there is no such thing."""

    @abstractmethod
    def messages(self, entries: Sequence[Entry]) -> list[Message]:
        """Return the messages for entries of the feed, in their order."""

    def moved(self) -> list[Message]:
        """Return a message if what the stream is about waits, and its place has changed since the last call."""
        return []
