"""The delivery of one event to a real receiver, which verifies it with the reference library."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Verifier

from configs import webhook_secret
from configs.settings import Settings
from ovseg_core.prompts import Prompt
from tests.support import drips, fakes, protocol
from tests.support.fakes import Host
from worker.image.content import ImageSource
from worker.job import event_type
from worker.job.event_type import EventType
from worker.job.own_webhook import Webhook
from worker.job.record import Job, JobError
from worker.job.request import JobRequest
from worker.outbound.client import GuardedClient
from worker.store.keyspace import Keyspace
from worker.webhook import deliver, signature
from worker.webhook.deliver import RETRY_DELAYS_SECONDS, SenderServices

HOOK = "/hook"


def request_for(host: Host, events: tuple[EventType, ...] = event_type.ENDS) -> JobRequest:
    return JobRequest(
        image=ImageSource(url="https://example.com/a.jpg"),
        model="SAM-Lite",
        prompts=(Prompt.of_box(1, 2, 3, 4),),
        device="auto",
        outputs=("rle",),
        metadata={"mine": "é"},
        webhook=Webhook(url=host.url(HOOK), events=events),
    )


@pytest.fixture
def impatient(sender: SenderServices) -> SenderServices:
    """What waits half a second for an answer."""
    return replace(sender, settings=sender.settings.model_copy(update={"webhook_timeout_seconds": 0.5}))


def begun_job(sender: SenderServices, host: Host, events: tuple[EventType, ...] = event_type.ENDS) -> Job:
    """A running job with a webhook."""
    return protocol.begin(sender.jobs, protocol.accepted(sender.jobs, str(uuid.uuid4()), request_for(host, events)).id)


def failed_job(sender: SenderServices, host: Host) -> Job:
    job = begun_job(sender, host)
    sender.jobs.fail(job, JobError("image_unreadable", "broken", "image"))
    return job


def record(sender: SenderServices, event_id: str) -> dict[str, str]:
    with Keyspace.open(sender.settings) as keyspace:
        return dict(keyspace.redis.hgetall(keyspace.key(f"event:{event_id}")))


def pause_of(sender: SenderServices, event_id: str) -> float | None:
    """The seconds until an event's next try."""
    with Keyspace.open(sender.settings) as keyspace:
        due, (now, _) = keyspace.redis.zscore(keyspace.key("events:due"), event_id), keyspace.redis.time()
    return None if due is None else due / 1e6 - now


def test_a_receiver_verifies_the_signature_and_reads_the_job(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK, status=204)
    job = failed_job(sender, host)
    deliver.deliver(f"evt_{job.id}_failed", sender)
    [received] = host.wait_for(HOOK)
    secret = sender.settings.webhook_secret
    assert secret is not None
    event = Verifier(secret).verify(received.body, received.headers)
    assert event["type"] == "job.failed"
    assert event["data"]["id"] == job.id
    assert event["data"]["status"] == "failed"
    assert event["data"]["metadata"] == {"mine": "é"}
    assert event["data"]["error"] == {"code": "image_unreadable", "message": "broken", "field": "image"}
    assert received.headers["webhook-id"] == f"evt_{job.id}_failed"
    assert record(sender, f"evt_{job.id}_failed")["state"] == "delivered"


def test_our_signature_equals_that_of_the_reference_library() -> None:
    secret, body, at = webhook_secret.new(), b'{"a": 1}', datetime(2026, 11, 21, tzinfo=UTC)
    expected = Verifier(secret).sign("evt_1", at, body.decode())
    signed = signature.headers([secret], [], "evt_1", int(at.timestamp()), body)
    assert signed["webhook-signature"] == expected


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_only_2xx_is_success_and_any_other_answer_is_retried_under_the_same_id(
    sender: SenderServices, host: Host, status: int
) -> None:
    host.serve(HOOK, status=status)
    job = failed_job(sender, host)
    event_id = f"evt_{job.id}_failed"
    deliver.deliver(event_id, sender)
    assert record(sender, event_id) | {"state": "pending", "tries": "1", "outcome": f"answered {status}"} == record(
        sender, event_id
    )
    host.serve(HOOK, status=200)
    deliver.deliver(event_id, sender)
    assert record(sender, event_id)["state"] == "delivered"
    assert {r.headers["webhook-id"] for r in host.wait_for(HOOK, 2)} == {event_id}
    deliver.deliver(event_id, sender)  # a duplicate message
    assert len(host.wait_for(HOOK, 2)) == 2


