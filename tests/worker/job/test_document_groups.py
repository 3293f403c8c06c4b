"""Documents of several jobs in one object lose no job and keep no erased one; on real servers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from configs.settings import Settings
from tests.support.protocol import BROKEN, accept, begin, erasure_of, keys, let_time_pass, line, request
from worker.image.content import ImageSource
from worker.image.inputs import Inputs
from worker.job import document_group
from worker.job.archive import ACCEPTED, ENDED, Archive
from worker.job.erasure import Erasure
from worker.job.idempotency import Once
from worker.job.jobs import Jobs
from worker.job.recovery import Recovery
from worker.store import object_names, queue
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

HOUR = 3600.0


@pytest.fixture
def s3_settings(s3_settings: Settings) -> Iterator[Settings]:
    """All tests share the bucket's archive, so each test begins and ends with an empty one."""
    Storage(s3_settings).delete_prefix("archive/")
    yield s3_settings
    Storage(s3_settings).delete_prefix("archive/")


@pytest.fixture
def storage(s3_settings: Settings) -> Storage:
    return Storage(s3_settings)


@pytest.fixture
def archive(keyspace: Keyspace, storage: Storage) -> Archive:
    return Archive(keyspace, storage, Inputs(keyspace, storage))


@pytest.fixture
def erasure(keyspace: Keyspace, s3_settings: Settings, storage: Storage) -> Erasure:
    return erasure_of(keyspace, s3_settings, storage)


@pytest.fixture
def recovery(s3_settings: Settings, keyspace: Keyspace, storage: Storage) -> Recovery:
    return Recovery(keyspace, queue.create(s3_settings), s3_settings, storage)


def stored(storage: Storage) -> list[str]:
    """Return in which folder of the archive each object is."""
    return [key.rsplit("/", 1)[0] + "/" for key in storage.list("archive/")]


def ids_in(storage: Storage) -> set[str]:
    """Return the ids of all jobs that the archive has a document of."""
    texts = [storage.get(key).decode() for key in storage.list("archive/")]
    return {json.loads(text)["id"] for of_object in texts for text in of_object.splitlines()}


def lose_redis(settings: Settings) -> None:
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.delete(*keyspace.redis.keys(keyspace.key("*")))
    assert keys(settings) == set()


def recover(recovery: Recovery) -> list[str]:
    return [recovery.restore(lost, HOUR) for lost in recovery.lost()]


def group_of(archive: Archive, jobs: Jobs, count: int = 3) -> list[str]:
    """Accept jobs and write their documents as one object."""
    ids = sorted(accept(jobs) for _ in range(count))
    archive.keep_accepted(ids)
    return ids


def test_jobs_that_were_accepted_together_are_one_object_and_are_restored_from_it(
    jobs: Jobs, archive: Archive, storage: Storage, recovery: Recovery, s3_settings: Settings
) -> None:
    jobs.accept("mine", request(), b"", Once("/a key", "print"))
    ids = sorted(["mine", *(accept(jobs) for _ in range(3))])
    archive.keep_accepted(ids)
    assert stored(storage) == [document_group.GROUPS]
    assert "unarchived" not in keys(s3_settings)
    for loss in (1, 2):
        before = {job_id: jobs.get(job_id) for job_id in ids}
        lose_redis(s3_settings)
        assert recover(recovery) == ["queued"] * 4
        assert recover(recovery) == []
        assert line(s3_settings) == ids
        for job_id in ids:
            after, original = jobs.get(job_id), before[job_id]
            assert after is not None
            assert original is not None
            assert (after.request, after.accepted_at) == (original.request, original.accepted_at)
            assert after.attempt == loss * 1000
    assert jobs.accept("other", request(), b"", Once("/a key", "print")).job == jobs.get("mine")


def test_a_job_alone_and_the_jobs_of_another_tenant_are_in_no_common_object(
    jobs: Jobs, archive: Archive, storage: Storage
) -> None:
    owner = f"acme-{uuid.uuid4().hex[:8]}"  # other tests have stored objects of an `acme`
    alone, *others = accept(jobs), *(accept(jobs, owner) for _ in range(2))
    archive.keep_accepted([others[0], alone, others[1]])
    assert stored(storage) == [ACCEPTED, document_group.GROUPS]
    of_tenant = [key for prefix in object_names.of_tenant(f"{owner}.") for key in storage.list(prefix)]
    assert [set(document_group.read(storage, name)) for name in document_group.names(storage)] == [set(others)]
    assert of_tenant == [document_group.key_of(name) for name in document_group.names(storage)]


def test_many_jobs_are_several_objects(
    jobs: Jobs, archive: Archive, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_group, "MAX_JOBS", 2)
    ids = group_of(archive, jobs, 5)
    assert stored(storage) == [ACCEPTED, document_group.GROUPS, document_group.GROUPS]
    assert ids_in(storage) == set(ids)


def test_an_image_that_is_not_in_storage_yet_is_moved_before_its_job_is_archived(
    jobs: Jobs, archive: Archive, storage: Storage
) -> None:
    job_id = str(uuid.uuid4())
    jobs.accept(job_id, request().model_copy(update={"image": ImageSource(key=f"jobs/{job_id}/input")}), b"image", None)
    archive.keep_accepted([job_id, accept(jobs), accept(jobs)])
    assert stored(storage) == [ACCEPTED, document_group.GROUPS]
    assert storage.get(f"jobs/{job_id}/input") == b"image"


