"""Deliver one event to its receiver, signed as Standard Webhooks 1.0.0 says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from celery import Celery
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from configs import webhook_secret
from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.job import description
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.outbound import web_url
from worker.outbound.client import GuardedClient
from worker.store import clock, outage
from worker.store.clock import DAY, HOUR, MINUTE
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage
from worker.webhook.delivery import Delivery
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Event, Events
from worker.webhook.receiver import Nobody, Receiver

log = logging.getLogger(__name__)

# The specification's schedule: after the first try, 9 more over three days and a bit.
RETRY_DELAYS_SECONDS: tuple[float, ...] = (
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
JITTER = 0.2  # of the delay, either way: receivers that came back are not all met at once
# Only these answers may ask for a longer pause than the schedule's.
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
# A longer pause would end after the last try of the schedule; and a date may be a slip.
MAX_ASKED_SECONDS = DAY
# Of an answer's body, for the log: enough for an error message.
ANSWER_BYTES = 1024
# The specification asks for small payloads. A larger result is left out and found at files.result.url.
MAX_RESULT_BYTES = 256 * 1024


@dataclass(frozen=True)
class SenderServices:
    """What a sender of webhooks works with; one for each process."""

    settings: Settings
    jobs: Jobs
    events: Events
    endpoints: Endpoints
    storage: Storage
    client: GuardedClient

    @classmethod
    def open(cls, settings: Settings, keyspace: Keyspace, app: Celery) -> SenderServices:
        return cls(
            settings,
            Jobs(keyspace, app, settings),
            Events(keyspace, app, settings),
            Endpoints(keyspace, settings),
            Storage(settings),
            GuardedClient(settings),
        )


def deliver(event_id: str, services: SenderServices) -> None:
    """Claim an event, post it once, and record how it went. An event for a busy host is held, and no thread waits."""
    history = services.events.get(event_id)
    if history is None or history.event.state != "pending":
        return
    job = services.jobs.get(history.event.job_id) if history.event.job_id else None
    try:
        receiver = _receiver(history.event, job, services)
        host = web_url.host_of(receiver.url)
    except (Nobody, OvsegError) as nobody:  # OvsegError: a URL that an older version took
        services.events.abandon(history.event, str(nobody))
        return
    event = services.events.begin(event_id, host)
    if event is None:  # over by now; or held, because its host is busy
        return
    delivery, pause = _post(event, job, receiver, services)
    log.info("%s try %d: %s", event.id, event.tries, delivery.outcome)
    if delivery.is_unwanted and event.endpoint_id is not None:
        log.warning("%s is disabled: it answered 410", event.endpoint_id)
    if delivery.is_success:
        services.events.delivered(event, delivery)
    elif delivery.is_unwanted or event.tries > len(RETRY_DELAYS_SECONDS):
        services.events.give_up(event, delivery)
    else:
        services.events.try_again(event, pause_seconds(event.tries, pause), delivery)


def pause_seconds(tries: int, asked: float | None) -> float:
    """Seconds from try number `tries` to the next: as scheduled, or longer if the receiver `asked` for more.

    Never sooner than scheduled: a receiver that says "in a second" every time would use up three days' tries in ten
    seconds.
    """
    scheduled = RETRY_DELAYS_SECONDS[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(scheduled, (asked or 0) * random.uniform(1, 1 + JITTER))


def asked_seconds(retry_after: str | None) -> float | None:
    """The pause that a Retry-After asks for (RFC 9110, section 10.2.3), in seconds: from 0, for a date that has passed,
    to a day. None without the header, or for one that is neither whole seconds nor a date."""
    if retry_after is None:
        return None
    try:
        return float(Retry(retry_after_max=MAX_ASKED_SECONDS).parse_retry_after(retry_after))
    except (InvalidHeader, ValueError, OverflowError):  # the last two: more digits than Python or a calendar takes
        return None


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a body: v1 and base64 of HMAC-SHA256 over id, time and body."""
    signed = b".".join((event_id.encode(), str(timestamp).encode(), body))
    digest = hmac.new(webhook_secret.key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def payload(event: Event, job: Job | None, storage: Storage) -> bytes:
    """{"type", "timestamp", "data"}; data is the job object as it is now, or the endpoint's id in a test."""
    if job is None:
        data: dict[str, Any] = {"endpoint_id": event.endpoint_id}
    elif event.type == "job.succeeded":
        data = description.describe_with_result(job, storage)
        if len(json.dumps(data["result"])) > MAX_RESULT_BYTES:
            data["result"] = None
    else:
        data = description.describe(job, storage)
    return json.dumps({"type": event.type, "timestamp": clock.timestamp(event.created_at), "data": data}).encode()


def _receiver(event: Event, job: Job | None, services: SenderServices) -> Receiver:
    if event.endpoint_id is None:
        return Receiver.of_job(job, services.settings)
    if event.job_id is not None and job is None:
        raise Nobody("the job was deleted")
    return Receiver.of_endpoint(services.endpoints.get(event.endpoint_id), datetime.now(UTC))


def _post(event: Event, job: Job | None, receiver: Receiver, services: SenderServices) -> tuple[Delivery, float | None]:
    """What came of it, and the pause that the receiver asked for.

    Any exception is a try that failed: a try without an outcome would be repeated for ever. Only an outage of Redis or
    storage is raised, because it passes.
    """
    at, start = datetime.now(UTC), time.perf_counter()
    url, timeout = receiver.url, services.settings.webhook_timeout_seconds
    try:
        body = payload(event, job, services.storage)
        headers = _headers(event, receiver, int(at.timestamp()), body)
        answer = services.client.post(url, body, headers, timeout, "webhook.url", ANSWER_BYTES)
    except OvsegError as error:
        return Delivery(at, url, None, error.message, _since(start)), None
    except Exception as error:
        if outage.is_one(error):  # passes; the reaper brings the event back
            raise
        log.exception("%s try %d broke", event.id, event.tries)
        return Delivery(at, url, None, f"{type(error).__name__} at our side; see the sender's log", _since(start)), None
    pause = asked_seconds(answer.retry_after) if answer.status in BUSY else None
    said = answer.start.decode("utf-8", "replace")
    return Delivery(at, url, answer.status, None, _since(start), said), pause


def _headers(event: Event, receiver: Receiver, now: int, body: bytes) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(sign(secret, event.id, now, body) for secret in receiver.secrets),
    }


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)
