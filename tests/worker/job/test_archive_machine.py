"""The archive loses no job and keeps no erased one, in any order of changes and crashes that hypothesis generates."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from configs.settings import Settings
from tests.support import orders, protocol
from worker.image.inputs import Inputs
from worker.job.archive import Archive
from worker.job.jobs import Jobs
from worker.job.recovery import Recovery
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

OWNERS = ("default", "acme")


class Frail(Storage):
    """Storage whose next PUT fails, `before` or `after` the object is written, like that of a process that dies."""

    fails = ""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        fails, self.fails = self.fails, ""
        if fails != "before":
            super().put(key, data, content_type)
        if fails:
            raise ConnectionError


class Archived(RuleBasedStateMachine):
    """Two tenants, a gateway, a reaper, and a Redis that is lost. `corner` has a key prefix of its own in Valkey."""

    corner: Settings
    storage: Frail

    def __init__(self) -> None:
        super().__init__()
        self.storage.delete_prefix("archive/")
        prefix = f"{self.corner.redis_prefix}{uuid.uuid4().hex[:6]}:"
        self.settings = self.corner.model_copy(update={"redis_prefix": prefix})
        self.keyspace = Keyspace.open(self.settings)
        app = queue.create(self.settings)
        self.jobs = Jobs(self.keyspace, app, self.settings)
        self.archive = Archive(self.keyspace, self.storage, Inputs(self.keyspace, self.storage))
        self.erasure = protocol.erasure_of(self.keyspace, self.settings, self.storage)
        self.recovery = Recovery(self.keyspace, app, self.settings, self.storage)
        self.due: list[str] = []  # jobs whose documents the gateway will write
        self.live: dict[str, str] = {}  # the statuses of the jobs that were not erased
        self.erased: set[str] = set()

    @rule(owner=st.sampled_from(OWNERS), count=st.integers(1, 4), are_written=st.booleans())
    def accept(self, owner: str, count: int, are_written: bool) -> None:
        for _ in range(count):
            job_id = protocol.accept(self.jobs, owner)
            self.due.append(job_id)
            self.live[job_id] = "queued"
        if are_written:
            self.write_accepted("")

    @precondition(lambda self: self.due)
    @rule(fails=st.sampled_from(["", "before", "after"]))
    def write_accepted(self, fails: str) -> None:
        self.storage.fails = fails
        self.archive.keep_accepted(self.due)
        self.storage.fails = ""
        self.due.clear()

    @precondition(lambda self: "queued" in self.live.values())
    @rule(which=st.integers(0, 9), is_archived=st.booleans())
    def cancel(self, which: int, is_archived: bool) -> None:
        job_id = one_of((job_id for job_id, status in self.live.items() if status == "queued"), which)
        assert self.jobs.cancel(job_id) == "canceled"
        self.live[job_id] = "canceled"
        if is_archived:
            self.archive.keep(job_id)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 9), files_later=st.booleans(), fails=st.sampled_from(["", "before", "after"]))
    def erase(self, which: int, files_later: bool, fails: str) -> None:
        job_id = one_of(self.live, which)
        self.storage.fails = fails  # while its group is dissolved, if that happens now
        assert self.erasure.erase(job_id, files_later) == self.live.pop(job_id)
        self.storage.fails = ""
        self.erased.add(job_id)

    @precondition(lambda self: self.erased)
    @rule()
    def reap(self) -> None:
        self.complete()
        assert self.in_archive() == set(self.live)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 9), is_one_erased=st.booleans())
    def lose_redis_and_recover(self, which: int, is_one_erased: bool) -> None:
        """Every job is archived by then. Between the loss and the recovery, a job that has ended may be erased."""
        self.complete()
        self.keyspace.redis.delete(*self.keyspace.redis.keys(self.keyspace.key("*")))
        ended = [job_id for job_id, status in self.live.items() if status != "queued"]
        if is_one_erased and ended:
            job_id = one_of(ended, which)
            assert self.erasure.erase(job_id) == "lost"
            del self.live[job_id]
            self.erased.add(job_id)
        restored = {lost.id: self.recovery.restore(lost, 0) for lost in self.recovery.lost()}
        assert restored == self.live
        assert self.recovery.lost() == []

    def complete(self) -> None:
        """Let a reaper write all documents that are due, and delete those of erased jobs."""
        for index in ("unarchived", "erasing"):
            protocol.let_time_pass(self.settings, index, 60)
        self.archive.sweep()
        self.erasure.sweep()
        names = ("unarchived", "erasing", "erasing_groups")
        assert self.keyspace.redis.exists(*map(self.keyspace.key, names)) == 0

    def in_archive(self) -> set[str]:
        texts = "".join(self.storage.get(key).decode() for key in self.storage.list("archive/"))
        return {job_id for job_id in (*self.live, *self.erased) if f'"{job_id}"' in texts}

    def teardown(self) -> None:
        self.keyspace.redis.close()


def one_of(ids: Iterable[str], which: int) -> str:
    found = list(ids)
    return found[which % len(found)]


@pytest.fixture
def storage(s3_settings: Settings) -> Iterator[Frail]:
    storage = Frail(s3_settings)
    yield storage
    storage.delete_prefix("archive/")


def test_no_job_is_lost_and_no_erased_job_is_kept_in_any_order_of_changes(
    s3_settings: Settings, storage: Frail
) -> None:
    bucket = storage

    class ArchivedInCorner(Archived):
        corner = s3_settings
        storage = bucket

    run_state_machine_as_test(
        ArchivedInCorner,
        settings=hypothesis_settings(max_examples=orders.count(20), stateful_step_count=25, deadline=None),
    )
