"""Webhook events: what happened to a job, to be told at least once, always under the same id.

An event is written by the script that begins or ends the job (an outbox), so a state that was reached is a state that
will be told; its id is fixed there, so a receiver that hears it twice can see that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from celery import Celery
from redis import Redis

from configs.settings import Settings
from worker import queue
from worker.job import moment
from worker.jobs import MICROSECONDS, RESEND_SECONDS
from worker.scripts import Scripts

# A sender that is silent for so long after it claimed an event is taken for dead.
SENDER_LEASE_SECONDS = 60


@dataclass(frozen=True)
class Event:
    """`type` is one of event_type.ALL; `tries` counts the attempts to deliver it, this one included."""

    id: str
    type: str
    job_id: str
    created_at: datetime
    tries: int


class Events:
    """The outbox. Thread-safe."""

    def __init__(self, redis: Redis, app: Celery, settings: Settings) -> None:
        self._redis = redis
        self._app = app
        self._prefix = settings.redis_prefix
        self._scripts = Scripts(redis, settings.redis_prefix)

    def begin(self, event_id: str) -> Event | None:
        """Claim an event for one try; None where there is nothing left to tell."""
        flat = self._scripts("event_begin", event_id, SENDER_LEASE_SECONDS * MICROSECONDS)
        if not flat:
            return None
        record = dict(zip(flat[::2], flat[1::2], strict=True))
        return Event(event_id, record["type"], record["job"], moment(record["created_at"]), int(record["tries"]))

    def delivered(self, event: Event, outcome: str) -> None:
        self._scripts("event_end", event.id, "delivered", 0, outcome)

    def try_again(self, event: Event, delay_seconds: float, outcome: str) -> None:
        self._scripts("event_end", event.id, "pending", int(delay_seconds * MICROSECONDS), outcome)

    def give_up(self, event: Event, outcome: str) -> None:
        """The event stays on record, but nobody will be told."""
        self._scripts("event_end", event.id, "dead", 0, outcome)

    def due(self) -> Iterator[str]:
        """Events whose next try is due, or whose message or sender was lost."""
        seconds, microseconds = self._redis.time()
        now = int(seconds) * MICROSECONDS + int(microseconds)
        yield from self._redis.zrange(f"{self._prefix}events:due", "-inf", now, byscore=True, offset=0, num=1000)

    def requeue(self, event_id: str) -> bool:
        """Send the message of a due event again."""
        message = queue.message(self._app, queue.DELIVER, queue.WEBHOOK_QUEUE, event_id)
        return bool(self._scripts("event_requeue", event_id, message, RESEND_SECONDS * MICROSECONDS))
