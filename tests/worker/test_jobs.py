"""The job protocol, on a real Valkey: who may move a job, and when."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from configs.settings import Settings
from ovseg_core.prompts import Prompt
from worker import queue, reaper
from worker.connection import connect
from worker.events import Events
from worker.job import Job, JobError, Status
from worker.jobs import Jobs
from worker.request import ImageSource, JobRequest, Webhook

BROKEN = JobError("internal_error", "it broke")
PICTURE = {"width": 4, "height": 4, "format": "PNG"}


def request(device: str = "auto", webhook: str | None = None) -> JobRequest:
    return JobRequest(
        image=ImageSource(url="https://example.com/a.jpg"),
        model="SAM-Lite",
        prompts=(Prompt.of_box(1, 2, 3, 4),),
        device=device,
        outputs=("rle",),
        metadata={"mine": [1, None]},
        webhook=Webhook(url=webhook) if webhook else None,
    )


def accept(jobs: Jobs, **kwargs: str) -> str:
    return jobs.accept(str(uuid.uuid4()), request(**kwargs)).id


def begin(jobs: Jobs, job_id: str, worker: str = "w1") -> Job:
    job = jobs.begin(job_id, worker)
    assert job is not None
    return job


def messages(settings: Settings, name: str) -> list[str]:
    """The arguments of the messages in a queue, oldest first."""
    with connect(settings) as redis:
        return [queue.argument(m) for m in reversed(redis.lrange(f"{settings.redis_prefix}q:{name}", 0, -1))]


def keys(settings: Settings) -> set[str]:
    with connect(settings) as redis:
        return {key.removeprefix(settings.redis_prefix) for key in redis.keys(f"{settings.redis_prefix}*")}


def let_time_pass(settings: Settings, index: str, seconds: float) -> None:
    """What an index says happens so much sooner: nobody has to wait, and no slow machine can be too late."""
    with connect(settings) as redis:
        for member in redis.zrange(settings.redis_prefix + index, 0, -1):
            redis.zincrby(settings.redis_prefix + index, -seconds * 1_000_000, member)


def let_leases_end(settings: Settings) -> None:
    let_time_pass(settings, "leases", settings.lease_seconds)


def sweep(jobs: Jobs) -> list[tuple[str, str]]:
    return [(left.index, jobs.requeue(left)) for left in jobs.left_behind()]


# Acceptance


@pytest.mark.parametrize(("device", "name"), [("auto", "segment.auto"), ("cpu", "segment.cpu"), ("gpu", "segment.gpu")])
def test_an_accepted_job_is_on_record_and_its_message_in_the_queue_of_its_device(
    jobs: Jobs, settings: Settings, device: str, name: str
) -> None:
    job_id = accept(jobs, device=device)
    job = jobs.get(job_id)
    assert job is not None
    assert job.status is Status.QUEUED
    assert job.request == request(device)
    assert messages(settings, name) == [job_id]


def test_accepting_twice_is_accepting_once(jobs: Jobs, settings: Settings) -> None:
    """redis-py repeats a call whose answer was lost."""
    job_id = str(uuid.uuid4())
    first, second = jobs.accept(job_id, request()), jobs.accept(job_id, request())
    assert first == second
    assert messages(settings, "segment.auto") == [job_id]


def test_an_image_comes_in_with_its_job_and_goes_with_its_end(jobs: Jobs, settings: Settings) -> None:
    job_id = jobs.accept(str(uuid.uuid4()), request(), b"\xff\xd8 picture").id
    with connect(settings, as_bytes=True) as redis:
        assert redis.get(f"{settings.redis_prefix}input:{job_id}") == b"\xff\xd8 picture"
    jobs.succeed(begin(jobs, job_id), PICTURE, {})
    assert f"input:{job_id}" not in keys(settings)


# One attempt


def test_a_job_is_claimed_once(jobs: Jobs) -> None:
    job_id = accept(jobs)
    job = begin(jobs, job_id)
    assert (job.status, job.attempt, job.worker) == (Status.RUNNING, 1, "w1")
    assert jobs.begin(job_id, "w2") is None


def test_what_was_never_accepted_cannot_be_claimed(jobs: Jobs) -> None:
    assert jobs.begin("no-such-job", "w1") is None


def test_a_finished_job_leaves_nothing_behind_but_its_record(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    assert jobs.succeed(job, PICTURE, {"encode": 1.5})
    done = jobs.get(job.id)
    assert done is not None
    assert done.status is Status.SUCCEEDED
    assert done.files_prefix == f"jobs/{job.id}/1/"
    assert done.image == PICTURE
    assert done.timings_ms == {"encode": 1.5}
    assert done.accepted_at <= done.started_at <= done.completed_at  # type: ignore[operator]
    # the message is still there, as for any job that was claimed otherwise than by it
    assert keys(settings) == {f"job:{job.id}", "jobs", "jobs:succeeded", "q:segment.auto"}


def test_an_end_is_final(jobs: Jobs) -> None:
    job = begin(jobs, accept(jobs))
    assert jobs.fail(job, JobError("image_unreadable", "broken", "image"))
    assert not jobs.succeed(job, PICTURE, {})
    assert not jobs.fail(job, BROKEN)
    assert jobs.retry_later(job, BROKEN) == ""
    assert jobs.begin(job.id, "w2") is None
    failed = jobs.get(job.id)
    assert failed is not None
    assert failed.error == JobError("image_unreadable", "broken", "image")


# Leases and fencing


def test_a_beat_keeps_a_job_and_silence_loses_it(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    for _ in range(3):
        let_time_pass(settings, "leases", settings.lease_seconds * 0.6)
        assert jobs.beat([job]) == set()
        assert sweep(jobs) == []
    let_leases_end(settings)
    assert sweep(jobs) == [("leases", "queued")]
    assert jobs.beat([job]) == {job.claim}


@pytest.mark.parametrize(
    "write",
    [
        lambda jobs, job: jobs.succeed(job, PICTURE, {}),
        lambda jobs, job: jobs.fail(job, BROKEN),
        lambda jobs, job: jobs.retry_later(job, BROKEN),
    ],
)
@pytest.mark.parametrize("is_claimed_again", [False, True])
def test_a_stale_attempt_can_write_nothing(
    jobs: Jobs, settings: Settings, write: Callable[[Jobs, Job], object], is_claimed_again: bool
) -> None:
    stale = begin(jobs, accept(jobs))
    let_leases_end(settings)
    sweep(jobs)
    if is_claimed_again:
        begin(jobs, stale.id, "w2")
    before = jobs.get(stale.id)
    assert not write(jobs, stale)
    assert jobs.get(stale.id) == before


def test_a_job_that_kills_its_workers_is_given_up(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs)
    for attempt in range(1, settings.max_attempts + 1):
        assert begin(jobs, job_id).attempt == attempt
        let_leases_end(settings)
        [(index, status)] = sweep(jobs)
        assert index == "leases"
        assert status == ("queued" if attempt < settings.max_attempts else "failed")
    job = jobs.get(job_id)
    assert job is not None
    assert job.error is not None
    assert job.error.code == "worker_lost"


def test_reapers_side_by_side_put_a_job_back_once(jobs: Jobs, settings: Settings) -> None:
    job = begin(jobs, accept(jobs))
    let_leases_end(settings)
    seen_by_two = [*jobs.left_behind(), *jobs.left_behind()]
    assert sorted(jobs.requeue(left) for left in seen_by_two) == ["", "queued"]
    assert messages(settings, "segment.auto").count(job.id) == 2  # the first, and one again


# Retries


def test_our_own_failure_is_tried_again_after_a_delay_that_grows(jobs: Jobs, settings: Settings) -> None:
    job_id, delay = accept(jobs), settings.retry_delay_seconds
    for expected in (delay, 2 * delay):
        assert jobs.retry_later(begin(jobs, job_id), BROKEN) == "queued"
        let_time_pass(settings, "delayed", expected * 0.9)
        assert sweep(jobs) == []
        let_time_pass(settings, "delayed", expected * 0.1)
        assert sweep(jobs) == [("delayed", "queued")]
    assert jobs.retry_later(begin(jobs, job_id), BROKEN) == "failed"
    job = jobs.get(job_id)
    assert job is not None
    assert job.error == BROKEN


def test_a_success_after_a_failure_is_a_success(jobs: Jobs) -> None:
    job_id = accept(jobs)
    jobs.retry_later(begin(jobs, job_id), BROKEN)
    jobs.succeed(begin(jobs, job_id), PICTURE, {})
    job = jobs.get(job_id)
    assert job is not None
    assert (job.status, job.files_prefix) == (Status.SUCCEEDED, f"jobs/{job_id}/2/")


# Lost messages


def drop_messages(settings: Settings) -> None:
    with connect(settings) as redis:
        redis.delete(f"{settings.redis_prefix}q:segment.auto")


def test_a_queued_job_whose_message_vanished_is_sent_again(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs)
    drop_messages(settings)
    assert sweep(jobs) == []  # a worker may be about to claim it
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert sweep(jobs) == [("waiting:segment.auto", "queued")]
    assert messages(settings, "segment.auto") == [job_id]


def test_a_job_that_waits_long_in_its_queue_is_not_sent_again(jobs: Jobs, settings: Settings) -> None:
    waiting = [accept(jobs), accept(jobs)]
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert sweep(jobs) == []
    assert messages(settings, "segment.auto") == waiting


def test_a_message_lost_before_others_is_found_in_a_backlog(jobs: Jobs, settings: Settings) -> None:
    lost = accept(jobs)
    drop_messages(settings)
    waiting = [accept(jobs), accept(jobs)]
    let_time_pass(settings, "waiting:segment.auto", settings.lost_message_seconds)
    assert sweep(jobs) == [("waiting:segment.auto", "queued")]
    assert messages(settings, "segment.auto") == [*waiting, lost]


# Lists


def test_a_list_is_newest_first_in_pages_and_by_status(jobs: Jobs) -> None:
    ids = [accept(jobs) for _ in range(5)]
    jobs.succeed(begin(jobs, ids[1]), PICTURE, {})
    begin(jobs, ids[3])
    pages, cursor = [], None
    while True:
        page, cursor = jobs.list(None, 2, cursor)
        pages.append([job.id for job in page])
        if cursor is None:
            break
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    by_status = {status: [job.id for job in jobs.list(status, 10, None)[0]] for status in Status}
    assert by_status == {
        Status.QUEUED: [ids[4], ids[2], ids[0]],
        Status.RUNNING: [ids[3]],
        Status.SUCCEEDED: [ids[1]],
        Status.FAILED: [],
    }


def test_jobs_that_arrive_while_a_list_is_read_do_not_shift_its_pages(jobs: Jobs) -> None:
    ids = [accept(jobs) for _ in range(4)]
    first, cursor = jobs.list(None, 2, None)
    accept(jobs)
    second, _ = jobs.list(None, 2, cursor)
    assert [job.id for job in (*first, *second)] == ids[::-1]


# Events


def test_an_end_writes_its_event_in_the_same_step(jobs: Jobs, events: Events, settings: Settings) -> None:
    job = begin(jobs, accept(jobs, webhook="https://example.com/hook"))
    assert messages(settings, "webhook") == []
    jobs.succeed(job, PICTURE, {})
    [event_id] = messages(settings, "webhook")
    assert event_id == f"evt_{job.id}_succeeded"
    event = events.begin(event_id)
    assert event is not None
    assert (event.type, event.job_id, event.tries) == ("job.succeeded", job.id, 1)


def test_a_job_given_up_by_the_reaper_is_told_too(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs, webhook="https://example.com/hook")
    for _ in range(settings.max_attempts):
        begin(jobs, job_id)
        let_leases_end(settings)
        sweep(jobs)
    assert messages(settings, "webhook") == [f"evt_{job_id}_failed"]


def test_an_event_is_tried_until_it_is_delivered(jobs: Jobs, events: Events, settings: Settings) -> None:
    job = begin(jobs, accept(jobs, webhook="https://example.com/hook"))
    jobs.fail(job, BROKEN)
    event_id = f"evt_{job.id}_failed"
    first = events.begin(event_id)
    assert first is not None
    events.try_again(first, 60, "answered 500")
    assert list(events.due()) == []
    let_time_pass(settings, "events:due", 60)
    assert list(events.due()) == [event_id]
    assert events.requeue(event_id)
    assert not events.requeue(event_id)  # once, by whichever reaper comes first
    second = events.begin(event_id)
    assert second is not None
    assert (second.id, second.tries) == (first.id, 2)
    events.delivered(second, "answered 200")
    assert events.begin(event_id) is None
    assert list(events.due()) == []


def test_an_event_given_up_is_never_tried_again_but_stays_on_record(
    jobs: Jobs, events: Events, settings: Settings
) -> None:
    job = begin(jobs, accept(jobs, webhook="https://example.com/hook"))
    jobs.fail(job, BROKEN)
    event = events.begin(f"evt_{job.id}_failed")
    assert event is not None
    events.give_up(event, "answered 500")
    assert events.begin(event.id) is None
    with connect(settings) as redis:
        record = redis.hgetall(f"{settings.redis_prefix}event:{event.id}")
    assert (record["state"], record["outcome"]) == ("dead", "answered 500")


def test_one_sweep_brings_back_jobs_and_events(jobs: Jobs, events: Events, settings: Settings) -> None:
    failed = begin(jobs, accept(jobs, webhook="https://example.com/hook"))
    jobs.fail(failed, BROKEN)
    event = events.begin(f"evt_{failed.id}_failed")
    assert event is not None
    events.try_again(event, 0, "answered 500")
    lost = begin(jobs, accept(jobs))
    let_leases_end(settings)
    reaper.sweep(jobs, events)
    assert messages(settings, "webhook") == [event.id] * 2
    assert messages(settings, "segment.auto")[-1] == lost.id


# Queues


@pytest.mark.parametrize(
    ("device", "names"),
    [("cpu", ["segment.cpu", "segment.auto"]), ("gpu:3", ["segment.gpu", "segment.auto"])],
)
def test_a_worker_takes_what_its_device_can_do(device: str, names: list[str]) -> None:
    assert queue.queues_of_worker(device) == names


def test_a_message_is_what_celery_itself_would_send(settings: Settings) -> None:
    """Read back by a consumer of kombu's, from the list that a script pushed it to."""
    app = queue.create(settings)
    with connect(settings) as redis:
        redis.lpush(f"{settings.redis_prefix}q:segment.cpu", queue.message(app, queue.SEGMENT, "segment.cpu", "job-1"))
    with app.connection_for_read() as connection, connection.SimpleQueue("segment.cpu") as consumer:
        message = consumer.get(timeout=5)
        message.ack()
    arguments, _, _ = message.payload
    assert (message.headers["task"], arguments) == ("ovseg.segment", ["job-1"])


