"""Batches survive a Redis that is lost with its data; on real servers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from configs.settings import Settings
from tests.support import protocol
from tests.support.waiting import wait_until
from worker.batch.batch import Batch
from worker.batch.batches import Added
from worker.batch.item import Item, job_id_of
from worker.batch.recovery import BatchRecovery
from worker.job.record import Job, Status
from worker.job.recovery import Recovery
from worker.services import Services


@pytest.fixture
def services(s3_settings: Settings) -> Iterator[Services]:
    services = Services(s3_settings.model_copy(update={"sweep_seconds": 0.0}))
    services.storage.delete_prefix("archive/")  # all tests share the bucket
    yield services
    services.storage.delete_prefix("archive/")


@pytest.fixture
def batch_id(services: Services) -> str:
    """A batch of six items: one has succeeded, one failed, one was erased, one runs, and two are queued."""
    batch_id = f"acme.b-{uuid.uuid4()}"
    assert services.batches.create(batch_id)
    items = [Item(name, protocol.request(priority="bulk")) for name in "abcdef"]
    assert services.batches.add(batch_id, items[:4]) == [Added.NEW] * 4
    assert services.batches.add(batch_id, items[4:]) == [Added.NEW] * 2
    services.batches.seal(batch_id)
    services.feeder.sweep()
    succeeded, failed, _ = (protocol.begin(services.jobs, job_id_of(batch_id, name)) for name in "abc")
    services.jobs.succeed(succeeded, protocol.PICTURE, {}, 1)
    services.jobs.fail(failed, protocol.BROKEN)
    services.erasure.erase(job_id_of(batch_id, "d"))
    return batch_id


def counts(services: Services, batch_id: str) -> dict[str, int]:
    found = of(services, batch_id).counts
    return {name: count for name, count in {"waiting": found.waiting, **found.by_status}.items() if count}


def of(services: Services, batch_id: str) -> Batch:
    batch = services.batches.get(batch_id)
    assert batch is not None
    return batch


def lose_redis(services: Services) -> None:
    """Lose everything in Redis, after what a running service archives."""
    for job_id, _ in services.keyspace.first("unarchived", float("inf"), 100):
        services.archive.keep(job_id)
    services.erasure.sweep()
    services.record_archive.sweep()
    services.keyspace.redis.delete(*services.keyspace.redis.keys(services.keyspace.key("*")))


def recover(services: Services) -> int:
    """Do what `ovseg recover` does. Return how many batches were restored."""
    services.record_archive.restore()
    recovery = Recovery(services.keyspace, services.app, services.settings, services.storage)
    for lost in recovery.lost():
        recovery.restore(lost, 0)
    return BatchRecovery(services.keyspace, services.storage).restore()


def run_all(services: Services) -> list[Job]:
    """Feed all batches, and end every job. Return these jobs."""
    services.feeder.sweep()
    done = []
    while (job := services.jobs.begin(protocol.AUTO, "w2")) is not None:
        services.jobs.succeed(job, protocol.PICTURE, {}, 1)
        done.append(job)
    return done


def test_items_without_an_end_get_their_jobs_again_and_no_other_is_repeated(services: Services, batch_id: str) -> None:
    assert counts(services, batch_id) == {"succeeded": 1, "failed": 1, "running": 1, "deleted": 1, "queued": 2}
    lose_redis(services)
    assert recover(services) == 1
    assert counts(services, batch_id) == {"succeeded": 1, "failed": 1, "waiting": 3, "deleted": 1}
    assert recover(services) == 0
    done = run_all(services)
    assert sorted(str(job.item) for job in done) == ["c", "e", "f"]
    assert {job.attempt for job in done} == {1001}  # a worker that still runs attempt 1 of `c` is refused
    assert of(services, batch_id).status == "completed"
    assert counts(services, batch_id) == {"succeeded": 4, "failed": 1, "deleted": 1}


def test_it_may_be_lost_twice(services: Services, batch_id: str) -> None:
    for _ in range(2):
        lose_redis(services)
        recover(services)
    assert {job.attempt for job in run_all(services)} == {2001}


def test_a_manifest_that_is_sent_again_afterwards_adds_only_what_is_new(services: Services, batch_id: str) -> None:
    lose_redis(services)
    recover(services)
    items = [Item(name, protocol.request(priority="bulk")) for name in "abcdefg"]
    assert services.batches.add(batch_id, items) == [Added.KNOWN] * 6 + [Added.NEW]
    assert sorted(str(job.item) for job in run_all(services)) == ["c", "e", "f", "g"]


def test_a_canceled_batch_makes_no_jobs(services: Services, batch_id: str) -> None:
    services.batches.cancel(batch_id)
    lose_redis(services)
    recover(services)
    assert run_all(services) == []
    assert of(services, batch_id).status == "canceled"
    assert counts(services, batch_id) == {"succeeded": 1, "failed": 1, "canceled": 3, "deleted": 1}


def test_a_completed_batch_stays_completed(services: Services, batch_id: str) -> None:
    services.jobs.cancel(job_id_of(batch_id, "c"))
    for name in "cef":
        job = services.jobs.get(job_id_of(batch_id, name))
        assert job is not None
        job = job if job.status is Status.RUNNING else protocol.begin(services.jobs, job.id)
        services.jobs.succeed(job, protocol.PICTURE, {}, 1)
    before = of(services, batch_id)
    assert before.status == "completed"
    services.erasure.erase(job_id_of(batch_id, "f"))
    lose_redis(services)
    recover(services)
    assert run_all(services) == []
    after = of(services, batch_id)
    assert (after.status, after.completed_at, after.counts.total) == ("completed", before.completed_at, 6)
    assert counts(services, batch_id) == {"succeeded": 2, "failed": 1, "canceled": 1, "deleted": 2}


def test_a_deleted_batch_is_erased_to_its_end(services: Services, batch_id: str) -> None:
    services.batches.cancel(batch_id)
    services.feeder.sweep()
    running = services.jobs.get(job_id_of(batch_id, "c"))
    assert running is not None
    services.jobs.finish_as_decided(running)
    assert services.batches.delete(batch_id) == "deleted"
    lose_redis(services)
    recover(services)
    services.feeder.sweep()
    services.erasure.sweep()
    services.record_archive.sweep()
    jobs = [job_id_of(batch_id, name) for name in "abcdef"]

    def left() -> list[str]:
        return [name for name in services.storage.list("") if batch_id in name or any(each in name for each in jobs)]

    wait_until(lambda: left() == [])  # a document that was just being written is deleted by its writer
    assert services.keyspace.redis.keys(services.keyspace.key("job:*")) == []
