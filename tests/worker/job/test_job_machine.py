"""The job protocol in any order that hypothesis generates: several workers, clients, a reaper, and time."""

from __future__ import annotations

import uuid
from typing import TypeVar

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from configs.settings import Settings
from tests.support import lines, orders, protocol
from tests.support.protocol import BROKEN, HOOK, PICTURE
from worker.job import event_type
from worker.job.event_type import EventType
from worker.job.jobs import Jobs
from worker.job.left_behind import LeftBehind
from worker.job.record import Job, Status
from worker.job.request import PRIORITIES, Priority
from worker.store import queue, tenant
from worker.store.keyspace import Keyspace
from worker.webhook.endpoint_fields import EndpointFields
from worker.webhook.endpoints import Endpoints

PASSED, FAR = 1e-6, 3600.0  # a deadline that has passed by the next call, and one that never passes here
DEADLINES: list[dict[str, float]] = [
    {},
    {"start_within_s": PASSED},
    {"start_within_s": FAR},
    {"run_within_s": PASSED},
    {"run_within_s": FAR, "start_within_s": FAR},
]
OWNERS = ("default", "acme")
IMAGES = (None, "5a", "b7")  # the digest of an image, unless the image is behind a URL
FEW = 3  # jobs at a time, so that much happens to each
one_of_the_last = st.integers(1, FEW)


T = TypeVar("T")


def last(items: list[T], which: int) -> T:
    """Return the last item (`which` 1), the one before it (2), and so on; the first item if there are fewer."""
    return items[-min(which, len(items))]


def event_of(job_id: str, what: str) -> str:
    return f"{tenant.prefix(tenant.of(job_id))}evt_{tenant.shown(job_id)}_{what}"


