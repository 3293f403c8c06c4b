"""Units of time, and conversions between datetime and the times in Redis's records and in the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600  # in seconds
# Per second. Times in Redis are in microseconds, except in the list of workers and the pulses, which are in seconds.
MICROSECONDS = 1_000_000


def in_microseconds(seconds: float) -> int:
    """Return a duration in the unit that the scripts take."""
    return int(seconds * MICROSECONDS)


def microseconds(time: datetime) -> int:
    """Return a time as the scripts write it: microseconds since 1970."""
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def moment(written: str | float) -> datetime:
    """Return the time that a script wrote as microseconds since 1970; the inverse of `microseconds`."""
    seconds, fraction = divmod(int(written), MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=fraction)


def moment_of(field: str, record: Mapping[str, str]) -> datetime | None:
    """Return the time in a field of a record; None if the record has no such field."""
    return moment(record[field]) if field in record else None


def timestamp(time: datetime | None) -> str | None:
    """Return a time as the API writes it: RFC 3339, UTC, with microseconds."""
    return None if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z")
