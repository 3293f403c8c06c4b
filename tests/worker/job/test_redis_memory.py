"""Small submissions check Redis's memory at most once a second."""

from __future__ import annotations

import time

import pytest

from worker.job.redis_memory import KNOWN_SECONDS, SMALL_BYTES, RedisMemory


def test_room_that_was_found_is_known_for_a_second_to_small_submissions(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    memory = RedisMemory()
    assert not memory.has_room(1)
    memory.found_room()
    now += KNOWN_SECONDS - 0.01
    assert memory.has_room(SMALL_BYTES)
    assert not memory.has_room(SMALL_BYTES + 1)
    now += 0.01
    assert not memory.has_room(1)
