"""Jobs that clients cancel or give a deadline, on a real Valkey."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from configs.settings import Settings
from tests.support.protocol import (
    AUTO,
    BROKEN,
    OF_ENDED_JOBS,
    PICTURE,
    accept,
    begin,
    drop_messages,
    expire,
    keys,
    let_deadline_pass,
    let_leases_end,
    let_time_pass,
    replace_permits,
    sweep,
)
from worker.job.jobs import Jobs
from worker.job.record import Job, Status

# The calls that end an attempt.
ENDS: list[Callable[[Jobs, Job], str]] = [
    lambda jobs, job: jobs.finish_as_decided(job),
    lambda jobs, job: jobs.succeed(job, PICTURE, {}, 1),
    lambda jobs, job: jobs.fail(job, BROKEN),
    lambda jobs, job: jobs.retry_later(job, BROKEN),
]

# Canceling


def delayed(jobs: Jobs) -> str:
    job_id = accept(jobs)
    jobs.retry_later(begin(jobs, job_id), BROKEN)
    return job_id


@pytest.mark.parametrize("waiting", [accept, delayed])
def test_a_waiting_job_is_canceled_immediately(jobs: Jobs, settings: Settings, waiting: Callable[[Jobs], str]) -> None:
    job_id = waiting(jobs)
    assert jobs.cancel(job_id) == "canceled"
    job = jobs.get(job_id)
    assert job is not None
    assert job.status is Status.CANCELED
    assert job.completed_at is not None
    assert keys(settings) == {f"job:{job_id}", "jobs:canceled", *OF_ENDED_JOBS}
    assert jobs.begin(AUTO, "w1") is None


@pytest.mark.parametrize("end", ENDS)
def test_a_running_job_ends_as_canceled_regardless_of_its_attempt(jobs: Jobs, end: Callable[[Jobs, Job], str]) -> None:
    job = begin(jobs, accept(jobs))
    assert jobs.cancel(job.id) == "running"
    assert jobs.beat([job]) == {job.claim: "canceled"}
    assert end(jobs, job) == "canceled"
    ended = jobs.get(job.id)
    assert ended is not None
    assert (ended.status, ended.files_prefix) == (Status.CANCELED, None)


def test_a_job_whose_worker_dies_after_a_cancel_request_is_not_queued_again(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    jobs.cancel(job.id)
    let_leases_end(settings)
    assert sweep(settings) == [("leases", "canceled")]
    assert "delayed" not in keys(settings)


def test_a_job_whose_worker_ignores_a_cancel_request_ends_after_a_grace_period(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    jobs.cancel(job.id)
    assert expire(jobs, settings) == []
    let_time_pass(settings, "deadlines", 60)
    assert expire(jobs, settings) == ["canceled"]
    assert jobs.beat([job]) == {job.claim: "lost"}


def test_the_first_of_several_cancel_requests_counts(jobs: Jobs) -> None:
    job = begin(jobs, accept(jobs))
    jobs.cancel(job.id)
    first = jobs.get(job.id)
    assert jobs.cancel(job.id) == "running"
    assert jobs.get(job.id) == first


def test_an_ended_or_unknown_job_cannot_be_canceled(jobs: Jobs) -> None:
    job = begin(jobs, accept(jobs))
    jobs.succeed(job, PICTURE, {}, 1)
    before = jobs.get(job.id)
    assert jobs.cancel(job.id) == "succeeded"
    assert jobs.get(job.id) == before
    assert jobs.cancel("no-such-job") == ""


# Deadlines


@pytest.mark.parametrize("who", ["worker", "reaper"])
def test_a_job_that_is_not_started_in_time_expires(jobs: Jobs, settings: Settings, who: str) -> None:
    job_id = accept(jobs, start_within_s=60)
    assert expire(jobs, settings) == []
    assert jobs.expire(job_id) == ""
    let_deadline_pass(settings, job_id)
    if who == "worker":
        assert jobs.begin(AUTO, "w1") is None
    else:
        assert expire(jobs, settings) == ["expired"]
    drop_messages(settings)
    job = jobs.get(job_id)
    assert job is not None
    assert (job.status, job.started_at, job.attempt) == (Status.EXPIRED, None, 0)
    assert keys(settings) == {f"job:{job_id}", "jobs:expired", *OF_ENDED_JOBS} - {"q:segment.auto"}


def test_only_the_first_start_has_a_deadline(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs, start_within_s=60)
    jobs.retry_later(begin(jobs, job_id), BROKEN)
    let_deadline_pass(settings, job_id)
    assert expire(jobs, settings) == []
    assert begin(jobs, job_id).attempt == 2


def test_replacing_a_permit_does_not_remove_the_deadline(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs, start_within_s=60)
    drop_messages(settings)
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert replace_permits(settings) == {AUTO: 1}
    let_deadline_pass(settings, job_id)
    assert expire(jobs, settings) == ["expired"]


def test_an_attempt_that_runs_too_long_fails_its_job_for_good(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs, run_within_s=60))
    assert jobs.beat([job]) == {}
    let_deadline_pass(settings, job.id)
    assert jobs.beat([job]) == {job.claim: "timeout"}
    assert expire(jobs, settings) == ["failed"]
    assert not jobs.succeed(job, PICTURE, {}, 1)  # a worker that hung is too late
    failed = jobs.get(job.id)
    assert failed is not None
    assert failed.error is not None
    assert (failed.status, failed.error.code, failed.error.field) == (
        Status.FAILED,
        "timeout",
        "deadline.run_within_s",
    )
    assert keys(settings) == {f"job:{job.id}", "jobs:failed", *OF_ENDED_JOBS}


@pytest.mark.parametrize("end", [*ENDS, lambda jobs, job: jobs.expire(job.id)])
def test_after_its_deadline_an_attempt_can_only_time_out(
    jobs: Jobs, settings: Settings, end: Callable[[Jobs, Job], str]
) -> None:
    job = begin(jobs, accept(jobs, run_within_s=60))
    let_deadline_pass(settings, job.id)
    assert end(jobs, job) == "failed"
    failed = jobs.get(job.id)
    assert failed is not None
    assert failed.error is not None
    assert (failed.error.code, failed.files_prefix) == ("timeout", None)


def test_each_attempt_has_its_own_time_to_run(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs, run_within_s=60)
    jobs.retry_later(begin(jobs, job_id), BROKEN)
    let_deadline_pass(settings, job_id)
    assert expire(jobs, settings) == []  # no attempt is running
    job = begin(jobs, job_id)
    assert jobs.beat([job]) == {}
    assert jobs.succeed(job, PICTURE, {}, 1) == "succeeded"


def test_a_cancel_request_takes_precedence_over_a_deadline(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs, run_within_s=60))
    jobs.cancel(job.id)
    let_deadline_pass(settings, job.id)
    assert expire(jobs, settings) == ["canceled"]
