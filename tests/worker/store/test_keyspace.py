"""Redis as one service uses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from configs.settings import Settings
from tests.support import protocol
from worker.job.jobs import Jobs
from worker.store import clock
from worker.store.keyspace import Keyspace, flat, pairs


def test_two_services_can_share_a_server_without_seeing_each_other(jobs: Jobs, settings: Settings) -> None:
    protocol.accept(jobs)
    with Keyspace.open(settings.model_copy(update={"redis_prefix": f"{settings.redis_prefix}other:"})) as other:
        assert other.run("full", 1) == ""
        assert other.page("jobs", 10, None) == ([], False)


def test_one_client_reads_bytes_and_text(keyspace: Keyspace) -> None:
    for value in (b"\xff\xd8 picture", b"plain", b""):
        keyspace.redis.set(keyspace.key("value"), value)
        assert keyspace.get_bytes("value") == value
    keyspace.redis.set(keyspace.key("value"), "später")
    assert keyspace.redis.get(keyspace.key("value")) == "später"
    assert keyspace.get_bytes("value") == "später".encode()
    assert keyspace.get_bytes("nothing") is None


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_go_from_the_highest_score_to_the_lowest_and_end(keyspace: Keyspace, limit: int) -> None:
    keyspace.redis.zadd(keyspace.key("index"), {"a": 1, "b": 2.0**52, "c": 2.0**52 + 1})
    members, cursor, has_more = [], None, True
    while has_more:
        rows, has_more = keyspace.page("index", limit, cursor)
        assert 0 < len(rows) <= limit
        members += [member for member, _ in rows]
        cursor = rows[-1][1]
    assert members == ["c", "b", "a"]
    assert keyspace.page("index", limit, cursor) == ([], False)


def test_only_due_members_are_returned_the_longest_overdue_first(keyspace: Keyspace) -> None:
    keyspace.redis.zadd(keyspace.key("index"), {"late": 5, "now": 10, "soon": 11})
    assert keyspace.first("index", 10, 9) == [("late", 5), ("now", 10)]
    assert keyspace.first("index", 10, 1) == [("late", 5)]


def test_a_time_of_redis_survives_the_conversion_to_datetime_and_back(keyspace: Keyspace) -> None:
    now = keyspace.now()
    assert abs(clock.moment(now) - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.microseconds(clock.moment(now)) == now
    assert clock.timestamp(clock.moment(1_000_000)) == "1970-01-01T00:00:01.000000Z"


def test_scripts_are_read_once_for_all_keyspaces(
    keyspace: Keyspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyspace.run("full", 1)
    monkeypatch.setattr("worker.store.scripts.LUA", None)  # no script could be read now
    with Keyspace.open(settings) as another:
        assert another.run("full", 1) == ""


def test_a_record_survives_the_conversion_to_a_row_of_fields_and_values_and_back() -> None:
    record = {"a": "1", "b": "2"}
    assert flat(record) == ["a", "1", "b", "2"]
    assert pairs(flat(record)) == record
    assert pairs([]) == {}