class Protocol(RuleBasedStateMachine):
    """Every lease has expired and every retry is due by the next call. `corner` has a key prefix of its own in Valkey.

    Jobs belong to two tenants and have any priority; some become light when a job on their image succeeds. One endpoint
    is notified of all types of events of a tenant's jobs, one of two types; each may be disabled for a while.
    """

    corner: Settings

    def __init__(self) -> None:
        super().__init__()
        prefix = f"{self.corner.redis_prefix}{uuid.uuid4().hex[:6]}:"
        hasty = {"lease_seconds": 1e-6, "lost_message_seconds": 1e-6, "retry_delay_seconds": 0}
        self.settings = self.corner.model_copy(update={"redis_prefix": prefix, **hasty})
        self.keyspace = Keyspace.open(self.settings)
        app = queue.create(self.settings)
        self.jobs = Jobs(self.keyspace, app, self.settings)
        self.left_behind = LeftBehind(self.jobs, self.keyspace, app, self.settings)
        self.endpoints = Endpoints(self.keyspace, self.settings)
        chosen: list[tuple[str, tuple[EventType, ...]]] = [
            ("default", event_type.ALL),
            ("default", ("job.started", "job.canceled")),
            ("acme", event_type.ALL),
        ]
        self.chosen_by_endpoint = {self.endpoint(owner, events): events for owner, events in chosen}
        self.disabled: set[str] = set()
        self.ids: list[str] = []
        self.attempts: list[Job] = []
        self.deadlines: dict[str, dict[str, float]] = {}
        self.canceled: set[str] = set()
        self.erased: list[str] = []
        self.ends: dict[str, Job] = {}
        self.notified: dict[str, set[str]] = {}
        self.seen: dict[str, Job] = {}

    @precondition(lambda self: len(self.ids) < FEW)
    @rule(
        deadline=st.sampled_from(DEADLINES),
        owner=st.sampled_from(OWNERS),
        priority=st.sampled_from(PRIORITIES),
        sha256=st.sampled_from(IMAGES),
    )
    def accept(self, deadline: dict[str, float], owner: str, priority: Priority, sha256: str | None) -> None:
        job_id = protocol.accept(self.jobs, owner, webhook=HOOK, priority=priority, sha256=sha256, **deadline)
        self.ids.append(job_id)
        self.deadlines[job_id] = deadline

    @precondition(lambda self: self.ids)
    @rule(which=one_of_the_last, only_light=st.booleans())
    def begin(self, which: int, only_light: bool) -> None:
        """Begin the next job, after one of them was put first if it waits."""
        protocol.put_first(self.jobs, last(self.ids, which))
        waiting = {job_id for job_id in self.members("waiting:segment.auto") if not only_light or self.is_light(job_id)}
        expired = {job_id for job_id in waiting if self.is_expired(self.job(job_id))}
        job = self.jobs.begin(protocol.AUTO, "w", only_light)
        assert (job is None) == (waiting == expired)
        if job is not None:
            assert job.id in waiting - expired
            assert job.id == last(self.ids, which) or last(self.ids, which) not in waiting - expired
            assert all(a.attempt < job.attempt for a in self.attempts if a.id == job.id)
            self.attempts.append(job)
        elif not self.members("waiting:segment.auto"):
            assert protocol.permits(self.settings) == 0

    @precondition(lambda self: self.attempts)
    @rule(which=one_of_the_last, how=st.sampled_from(["succeed", "fail", "retry_later", "hand_back", "beat"]))
    def write(self, which: int, how: str) -> None:
        job = last(self.attempts, which)
        before = self.jobs.get(job.id)
        is_current = before is not None and before.status is Status.RUNNING and before.attempt == job.attempt
        outcome = self.call_jobs(job, how)
        if not is_current:
            assert outcome in ("", "lost")
            assert self.jobs.get(job.id) == before
        elif job.id in self.canceled:
            assert outcome == Status.CANCELED
        elif self.deadlines[job.id].get("run_within_s") == PASSED:
            assert outcome == ("timeout" if how == "beat" else Status.FAILED)
        else:
            is_last = job.attempt - job.forgiven >= self.settings.max_attempts
            retried = Status.FAILED if is_last else Status.QUEUED
            ends = {"succeed": "succeeded", "fail": "failed", "retry_later": retried, "hand_back": "queued", "beat": ""}
            assert outcome == ends[how]

    def call_jobs(self, job: Job, how: str) -> str:
        if how == "beat":
            return self.jobs.beat([job]).get(job.claim, "")
        if how == "hand_back":
            return self.jobs.hand_back(job)
        if how == "succeed":
            return self.jobs.succeed(job, PICTURE, {}, 1)
        return self.jobs.fail(job, BROKEN) if how == "fail" else self.jobs.retry_later(job, BROKEN)

    @precondition(lambda self: self.ids)
    @rule(which=one_of_the_last)
    def cancel(self, which: int) -> None:
        job_id = last(self.ids, which)
        before = self.job(job_id)
        status = self.jobs.cancel(job_id)
        if before.status is Status.QUEUED:
            assert status in (Status.CANCELED, Status.EXPIRED)
        else:
            assert status == before.status
        if not before.status.is_terminal and status != Status.EXPIRED:
            self.canceled.add(job_id)

    @precondition(lambda self: self.ids)
    @rule(which=one_of_the_last)
    def erase(self, which: int) -> None:
        job_id = last(self.ids, which)
        before = self.job(job_id)
        assert self.keyspace.run("erase", job_id, 0, 60) == before.status
        if before.status is not Status.RUNNING:
            self.ids.remove(job_id)
            self.canceled.discard(job_id)
            self.erased.append(job_id)

    @rule(which=st.integers(0, 2))
    def toggle_endpoint(self, which: int) -> None:
        """Disable an endpoint, or enable it again."""
        endpoint_id = list(self.chosen_by_endpoint)[which]
        self.disabled ^= {endpoint_id}
        self.endpoints.change(endpoint_id, EndpointFields(disabled=endpoint_id in self.disabled))

    @rule()
    def expire(self) -> None:
        for job_id in self.left_behind.overdue():
            self.jobs.expire(job_id)
        assert list(self.left_behind.overdue()) == []

    @rule()
    def sweep(self) -> None:
        for found in self.left_behind.find():
            self.left_behind.requeue(found)
        for _ in self.left_behind.replace_permits():
            pass
        assert protocol.permits(self.settings) >= len(self.members("waiting:segment.auto"))

    @rule()
    def lose_messages(self) -> None:
        protocol.drop_messages(self.settings)

    @invariant()
    def every_job_is_in_the_indexes_of_its_status_only(self) -> None:
        for owner in OWNERS:
            assert self.members(f"{tenant.prefix(owner)}jobs") == {i for i in self.ids if tenant.of(i) == owner}
        for job_id in self.ids:
            job = self.job(job_id)
            of_owner = tenant.prefix(job.tenant)
            assert [s for s in Status if job_id in self.members(f"{of_owner}jobs:{s}")] == [job.status]
            assert (job_id in self.members("leases")) == (job.status is Status.RUNNING)
            queued_in = [i for i in ("waiting:segment.auto", "delayed") if job_id in self.members(i)]
            assert len(queued_in) == (1 if job.status is Status.QUEUED else 0)
            assert (job_id in self.members("deadlines")) == self.has_deadline(job)
            assert (job_id in self.members("ended")) == job.status.is_terminal

    @invariant()
    def a_final_status_never_changes(self) -> None:
        for job_id in self.ids:
            job = self.job(job_id)
            if job.status.is_terminal:
                assert self.ends.setdefault(job_id, job) == job
                assert (job.files_prefix is not None) == (job.status is Status.SUCCEEDED)

    @invariant()
    def each_change_is_notified_once_to_each_endpoint_that_was_enabled_then(self) -> None:
        for job_id in self.ids:
            notified, before, job = self.notified.setdefault(job_id, set()), self.seen.get(job_id), self.job(job_id)
            happened = ["started"] if job.attempt and not (before and before.attempt) else []
            if job.status.is_terminal and not (before and before.status.is_terminal):
                happened.append(job.status)
                notified.add(event_of(job_id, job.status))
            for endpoint_id, chosen in self.chosen_by_endpoint.items():
                if endpoint_id not in self.disabled and tenant.of(endpoint_id) == tenant.of(job_id):
                    sent = [what for what in happened if f"job.{what}" in chosen]
                    notified |= {f"{event_of(job_id, what)}_{tenant.shown(endpoint_id)}" for what in sent}
            self.seen[job_id] = job
            redis, key = self.keyspace.redis, self.keyspace.key
            assert sorted(redis.lrange(key(f"told:{job_id}"), 0, -1)) == sorted(notified)
            assert set(redis.keys(key(f"event:{event_of(job_id, '*')}"))) == {key(f"event:{e}") for e in notified}

    @invariant()
    def a_canceled_job_ends_as_canceled_and_is_not_queued_again(self) -> None:
        for job_id in self.canceled:
            assert self.job(job_id).status in (Status.RUNNING, Status.CANCELED)

    @invariant()
    def only_the_files_of_an_erased_job_are_left(self) -> None:
        for job_id in self.erased:
            indexes = ["jobs", "ended", "leases", "delayed", "deadlines", "waiting:segment.auto", "events:due"]
            indexes += ["unarchived", "acme.jobs"]
            indexes += [f"{tenant.prefix(owner)}jobs:{status}" for status in Status for owner in OWNERS]
            assert not any(job_id in member for index in indexes for member in self.members(index))
            named = self.keyspace.redis.keys(f"*{tenant.shown(job_id)}*")
            left = [key.removeprefix(self.keyspace.prefix) for key in named]
            assert left == [f"erased:{job_id}"]
            assert job_id in self.members("erasing")

    @invariant()
    def only_jobs_that_exceeded_a_deadline_expire_or_time_out(self) -> None:
        for job_id in self.ids:
            job = self.job(job_id)
            if job.status is Status.EXPIRED:
                assert job.attempt == 0
                assert self.deadlines[job_id]["start_within_s"] == PASSED
            if job.error is not None and job.error.code == "timeout":
                assert self.deadlines[job_id]["run_within_s"] == PASSED

    @invariant()
    def waiting_jobs_are_in_lines_and_no_other_job_is(self) -> None:
        lines.check(self.keyspace)

    def is_light(self, job_id: str) -> bool:
        return str(self.keyspace.redis.hget(self.keyspace.key(f"job:{job_id}"), "lane")).endswith(".light")

    def is_expired(self, job: Job) -> bool:
        return job.attempt == 0 and self.deadlines[job.id].get("start_within_s") == PASSED

    def has_deadline(self, job: Job) -> bool:
        if job.status is Status.QUEUED:
            return job.attempt == 0 and "start_within_s" in self.deadlines[job.id]
        return job.status is Status.RUNNING and (job.id in self.canceled or "run_within_s" in self.deadlines[job.id])

    def endpoint(self, owner: str, events: tuple[EventType, ...]) -> str:
        made = self.endpoints.create(owner, EndpointFields(url=HOOK, events=events))
        assert made is not None
        return made.id

    def job(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        assert job is not None
        return job

    def members(self, index: str) -> set[str]:
        return set(self.keyspace.redis.zrange(self.keyspace.key(index), 0, -1))

    def teardown(self) -> None:
        self.keyspace.redis.close()


def test_any_order_of_transitions_keeps_records_and_indexes_consistent(settings: Settings) -> None:
    class ProtocolInCorner(Protocol):
        corner = settings

    run_state_machine_as_test(
        ProtocolInCorner,
        settings=hypothesis_settings(max_examples=orders.count(60), stateful_step_count=40, deadline=None),
    )
