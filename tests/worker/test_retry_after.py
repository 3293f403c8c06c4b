"""Retry-After as receivers write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.webhook import retry_after
from worker.webhook.retry_after import MOST_SECONDS

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),  # digits, but not of HTTP
        ("0", 0.0),
        (" 120 ", 120.0),
        ("86401", MOST_SECONDS),
        ("9" * 5000, MOST_SECONDS),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Saturday, 21-Nov-26 12:01:30 GMT", 90.0),  # RFC 850's, obsolete
        ("Sat Nov 21 12:01:30 2026", 90.0),  # asctime's, obsolete
        ("Sat, 21 Nov 2026 12:01:30 -0000", 90.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),  # has passed
        ("Sat, 21 Nov 2093 12:00:00 GMT", MOST_SECONDS),
        ("Sat, 41 Nov 2026 12:01:30 GMT", None),
        ("Sat, 21 Nov 99999999999 12:01:30 GMT", None),
    ],
)
def test_seconds_and_dates_are_understood_and_nothing_else(value: str | None, seconds: float | None) -> None:
    assert retry_after.seconds(value, NOW) == seconds


@given(st.integers(0, 2 * 86_400))
def test_a_date_means_what_its_seconds_mean(ahead: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
    assert retry_after.seconds(date, NOW) == retry_after.seconds(str(ahead), NOW) == min(ahead, MOST_SECONDS)


@given(st.text(max_size=40))
def test_no_text_breaks_it(value: str) -> None:
    seconds = retry_after.seconds(value, NOW)
    assert seconds is None or 0 <= seconds <= MOST_SECONDS
