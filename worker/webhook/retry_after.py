"""The header Retry-After (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Whoever asks for more would be tried after the last try of the schedule; and a date may be a slip.
MOST_SECONDS = 24 * 3600.0


def seconds(value: str | None, now: datetime) -> float | None:
    """How long the header asks to wait, at most a day: whole seconds, or until an HTTP date, which may have passed.

    None without a header, or for one that is neither.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]+", value.strip()):
        return float(min(int(value.strip()[:9]), MOST_SECONDS))
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000", and dates that name no zone; HTTP has none but GMT
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), MOST_SECONDS)
