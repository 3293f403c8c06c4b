"""Permits, on a real Valkey: lost ones are replaced, superfluous ones removed, and older messages act as permits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from configs.settings import Settings
from tests.support.protocol import (
    AUTO,
    PICTURE,
    accept,
    begin,
    drop_messages,
    keys,
    let_leases_end,
    let_time_pass,
    line,
    messages,
    permits,
    replace_permits,
    sweep,
)
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace

# Lost messages


def test_a_lost_permit_is_replaced(jobs: Jobs, settings: Settings) -> None:
    accept(jobs)
    drop_messages(settings)
    assert replace_permits(settings) == {}  # a worker may be about to use it
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert replace_permits(settings) == {AUTO: 1}
    assert messages(settings, AUTO) == [AUTO]


def test_no_permit_is_replaced_of_a_job_that_waits_long_in_its_queue(jobs: Jobs, settings: Settings) -> None:
    for _ in range(2):
        accept(jobs)
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert replace_permits(settings) == {}
    assert permits(settings) == 2


def test_a_lost_permit_is_noticed_although_newer_ones_are_in_the_queue(jobs: Jobs, settings: Settings) -> None:
    accept(jobs)
    drop_messages(settings)
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    for _ in range(2):
        accept(jobs)
    assert replace_permits(settings) == {AUTO: 1}
    assert permits(settings) == 3


def test_permits_for_nothing_are_removed(jobs: Jobs, settings: Settings) -> None:
    jobs.cancel(accept(jobs))
    assert permits(settings) == 1
    assert jobs.begin(AUTO, "w1") is None
    assert permits(settings) == 0


def test_jobs_that_are_canceled_leave_no_more_permits_than_jobs_waited_at_a_time(
    jobs: Jobs, settings: Settings
) -> None:
    waiting = accept(jobs)
    for _ in range(20):
        jobs.cancel(accept(jobs))
    assert permits(settings) == 2
    assert line(settings) == [waiting]


def test_a_dead_workers_job_goes_to_the_front(jobs: Jobs, settings: Settings) -> None:
    dropped = [begin(jobs, accept(jobs)).id, begin(jobs, accept(jobs)).id]
    waiting = [accept(jobs), accept(jobs)]
    let_leases_end(settings)
    assert sweep(settings) == [("leases", "queued"), ("leases", "queued")]
    assert line(settings) == [*reversed(dropped), *waiting]
    assert permits(settings) == 4
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert replace_permits(settings) == {}


# Jobs that a version without lanes queued


def queued_by_older(jobs: Jobs, settings: Settings) -> str:
    """Queue a job as versions without lanes did: in no line, without a priority, and with its id as its message."""
    job_id = accept(jobs)
    with Keyspace.open(settings) as keyspace:
        redis, key = keyspace.redis, keyspace.key
        redis.hdel(key(f"job:{job_id}"), "lane", "priority", "cost", "light_cost", "embedding")
        redis.delete(
            key("line:segment.auto:normal:default"), key("turns:segment.auto:normal"), key("turns:segment.auto")
        )
        redis.delete(key("lanes:segment.auto"), key("q:segment.auto"))
        redis.lpush(key("q:segment.auto"), queue.message(queue.create(settings), queue.SEGMENT, AUTO, job_id))
    return job_id


def test_the_message_of_an_older_version_lets_a_worker_begin_its_job(jobs: Jobs, settings: Settings) -> None:
    older = queued_by_older(jobs, settings)
    [argument] = messages(settings, AUTO)
    newer = accept(jobs)
    first, second = jobs.begin(argument, "w1"), jobs.begin(AUTO, "w1")
    assert first is not None
    assert second is not None
    assert {first.id, second.id} == {older, newer}
    jobs.succeed(first, PICTURE, {}, 1)
    assert jobs.begin(argument, "w1") is None  # the message is delivered twice
    assert jobs.begin("no-such-job", "w1") is None


def test_a_job_of_an_older_version_whose_message_was_lost_is_begun(jobs: Jobs, settings: Settings) -> None:
    older = queued_by_older(jobs, settings)
    drop_messages(settings)
    assert jobs.begin(AUTO, "w1") is None
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert replace_permits(settings) == {AUTO: 1}
    job = jobs.begin(AUTO, "w1")
    assert job is not None
    assert job.id == older


@pytest.mark.parametrize("end", ["cancel", "erase", "expire"])
def test_a_job_of_an_older_version_that_ends_before_it_begins_leaves_no_trace_in_its_queue(
    jobs: Jobs, settings: Settings, keyspace: Keyspace, end: str
) -> None:
    older = queued_by_older(jobs, settings)
    ways: dict[str, Callable[[], object]] = {
        "cancel": lambda: jobs.cancel(older),
        "erase": lambda: keyspace.run("erase", older, 0, 60, 0),
        "expire": lambda: (keyspace.redis.hset(keyspace.key(f"job:{older}"), "start_by", 1), jobs.expire(older)),
    }
    ways[end]()
    assert jobs.begin(older, "w1") is None
    assert jobs.begin(AUTO, "w1") is None
    assert not [name for name in keys(settings) if "segment.auto" in name]