# Any order of everything


def test_any_order_of_transitions_keeps_the_books(settings: Settings) -> None:
    """Several workers, a reaper and time, in any order that hypothesis can think of."""

    class Protocol(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.settings = settings.model_copy(
                update={
                    "redis_prefix": f"{settings.redis_prefix}{uuid.uuid4().hex[:6]}:",
                    "lease_seconds": 1e-6,  # every lease has ended by the next call
                    "lost_message_seconds": 1e-6,
                    "retry_delay_seconds": 0,
                }
            )
            self.redis = connect(self.settings)
            self.jobs = Jobs(self.redis, queue.create(self.settings), self.settings)
            self.ids: list[str] = []
            self.attempts: list[Job] = []
            self.ends: dict[str, Job] = {}

        @rule()
        def accept(self) -> None:
            self.ids.append(accept(self.jobs, webhook="https://example.com/hook"))

        @rule(data=st.data())
        def begin(self, data: st.DataObject) -> None:
            if self.ids:
                job = self.jobs.begin(data.draw(st.sampled_from(self.ids)), "w")
                if job is not None:
                    assert all(a.attempt < job.attempt for a in self.attempts if a.id == job.id)
                    self.attempts.append(job)

        @rule(data=st.data(), how=st.sampled_from(["succeed", "fail", "retry_later", "beat"]))
        def write(self, data: st.DataObject, how: str) -> None:
            if not self.attempts:
                return
            job = data.draw(st.sampled_from(self.attempts))
            before = self.jobs.get(job.id)
            assert before is not None
            is_current = before.status is Status.RUNNING and before.attempt == job.attempt
            if how == "beat":
                accepted = not self.jobs.beat([job])
            elif how == "succeed":
                accepted = self.jobs.succeed(job, PICTURE, {})
            elif how == "fail":
                accepted = self.jobs.fail(job, BROKEN)
            else:
                accepted = bool(self.jobs.retry_later(job, BROKEN))
            assert accepted == is_current
            if not accepted:
                assert self.jobs.get(job.id) == before

        @rule()
        def sweep(self) -> None:
            sweep(self.jobs)

        @rule()
        def lose_messages(self) -> None:
            self.redis.delete(*[f"{self.settings.redis_prefix}q:{name}" for name in queue.QUEUE_OF_DEVICE.values()])

        @invariant()
        def every_job_is_in_one_place_and_ends_are_final(self) -> None:
            prefix = self.settings.redis_prefix

            def members(index: str) -> set[str]:
                return set(self.redis.zrange(prefix + index, 0, -1))

            assert members("jobs") == set(self.ids)
            for job_id in self.ids:
                job = self.jobs.get(job_id)
                assert job is not None
                assert [s for s in Status if job_id in members(f"jobs:{s}")] == [job.status]
                assert (job_id in members("leases")) == (job.status is Status.RUNNING)
                queued_in = [i for i in ("waiting:segment.auto", "delayed") if job_id in members(i)]
                assert len(queued_in) == (1 if job.status is Status.QUEUED else 0)
                event_ids = self.redis.keys(f"{prefix}event:evt_{job_id}_*")
                assert len(event_ids) == (1 if job.status.is_terminal else 0)
                if job.status.is_terminal:
                    assert self.ends.setdefault(job_id, job) == job

        def teardown(self) -> None:
            self.redis.close()

    run_state_machine_as_test(
        Protocol, settings=hypothesis_settings(max_examples=40, stateful_step_count=25, deadline=None)
    )


def test_a_record_is_plain_json_for_other_tools(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs)
    with connect(settings) as redis:
        record = redis.hgetall(f"{settings.redis_prefix}job:{job_id}")
    assert record["status"] == "queued"
    assert json.loads(record["request"])["metadata"] == {"mine": [1, None]}
