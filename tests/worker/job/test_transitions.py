"""The job protocol, on a real Valkey: which attempt may change a job's status, and when."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from configs.settings import Settings
from tests.support.protocol import (
    AUTO,
    BROKEN,
    OF_ENDED_JOBS,
    PICTURE,
    accept,
    accepted,
    begin,
    keys,
    left_behind,
    let_leases_end,
    let_time_pass,
    line,
    messages,
    permits,
    request,
    sweep,
)
from worker.job.idempotency import Once
from worker.job.job_filter import JobFilter
from worker.job.jobs import Jobs
from worker.job.outcome import Outcome
from worker.job.record import Job, JobError, Status
from worker.job.request import Device
from worker.store import queue
from worker.store.clock import MICROSECONDS
from worker.store.keyspace import Keyspace

# Acceptance


@pytest.mark.parametrize(("device", "name"), [("auto", "segment.auto"), ("cpu", "segment.cpu"), ("gpu", "segment.gpu")])
def test_an_accepted_job_has_a_record_and_a_permit_in_the_queue_of_its_device(
    jobs: Jobs, settings: Settings, device: Device, name: str
) -> None:
    job_id = accept(jobs, device=device)
    job = jobs.get(job_id)
    assert job is not None
    assert job.status is Status.QUEUED
    assert job.request == request(device)
    assert messages(settings, name) == [name]
    assert line(settings, f"{name}:normal") == [job_id]


def test_repeating_an_acceptance_changes_nothing(jobs: Jobs, settings: Settings) -> None:
    """A caller may repeat a call whose answer was lost."""
    job_id = str(uuid.uuid4())
    first, second = accepted(jobs, job_id, request()), accepted(jobs, job_id, request())
    assert first == second
    assert line(settings) == [job_id]
    assert permits(settings) == 1


def test_an_image_is_accepted_with_its_job_and_stays_in_redis_until_it_is_in_storage(
    jobs: Jobs, settings: Settings
) -> None:
    job_id = accepted(jobs, str(uuid.uuid4()), request(), b"\xff\xd8 picture").id
    with Keyspace.open(settings) as keyspace:
        assert keyspace.get_bytes(f"input:{job_id}") == b"\xff\xd8 picture"
    jobs.succeed(begin(jobs, job_id), PICTURE, {}, 1)
    assert f"input:{job_id}" in keys(settings)  # another attempt at the job would need it


ONCE, OTHER = Once("me/key", "a fingerprint"), Once("me/key", "another")


def test_only_one_job_is_accepted_under_a_key(jobs: Jobs, settings: Settings) -> None:
    first = jobs.accept("first", request(), b"", ONCE)
    second = jobs.accept("second", request(), b"", ONCE)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.job == second.job
    assert line(settings) == ["first"]
    assert permits(settings) == 1
    assert jobs.accept("third", request(), b"", OTHER) == Outcome(None, refusal="other")
    assert jobs.get("second") is None
    assert jobs.get("third") is None


def test_different_clients_may_use_the_same_key(jobs: Jobs) -> None:
    assert jobs.accept("mine", request(), b"", Once("me/key", "f")).is_new
    assert jobs.accept("yours", request(), b"", Once("you/key", "g")).is_new


def test_a_key_is_remembered_for_idempotency_seconds(jobs: Jobs, settings: Settings) -> None:
    jobs.accept("first", request(), b"", ONCE)
    with Keyspace.open(settings) as keyspace:
        key = keyspace.key(f"key:{ONCE.key}")
        assert settings.idempotency_seconds - 60 < keyspace.redis.ttl(key) <= settings.idempotency_seconds
        keyspace.redis.delete(key)  # the same as if it had expired
    assert jobs.accept("second", request(), b"", ONCE).is_new


def test_only_one_job_is_accepted_under_an_id(jobs: Jobs, settings: Settings) -> None:
    same, other = Once(None, "a fingerprint"), Once(None, "another")
    assert jobs.accept("mine", request(), b"", same).is_new
    again = jobs.accept("mine", request(), b"", same)
    assert again == Outcome(jobs.get("mine"))
    assert jobs.accept("mine", request(), b"", other) == Outcome(None, refusal="other")
    assert line(settings) == ["mine"]
    assert permits(settings) == 1


# One attempt


def test_a_job_is_claimed_once(jobs: Jobs) -> None:
    job_id = accept(jobs)
    job = begin(jobs, job_id)
    assert (job.status, job.attempt, job.worker) == (Status.RUNNING, 1, "w1")
    assert jobs.begin(AUTO, "w2") is None


def test_without_a_waiting_job_there_is_nothing_to_claim(jobs: Jobs) -> None:
    accept(jobs, device="gpu")
    assert jobs.begin(AUTO, "w1") is None


def test_a_finished_job_leaves_only_its_record_and_its_place_in_lists(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    assert jobs.succeed(job, PICTURE, {"encode": 1.5}, 3)
    done = jobs.get(job.id)
    assert done is not None
    assert done.status is Status.SUCCEEDED
    assert done.files_prefix == f"jobs/{job.id}/1/"
    assert done.image == PICTURE
    assert done.timings_ms == {"encode": 1.5}
    assert (job.mask_count, done.mask_count) == (0, 3)
    assert done.started_at is not None
    assert done.completed_at is not None
    assert done.accepted_at <= done.started_at <= done.completed_at
    # The message is still in the queue, because this test claimed the job without taking the message.
    assert keys(settings) == {f"job:{job.id}", "jobs:succeeded", *OF_ENDED_JOBS}


def test_a_final_status_never_changes(jobs: Jobs) -> None:
    job = begin(jobs, accept(jobs))
    assert jobs.fail(job, JobError("image_unreadable", "broken", "image"))
    assert not jobs.succeed(job, PICTURE, {}, 1)
    assert not jobs.fail(job, BROKEN)
    assert jobs.retry_later(job, BROKEN) == ""
    assert jobs.begin(AUTO, "w2") is None
    failed = jobs.get(job.id)
    assert failed is not None
    assert failed.error == JobError("image_unreadable", "broken", "image")


# Leases and fencing


def test_a_job_is_kept_while_its_lease_is_renewed_and_lost_when_it_expires(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    for _ in range(3):
        let_time_pass(settings, "leases", settings.lease_seconds * 0.6)
        assert jobs.beat([job]) == {}
        assert sweep(settings) == []
    let_leases_end(settings)
    assert sweep(settings) == [("leases", "queued")]
    assert jobs.beat([job]) == {job.claim: "lost"}


@pytest.mark.parametrize(
    "write",
    [
        lambda jobs, job: jobs.succeed(job, PICTURE, {}, 1),
        lambda jobs, job: jobs.fail(job, BROKEN),
        lambda jobs, job: jobs.retry_later(job, BROKEN),
    ],
)
@pytest.mark.parametrize("is_claimed_again", [False, True])
def test_a_stale_attempt_can_write_nothing(
    jobs: Jobs, settings: Settings, write: Callable[[Jobs, Job], object], is_claimed_again: bool
) -> None:
    stale = begin(jobs, accept(jobs))
    let_leases_end(settings)
    sweep(settings)
    if is_claimed_again:
        begin(jobs, stale.id, "w2")
    before = jobs.get(stale.id)
    assert not write(jobs, stale)
    assert jobs.get(stale.id) == before


def test_a_job_that_kills_its_workers_fails_after_max_attempts(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs)
    for attempt in range(1, settings.max_attempts + 1):
        assert begin(jobs, job_id).attempt == attempt
        let_leases_end(settings)
        [(index, status)] = sweep(settings)
        assert index == "leases"
        assert status == ("queued" if attempt < settings.max_attempts else "failed")
    job = jobs.get(job_id)
    assert job is not None
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_two_reapers_requeue_a_job_once(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    let_leases_end(settings)
    with left_behind(settings) as search:
        seen_by_two = [*search.find(), *search.find()]
        assert sorted(search.requeue(found) for found in seen_by_two) == ["", "queued"]
    assert line(settings) == [job.id]
    assert permits(settings) == 1


# Retries


def test_an_internal_error_is_retried_after_a_delay_that_grows(jobs: Jobs, settings: Settings) -> None:
    job_id, delay = accept(jobs), settings.retry_delay_seconds
    assert settings.max_attempts == 3
    for longest in (delay, 2 * delay):
        assert jobs.retry_later(begin(jobs, job_id), BROKEN) == "queued"
        assert 0.4 * longest < pause(settings, job_id) <= longest  # a moment of the delay has passed
        assert sweep(settings) == []
        let_time_pass(settings, "delayed", longest)
        assert sweep(settings) == [("delayed", "queued")]
    assert jobs.retry_later(begin(jobs, job_id), BROKEN) == "failed"
    job = jobs.get(job_id)
    assert job is not None
    assert job.error == BROKEN


def pause(settings: Settings, job_id: str) -> float:
    """Return the seconds until the next attempt."""
    with Keyspace.open(settings) as keyspace:
        due: float = keyspace.redis.zscore(keyspace.key("delayed"), job_id)
        return (due - keyspace.now()) / MICROSECONDS


def test_the_delay_grows_to_a_limit_and_differs_from_job_to_job(settings: Settings) -> None:
    slow = settings.model_copy(update={"retry_delay_seconds": 1000.0, "retry_delay_max_seconds": 4000.0})
    slow = slow.model_copy(update={"max_attempts": 9})
    with Keyspace.open(slow) as keyspace:
        jobs = Jobs(keyspace, queue.create(slow), slow)
        ids = [accept(jobs) for _ in range(8)]
        for longest in (1000, 2000, 4000, 4000):
            for job_id in ids:
                jobs.retry_later(begin(jobs, job_id), BROKEN)
            pauses = [pause(slow, job_id) for job_id in ids]
            assert all(longest * 0.4 < seconds <= longest for seconds in pauses)
            assert max(pauses) - min(pauses) > longest * 0.01


def test_a_job_can_succeed_after_a_failed_attempt(jobs: Jobs) -> None:
    job_id = accept(jobs)
    jobs.retry_later(begin(jobs, job_id), BROKEN)
    jobs.succeed(begin(jobs, job_id), PICTURE, {}, 1)
    job = jobs.get(job_id)
    assert job is not None
    assert (job.status, job.files_prefix) == (Status.SUCCEEDED, f"jobs/{job_id}/2/")


def test_attempts_in_an_outage_do_not_count(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs)
    for n in range(settings.max_attempts + 2):
        job = begin(jobs, job_id)
        assert job.attempt == n + 1
        assert jobs.retry_later(job, BROKEN, True) == "queued"
    for status in ["queued"] * (settings.max_attempts - 1) + ["failed"]:
        assert jobs.retry_later(begin(jobs, job_id), BROKEN) == status


# Handing back


def test_a_job_that_is_handed_back_goes_to_the_front_and_the_attempt_does_not_count(
    jobs: Jobs, settings: Settings
) -> None:
    job_id = accept(jobs)
    others = [accept(jobs), accept(jobs)]
    for n in range(1, settings.max_attempts + 1):
        job = jobs.begin(AUTO, "w1")
        assert job is not None
        assert (job.id, job.attempt, job.forgiven) == (job_id, n, n - 1)
        assert jobs.hand_back(job) == "queued"
        assert line(settings) == [job_id, *others]
        assert jobs.hand_back(job) == ""
    last = begin(jobs, job_id)
    assert jobs.retry_later(last, BROKEN) == "queued"  # the first attempt that counts
    assert jobs.beat([last]) == {last.claim: "lost"}


def test_a_job_that_was_canceled_is_not_handed_back(jobs: Jobs) -> None:
    job = begin(jobs, accept(jobs))
    jobs.cancel(job.id)
    assert jobs.hand_back(job) == "canceled"


# Lists


def test_a_list_is_newest_first_in_pages_and_filtered_by_status(jobs: Jobs) -> None:
    ids = [accept(jobs) for _ in range(5)]
    jobs.succeed(begin(jobs, ids[1]), PICTURE, {}, 1)
    begin(jobs, ids[3])
    pages, cursor = [], None
    while True:
        page, cursor = jobs.list("default", JobFilter(), 2, cursor)
        pages.append([job.id for job in page])
        if cursor is None:
            break
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    by_status = {
        status: [job.id for job in jobs.list("default", JobFilter(status=status), 10, None)[0]] for status in Status
    }
    assert by_status == {
        Status.QUEUED: [ids[4], ids[2], ids[0]],
        Status.RUNNING: [ids[3]],
        Status.SUCCEEDED: [ids[1]],
        Status.FAILED: [],
        Status.CANCELED: [],
        Status.EXPIRED: [],
    }


def test_jobs_that_arrive_while_a_list_is_read_do_not_shift_its_pages(jobs: Jobs) -> None:
    ids = [accept(jobs) for _ in range(4)]
    first, cursor = jobs.list("default", JobFilter(), 2, None)
    accept(jobs)
    second, _ = jobs.list("default", JobFilter(), 2, cursor)
    assert [job.id for job in (*first, *second)] == ids[::-1]


def test_a_record_is_plain_json_for_other_tools(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs)
    with Keyspace.open(settings) as keyspace:
        record = keyspace.redis.hgetall(keyspace.key(f"job:{job_id}"))
    assert record["status"] == "queued"
    assert json.loads(record["request"])["metadata"] == {"mine": [1, None]}
