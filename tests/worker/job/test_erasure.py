"""Erased jobs are gone from Redis and from storage; on real servers."""

from __future__ import annotations

import pytest

from configs.settings import Settings
from tests.support import protocol
from tests.support.protocol import AUTO, BROKEN, HOOK, accept, begin, keys, let_time_pass, request
from worker.job.erasure import Erasure
from worker.job.idempotency import Once
from worker.job.jobs import Jobs
from worker.job.outcome import Outcome
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage


@pytest.fixture
def storage(s3_settings: Settings) -> Storage:
    return Storage(s3_settings)


@pytest.fixture
def erasure(keyspace: Keyspace, s3_settings: Settings, storage: Storage) -> Erasure:
    return protocol.erasure_of(keyspace, s3_settings, storage)


def store(storage: Storage, *names: str) -> None:
    for name in names:
        storage.put(name, b"x", "text/plain")


def stored(storage: Storage, prefix: str) -> list[str]:
    return list(storage.list(prefix))


def ended(jobs: Jobs) -> str:
    job = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.fail(job, BROKEN)
    return job.id


def test_a_final_job_is_erased_with_its_event_and_the_files_of_all_attempts(
    jobs: Jobs, erasure: Erasure, storage: Storage, settings: Settings
) -> None:
    job_id = ended(jobs)
    store(storage, f"jobs/{job_id}/input", f"jobs/{job_id}/1/result.json", f"jobs/{job_id}/2/masks/0000.png")
    store(storage, f"jobs/{job_id}x/input")  # a file of another job
    assert erasure.erase(job_id) == "failed"
    assert jobs.get(job_id) is None
    assert stored(storage, f"jobs/{job_id}") == [f"jobs/{job_id}x/input"]
    messages = {"q:segment.auto", "q:webhook"}  # they have no effect any more
    assert keys(settings) == {*messages, f"erased:{job_id}", "counts", "usage"}
    assert erasure.erase(job_id) == ""


def test_a_queued_job_is_erased_and_never_starts(jobs: Jobs, erasure: Erasure, settings: Settings) -> None:
    job_id = accept(jobs)
    assert erasure.erase(job_id) == "queued"
    assert jobs.begin(AUTO, "w1") is None
    assert keys(settings) == {f"erased:{job_id}", "usage"}


def test_a_repeated_submission_does_not_bring_back_an_erased_job(jobs: Jobs, erasure: Erasure) -> None:
    by_key, by_id = Once("/key", "f"), Once(None, "f")
    jobs.accept("first", request(), b"", by_key)
    jobs.accept("mine", request(), b"", by_id)
    for job_id in ("first", "mine"):
        erasure.erase(job_id)
    assert jobs.accept("second", request(), b"", by_key) == Outcome(None, refusal="erased")
    assert jobs.accept("mine", request(), b"", by_id) == Outcome(None, refusal="erased")


def test_a_running_job_is_not_erased(jobs: Jobs, erasure: Erasure, storage: Storage) -> None:
    job = begin(jobs, accept(jobs))
    store(storage, f"jobs/{job.id}/input")
    assert erasure.erase(job.id) == "running"
    assert jobs.get(job.id) == job
    assert stored(storage, f"jobs/{job.id}/") != []


def test_files_are_erased_later_if_storage_was_unreachable(
    jobs: Jobs, erasure: Erasure, storage: Storage, s3_settings: Settings
) -> None:
    job_id = ended(jobs)
    store(storage, f"jobs/{job_id}/input")
    unreachable = s3_settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    with Keyspace.open(s3_settings) as keyspace:
        assert protocol.erasure_of(keyspace, s3_settings, Storage(unreachable)).erase(job_id) == "failed"
    assert jobs.get(job_id) is None
    erasure.sweep()
    assert stored(storage, f"jobs/{job_id}/") != []  # the process that erased the record may still be deleting them
    let_time_pass(s3_settings, "erasing", 60)
    erasure.sweep()
    assert stored(storage, f"jobs/{job_id}/") == []
    assert "erasing" not in keys(s3_settings)


def test_an_ended_job_is_kept_for_the_retention_time_and_then_erased(
    jobs: Jobs, erasure: Erasure, storage: Storage, s3_settings: Settings
) -> None:
    old, waiting, running = ended(jobs), accept(jobs), begin(jobs, accept(jobs)).id
    for job_id in (old, waiting, running):
        store(storage, f"jobs/{job_id}/input")
    let_time_pass(s3_settings, "ended", s3_settings.retention_seconds - 3600)
    erasure.sweep()
    assert jobs.get(old) is not None
    let_time_pass(s3_settings, "ended", 3600)
    young = ended(jobs)
    erasure.sweep()
    assert [job_id for job_id in (old, young, waiting, running) if jobs.get(job_id)] == [young, waiting, running]
    assert stored(storage, f"jobs/{old}/") == []
    assert stored(storage, f"jobs/{waiting}/") != []
    assert f"event:evt_{old}_failed" not in keys(s3_settings)


def test_one_sweep_erases_a_limited_number_of_jobs_and_the_next_one_the_rest(
    jobs: Jobs, erasure: Erasure, s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.job.erasure.ERASED_PER_SWEEP", 2)
    ids = [ended(jobs) for _ in range(3)]
    let_time_pass(s3_settings, "ended", s3_settings.retention_seconds)
    erasure.sweep()
    assert [job_id for job_id in ids if jobs.get(job_id)] == ids[2:]
    erasure.sweep()
    assert not any(jobs.get(job_id) for job_id in ids)


def test_without_a_retention_time_everything_is_kept(jobs: Jobs, storage: Storage, s3_settings: Settings) -> None:
    without_retention = s3_settings.model_copy(update={"retention_seconds": 0})
    job_id = ended(jobs)
    let_time_pass(without_retention, "ended", 1e6)
    with Keyspace.open(without_retention) as keyspace:
        protocol.erasure_of(keyspace, without_retention, storage).sweep()
    assert jobs.get(job_id) is not None


def test_more_files_are_erased_than_one_request_may_delete(storage: Storage) -> None:
    store(storage, *(f"jobs/many/1/masks/{i:04d}.png" for i in range(1001)))
    storage.delete_prefix("jobs/many/")
    assert stored(storage, "jobs/many/") == []
