"""Units of time, and times as Redis's records and the API write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600  # in seconds
# Of a second: the unit of times in Redis, except the list of workers and the pulses, which are in seconds.
MICROSECONDS = 1_000_000


def in_microseconds(seconds: float) -> int:
    """A duration as the scripts take it."""
    return int(seconds * MICROSECONDS)


def microseconds(time: datetime) -> int:
    """A time as the scripts write it: since 1970."""
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def moment(written: str | float) -> datetime:
    """A time that a script wrote; the opposite of `microseconds`."""
    seconds, fraction = divmod(int(written), MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=fraction)


def moment_of(field: str, record: Mapping[str, str]) -> datetime | None:
    """A time of a record; None if the record has no such field."""
    return moment(record[field]) if field in record else None


def timestamp(time: datetime | None) -> str | None:
    """A time as the API writes it: RFC 3339, UTC, microseconds."""
    return None if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z")
