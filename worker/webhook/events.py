"""Webhook events: what happened to a job, to be delivered at least once, always under the same id.

An event is written by the script that begins or ends the job (an outbox), so every state that was reached will be
notified. Its id is fixed there, so a receiver that gets it twice can see that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import uuid_utils
from celery import Celery

from configs.settings import Settings
from worker.job import event_type
from worker.store import clock, queue
from worker.store.clock import microseconds, moment
from worker.store.keyspace import Keyspace, pairs
from worker.webhook.delivery import Delivery
from worker.webhook.span import Span

# A sender that has not ended its try so long after the receiver's time-out is taken for dead.
SENDER_GRACE_SECONDS = 45
# The last so many tries of an event are kept: the whole schedule, and as many by hand.
KEPT_DELIVERIES = 20
# A host that gave no answer is tried by one sender at a time until it answers, or for so long.
HOST_SILENT_SECONDS = 600
REPLAYED_PER_CALL = 1000
REPLAYED_PER_STEP = 50  # a millisecond or two of Redis, for which everybody else waits
KEPT_TESTS = 10  # of an endpoint: they belong to no job with which they would be erased
# Found in one look, so that it is over soon; the next look finds the rest.
DUE_AT_ONCE = 1000


@dataclass(frozen=True)
class Event:
    """`type` is one of event_type.ALL, or event_type.TEST; `state` is pending, delivered or dead (given up).

    `job_id` is None in a test of an endpoint, `endpoint_id` in an event for a job's own webhook. `tries` counts the
    attempts to deliver it since it happened, or was last asked for again; `outcome` says how the last went, or why
    there was none.
    """

    id: str
    type: str
    job_id: str | None
    endpoint_id: str | None
    host: str | None  # where it was last tried, or is to be
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
            endpoint_id=record.get("endpoint"),
            host=record.get("host"),
            state=record["state"],
            created_at=moment(record["created_at"]),
            tries=int(record["tries"]),
            outcome=record.get("outcome"),
        )


@dataclass(frozen=True)
class History:
    """An event, when it is tried next (None once that is over), and its last tries, newest first."""

    event: Event
    next_try_at: datetime | None
    deliveries: list[Delivery]


@dataclass(frozen=True)
class Replay:
    """How many events are delivered again; `next_since` is when the first of the rest happened, None without a rest."""

    replayed: int
    next_since: datetime | None


class Events:
    """The outbox. Thread-safe."""

    def __init__(self, keyspace: Keyspace, app: Celery, settings: Settings) -> None:
        self._keyspace = keyspace
        self._app = app
        self._places = settings.webhook_threads_per_host
        self._lease = clock.in_microseconds(settings.webhook_timeout_seconds + SENDER_GRACE_SECONDS)

    # Reading

    def get(self, event_id: str) -> History | None:
        return next(iter(self._histories([event_id])), None)

    def of_job(self, job_id: str) -> list[History]:
        """The events of a job, oldest first."""
        return self._histories(self._keyspace.redis.lrange(self._keyspace.key(f"told:{job_id}"), 0, -1))

    def of_job_from(self, job_id: str, first: int, count: int) -> tuple[list[History], bool]:
        """So many events of a job, oldest first, from one of them on (0: the oldest); and whether they are the last."""
        ids = self._keyspace.redis.lrange(self._keyspace.key(f"told:{job_id}"), first, first + count)
        return self._histories(ids[:count]), len(ids) <= count

    def of_endpoint(self, endpoint_id: str, limit: int, before: str | None) -> tuple[list[History], str | None]:
        """Up to `limit` events of jobs for an endpoint, newest first, and the cursor for those `before` them."""
        rows, has_more = self._keyspace.page(f"told_to:{endpoint_id}", limit, before)
        histories = self._histories([event_id for event_id, _ in rows])
        return histories, rows[-1][1] if has_more else None

    # An event's way

    def test(self, endpoint_id: str) -> str | None:
        """The id of a new test event of an endpoint; None if there is no such endpoint."""
        event_id = f"evt_{uuid_utils.uuid7()}"
        args = (endpoint_id, event_id, event_type.TEST, self._message(event_id), queue.resend_after(), KEPT_TESTS)
        return event_id if self._keyspace.run("endpoint_test", *args) else None

    def begin(self, event_id: str, host: str) -> Event | None:
        """Claim an event for one try at this host.

        None if the event is over, or if as many tries go on at the host as may: then the event is held, and comes
        again when one of them is over.
        """
        record = pairs(self._keyspace.run("event_begin", event_id, self._lease, host, self._places))
        return Event.from_record(event_id, record) if record else None

    def delivered(self, event: Event, delivery: Delivery) -> None:
        self._end(event, "delivered", 0, delivery.outcome, delivery)

    def try_again(self, event: Event, delay_seconds: float, delivery: Delivery) -> None:
        self._end(event, "pending", delay_seconds, delivery.outcome, delivery)

    def give_up(self, event: Event, delivery: Delivery) -> None:
        """The event stays on record, and is not tried again."""
        self._end(event, "dead", 0, delivery.outcome, delivery)

    def abandon(self, event: Event, why: str) -> None:
        """As `give_up`, where there was nobody to post to."""
        self._end(event, "dead", 0, why, None)

    def redeliver(self, event_id: str) -> bool:
        """Deliver an event again, now and then by the whole schedule, whatever became of it. False if there is none."""
        return bool(self._keyspace.run("event_redeliver", event_id, self._message(event_id), queue.resend_after()))

    def replay(self, endpoint_id: str, host: str, span: Span) -> Replay:
        """Deliver the events of an endpoint in a span of time again, at the pace of its host."""
        index = self._keyspace.key(f"told_to:{endpoint_id}")
        since, until = microseconds(span.since), f"({microseconds(span.until)}"
        most = REPLAYED_PER_CALL
        rows = self._keyspace.redis.zrange(index, since, until, byscore=True, offset=0, num=most + 1, withscores=True)
        ids = [event_id for event_id, _ in rows[:most]]
        steps = [ids[i : i + REPLAYED_PER_STEP] for i in range(0, len(ids), REPLAYED_PER_STEP)]
        replayed = sum(self._keyspace.run("event_replay", host, *step) for step in steps)
        return Replay(replayed, moment(rows[most][1]) if len(rows) > most else None)

    # What was left behind

    def admit(self) -> None:
        """Events that are held go on where there is a place by now; they are due."""
        for host in self._keyspace.redis.smembers(self._keyspace.key("held")):
            self._keyspace.run("event_admit", host, self._places, queue.resend_after())

    def due(self) -> Iterator[str]:
        """Events whose next try is due, or whose message or sender was lost."""
        yield from (event_id for event_id, _ in self._keyspace.first("events:due", self._keyspace.now(), DUE_AT_ONCE))

    def requeue(self, event_id: str) -> bool:
        """Send the message of a due event again."""
        return bool(self._keyspace.run("event_requeue", event_id, self._message(event_id), queue.resend_after()))

    def _end(self, event: Event, state: str, delay_seconds: float, outcome: str, delivery: Delivery | None) -> None:
        delay, logged = clock.in_microseconds(delay_seconds), delivery.to_json() if delivery else ""
        is_gone = int(delivery is not None and delivery.is_unwanted)
        self._keyspace.run("event_end", event.id, event.tries, state, delay, outcome, logged, KEPT_DELIVERIES, is_gone)
        if event.host is not None:
            silent = "" if delivery is None else HOST_SILENT_SECONDS if delivery.status is None else 0
            args = (event.id, event.host, self._places, queue.resend_after(), silent)
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
        return [_history(event_id, record, due, logged) for event_id, record, due, logged in rows if record]


def _history(event_id: str, record: Mapping[str, str], due: float | None, logged: Sequence[str]) -> History:
    next_try_at = None if due is None else moment(due)
    return History(Event.from_record(event_id, record), next_try_at, [Delivery.from_json(line) for line in logged])