@pytest.mark.parametrize("files_later", [False, True])
def test_the_document_of_an_erased_job_is_deleted_and_the_others_are_kept(
    files_later: bool,
    jobs: Jobs,
    archive: Archive,
    storage: Storage,
    erasure: Erasure,
    recovery: Recovery,
    s3_settings: Settings,
) -> None:
    erased, *others = group_of(archive, jobs)
    begin(jobs, others[0])
    erasure.erase(erased, files_later)
    erasure.sweep()
    assert ids_in(storage) == set(others)
    assert not keys(s3_settings) & {"erasing", "erasing_groups", "unarchived"}
    lose_redis(s3_settings)
    assert recover(recovery) == ["queued", "queued"]
    assert jobs.get(erased) is None
    for job_id in others:
        erasure.erase(job_id)
    assert ids_in(storage) == set()


def test_a_group_is_deleted_without_new_documents_when_all_its_jobs_have_ended(
    jobs: Jobs, archive: Archive, storage: Storage, erasure: Erasure
) -> None:
    ids = group_of(archive, jobs)
    for job_id in ids:
        jobs.fail(begin(jobs, job_id), BROKEN)
        archive.keep(job_id)
    erasure.erase(ids[0])
    assert stored(storage) == [ENDED, ENDED]


def test_a_job_that_has_ended_and_is_not_archived_yet_is_archived_before_its_group_is_deleted(
    jobs: Jobs, archive: Archive, storage: Storage, erasure: Erasure, recovery: Recovery, s3_settings: Settings
) -> None:
    erased, other = group_of(archive, jobs, 2)
    jobs.cancel(other)
    erasure.erase(erased)
    assert stored(storage) == [ENDED]
    lose_redis(s3_settings)
    assert recover(recovery) == ["canceled"]


def test_an_ended_job_that_only_the_archive_has_is_erased_from_its_group_and_the_others_are_restored(
    jobs: Jobs, archive: Archive, storage: Storage, erasure: Erasure, recovery: Recovery, s3_settings: Settings
) -> None:
    erased, *others = group_of(archive, jobs)
    jobs.cancel(erased)
    archive.keep(erased)
    lose_redis(s3_settings)
    seen = recovery.lost()  # by a recovery that began before
    assert erasure.erase(erased) == "lost"
    assert ids_in(storage) == set(others)
    assert [recovery.restore(lost, HOUR) for lost in seen] == ["queued", "queued", ""]


def test_a_late_recovery_brings_back_no_job_that_was_restored_and_erased_meanwhile(
    jobs: Jobs, archive: Archive, storage: Storage, erasure: Erasure, recovery: Recovery, s3_settings: Settings
) -> None:
    erased, *others = group_of(archive, jobs)
    lose_redis(s3_settings)
    late = recovery.lost()
    assert recovery.restore(late[1], HOUR) == "queued"  # reads the group
    assert recover(recovery) == ["queued", "queued"]
    assert erasure.erase(erased) == "queued"
    assert [recovery.restore(lost, HOUR) for lost in late] == ["", "", ""]
    assert ids_in(storage) == set(others)


def test_a_job_that_is_erased_while_its_group_is_written_is_not_in_the_archive(
    jobs: Jobs, archive: Archive, storage: Storage, erasure: Erasure, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [accept(jobs) for _ in range(3)]
    put = storage.put

    def erased_just_before(key: str, data: bytes, content_type: str) -> None:
        monkeypatch.undo()
        erasure.erase(ids[0])
        put(key, data, content_type)

    monkeypatch.setattr(storage, "put", erased_just_before)
    archive.keep_accepted(ids)
    assert ids_in(storage) == set(ids[1:])


def test_a_process_that_dies_while_it_dissolves_a_group_loses_no_job(
    jobs: Jobs,
    archive: Archive,
    storage: Storage,
    recovery: Recovery,
    keyspace: Keyspace,
    s3_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    erased, *others = group_of(archive, jobs)

    def dying(key: str, data: bytes, content_type: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(storage, "put", dying)
    erasure = erasure_of(keyspace, s3_settings, storage)
    assert erasure.erase(erased) == "queued"
    monkeypatch.undo()
    assert {"erasing", "erasing_groups"} <= keys(s3_settings)
    let_time_pass(s3_settings, "erasing", 60)
    erasure.sweep()
    assert ids_in(storage) == set(others)
    lose_redis(s3_settings)
    assert recover(recovery) == ["queued", "queued"]


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("is_tried_again", [False, True])
def test_a_gateway_that_dies_while_it_writes_a_group_loses_no_job_and_leaves_nothing(
    is_written: bool,
    is_tried_again: bool,
    jobs: Jobs,
    archive: Archive,
    storage: Storage,
    erasure: Erasure,
    s3_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put = storage.put

    def dying(key: str, data: bytes, content_type: str) -> None:
        if is_written:
            put(key, data, content_type)
        raise ConnectionError

    monkeypatch.setattr(storage, "put", dying)
    ids = group_of(archive, jobs)
    monkeypatch.undo()
    if is_tried_again:
        archive.keep_accepted(ids)  # a job is not in two groups
    else:
        let_time_pass(s3_settings, "unarchived", 5)
        archive.sweep()
    assert stored(storage) == [ACCEPTED] * 3 + [document_group.GROUPS] * is_written
    assert "unarchived" not in keys(s3_settings)
    for n, job_id in enumerate(ids, 1):
        erasure.erase(job_id)
        assert ids_in(storage) == set(ids[n:])
