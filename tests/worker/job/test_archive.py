"""The archive in object storage is enough to restore jobs after Valkey lost its keys; on real servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from configs.settings import Settings
from tests.support.protocol import (
    BROKEN,
    HOOK,
    PICTURE,
    accept,
    accepted,
    begin,
    expire,
    keys,
    let_time_pass,
    line,
    permits,
    request,
)
from tests.support.waiting import wait_until
from worker.image.content import ImageSource
from worker.image.inputs import Inputs
from worker.job import usage
from worker.job.archive import ACCEPTED, ENDED, Archive, key_of, read
from worker.job.erasure import Erasure
from worker.job.idempotency import Once
from worker.job.job_filter import JobFilter
from worker.job.jobs import Jobs
from worker.job.record import Status
from worker.job.recovery import Recovery
from worker.job.usage import Usage, Work
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.store.storage import ObjectMissing, Storage
from worker.webhook.events import Events

HOUR = 3600.0


@pytest.fixture
def s3_settings(s3_settings: Settings) -> Iterator[Settings]:
    """All tests share the bucket's archive, so each test begins and ends with an empty one."""
    clear(Storage(s3_settings))
    yield s3_settings
    clear(Storage(s3_settings))


def clear(storage: Storage) -> None:
    storage.delete_prefix("archive/")


@pytest.fixture
def storage(s3_settings: Settings) -> Storage:
    return Storage(s3_settings)


@pytest.fixture
def archive(keyspace: Keyspace, storage: Storage) -> Archive:
    return Archive(keyspace, storage, Inputs(keyspace, storage))


@pytest.fixture
def recovery(s3_settings: Settings, keyspace: Keyspace, storage: Storage) -> Recovery:
    return Recovery(keyspace, queue.create(s3_settings), s3_settings, storage)


def lose_redis(settings: Settings) -> None:
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.delete(*keyspace.redis.keys(keyspace.key("*")))
    assert keys(settings) == set()


def recover(recovery: Recovery) -> list[str]:
    return [recovery.restore(lost, HOUR) for lost in recovery.lost()]


def test_a_job_that_had_not_ended_is_queued_again_with_its_request_and_key(
    jobs: Jobs, archive: Archive, recovery: Recovery, s3_settings: Settings
) -> None:
    before = jobs.accept("mine", request(webhook=HOOK), b"", Once("/a key", "print")).job
    assert before is not None
    archive.keep("mine")
    lose_redis(s3_settings)
    assert recover(recovery) == ["queued"]
    after = jobs.get("mine")
    assert after is not None
    assert (after.status, after.request, after.accepted_at) == (Status.QUEUED, before.request, before.accepted_at)
    assert line(s3_settings) == ["mine"]
    assert permits(s3_settings) == 1
    for wanted in (JobFilter(), JobFilter(status=Status.QUEUED)):
        assert jobs.list("default", wanted, 10, None) == ([after], None)
    replayed = jobs.accept("other", request(webhook=HOOK), b"", Once("/a key", "print"))
    assert (replayed.job, replayed.is_new) == (after, False)


def test_a_worker_that_still_runs_an_old_attempt_is_not_considered_the_new_holder(
    jobs: Jobs, archive: Archive, recovery: Recovery, s3_settings: Settings
) -> None:
    for loss in (1, 2):  # Redis may be lost more than once
        if loss == 1:
            job_id = accept(jobs)
        old = begin(jobs, job_id)
        archive.keep(job_id)
        lose_redis(s3_settings)
        assert jobs.succeed(old, PICTURE, {}, 1) == ""
        assert recover(recovery) == ["queued"]
        new = begin(jobs, job_id, "w2")
        assert (new.attempt, new.attempt - new.forgiven) == (loss * 1000 + 1, 1)
        assert jobs.succeed(old, PICTURE, {}, 1) == ""
        assert jobs.retry_later(new, BROKEN) == "queued"  # as after a first attempt
    assert jobs.succeed(begin(jobs, job_id), PICTURE, {}, 1) == "succeeded"


@pytest.mark.parametrize("end", ["succeed", "fail", "cancel"])
def test_an_ended_job_is_found_in_the_archive_and_restored_but_not_repeated(
    end: str, jobs: Jobs, archive: Archive, recovery: Recovery, s3_settings: Settings
) -> None:
    job_id = accept(jobs)
    archive.keep(job_id)
    ways: dict[str, Callable[[], object]] = {
        "succeed": lambda: jobs.succeed(begin(jobs, job_id), PICTURE, {"encode": 1.0}, 1),
        "fail": lambda: jobs.fail(begin(jobs, job_id), BROKEN),
        "cancel": lambda: jobs.cancel(job_id),
    }
    ways[end]()
    archive.keep(job_id)
    before = jobs.get(job_id)
    lose_redis(s3_settings)
    assert archive.ended(job_id) == before
    assert recover(recovery) == [before.status if before else None]
    assert jobs.get(job_id) == before
    assert permits(s3_settings) == 0
    assert "ended" in keys(s3_settings)  # where the retention sweep finds it


