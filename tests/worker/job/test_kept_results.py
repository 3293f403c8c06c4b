"""A small result is kept in Redis for a while, in addition to storage."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from configs.settings import Settings
from tests.support import protocol
from tests.support.protocol import PICTURE
from worker.job import jobs as jobs_module
from worker.job import result_document
from worker.job.jobs import KEPT_RESULT_BYTES, KEPT_RESULT_SECONDS, Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage


def document(size: int = 100) -> bytes:
    """Return the document of a result, with this many bytes."""
    empty = len(json.dumps(result_document.of("a", {"masks": ""})))
    return json.dumps(result_document.of("a", {"masks": "m" * (size - empty)})).encode()


def ended(jobs: Jobs, data: bytes) -> str:
    """Return the id of a job that has succeeded with this document."""
    job = jobs.begin(protocol.accept(jobs), "w1")
    assert job is not None
    assert jobs.succeed(job, PICTURE, {}, 1, None, data) == "succeeded"
    return job.id


def kept(jobs: Jobs, job_id: str) -> str | None:
    job = jobs.get_with_result(job_id)
    assert job is not None
    return job.document


def test_a_small_result_is_read_together_with_the_record(jobs: Jobs, keyspace: Keyspace, s3_settings: Settings) -> None:
    job_id = ended(jobs, document())
    job = jobs.get_with_result(job_id)
    assert job is not None
    assert job == jobs.get(job_id)
    assert result_document.read_result(job, Storage(s3_settings)) == json.loads(document())["result"]  # not in storage
    assert 0 < keyspace.redis.ttl(keyspace.key(f"result:{job_id}")) <= KEPT_RESULT_SECONDS


def test_a_result_that_is_not_kept_any_more_is_read_from_storage(
    jobs: Jobs, keyspace: Keyspace, s3_settings: Settings
) -> None:
    job_id, storage = ended(jobs, document()), Storage(s3_settings)
    storage.put(f"jobs/{job_id}/1/result.json", document(), "application/json")
    keyspace.redis.delete(keyspace.key(f"result:{job_id}"))
    job = jobs.get_with_result(job_id)
    assert job is not None
    assert job.document is None
    assert result_document.read_result(job, storage) == json.loads(document())["result"]


def test_a_large_result_is_not_kept(jobs: Jobs) -> None:
    assert kept(jobs, ended(jobs, document(KEPT_RESULT_BYTES))) is not None
    assert kept(jobs, ended(jobs, document(KEPT_RESULT_BYTES + 1))) is None


def test_the_oldest_results_make_room_for_a_new_one(
    keyspace: Keyspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "MEGABYTE", 1000)
    small = settings.model_copy(update={"kept_results_megabytes": 1})
    jobs = Jobs(keyspace, queue.create(small), small)
    ids = [ended(jobs, document(size)) for size in (300, 300, 400, 301)]  # the first one alone leaves one byte too few
    assert [kept(jobs, job_id) is not None for job_id in ids] == [False, False, True, True]
    assert keyspace.redis.get(keyspace.key("result_bytes")) == "701"
    assert kept(jobs, ended(jobs, document(1001))) is None
    last = ended(jobs, document(1000))
    assert kept(jobs, last) is not None
    assert keyspace.redis.lrange(keyspace.key("results"), 0, -1) == [f"1000 {last}"]


def test_no_result_is_kept_without_memory_for_results(keyspace: Keyspace, settings: Settings) -> None:
    without = settings.model_copy(update={"kept_results_megabytes": 0})
    jobs = Jobs(keyspace, queue.create(without), without)
    assert kept(jobs, ended(jobs, document())) is None


@pytest.mark.parametrize(
    "end",
    [
        lambda jobs, job: jobs.cancel(job.id),
        lambda jobs, job: jobs.hand_back(job) and jobs.begin(job.id, "w2"),
    ],
)
def test_the_result_of_a_canceled_or_stale_attempt_is_not_kept(
    jobs: Jobs, keyspace: Keyspace, end: Callable[..., object]
) -> None:
    job = jobs.begin(protocol.accept(jobs), "w1")
    assert job is not None
    end(jobs, job)
    assert jobs.succeed(job, PICTURE, {}, 1, None, document()) != "succeeded"
    assert kept(jobs, job.id) is None


def test_a_kept_result_is_erased_with_its_job(jobs: Jobs, keyspace: Keyspace) -> None:
    job_id = ended(jobs, document())
    keyspace.run("erase", job_id, 0, 60, 0)
    assert keyspace.redis.get(keyspace.key(f"result:{job_id}")) is None
