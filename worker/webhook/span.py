"""A span of time in a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from ovseg_core.errors import OvsegError
from worker.job.rfc3339 import Time
from worker.job.validation import validated


@dataclass(frozen=True)
class Span:
    """The time from `since` up to `until`, which is not included."""

    since: datetime
    until: datetime


class SpanFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    since: Time = None
    until: Time = None


def parse(body: object) -> Span:
    """Return the span of a request; `until` is now by default.

    Raises OvsegError; it is InvalidRequest if several fields may be wrong.
    """
    fields = validated(SpanFields, body)
    if fields.since is None:
        raise OvsegError("invalid_request", "required: a time, like 2026-11-21T08:30:00Z", "since")
    until = fields.until or datetime.now(UTC)
    if until <= fields.since:
        raise OvsegError("invalid_value", "must be later than since", "until")
    return Span(fields.since, until)
