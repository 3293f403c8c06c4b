"""Times and days in requests."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator

FORMAT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)
DAY_FORMAT = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str) or not FORMAT.fullmatch(value):
        raise ValueError("must be a time in the format of RFC 3339, like 2026-11-21T08:30:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)  # raises ValueError for the 30th of February
    except OverflowError:
        raise ValueError("must be in the years 1 to 9999 in UTC, too") from None


def day(value: str) -> date:
    """Return a day that is written as YYYY-MM-DD. Raises ValueError."""
    if not DAY_FORMAT.fullmatch(value):
        raise ValueError("must be a day like 2026-11-21")
    return date.fromisoformat(value)


Time = Annotated[datetime | None, BeforeValidator(_time)]
