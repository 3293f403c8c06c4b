"""One event of an event stream, in the format of the HTML standard (server-sent events)."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.store.clock import timestamp

# A client that lost its connection connects again after a random time in this range, so that the clients of a gateway
# that stops do not all come at the same moment.
RETRY_MILLISECONDS = (1000, 3000)


@dataclass(frozen=True)
class Message:
    """An event as the client gets it.

    `id` is that of its entry in the feed, None for an event that is not in the feed. The stream ends after the last
    message.
    """

    id: str | None
    sent: bytes
    is_last: bool = False

    @classmethod
    def of(
        cls, kind: str, data: Any, entry_id: str | None = None, time: datetime | None = None, is_last: bool = False
    ) -> Message:
        """Return the event of this type. Its JSON has the same three fields as that of a webhook."""
        body = {"type": kind, "timestamp": timestamp(time or datetime.now(UTC)), "data": data}
        head = f"id: {entry_id}\n" if entry_id else ""
        return cls(entry_id, f"{head}event: {kind}\ndata: {json.dumps(body)}\n\n".encode(), is_last)


def retry() -> Message:
    """Return the first message of a stream: after which time the client connects again."""
    return Message(None, f"retry: {random.randint(*RETRY_MILLISECONDS)}\n\n".encode())
