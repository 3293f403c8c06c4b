"""One event of an event stream: what happened to a job or a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

LAST = {"job.succeeded", "job.failed", "job.canceled", "job.expired", "job.deleted", "batch.completed", "batch.deleted"}


@dataclass(frozen=True)
class Event:
    """What happened.

    Attributes:
        type: Such as `job.state` (how it is now), `job.started`, `job.progress`, `job.succeeded`, or `gap`: earlier
            events may be lost.
        timestamp: When it happened, in RFC 3339.
        data: The job object or the batch object of the HTTP API; for `job.progress` its `id`, `done` and `total`.
        id: Its place in the stream, for `last_event_id`; None if it has none.
    """

    type: str
    timestamp: str
    data: Mapping[str, Any]
    id: str | None

    @classmethod
    def of(cls, message: Mapping[str, Any], event_id: str | None) -> Self:
        return cls(message["type"], message["timestamp"], message["data"], event_id)

    def ends(self, name: str | None) -> bool:
        """Whether nothing more will happen to the job or the batch with this id."""
        is_last = self.type in LAST or (self.type.endswith(".state") and bool(self.data.get("is_final")))
        return is_last and self.data.get("id") == name
