"""What is counted of tenants equals what their jobs are, after any sequence of changes that hypothesis generates."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from configs.settings import Settings
from tests.support import orders, protocol
from tests.support.protocol import BROKEN, PICTURE
from worker.job import usage
from worker.job.jobs import Jobs
from worker.job.record import Job, Status
from worker.job.usage import Counts, Usage, Work
from worker.store import queue, tenant
from worker.store.keyspace import Keyspace, flat

OWNERS = ("default", "acme")
sizes = st.integers(0, 1000)


def one_of(ids: Iterable[str], which: int) -> str:
    """Return one of the last four ids."""
    last = list(ids)[-4:]
    return last[which % len(last)]


class Tenants(RuleBasedStateMachine):
    """Two tenants whose jobs store images, requests and results. `corner` has a key prefix of its own in Valkey."""

    corner: Settings

    def __init__(self) -> None:
        super().__init__()
        prefix = f"{self.corner.redis_prefix}{uuid.uuid4().hex[:6]}:"
        self.settings = self.corner.model_copy(update={"redis_prefix": prefix, "retry_delay_seconds": 0})
        self.keyspace = Keyspace.open(self.settings)
        self.jobs = Jobs(self.keyspace, queue.create(self.settings), self.settings)
        self.stored: dict[str, int] = {}  # by id, of the jobs that were not erased
        self.running: dict[str, Job] = {}
        self.counted = {owner: Counts() for owner in OWNERS}
        self.seen: dict[str, Status] = {}

    @rule(owner=st.sampled_from(OWNERS), size=sizes)
    def accept(self, owner: str, size: int) -> None:
        job_id = tenant.owned(owner, str(uuid.uuid4()))
        request = protocol.request()
        assert self.jobs.accept(job_id, request, b"", None, size).is_new
        self.stored[job_id] = size + len(request.model_dump_json())
        self.count(job_id, accepted=1)

    @rule()
    def begin(self) -> None:
        if (job := self.jobs.begin(protocol.AUTO, "w")) is not None:
            self.running[job.id] = job

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 3), size=sizes, how=st.sampled_from(["succeed", "fail", "retry_later", "hand_back"]))
    def end(self, which: int, size: int, how: str) -> None:
        job = self.running.pop(one_of(self.running, which))
        if how == "succeed":
            self.jobs.succeed(job, PICTURE, {}, 1, work=Work(3, 1, 1.5, size))
            self.stored[job.id] += size
            self.count(job.id, prompts=3, encodes=1, network_ms=1.5)
            assert self.jobs.succeed(job, PICTURE, {}, 1, work=Work(3, 1, 1.5, size)) == ""  # counts nothing again
        elif how == "fail":
            self.jobs.fail(job, BROKEN)
        elif how == "retry_later":
            self.jobs.retry_later(job, BROKEN)
        else:
            self.jobs.hand_back(job)

    @precondition(lambda self: self.stored)
    @rule(which=st.integers(0, 3))
    def cancel(self, which: int) -> None:
        self.jobs.cancel(one_of(self.stored, which))

    @precondition(lambda self: self.stored)
    @rule(which=st.integers(0, 3))
    def erase(self, which: int) -> None:
        job_id = one_of(self.stored, which)
        self.note_ends()
        if self.keyspace.run("erase", job_id, 0, 60, 0) != Status.RUNNING:
            del self.stored[job_id]
            assert self.keyspace.run("erase", job_id, 0, 60, 1) == "lost"  # again, as after a crash

    @rule()
    def lose_redis_and_recover(self) -> None:
        """Recovery restores every job that was not erased; here none had been running."""
        self.note_ends()
        redis, key = self.keyspace.redis, self.keyspace.key
        if self.running:
            return
        records = {job_id: redis.hgetall(key(f"job:{job_id}")) for job_id in self.stored}
        lost = set(self.seen) - set(self.stored)
        redis.delete(key("nothing"), *redis.keys(key("*")))
        self.counted = {owner: Counts() for owner in OWNERS}
        self.seen = {job_id: status for job_id, status in self.seen.items() if job_id not in lost}
        for job_id, record in records.items():
            assert self.keyspace.run("restore", job_id, "a permit", 0, 0, *flat(record))
            assert self.keyspace.run("restore", job_id, "a permit", 0, 0, *flat(record)) == ""
            self.count(job_id, accepted=1)
            if (status := self.seen.get(job_id)) is not None:
                self.count(job_id, **{status: 1})
            if "work" in record:
                self.count(job_id, prompts=3, encodes=1, network_ms=1.5)

    @invariant()
    def stored_bytes_are_the_sum_over_the_jobs(self) -> None:
        for owner in OWNERS:
            of_owner = [job_id for job_id in self.stored if tenant.of(job_id) == owner]
            records = [self.keyspace.redis.hgetall(self.keyspace.key(f"job:{job_id}")) for job_id in of_owner]
            sums = [int(each.get("input_bytes", 0)) + int(each.get("output_bytes", 0)) for each in records]
            assert sums == [self.stored[job_id] for job_id in of_owner]
            assert self.usage(owner).stored_bytes == sum(sums)

    @invariant()
    def the_counters_are_what_happened(self) -> None:
        self.note_ends()
        for owner in OWNERS:
            found = self.usage(owner)
            assert found.total == self.counted[owner]
            statuses = Counter(self.status(job_id) for job_id in self.stored if tenant.of(job_id) == owner)
            assert (found.queued_jobs, found.running_jobs) == (statuses[Status.QUEUED], statuses[Status.RUNNING])

    def note_ends(self) -> None:
        for job_id in self.stored:
            status = self.status(job_id)
            if status.is_terminal and job_id not in self.seen:
                self.seen[job_id] = status
                self.count(job_id, **{status: 1})

    def status(self, job_id: str) -> Status:
        job = self.jobs.get(job_id)
        assert job is not None
        return job.status

    def usage(self, owner: str) -> Usage:
        return usage.read(self.keyspace, owner, usage.today() - timedelta(days=1), usage.today())

    def count(self, job_id: str, **amounts: float) -> None:
        owner = tenant.of(job_id)
        before = self.counted[owner]
        changes = {name: getattr(before, name) + amount for name, amount in amounts.items()}
        self.counted[owner] = replace(before, **changes)

    def teardown(self) -> None:
        self.keyspace.redis.close()


def test_usage_and_stored_bytes_are_exact_in_any_order_of_changes(settings: Settings) -> None:
    class TenantsInCorner(Tenants):
        corner = settings

    run_state_machine_as_test(
        TenantsInCorner,
        settings=hypothesis_settings(max_examples=orders.count(40), stateful_step_count=30, deadline=None),
    )