def test_a_redirect_is_not_followed(sender: SenderServices, host: Host) -> None:
    host.serve("/elsewhere")
    host.redirect(HOOK, "/elsewhere")
    job = failed_job(sender, host)
    deliver.deliver(f"evt_{job.id}_failed", sender)
    assert record(sender, f"evt_{job.id}_failed")["outcome"] == "answered 302"
    assert [received.path for received in host.received] == [HOOK]


def test_after_a_410_an_event_is_not_tried_again(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK, status=410)
    job = failed_job(sender, host)
    deliver.deliver(f"evt_{job.id}_failed", sender)
    event = record(sender, f"evt_{job.id}_failed")
    assert (event["state"], event["outcome"]) == ("dead", "answered 410")
    assert pause_of(sender, f"evt_{job.id}_failed") is None


@pytest.mark.parametrize(
    ("status", "retry_after", "min_seconds", "max_seconds"),
    [
        (429, "600", 600, 720),
        (503, "600", 600, 720),
        (503, "1", 4, 6),  # never sooner than the 5 s of the schedule
        (503, "999999999", 86_400, 103_680),
        (503, "in a while", 4, 6),
        (500, "600", 4, 6),  # only a 429 or a 503 may request a pause
    ],
)
def test_a_busy_receiver_can_request_a_longer_pause_than_scheduled(
    sender: SenderServices, host: Host, status: int, retry_after: str, min_seconds: float, max_seconds: float
) -> None:
    host.answers[HOOK] = lambda request: fakes.reply(request, status, b"", {"Retry-After": retry_after})
    job = failed_job(sender, host)
    deliver.deliver(f"evt_{job.id}_failed", sender)
    pause = pause_of(sender, f"evt_{job.id}_failed")
    assert pause is not None
    # A slow machine may take a minute. `time` cuts off up to a second.
    assert min_seconds - 60 < pause <= max_seconds + 1


def test_the_pauses_follow_the_schedule_of_the_specification() -> None:
    for tries, scheduled in enumerate(RETRY_DELAYS_SECONDS, start=1):
        assert 0.8 * scheduled <= deliver.pause_seconds(tries, None) <= 1.2 * scheduled
    assert 0.8 * 3 * 86_400 < sum(RETRY_DELAYS_SECONDS) < 1.2 * 3 * 86_400 + 5 * 3600


def test_the_webhook_of_a_start_contains_the_running_job(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK)
    job = begun_job(sender, host, events=("job.started",))
    deliver.deliver(f"evt_{job.id}_started", sender)
    event = json.loads(host.wait_for(HOOK)[0].body)
    assert (event["type"], event["data"]["status"], event["data"]["attempt"]) == ("job.started", "running", 1)
    assert event["data"]["webhook"] == {"url": host.url(HOOK), "events": ["job.started"]}


def test_every_try_is_recorded_with_its_answer(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK, body=b"no, " * 1000, status=500)
    job = failed_job(sender, host)
    deliver.deliver(f"evt_{job.id}_failed", sender)
    host.serve(HOOK, status=204)
    deliver.deliver(f"evt_{job.id}_failed", sender)
    [history] = sender.events.of_job(job.id)
    second, first = history.deliveries
    assert (first.status, first.error, first.url, first.answer) == (500, None, host.url(HOOK), "no, " * 256)
    assert (second.status, second.answer) == (204, "")
    assert 0 < first.duration_ms < 60_000
    assert (history.event.state, history.event.outcome) == ("delivered", "answered 204")


