"""The outbox of webhook events, on a real Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from configs.settings import Settings
from tests.support.protocol import (
    AT,
    BROKEN,
    HOOK,
    PICTURE,
    accept,
    begin,
    keys,
    left_behind,
    let_deadline_pass,
    let_leases_end,
    let_time_pass,
    line,
    messages,
    sweep,
)
from worker import reaper
from worker.job.event_type import EventType
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.webhook.delivery import Delivery
from worker.webhook.events import KEPT_DELIVERIES, Event, Events


def answered(status: int) -> Delivery:
    return Delivery(datetime.now(UTC), HOOK, status, None, 12.5, "body")


def test_the_end_of_a_job_writes_its_event_in_the_same_step(jobs: Jobs, events: Events, settings: Settings) -> None:
    job = begin(jobs, accept(jobs, webhook=HOOK))
    assert messages(settings, "webhook") == []
    jobs.succeed(job, PICTURE, {}, 1)
    [event_id] = messages(settings, "webhook")
    assert event_id == f"evt_{job.id}_succeeded"
    event = events.begin(event_id, AT)
    assert event is not None
    assert (event.type, event.job_id, event.tries) == ("job.succeeded", job.id, 1)


def test_a_job_that_the_reaper_fails_has_an_event_too(jobs: Jobs, settings: Settings) -> None:
    job_id = accept(jobs, webhook=HOOK)
    for _ in range(settings.max_attempts):
        begin(jobs, job_id)
        let_leases_end(settings)
        sweep(settings)
    assert messages(settings, "webhook") == [f"evt_{job_id}_failed"]


def test_the_next_sweep_sends_the_event_of_a_cancel(jobs: Jobs, events: Events, settings: Settings) -> None:
    job_id = accept(jobs, webhook=HOOK)
    jobs.cancel(job_id)
    assert list(events.due()) == [f"evt_{job_id}_canceled"]
    assert events.requeue(f"evt_{job_id}_canceled")
    assert messages(settings, "webhook") == [f"evt_{job_id}_canceled"]


def test_a_job_canceled_just_before_its_end_has_one_event_and_it_says_canceled(
    jobs: Jobs, events: Events, settings: Settings
) -> None:
    job = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.cancel(job.id)
    jobs.succeed(job, PICTURE, {}, 1)
    assert messages(settings, "webhook") == []
    assert list(events.due()) == [f"evt_{job.id}_canceled"]


def test_an_expired_job_and_one_that_ran_too_long_have_events(jobs: Jobs, events: Events, settings: Settings) -> None:
    waiting = accept(jobs, webhook=HOOK, start_within_s=60)
    running = begin(jobs, accept(jobs, webhook=HOOK, run_within_s=60)).id
    for job_id in (waiting, running):
        let_deadline_pass(settings, job_id)
        jobs.expire(job_id)
    assert set(events.due()) == {f"evt_{waiting}_expired", f"evt_{running}_failed"}


def test_a_start_has_one_event_if_the_webhook_chose_it(jobs: Jobs, events: Events, settings: Settings) -> None:
    job_id = accept(jobs, webhook=HOOK, events=("job.started",))
    assert list(events.due()) == []
    job = begin(jobs, job_id)
    assert list(events.due()) == [f"evt_{job_id}_started"]
    event = events.begin(f"evt_{job_id}_started", AT)
    assert event is not None
    events.delivered(event, answered(200))
    jobs.retry_later(job, BROKEN)
    let_time_pass(settings, "delayed", 3600)
    sweep(settings)
    assert begin(jobs, job_id).attempt == 2
    assert list(events.due()) == []


@pytest.mark.parametrize(("chosen", "sent"), [(("job.failed",), []), (("job.succeeded",), ["succeeded"])])
def test_only_the_chosen_types_of_events_are_sent(
    jobs: Jobs, settings: Settings, chosen: tuple[EventType, ...], sent: list[str]
) -> None:
    job = begin(jobs, accept(jobs, webhook=HOOK, events=chosen))
    jobs.succeed(job, PICTURE, {}, 1)
    assert messages(settings, "webhook") == [f"evt_{job.id}_{end}" for end in sent]


def test_a_late_failure_does_not_undo_a_delivery(jobs: Jobs, events: Events) -> None:
    """Two senders claimed the event, because the first one was considered dead."""
    job = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.fail(job, BROKEN)
    slow, quick = events.begin(f"evt_{job.id}_failed", AT), events.begin(f"evt_{job.id}_failed", AT)
    assert slow is not None
    assert quick is not None
    events.delivered(quick, answered(200))
    events.try_again(slow, 0, answered(500))
    assert list(events.due()) == []
    assert events.begin(slow.id, AT) is None


def test_a_job_without_a_webhook_has_no_event(jobs: Jobs, events: Events) -> None:
    jobs.cancel(accept(jobs))
    assert list(events.due()) == []


def test_an_event_is_tried_until_it_is_delivered(jobs: Jobs, events: Events, settings: Settings) -> None:
    job = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.fail(job, BROKEN)
    event_id = f"evt_{job.id}_failed"
    first = events.begin(event_id, AT)
    assert first is not None
    events.try_again(first, 60, answered(500))
    assert list(events.due()) == []
    let_time_pass(settings, "events:due", 60)
    assert list(events.due()) == [event_id]
    assert events.requeue(event_id)
    assert not events.requeue(event_id)  # of several reapers, only the first requeues it
    second = events.begin(event_id, AT)
    assert second is not None
    assert (second.id, second.tries) == (first.id, 2)
    events.delivered(second, answered(200))
    assert events.begin(event_id, AT) is None
    assert list(events.due()) == []


def test_an_event_that_was_given_up_is_not_tried_again_and_stays_on_record(
    jobs: Jobs, events: Events, settings: Settings
) -> None:
    job = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.fail(job, BROKEN)
    event = events.begin(f"evt_{job.id}_failed", AT)
    assert event is not None
    events.give_up(event, answered(500))
    assert events.begin(event.id, AT) is None
    with Keyspace.open(settings) as keyspace:
        record = keyspace.redis.hgetall(keyspace.key(f"event:{event.id}"))
    assert (record["state"], record["outcome"]) == ("dead", "answered 500")


def failed(jobs: Jobs) -> str:
    """The id of the event of a failed job."""
    job = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.fail(job, BROKEN)
    return f"evt_{job.id}_failed"


def begun(events: Events, event_id: str) -> Event:
    event = events.begin(event_id, AT)
    assert event is not None
    return event


def test_the_last_tries_are_kept_newest_first(jobs: Jobs, events: Events) -> None:
    event_id = failed(jobs)
    for i in range(KEPT_DELIVERIES + 3):
        events.try_again(begun(events, event_id), 60, answered(500 + i))
    history = events.get(event_id)
    assert history is not None
    assert [delivery.status for delivery in history.deliveries] == [500 + i for i in range(22, 2, -1)]
    assert history.event.tries == KEPT_DELIVERIES + 3
    assert history.next_try_at is not None


@pytest.mark.parametrize("end", [Events.delivered, Events.give_up])
def test_a_delivered_or_dead_event_can_be_redelivered_by_the_whole_schedule(
    jobs: Jobs, events: Events, settings: Settings, end: Callable[[Events, Event, Delivery], None]
) -> None:
    event_id = failed(jobs)
    end(events, begun(events, event_id), answered(200))
    assert events.redeliver(event_id)
    assert messages(settings, "webhook") == [event_id] * 2
    again = begun(events, event_id)
    assert (again.id, again.tries) == (event_id, 1)
    events.delivered(again, answered(200))
    history = events.get(event_id)
    assert history is not None
    assert (history.event.state, history.next_try_at, len(history.deliveries)) == ("delivered", None, 2)


def test_an_event_redelivered_during_its_last_try_is_tried_again(jobs: Jobs, events: Events) -> None:
    event_id = failed(jobs)
    begun(events, event_id)
    last = begun(events, event_id)
    events.redeliver(event_id)
    events.give_up(last, answered(500))
    assert begun(events, event_id).tries == 1


def test_an_unknown_event_cannot_be_redelivered(events: Events, settings: Settings) -> None:
    assert not events.redeliver("evt_none")
    assert messages(settings, "webhook") == []


def test_sweeps_requeue_lost_jobs_and_due_events(jobs: Jobs, events: Events, settings: Settings) -> None:
    failed = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.fail(failed, BROKEN)
    event = events.begin(f"evt_{failed.id}_failed", AT)
    assert event is not None
    events.try_again(event, 0, answered(500))
    lost = begin(jobs, accept(jobs))
    let_leases_end(settings)
    with left_behind(settings) as search:
        reaper.sweep(jobs, search)
    reaper.sweep_events(events)
    assert messages(settings, "webhook") == [event.id] * 2
    assert line(settings) == [lost.id]


# Places: how many tries may run at one host at a time

OTHER = "example.org:443"


def pending(jobs: Jobs, count: int) -> list[str]:
    """The ids of due events, one for each of `count` jobs."""
    ids = [accept(jobs, webhook=HOOK) for _ in range(count)]
    for job_id in ids:
        jobs.cancel(job_id)
    return [f"evt_{job_id}_canceled" for job_id in ids]


@pytest.fixture
def narrow(settings: Settings) -> Iterator[Events]:
    """Two places for each host."""
    narrow = settings.model_copy(update={"webhook_threads_per_host": 2})
    with Keyspace.open(narrow) as keyspace:
        yield Events(keyspace, queue.create(narrow), narrow)


def held(settings: Settings, host: str = AT) -> list[str]:
    with Keyspace.open(settings) as keyspace:
        return list(keyspace.redis.zrange(keyspace.key(f"held:{host}"), 0, -1))


def test_an_event_without_a_free_place_is_held_and_that_counts_as_no_try(
    jobs: Jobs, narrow: Events, settings: Settings
) -> None:
    first, second, third, fourth = pending(jobs, 4)
    one, _ = (begun(narrow, event_id) for event_id in (first, second))
    assert narrow.begin(third, AT) is None
    assert narrow.begin(fourth, OTHER) is not None  # another host has its own places
    assert held(settings) == [third]
    assert third not in list(narrow.due())
    waiting = narrow.get(third)
    assert waiting is not None
    assert (waiting.event.state, waiting.event.tries, waiting.next_try_at) == ("pending", 0, None)
    narrow.delivered(one, answered(200))
    assert messages(settings, "webhook") == [third]
    assert held(settings) == []
    assert begun(narrow, third).tries == 1


def test_a_free_place_is_kept_for_the_event_that_waited_longest(jobs: Jobs, narrow: Events) -> None:
    first, second, third, fourth = pending(jobs, 4)
    one, _ = (begun(narrow, event_id) for event_id in (first, second))
    narrow.begin(third, AT)
    narrow.delivered(one, answered(200))
    assert narrow.begin(fourth, AT) is None
    assert narrow.begin(third, AT) is not None


def test_a_silent_host_has_one_place_until_it_answers(jobs: Jobs, narrow: Events, settings: Settings) -> None:
    ids = pending(jobs, 6)
    one, two = (begun(narrow, event_id) for event_id in ids[:2])
    for event_id in ids[2:]:
        narrow.begin(event_id, AT)
    narrow.try_again(one, 60, Delivery(datetime.now(UTC), HOOK, None, "it did not answer in time", 15_000.0))
    assert messages(settings, "webhook") == []  # the other try still runs and has the only place
    narrow.delivered(two, answered(200))
    assert messages(settings, "webhook") == ids[2:4]


def test_the_place_of_a_dead_sender_becomes_free_after_its_lease(
    jobs: Jobs, narrow: Events, settings: Settings
) -> None:
    ids = pending(jobs, 3)
    for event_id in ids:
        narrow.begin(event_id, AT)
    reaper.sweep_events(narrow)
    assert messages(settings, "webhook") == []
    let_time_pass(settings, f"sending:{AT}", 3600)
    reaper.sweep_events(narrow)
    assert messages(settings, "webhook") == [ids[2]]


def test_the_place_of_an_abandoned_event_goes_to_the_next_event(jobs: Jobs, narrow: Events, settings: Settings) -> None:
    ids = pending(jobs, 4)
    one, _ = (begun(narrow, event_id) for event_id in ids[:2])
    for event_id in ids[2:]:
        narrow.begin(event_id, AT)
    narrow.delivered(one, answered(200))
    admitted = narrow.get(ids[2])
    assert admitted is not None
    narrow.abandon(admitted.event, "the endpoint was deleted")
    assert messages(settings, "webhook") == ids[2:]


def test_a_held_event_can_be_delivered_by_another_sender_redelivered_or_erased(
    jobs: Jobs, narrow: Events, settings: Settings
) -> None:
    ids = pending(jobs, 5)
    slow = begun(narrow, ids[2])
    let_time_pass(settings, f"sending:{AT}", 3600)
    for event_id in ids:
        narrow.begin(event_id, AT)
    assert held(settings) == ids[2:]
    narrow.delivered(slow, answered(200))  # its sender was considered dead
    narrow.redeliver(ids[3])
    with Keyspace.open(settings) as keyspace:
        keyspace.run("erase", ids[4].split("_")[1], 0, 60)
    assert held(settings) == []
    assert ids[2] not in list(narrow.due())
    assert [key for key in keys(settings) if ids[4] in key] == []
