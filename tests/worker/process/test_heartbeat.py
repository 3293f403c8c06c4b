"""A worker's heartbeat, on a real Valkey."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from configs.settings import Settings
from ovseg_core.prompts import Prompt
from tests.support import protocol
from tests.support.waiting import wait_until
from worker.image.content import ImageSource
from worker.job.attempt import LeaseLost
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.process import heartbeat as beating
from worker.process import roster
from worker.process.heartbeat import Heartbeat
from worker.process.roster import Roster
from worker.store import queue
from worker.store.keyspace import Keyspace

LEASE_SECONDS = 3.0


@pytest.fixture
def brisk(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_seconds": LEASE_SECONDS})


@pytest.fixture
def jobs(keyspace: Keyspace, brisk: Settings) -> Jobs:
    return Jobs(keyspace, queue.create(brisk), brisk)


@pytest.fixture
def heartbeat(jobs: Jobs, keyspace: Keyspace, brisk: Settings) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(jobs, Roster(keyspace, brisk, "w1", "gpu:0"), brisk.beat_seconds)
    heartbeat.start()
    yield heartbeat
    heartbeat.stop()


def claimed(jobs: Jobs) -> Job:
    request = JobRequest(
        image=ImageSource(url="https://example.com/a.jpg"),
        model="SAM-Lite",
        prompts=(Prompt.of_point(1, 2),),
        device="auto",
        outputs=("rle",),
        metadata={},
        webhook=None,
    )
    return protocol.begin(jobs, protocol.accepted(jobs, str(uuid.uuid4()), request).id)


def end_lease(settings: Settings, jobs: Jobs, job: Job) -> None:
    """Requeue the job, as the reaper does if the worker has sent no heartbeat for a lease."""

    def is_requeued() -> bool:
        with Keyspace.open(settings) as keyspace:
            keyspace.redis.zadd(keyspace.key("leases"), {job.id: 1})
        return protocol.sweep(settings) == [("leases", "queued")]

    wait_until(is_requeued)  # a heartbeat may renew the lease in between


def wait_until_lost(heartbeat: Heartbeat, job: Job) -> None:
    def is_lost() -> bool:
        try:
            heartbeat.check(job)
        except LeaseLost:
            return True
        return False

    wait_until(is_lost)


def wait_for_beats(keyspace: Keyspace, count: int) -> None:
    """Wait until the heartbeat has been sent so often, as the roster shows."""
    seen = set[float | None]()
    while len(seen) <= count:
        wait_until(lambda: roster_score(keyspace) not in seen)
        seen.add(roster_score(keyspace))


def roster_score(keyspace: Keyspace) -> float | None:
    score: float | None = keyspace.redis.zscore(keyspace.key("workers"), "gpu/w1")
    return score


def test_the_lease_of_a_running_job_is_renewed(
    jobs: Jobs, heartbeat: Heartbeat, brisk: Settings, keyspace: Keyspace
) -> None:
    job = claimed(jobs)
    with heartbeat.holding(job):
        granted = lease(keyspace, job)
        wait_until(lambda: lease(keyspace, job) > granted)
        heartbeat.check(job)
    wait_for_beats(keyspace, 1)  # one that was on its way may have renewed it
    left = lease(keyspace, job)
    wait_for_beats(keyspace, 2)
    assert lease(keyspace, job) == left
    protocol.let_leases_end(brisk)
    assert protocol.sweep(brisk) == [("leases", "queued")]


def test_a_lost_lease_is_noticed(jobs: Jobs, heartbeat: Heartbeat, brisk: Settings) -> None:
    job = claimed(jobs)
    with heartbeat.holding(job):
        end_lease(brisk, jobs, job)
        wait_until_lost(heartbeat, job)


def test_a_check_before_a_short_stage_calls_redis_only_if_the_lease_was_not_renewed_recently(
    jobs: Jobs, brisk: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Keyspace.open(brisk) as keyspace:
        heartbeat = Heartbeat(jobs, Roster(keyspace, brisk, "w1", "gpu:0"), LEASE_SECONDS)
        job = claimed(jobs)
        with heartbeat.holding(job):
            granted = lease(keyspace, job)
            monkeypatch.setattr(beating, "RECENT_SECONDS", 600.0)
            heartbeat.check(job, unless_recent=True)
            assert lease(keyspace, job) == granted
            monkeypatch.setattr(beating, "RECENT_SECONDS", 0.0)
            heartbeat.check(job, unless_recent=True)
            renewed = lease(keyspace, job)
            assert renewed > granted
            monkeypatch.setattr(beating, "RECENT_SECONDS", 600.0)
            heartbeat.check(job, unless_recent=True)
            assert lease(keyspace, job) == renewed
            heartbeat.check(job)
            assert lease(keyspace, job) > renewed


def lease(keyspace: Keyspace, job: Job) -> float:
    score = keyspace.redis.zscore(keyspace.key("leases"), job.id)
    assert score is not None
    return float(score)


def test_a_process_can_hold_a_new_attempt_of_a_job_besides_a_stale_one(
    jobs: Jobs, heartbeat: Heartbeat, brisk: Settings, keyspace: Keyspace
) -> None:
    stale = claimed(jobs)
    with ExitStack() as current_hold:
        with heartbeat.holding(stale):
            end_lease(brisk, jobs, stale)
            current = protocol.begin(jobs, stale.id)
            current_hold.enter_context(heartbeat.holding(current))
            wait_until_lost(heartbeat, stale)
        wait_for_beats(keyspace, 1)
        granted = lease(keyspace, current)
        wait_until(lambda: lease(keyspace, current) > granted)  # it is renewed after the stale one has ended
        heartbeat.check(current)


def test_a_worker_is_on_the_roster_until_it_leaves(jobs: Jobs, keyspace: Keyspace, brisk: Settings) -> None:
    assert not roster.alive(keyspace)
    heartbeat = Heartbeat(jobs, Roster(keyspace, brisk, "w1", "gpu:0"), brisk.beat_seconds)
    heartbeat.start()
    wait_until(lambda: roster.alive(keyspace))
    assert roster.alive(keyspace) == {"gpu": 1}
    heartbeat.stop()
    assert not roster.alive(keyspace)


def test_a_worker_that_never_reached_redis_stops_without_a_traceback(jobs: Jobs, brisk: Settings) -> None:
    with Keyspace.open(brisk) as keyspace:
        Heartbeat(jobs, Roster(keyspace, brisk, "w3", "cpu"), LEASE_SECONDS).stop()


def test_a_worker_without_heartbeats_leaves_the_roster(brisk: Settings) -> None:
    with Keyspace.open(brisk) as keyspace:
        Roster(keyspace, brisk, "w1", "cpu").enter()
        assert roster.alive(keyspace) == {"cpu": 1}
        keyspace.redis.zadd(keyspace.key("workers"), {"cpu/w1": 1})
        assert not roster.alive(keyspace)
