"""What Redis has of ephemeral jobs, after any sequence of changes that hypothesis generates."""

from __future__ import annotations

import uuid

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from configs.settings import Settings
from tests.support import orders, protocol
from tests.support.protocol import BROKEN, PICTURE
from worker.job.jobs import Jobs
from worker.job.record import Job, Status
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.webhook.endpoints import Endpoints

LISTS = ("jobs", *(f"jobs:{status}" for status in Status), "ended", "unarchived", "erasing")
LIVE = (Status.QUEUED, Status.RUNNING)


class Ephemeral(RuleBasedStateMachine):
    """Ephemeral jobs and usual ones. `corner` has a key prefix of its own in Valkey."""

    corner: Settings

    def __init__(self) -> None:
        super().__init__()
        prefix = f"{self.corner.redis_prefix}{uuid.uuid4().hex[:6]}:"
        self.settings = self.corner.model_copy(update={"redis_prefix": prefix, "retry_delay_seconds": 0})
        self.keyspace = Keyspace.open(self.settings)
        self.jobs = Jobs(self.keyspace, queue.create(self.settings), self.settings)
        protocol.endpoint(Endpoints(self.keyspace, self.settings))
        self.images: dict[str, int] = {}  # the bytes that each ephemeral job was sent with
        self.usual: list[str] = []
        self.running: list[Job] = []

    @rule(size=st.sampled_from([0, 3, 1000]))
    def accept(self, size: int) -> None:
        job_id = str(uuid.uuid4())
        request = protocol.request(start_within_s=60).model_copy(update={"ephemeral": True})
        protocol.accepted(self.jobs, job_id, request, b"i" * size)
        self.images[job_id] = size

    @rule()
    def accept_usual(self) -> None:
        self.usual.append(protocol.accept(self.jobs))

    @rule()
    def begin(self) -> None:
        if (job := self.jobs.begin(protocol.AUTO, "w")) is not None:
            self.running.append(job)

    @precondition(lambda self: self.running)
    @rule(how=st.sampled_from(["succeed", "fail", "retry_later", "hand_back", "finish_as_decided", "lease"]))
    def end(self, how: str) -> None:
        job = self.running.pop()
        if how == "succeed":
            self.jobs.succeed(job, PICTURE, {}, 1, document=b"{}")
        elif how == "lease":
            protocol.let_leases_end(self.settings)
            protocol.sweep(self.settings)
            self.running.clear()
        else:
            getattr(self.jobs, how)(job, *([BROKEN] if how in ("fail", "retry_later") else []))

    @precondition(lambda self: self.images)
    @rule(which=st.integers(0, 3), how=st.sampled_from(["cancel", "erase", "expire"]))
    def change(self, which: int, how: str) -> None:
        job_id = list(self.images)[-1 - which % min(4, len(self.images))]
        if how == "cancel":
            self.jobs.cancel(job_id)
        elif how == "expire":
            protocol.let_deadline_pass(self.settings, job_id)
            protocol.expire(self.jobs, self.settings)
        elif self.keyspace.run("erase", job_id, 0, 60, 0) == "ephemeral":
            del self.images[job_id]
            assert not [name for name in protocol.keys(self.settings) if job_id in name]

    @invariant()
    def they_are_listed_only_while_they_live(self) -> None:
        redis, key = self.keyspace.redis, self.keyspace.key
        statuses = {job_id: redis.hget(key(f"job:{job_id}"), "status") for job_id in self.images}
        for status in Status:
            expected = {job_id for job_id, found in statuses.items() if found == status and status in LIVE}
            assert set(redis.zrange(key(f"ephemeral:{status}"), 0, -1)) == expected
        for name in LISTS:
            assert not {*redis.zrange(key(name), 0, -1)} & self.images.keys(), name
        assert {*redis.zrange(key("jobs"), 0, -1)} == set(self.usual)

    @invariant()
    def they_are_forgotten_after_their_end(self) -> None:
        redis, key = self.keyspace.redis, self.keyspace.key
        kept = 0
        for job_id, size in self.images.items():
            is_live = redis.hget(key(f"job:{job_id}"), "status") in LIVE
            assert (redis.ttl(key(f"job:{job_id}")) == -1) == is_live
            assert redis.exists(key(f"input:{job_id}")) == (is_live and size > 0)
            assert redis.ttl(key(f"result:{job_id}")) != -1
            kept += size * is_live
        assert int(redis.get(key("ephemeral_bytes")) or 0) == kept

    @invariant()
    def only_the_others_have_events(self) -> None:
        events = [name for name in protocol.keys(self.settings) if name.startswith(("event:", "told:"))]
        assert not [name for name in events for job_id in self.images if job_id in name]

    def teardown(self) -> None:
        self.keyspace.redis.close()


def test_ephemeral_jobs_leave_nothing_behind_in_any_order_of_changes(settings: Settings) -> None:
    class InCorner(Ephemeral):
        corner = settings

    run_state_machine_as_test(
        InCorner, settings=hypothesis_settings(max_examples=orders.count(20), stateful_step_count=30, deadline=None)
    )
