"""Deliver one event to its receiver, signed as Standard Webhooks 1.0.0 specifies."""

from __future__ import annotations

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

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.access.tenants import Tenants
from worker.batch import description as batch_description
from worker.batch.batch import Batch
from worker.batch.batches import Batches
from worker.job import description
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.outbound import web_url
from worker.outbound.client import GuardedClient
from worker.store import clock, outage, tenant
from worker.store.clock import DAY, HOUR, MINUTE
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage
from worker.upload.uploads import Uploads
from worker.webhook import signature, signing_keys
from worker.webhook.delivery import Delivery
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Event, Events
from worker.webhook.receiver import NoReceiver, Receiver

log = logging.getLogger(__name__)

# The specification's schedule: after the first try, nine more in a little over three days.
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
# Each delay is up to this fraction shorter or longer, so that a receiver that recovers does not get all events at once.
JITTER = 0.2
# Only these answers may request a longer pause than the schedule's.
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
# The longest pause that an answer may request: a longer one would last beyond the schedule, and a date far ahead is
# probably a mistake.
MAX_ASKED_SECONDS = DAY
# How much of an answer's body the delivery log keeps: enough for an error message.
ANSWER_BYTES = 1024
# The specification recommends small payloads. A larger result is left out; files.result.url has it.
MAX_RESULT_BYTES = 256 * 1024


@dataclass(frozen=True)
class SenderServices:
    """The services that a process needs to deliver webhooks. Each process opens them once."""

    settings: Settings
    jobs: Jobs
    events: Events
    batches: Batches
    endpoints: Endpoints
    tenants: Tenants
    storage: Storage
    client: GuardedClient

    @classmethod
    def open(cls, settings: Settings, keyspace: Keyspace, app: Celery) -> SenderServices:
        storage = Storage(settings)
        return cls(
            settings,
            Jobs(keyspace, app, settings),
            Events(keyspace, app, settings),
            Batches(keyspace, storage, Uploads(keyspace, storage, settings), settings),
            Endpoints(keyspace, settings),
            Tenants(keyspace, settings),
            storage,
            GuardedClient(settings),
        )


def deliver(event_id: str, services: SenderServices) -> None:
    """Claim an event, post it once, and record the outcome.

    If the host has no free place, the event is held and this returns without waiting.
    """
    history = services.events.get(event_id)
    if history is None or history.event.state != "pending":
        return
    about = _subject(history.event, services)
    try:
        receiver = _receiver(history.event, about, services)
        host = web_url.host_of(receiver.url)
    except (NoReceiver, OvsegError) as reason:  # OvsegError: an older version accepted a URL that this one does not
        services.events.abandon(history.event, str(reason))
        return
    event = services.events.begin(event_id, host)
    if event is None:  # it is delivered or given up, or it is held because its host has no free place
        return
    delivery, pause = _post(event, about, receiver, services)
    log.info("event %s: try %d: %s", event.id, event.tries, delivery.outcome)
    if delivery.is_unwanted and event.endpoint_id is not None:
        log.warning("endpoint %s: disabled, because it answered 410", event.endpoint_id)
    if delivery.is_success:
        services.events.delivered(event, delivery)
    elif delivery.is_unwanted or event.tries > len(RETRY_DELAYS_SECONDS):
        services.events.give_up(event, delivery)
    else:
        services.events.try_again(event, pause_seconds(event.tries, pause), delivery)


