"""A span of time in a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ovseg_core.errors import OvsegError
from worker.job.validation import validated

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Span:
    """The time from `since` up to `until`, which is not included."""

    since: datetime
    until: datetime


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("must be a time in the format of RFC 3339, like 2026-11-21T08:30:00Z")
    return datetime.fromisoformat(value.upper())  # raises ValueError for the 30th of February


Time = Annotated[datetime | None, BeforeValidator(_time)]


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