def test_a_second_recovery_changes_nothing(
    jobs: Jobs, archive: Archive, recovery: Recovery, s3_settings: Settings
) -> None:
    done, waiting = accept(jobs), accept(jobs)
    jobs.succeed(begin(jobs, done), PICTURE, {}, 1)
    for job_id in (done, waiting):
        archive.keep(job_id)
    lose_redis(s3_settings)
    seen_by_two = recovery.lost()
    assert recover(recovery) == ["queued", "succeeded"]
    assert [recovery.restore(lost, HOUR) for lost in seen_by_two] == ["", ""]
    assert recovery.lost() == []
    assert line(s3_settings) == [waiting]
    assert permits(s3_settings) == 1


def test_a_recovery_counts_again_what_a_tenant_stores_and_used(
    jobs: Jobs, archive: Archive, recovery: Recovery, keyspace: Keyspace, s3_settings: Settings
) -> None:
    done, running = str(uuid.uuid4()), str(uuid.uuid4())
    for job_id in (done, running):
        jobs.accept(job_id, request(), b"", None, image_bytes=100)
    jobs.succeed(begin(jobs, done), PICTURE, {}, 1, work=Work(3, 1, 2.5, stored_bytes=50))
    begin(jobs, running)
    for job_id in (done, running):
        archive.keep(job_id)

    def read() -> Usage:
        return usage.read(keyspace, "default", usage.today() - timedelta(days=1), usage.today())

    before = read()
    request_bytes = len(request().model_dump_json())
    assert before.stored_bytes == 2 * (100 + request_bytes) + 50
    assert (before.total.accepted, before.total.prompts) == (2, 3)
    lose_redis(s3_settings)
    assert recover(recovery) == ["queued", "succeeded"]
    assert read() == replace(before, queued_jobs=1, running_jobs=0)


def test_a_recent_end_is_notified_again_under_the_same_id_and_an_older_one_is_not(
    jobs: Jobs, events: Events, archive: Archive, recovery: Recovery, s3_settings: Settings
) -> None:
    job_id = accept(jobs, webhook=HOOK)
    jobs.fail(begin(jobs, job_id), BROKEN)
    archive.keep(job_id)
    for seconds, due in ((HOUR, [f"evt_{job_id}_failed"]), (0.0, [])):
        lose_redis(s3_settings)
        [lost] = recovery.lost()
        assert recovery.restore(lost, seconds) == "failed"
        assert list(events.due()) == due


def test_an_image_is_in_storage_before_its_job_is_archived(
    jobs: Jobs, archive: Archive, storage: Storage, s3_settings: Settings
) -> None:
    job_id = str(uuid.uuid4())
    job_request = request().model_copy(update={"image": ImageSource(key=f"jobs/{job_id}/input")})
    accepted(jobs, job_id, job_request, b"a picture")  # its gateway dies before moving the image
    archive.sweep()
    assert not storage.exists(key_of(ACCEPTED, job_id))  # a gateway may be about to write it
    let_time_pass(s3_settings, "unarchived", 5)
    archive.sweep()
    assert storage.get(f"jobs/{job_id}/input") == b"a picture"
    assert storage.exists(key_of(ACCEPTED, job_id))
    assert not keys(s3_settings) & {"unarchived", f"input:{job_id}"}


def test_a_reaper_archives_a_job_that_no_other_process_archived(
    jobs: Jobs, archive: Archive, storage: Storage, s3_settings: Settings
) -> None:
    job_id = accept(jobs, start_within_s=1)
    archive.keep(job_id)
    let_time_pass(s3_settings, "deadlines", 1)
    with Keyspace.open(s3_settings) as keyspace:
        keyspace.redis.hset(keyspace.key(f"job:{job_id}"), "start_by", 1)
    assert expire(jobs, s3_settings) == ["expired"]
    let_time_pass(s3_settings, "unarchived", 5)
    archive.sweep()
    assert storage.exists(key_of(ENDED, job_id))
    assert "unarchived" not in keys(s3_settings)


def test_a_late_document_of_an_earlier_state_does_not_mark_an_ended_job_as_archived(
    jobs: Jobs, keyspace: Keyspace, s3_settings: Settings
) -> None:
    job_id = accept(jobs)
    jobs.cancel(job_id)
    keyspace.run("archived", 0, job_id)  # a document that was written before the cancel request
    assert "unarchived" in keys(s3_settings)