def pause_seconds(tries: int, asked: float | None) -> float:
    """Return the seconds from try number `tries` to the next: as scheduled, or longer if the receiver `asked` for more.

    The pause is never shorter than scheduled. Otherwise a receiver that answers "in a second" every time would use up
    the tries of three days in ten seconds.
    """
    scheduled = RETRY_DELAYS_SECONDS[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(scheduled, (asked or 0) * random.uniform(1, 1 + JITTER))


def asked_seconds(retry_after: str | None) -> float | None:
    """Return the pause that a Retry-After header requests (RFC 9110, section 10.2.3), in seconds.

    The pause is between 0, for a date in the past, and a day. None if there is no header, or if it is neither whole
    seconds nor a date.
    """
    if retry_after is None:
        return None
    try:
        return float(Retry(retry_after_max=MAX_ASKED_SECONDS).parse_retry_after(retry_after))
    except (InvalidHeader, ValueError, OverflowError):  # the last two: more digits than an int or a date can have
        return None


def payload(event: Event, about: Job | Batch | None, storage: Storage, public_url: str | None) -> bytes:
    """Return the body to post, {"type", "timestamp", "data", "endpoint_id", "urls"} in JSON.

    `data` is the job or the batch as it is now. In a test of an endpoint it contains only the endpoint's id. The URLs
    begin with `public_url`, that of the gateway; without it they are paths.
    """
    endpoint_id = event.endpoint_id and tenant.shown(event.endpoint_id)
    if about is None:
        data: dict[str, Any] = {"endpoint_id": endpoint_id}
    elif isinstance(about, Batch):
        data = batch_description.describe(about)
    elif event.type == "job.succeeded":
        data = description.describe_with_result(about, storage)
        if len(json.dumps(data["result"])) > MAX_RESULT_BYTES:
            data["result"] = None
    else:
        data = description.describe(about, storage)
    message = {
        "type": event.type,
        "timestamp": clock.timestamp(event.created_at),
        "data": data,
        "endpoint_id": endpoint_id,
        "urls": _urls(about, (public_url or "").rstrip("/")),
    }
    return json.dumps(message).encode()


def _urls(about: Job | Batch | None, base: str) -> dict[str, str | None]:
    """Return the URLs of the job and of its batch, or of the batch; None for what there is not."""
    job_id, batch_id = (about.id, about.batch) if isinstance(about, Job) else (None, about.id if about else None)
    return {
        "job": job_id and f"{base}{description.JOBS}/{tenant.shown(job_id)}",
        "batch": batch_id and f"{base}{batch_description.BATCHES}/{tenant.shown(batch_id)}",
    }


def _subject(event: Event, services: SenderServices) -> Job | Batch | None:
    """Return the job or the batch of an event; None for a test of an endpoint, or if it was deleted."""
    if event.batch_id is not None:
        return services.batches.get(event.batch_id)
    return services.jobs.get(event.job_id) if event.job_id else None


def _receiver(event: Event, about: Job | Batch | None, services: SenderServices) -> Receiver:
    if event.endpoint_id is None:
        return Receiver.of_webhook(about, services.tenants, datetime.now(UTC))
    if (event.job_id or event.batch_id) and about is None:
        raise NoReceiver(f"the {'job' if event.job_id else 'batch'} was deleted")
    return Receiver.of_endpoint(services.endpoints.get(event.endpoint_id), datetime.now(UTC))


def _post(
    event: Event, about: Job | Batch | None, receiver: Receiver, services: SenderServices
) -> tuple[Delivery, float | None]:
    """Post an event. Return the delivery, and the pause in seconds that the receiver asked for, or None.

    An exception is recorded as a failed try: without an outcome, the try would be repeated forever. Only an outage of
    Redis or storage is raised, because it is temporary.
    """
    started_at, start = datetime.now(UTC), time.perf_counter()
    url, timeout = receiver.url, services.settings.webhook_timeout_seconds
    try:
        body = payload(event, about, services.storage, services.settings.gateway_public_url)
        keys = signing_keys.of_tenant(tenant.of(event.id), services.settings)
        signed = signature.headers(receiver.secrets, keys, tenant.shown(event.id), int(started_at.timestamp()), body)
        headers = {**receiver.headers(services.settings), "content-type": "application/json", **signed}
        # An answer may repeat the receiver's own headers, which must not be shown.
        answer_bytes = 0 if receiver.sealed_headers else ANSWER_BYTES
        answer = services.client.post(url, body, headers, timeout, "webhook.url", answer_bytes)
    except OvsegError as error:
        return Delivery(started_at, url, None, error.message, _milliseconds_since(start)), None
    except Exception as error:
        if outage.is_one(error):  # the reaper requeues the event
            raise
        log.exception("event %s: try %d failed with an error of the service itself", event.id, event.tries)
        reason = f"{type(error).__name__} in the service itself; see the log of the webhook sender"
        return Delivery(started_at, url, None, reason, _milliseconds_since(start)), None
    pause = asked_seconds(answer.retry_after) if answer.status in BUSY else None
    body_start = answer.start.decode("utf-8", "replace")
    return Delivery(started_at, url, answer.status, None, _milliseconds_since(start), body_start), pause


def _milliseconds_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)
