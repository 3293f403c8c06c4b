"""Who is told that Redis is away, and who is sent to look."""

from __future__ import annotations

import pytest

from gateway import breaker
from gateway.breaker import ASKING_SECONDS, PAUSE_SECONDS, Breaker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    return now


def test_while_redis_answers_nobody_is_refused(clock: list[float]) -> None:
    there = Breaker()
    there.close()
    assert not there.refuses()


def test_when_it_is_away_one_at_a_time_asks_until_it_answers(clock: list[float]) -> None:
    away = Breaker()
    away.open()
    assert away.refuses()
    clock[0] += PAUSE_SECONDS
    assert [away.refuses() for _ in range(3)] == [False, True, True]
    clock[0] += ASKING_SECONDS  # whoever asked was never heard of again
    assert [away.refuses() for _ in range(2)] == [False, True]
    away.open()
    assert away.refuses()
    clock[0] += PAUSE_SECONDS
    assert not away.refuses()
    away.close()
    assert not any(away.refuses() for _ in range(3))
