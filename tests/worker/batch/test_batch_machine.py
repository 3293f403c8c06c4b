"""The counts of a batch are those of its jobs after any order of changes, crashes of the feeder among them."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from tests.support import orders, protocol
from worker.batch.batch import Batch
from worker.batch.batches import Added
from worker.batch.feeder import Feeder
from worker.batch.item import Item, job_id_of
from worker.job.record import Job, Status
from worker.services import Services

NAMES = "abcdefgh"
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "seal", "feed", "feed", "crash", "begin", "begin", "succeed", "succeed"])
        | st.sampled_from(["fail", "retry", "hand back", "die", "cancel job", "erase job", "cancel"]),
        st.sets(st.sampled_from(NAMES), min_size=1, max_size=4),
    ),
    min_size=10,
    max_size=40,
)
NUMBERS = itertools.count()


class Machine:
    """A batch, and what must be true of it."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.id = f"acme.batch-{next(NUMBERS)}"
        self.items: set[str] = set()
        self.erased: set[str] = set()
        self.running: dict[str, Job] = {}
        services.batches.create(self.id)

    @property
    def batch(self) -> Batch:
        found = self.services.batches.get(self.id)
        assert found is not None
        return found

    def act(self, what: str, names: set[str]) -> None:
        services, jobs = self.services, self.services.jobs
        some = [job_id_of(self.id, name) for name in sorted(names)]
        held = self.running.get(some[0])
        if what == "add":
            self._add(sorted(names))
        elif what == "seal":
            services.batches.seal(self.id)
        elif what == "feed":
            services.feeder.look(self.id)
        elif what == "crash":  # after the jobs are made, before this is noted
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Feeder, "_fed", lambda *args, **kwargs: None)
                services.feeder.look(self.id)
        elif what == "begin":
            if (job := jobs.begin(protocol.AUTO, "w1")) is not None:
                self.running[job.id] = job
        elif what == "succeed" and held:
            jobs.succeed(held, protocol.PICTURE, {}, 1)
        elif what == "fail" and held:
            jobs.fail(held, protocol.BROKEN)
        elif what == "retry" and held:
            jobs.retry_later(held, protocol.BROKEN)
        elif what == "hand back" and held:
            jobs.hand_back(held)
        elif what == "die":
            protocol.let_leases_end(services.settings)
            protocol.sweep(services.settings)
        elif what == "cancel job":
            jobs.cancel(some[0])
        elif what == "erase job":
            if services.erasure.erase(some[0]) not in ("", "running"):
                self.erased.add(some[0])
        elif what == "cancel":
            services.batches.cancel(self.id)

    def _add(self, names: list[str]) -> None:
        items = [Item(name, protocol.request(priority="bulk")) for name in names]
        if self.batch.canceled_at is not None:
            with pytest.raises(OvsegError, match="was canceled"):
                self.services.batches.add(self.id, items)
            return
        added = self.services.batches.add(self.id, items)
        assert added == [Added.KNOWN if name in self.items else Added.NEW for name in names]
        self.items |= set(names)

    def check(self) -> None:
        batch, counts = self.batch, self.batch.counts
        statuses: Counter[str] = Counter()
        opened = set()
        for name in self.items:
            job = self.services.jobs.get(job_id_of(self.id, name))
            if job is not None:
                statuses[job.status] += 1
                assert (job.batch, job.item) == (self.id, name)
                if not job.status.is_terminal:
                    opened.add(job.id)
        without = len(self.items) - sum(statuses.values()) - len(self.erased)
        statuses["deleted"] = len(self.erased)
        expected = dict(statuses)
        if batch.canceled_at is not None:
            expected["canceled"] = expected.get("canceled", 0) + without
        assert {name: count for name, count in counts.by_status.items() if count} == {
            name: count for name, count in expected.items() if count
        }
        assert counts.total == len(self.items)
        assert counts.waiting == (0 if batch.canceled_at is not None else without)
        keyspace = self.services.keyspace
        assert keyspace.redis.smembers(keyspace.key(f"batch_open:{self.id}")) == opened
        assert batch.has_ended == (batch.sealed_at is not None and counts.ended == counts.total)

    def finish(self) -> None:
        """Everything ends: each item once."""
        self.services.batches.seal(self.id)
        for _ in range(20):
            self.services.feeder.look(self.id)
            protocol.let_leases_end(self.services.settings)
            protocol.let_time_pass(self.services.settings, "delayed", 3600)
            protocol.sweep(self.services.settings)
            while (job := self.services.jobs.begin(protocol.AUTO, "w2")) is not None:
                self.services.jobs.succeed(job, protocol.PICTURE, {}, 1)
        self.check()
        assert self.batch.has_ended


def test_counts_are_those_of_the_jobs_after_any_order_of_changes(s3_settings: Settings) -> None:
    services = Services(s3_settings.model_copy(update={"sweep_seconds": 0.0, "retry_delay_seconds": 0.01}))

    @given(ACTS)
    @hypothesis_settings(max_examples=orders.count(25), deadline=None)
    def check(acts: list[tuple[str, Any]]) -> None:
        services.keyspace.redis.delete(*services.keyspace.redis.keys(services.keyspace.key("*")), "nothing")
        machine = Machine(services)
        for what, names in acts:
            machine.act(what, names)
            machine.check()
        machine.finish()

    check()


def test_a_status_of_a_job_is_a_count_of_its_batch() -> None:
    """`prelude/batches.lua` lists the final statuses by name."""
    assert {str(status) for status in Status if status.is_terminal} == {"succeeded", "failed", "canceled", "expired"}