def test_a_document_is_not_written_twice(jobs: Jobs, archive: Archive, storage: Storage) -> None:
    job_id = accept(jobs)
    archive.keep(job_id)
    storage.delete([key_of(ACCEPTED, job_id)])
    archive.keep(job_id)
    assert not storage.exists(key_of(ACCEPTED, job_id))
    jobs.cancel(job_id)
    archive.keep(job_id)
    assert storage.exists(key_of(ENDED, job_id))


def test_a_job_stays_unarchived_while_storage_is_unreachable(
    jobs: Jobs, s3_settings: Settings, keyspace: Keyspace
) -> None:
    unreachable = Storage(s3_settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"}))
    archive = Archive(keyspace, unreachable, Inputs(keyspace, unreachable))
    assert not archive.try_keep(accept(jobs))
    let_time_pass(s3_settings, "unarchived", 5)
    archive.sweep()
    assert "unarchived" in keys(s3_settings)


@pytest.mark.parametrize("how", ["succeed", "fail", "retry_later"])
def test_jobs_that_attempts_end_are_archived_with_the_records_that_they_have_then(
    how: str, archive: Archive, storage: Storage, keyspace: Keyspace, s3_settings: Settings
) -> None:
    once = s3_settings.model_copy(update={"max_attempts": 1})
    jobs = Jobs(keyspace, queue.create(once), once, archive.keep_ended_soon)
    ids = [accept(jobs) for _ in range(2)]
    for job_id in ids:
        arguments = (PICTURE, {}, 1) if how == "succeed" else (BROKEN,)
        assert getattr(jobs, how)(begin(jobs, job_id), *arguments) == ("succeeded" if how == "succeed" else "failed")
    wait_until(lambda: "unarchived" not in keys(s3_settings))
    for job_id in ids:
        assert read(storage, ENDED, job_id) == keyspace.redis.hgetall(keyspace.key(f"job:{job_id}"))


def test_an_attempt_that_does_not_end_its_job_archives_nothing(keyspace: Keyspace, s3_settings: Settings) -> None:
    ended: list[str] = []
    jobs = Jobs(keyspace, queue.create(s3_settings), s3_settings, lambda job_id, record: ended.append(job_id))
    job = begin(jobs, accept(jobs))
    assert jobs.retry_later(job, BROKEN) == "queued"
    assert jobs.fail(job, BROKEN) == ""  # the attempt is stale
    assert ended == []


def test_a_job_that_is_erased_right_after_its_end_leaves_no_document(
    archive: Archive, storage: Storage, keyspace: Keyspace, s3_settings: Settings
) -> None:
    ended: list[tuple[str, Mapping[str, str]]] = []
    jobs = Jobs(keyspace, queue.create(s3_settings), s3_settings, lambda *each: ended.append(each))
    erased, kept = accept(jobs), accept(jobs)
    for job_id in (erased, kept):
        jobs.fail(begin(jobs, job_id), BROKEN)
    assert Erasure(keyspace, s3_settings, storage, archive).erase(erased) == "failed"
    for each in ended:
        archive.keep_ended_soon(*each)
    wait_until(lambda: "unarchived" not in keys(s3_settings) and list(storage.list(ENDED)) == [key_of(ENDED, kept)])


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_erased_job_is_erased_from_the_archive_too_and_cannot_be_restored(
    is_lost: bool,
    jobs: Jobs,
    archive: Archive,
    recovery: Recovery,
    storage: Storage,
    s3_settings: Settings,
    keyspace: Keyspace,
) -> None:
    job_id = accept(jobs)
    archive.keep(job_id)
    jobs.fail(begin(jobs, job_id), BROKEN)
    archive.keep(job_id)
    storage.put(f"jobs/{job_id}/input", b"x", "text/plain")
    if is_lost:
        lose_redis(s3_settings)
    seen = recovery.lost()
    erasure = Erasure(keyspace, s3_settings, storage, archive)
    assert erasure.erase(job_id) == ("lost" if is_lost else "failed")
    assert list(storage.list("archive/")) == list(storage.list(f"jobs/{job_id}/")) == []
    assert [recovery.restore(lost, HOUR) for lost in seen] == [""] * len(seen)
    assert archive.ended(job_id) is None
    assert erasure.erase(job_id) == ""


def test_a_document_written_while_its_job_is_erased_is_deleted(
    jobs: Jobs,
    archive: Archive,
    storage: Storage,
    keyspace: Keyspace,
    s3_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = accept(jobs)
    erasure = Erasure(keyspace, s3_settings, storage, archive)
    put = storage.put

    def erased_just_before(key: str, data: bytes, content_type: str) -> None:
        erasure.erase(job_id)
        put(key, data, content_type)

    monkeypatch.setattr(storage, "put", erased_just_before)
    archive.keep(job_id)
    with pytest.raises(ObjectMissing):
        storage.get(key_of(ACCEPTED, job_id))
