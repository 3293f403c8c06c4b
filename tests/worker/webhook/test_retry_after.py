"""The header Retry-After, in all the forms that receivers send."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.webhook.deliver import MAX_ASKED_SECONDS, asked_seconds

NOW = 1_795_262_400  # Sat, 21 Nov 2026 12:00:00 GMT


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),  # digits that HTTP does not allow
        ("0", 0.0),
        (" 120 ", 120.0),
        ("86401", MAX_ASKED_SECONDS),
        ("9" * 4000, MAX_ASKED_SECONDS),
        ("9" * 5000, None),  # more digits than Python converts to a number
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Saturday, 21-Nov-26 12:01:30 GMT", 90.0),  # the format of RFC 850, obsolete
        ("Sat Nov 21 12:01:30 2026", 90.0),  # the format of asctime, obsolete
        ("Sat, 21 Nov 2026 12:01:30 -0000", 90.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),  # in the past
        ("Sat, 21 Nov 2093 12:00:00 GMT", MAX_ASKED_SECONDS),
        ("Sat, 41 Nov 2026 12:01:30 GMT", MAX_ASKED_SECONDS),  # read as 11 December
        ("Sat, 21 Nov 99999999999 12:01:30 GMT", None),
    ],
)
def test_only_seconds_and_dates_are_understood(noon: None, value: str | None, seconds: float | None) -> None:
    assert asked_seconds(value) == seconds


@pytest.mark.parametrize("ahead", [0, 1, 3599, 86_399, 86_400, 86_401, 2 * 86_400])
def test_a_date_and_its_seconds_give_the_same_pause(noon: None, ahead: int) -> None:
    date = formatdate(NOW + ahead, usegmt=True)
    assert asked_seconds(date) == asked_seconds(str(ahead)) == min(ahead, MAX_ASKED_SECONDS)


# Parts of dates and numbers in any order reach more of the parser's code than random text.
PIECES = st.sampled_from(["Sat,", "21", "Nov", "2026", "12:01:30", "GMT", "-0000", "+9999", "99999999999", "-1", "12:"])


@given(st.text(max_size=40) | st.lists(PIECES, max_size=8).map(" ".join))
def test_no_text_raises_an_exception(value: str) -> None:
    seconds = asked_seconds(value)
    assert seconds is None or 0 <= seconds <= MAX_ASKED_SECONDS
