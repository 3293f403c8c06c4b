"""Webhook events: what happened to a job. Each event is delivered at least once, always under the same id.

The script that starts or ends a job also writes the event (an outbox), so no change of status goes without its event.
The script also chooses the event's id, so a receiver can recognize an event that it gets twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import uuid_utils
from celery import Celery

from configs.settings import Settings
from worker.job import event_type
from worker.store import clock, queue, tenant
from worker.store.clock import microseconds, moment
from worker.store.keyspace import Keyspace, pairs
from worker.webhook.delivery import Delivery
from worker.webhook.span import Span

# A sender is considered dead if its try still runs this long after the receiver's time-out.
SENDER_GRACE_SECONDS = 45
# How many of an event's last tries are kept: the ten of the schedule, and as many that were requested.
KEPT_DELIVERIES = 20
# After a try without an answer, only one sender at a time tries the host, until it answers or this time is over.
HOST_SILENT_SECONDS = 600
REPLAYED_PER_CALL = 1000
REPLAYED_PER_STEP = 50  # takes Redis a millisecond or two, in which all other clients wait
KEPT_TESTS = 10  # the last test events of an endpoint: they belong to no job whose erasure would delete them
# How many due events one sweep finds, so that it is short; the next sweep finds the rest.
DUE_PER_SWEEP = 1000


@dataclass(frozen=True)
class Event:
    """One event for one receiver.

    `type` is one of event_type.ALL or OF_BATCHES, or event_type.TEST; `state` is pending, delivered or dead (given up).
    `job_id` is None in an event of a batch and in a test of an endpoint, `batch_id` in every other event; `endpoint_id`
    is None in an event for the own webhook of a job or a batch. `tries` counts the tries to deliver the event since it
    happened or since its redelivery was last requested. `outcome` is the result of the last try, or the reason why
    there was no try.
    """

    id: str
    type: str
    job_id: str | None
    batch_id: str | None
    endpoint_id: str | None
    host: str | None  # `host:port` of the last try, or of the next one while the event is held
    state: str
    created_at: datetime
    tries: int
    outcome: str | None

    @classmethod
    def from_record(cls, event_id: str, record: Mapping[str, str]) -> Event:
        return cls(
            id=event_id,
            type=record["type"],
            job_id=record.get("job"),
            batch_id=record.get("batch"),
            endpoint_id=record.get("endpoint"),
            host=record.get("host"),
            state=record["state"],
            created_at=moment(record["created_at"]),
            tries=int(record["tries"]),
            outcome=record.get("outcome"),
        )


@dataclass(frozen=True)
class History:
    """An event, the time of its next try, and its last tries, newest first.

    `next_try_at` is None if no try is scheduled: the event is delivered, given up, or held.
    """

    event: Event
    next_try_at: datetime | None
    deliveries: list[Delivery]


@dataclass(frozen=True)
class Replay:
    """How many events are delivered again.

    `next_since` is the time of the first event that is left for the next call, None if none is left.
    """

    replayed: int
    next_since: datetime | None


class Events:
    """All webhook events: the outbox. Thread-safe."""

    def __init__(self, keyspace: Keyspace, app: Celery, settings: Settings) -> None:
        self._keyspace = keyspace
        self._app = app
        self._places = settings.webhook_threads_per_host  # how many tries may run at one host at a time
        self._lease = clock.in_microseconds(settings.webhook_timeout_seconds + SENDER_GRACE_SECONDS)

    # Reading

    def get(self, event_id: str) -> History | None:
        return next(iter(self._histories([event_id])), None)

    def of_job(self, job_id: str) -> list[History]:
        """Return the events of a job, oldest first."""
        return self._histories(self._keyspace.redis.lrange(self._keyspace.key(f"told:{job_id}"), 0, -1))

    def of_job_from(self, job_id: str, first: int, count: int) -> tuple[list[History], bool]:
        """Return up to `count` events of a job, oldest first, from number `first` on; True if no event follows them."""
        ids = self._keyspace.redis.lrange(self._keyspace.key(f"told:{job_id}"), first, first + count)
        return self._histories(ids[:count]), len(ids) <= count

    def of_endpoint(self, endpoint_id: str, limit: int, before: str | None) -> tuple[list[History], str | None]:
        """Return up to `limit` events of jobs for an endpoint, newest first, and the cursor of the next page.

        The events are older than the cursor `before`. The returned cursor is None on the last page.
        """
        rows, has_more = self._keyspace.page(f"told_to:{endpoint_id}", limit, before)
        histories = self._histories([event_id for event_id, _ in rows])
        return histories, rows[-1][1] if has_more else None

    # Delivering

    def test(self, endpoint_id: str) -> str | None:
        """Create a test event for an endpoint. Returns its id, or None if there is no such endpoint."""
        event_id = tenant.owned(tenant.of(endpoint_id), f"evt_{uuid_utils.uuid7()}")
        args = (endpoint_id, event_id, event_type.TEST, self._message(event_id), queue.resend_after(), KEPT_TESTS)
        return event_id if self._keyspace.run("endpoint_test", *args) else None

    def begin(self, event_id: str, host: str) -> Event | None:
        """Claim an event for one try at this host.

        Returns None if the event is delivered or given up. Also returns None if no place is free, because as many
        tries run at the host as are allowed: then the event is held, and requeued when a place becomes free.
        """
        record = pairs(self._keyspace.run("event_begin", event_id, self._lease, host, self._places))
        return Event.from_record(event_id, record) if record else None

    def delivered(self, event: Event, delivery: Delivery) -> None:
        """Record a try that the receiver accepted."""
        self._end(event, "delivered", 0, delivery.outcome, delivery)

    def try_again(self, event: Event, delay_seconds: float, delivery: Delivery) -> None:
        """Record a failed try and schedule the next one."""
        self._end(event, "pending", delay_seconds, delivery.outcome, delivery)

    def give_up(self, event: Event, delivery: Delivery) -> None:
        """Record a failed try and do not try again. The event stays on record."""
        self._end(event, "dead", 0, delivery.outcome, delivery)

    def abandon(self, event: Event, reason: str) -> None:
        """Give up an event that has no receiver, so that there was no try."""
        self._end(event, "dead", 0, reason, None)

    def redeliver(self, event_id: str) -> bool:
        """Deliver an event again, in any state: now, then by the whole schedule. Returns False if there is no event."""
        return bool(self._keyspace.run("event_redeliver", event_id, self._message(event_id), queue.resend_after()))

    def replay(self, endpoint_id: str, host: str, span: Span) -> Replay:
        """Deliver again the events of an endpoint in a span of time. They wait for places at its host.

        One call takes up to REPLAYED_PER_CALL events.
        """
        index = self._keyspace.key(f"told_to:{endpoint_id}")
        since, until = microseconds(span.since), f"({microseconds(span.until)}"
        limit = REPLAYED_PER_CALL
        rows = self._keyspace.redis.zrange(index, since, until, byscore=True, offset=0, num=limit + 1, withscores=True)
        ids = [event_id for event_id, _ in rows[:limit]]
        steps = [ids[i : i + REPLAYED_PER_STEP] for i in range(0, len(ids), REPLAYED_PER_STEP)]
        replayed = sum(self._keyspace.run("event_replay", host, *step) for step in steps)
        return Replay(replayed, moment(rows[limit][1]) if len(rows) > limit else None)

    # Recovery, by the reaper

    def admit(self) -> None:
        """Make held events due at each host that has a free place."""
        for host in self._keyspace.redis.smembers(self._keyspace.key("held")):
            self._keyspace.run("event_admit", host, self._places, queue.resend_after())

    def due(self) -> Iterator[str]:
        """Yield the events whose next try is due, or whose message or sender was lost."""
        yield from (event_id for event_id, _ in self._keyspace.first("events:due", self._keyspace.now(), DUE_PER_SWEEP))

    def requeue(self, event_id: str) -> bool:
        """Send the message of a due event again. Returns False if the event is no longer due."""
        return bool(self._keyspace.run("event_requeue", event_id, self._message(event_id), queue.resend_after()))

    def _end(self, event: Event, state: str, delay_seconds: float, outcome: str, delivery: Delivery | None) -> None:
        delay, line = clock.in_microseconds(delay_seconds), delivery.to_json() if delivery else ""
        is_gone = int(delivery is not None and delivery.is_unwanted)
        self._keyspace.run("event_end", event.id, event.tries, state, delay, outcome, line, KEPT_DELIVERIES, is_gone)
        if event.host is not None:
            silent_seconds = "" if delivery is None else HOST_SILENT_SECONDS if delivery.status is None else 0
            args = (event.id, event.host, self._places, queue.resend_after(), silent_seconds)
            for event_id in self._keyspace.run("event_leave", *args):
                self.requeue(event_id)

    def _message(self, event_id: str) -> str:
        return queue.message(self._app, queue.DELIVER, queue.WEBHOOK_QUEUE, event_id)

    def _histories(self, event_ids: Sequence[str]) -> list[History]:
        with self._keyspace.pipeline() as pipeline:
            for event_id in event_ids:
                pipeline.hgetall(self._keyspace.key(f"event:{event_id}"))
                pipeline.zscore(self._keyspace.key("events:due"), event_id)
                pipeline.lrange(self._keyspace.key(f"deliveries:{event_id}"), 0, -1)
            read = pipeline.execute()
        rows = zip(event_ids, read[::3], read[1::3], read[2::3], strict=True)
        return [_history(event_id, record, due, lines) for event_id, record, due, lines in rows if record]


def _history(event_id: str, record: Mapping[str, str], due: float | None, lines: Sequence[str]) -> History:
    next_try_at = None if due is None else moment(due)
    return History(Event.from_record(event_id, record), next_try_at, [Delivery.from_json(line) for line in lines])