def test_a_receiver_that_does_not_answer_is_tried_again(impatient: SenderServices, host: Host) -> None:
    host.serve_later(HOOK, b"")
    job = failed_job(impatient, host)
    deliver.deliver(f"evt_{job.id}_failed", impatient)
    event = record(impatient, f"evt_{job.id}_failed")
    assert (event["state"], event["outcome"]) == ("pending", "127.0.0.1 did not answer in time")
    [history] = impatient.events.of_job(job.id)
    assert [(d.status, d.error) for d in history.deliveries] == [(None, "127.0.0.1 did not answer in time")]


@pytest.mark.parametrize("how", drips.WITHOUT_ANSWER)
def test_a_receiver_that_sends_its_answer_too_slowly_has_not_answered_in_time(
    impatient: SenderServices, host: Host, how: str
) -> None:
    host.answers[HOOK] = drips.ALL[how]
    job = failed_job(impatient, host)
    deliver.deliver(f"evt_{job.id}_failed", impatient)
    [history] = impatient.events.of_job(job.id)
    assert [(d.status, d.error) for d in history.deliveries] == [(None, "127.0.0.1 did not answer in time")]
    assert history.event.state == "pending"


@pytest.mark.parametrize("location", [b"http://[", b"\xff\xfe", b"http://a:b/", b""])
def test_a_broken_redirect_is_a_failed_try_and_the_event_is_dead_after_ten(
    sender: SenderServices, host: Host, location: bytes
) -> None:
    host.answers[HOOK] = lambda request: fakes.write(
        request, b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n"
    )
    job = failed_job(sender, host)
    event_id = f"evt_{job.id}_failed"
    for tries in range(1, len(RETRY_DELAYS_SECONDS) + 1):
        deliver.deliver(event_id, sender)
        assert record(sender, event_id) | {"state": "pending", "tries": str(tries)} == record(sender, event_id)
        pause = pause_of(sender, event_id)
        assert pause is not None
        assert pause > 0.7 * RETRY_DELAYS_SECONDS[tries - 1] - 60  # a slow machine may take a minute
    deliver.deliver(event_id, sender)
    assert record(sender, event_id)["state"] == "dead"
    [history] = sender.events.of_job(job.id)
    assert [d.status for d in history.deliveries] == [302] * (len(RETRY_DELAYS_SECONDS) + 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/9 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_recorded_as_a_failed_try(
    sender: SenderServices, host: Host, answer: bytes
) -> None:
    host.answers[HOOK] = lambda request: fakes.write(request, answer)
    job = failed_job(sender, host)
    deliver.deliver(f"evt_{job.id}_failed", sender)
    [history] = sender.events.of_job(job.id)
    [delivery] = history.deliveries
    assert delivery.status is None
    assert delivery.error is not None
    assert delivery.error.startswith("127.0.0.1 ")
    assert (history.event.state, history.event.tries) == ("pending", 1)


def test_an_error_of_the_service_is_recorded_as_a_failed_try(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK)
    job = begun_job(sender, host)
    sender.storage.put(f"{job.attempt_prefix}result.json", b"not JSON", "application/json")
    sender.jobs.succeed(job, {"width": 1, "height": 1, "format": "PNG"}, {}, 1)
    deliver.deliver(f"evt_{job.id}_succeeded", sender)
    [history] = sender.events.of_job(job.id)
    error = "JSONDecodeError in the service itself; see the log of the webhook sender"
    assert [d.error for d in history.deliveries] == [error]
    assert (history.event.state, history.event.tries) == ("pending", 1)


def test_an_event_whose_url_is_no_longer_valid_is_given_up(sender: SenderServices, host: Host) -> None:
    request = request_for(host).model_copy(update={"webhook": Webhook(url="https://[", events=event_type.ENDS)})
    job = protocol.begin(sender.jobs, protocol.accepted(sender.jobs, str(uuid.uuid4()), request).id)
    sender.jobs.fail(job, JobError("image_unreadable", "broken", "image"))
    deliver.deliver(f"evt_{job.id}_failed", sender)
    event = record(sender, f"evt_{job.id}_failed")
    assert (event["state"], event["outcome"]) == ("dead", "not a URL: its host, port or text is malformed")


def test_after_the_last_try_an_event_is_dead(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK, status=500)
    job = failed_job(sender, host)
    event_id = f"evt_{job.id}_failed"
    for _ in range(len(RETRY_DELAYS_SECONDS) + 1):
        assert record(sender, event_id)["state"] == "pending"
        deliver.deliver(event_id, sender)
    assert record(sender, event_id)["state"] == "dead"
    deliver.deliver(event_id, sender)
    assert len(host.wait_for(HOOK)) == len(RETRY_DELAYS_SECONDS) + 1


def test_a_webhook_whose_host_has_become_private_is_not_posted_to(sender: SenderServices, host: Host) -> None:
    """The host is checked at every try, not only when the job is accepted."""
    job = failed_job(sender, host)
    settings = sender.settings.model_copy(update={"allowed_private_hosts": ()})
    without_trust = replace(sender, settings=settings, client=GuardedClient(settings))
    deliver.deliver(f"evt_{job.id}_failed", without_trust)
    assert host.received == []
    assert record(sender, f"evt_{job.id}_failed")["state"] == "pending"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_notbase64!",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        base64.b64encode(bytes(32)).decode(),
    ],
)
def test_a_weak_or_malformed_secret_stops_the_process_at_its_start(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        Settings(webhook_secret=secret)


def test_deleting_a_job_deletes_its_events(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK, status=500)
    job = begun_job(sender, host, events=event_type.ALL)
    sender.jobs.fail(job, JobError("image_unreadable", "broken", "image"))
    for end in ("started", "failed"):
        deliver.deliver(f"evt_{job.id}_{end}", sender)
    with Keyspace.open(sender.settings) as keyspace:
        assert protocol.erasure_of(keyspace, sender.settings, sender.storage).erase(job.id) == "failed"
    assert [key for key in protocol.keys(sender.settings) if job.id in key] == [f"erased:{job.id}"]
    assert list(sender.events.due()) == []


def test_the_links_of_a_message_begin_with_the_public_url_and_only_add_to_the_message(
    sender: SenderServices, host: Host
) -> None:
    host.serve(HOOK)
    settings = sender.settings.model_copy(update={"gateway_public_url": "https://segment.example.com/"})
    job = failed_job(sender, host)
    deliver.deliver(f"evt_{job.id}_failed", replace(sender, settings=settings))
    message = json.loads(host.wait_for(HOOK)[0].body)
    assert message["urls"] == {"job": f"https://segment.example.com/v1/jobs/{job.id}", "batch": None}
    assert list(message) == ["type", "timestamp", "data", "endpoint_id", "urls"]


def test_a_large_result_is_left_out_and_its_url_is_sent(sender: SenderServices, host: Host) -> None:
    host.serve(HOOK)
    for size, is_sent in ((10, True), (deliver.MAX_RESULT_BYTES, False)):
        job = begun_job(sender, host)
        document = {"logId": job.id, "errorCode": 0, "errorMsg": "Success", "result": {"masks": ["x" * size]}}
        sender.storage.put(f"{job.attempt_prefix}result.json", json.dumps(document).encode(), "application/json")
        sender.jobs.succeed(job, {"width": 1, "height": 1, "format": "PNG"}, {}, 1)
        deliver.deliver(f"evt_{job.id}_succeeded", sender)
        data = json.loads(host.wait_for(HOOK)[-1].body)["data"]
        assert (data["result"] is not None) == is_sent
        assert data["files"]["result"]["url"].startswith("http")
