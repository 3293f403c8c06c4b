"""Endpoints get the events of every job: what is recorded for them in a real Valkey, and what a real receiver gets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from configs.settings import Settings
from tests.support import protocol
from tests.support.fakes import Host
from tests.support.protocol import AT, BROKEN, HOOK, PICTURE, accept, begin, messages
from worker.job import event_type
from worker.job.jobs import Jobs
from worker.store.keyspace import Keyspace
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices
from worker.webhook.delivery import Delivery
from worker.webhook.endpoint import FAILING_AFTER, Endpoint
from worker.webhook.endpoint_fields import EndpointFields
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import KEPT_TESTS, Events
from worker.webhook.span import Span

PATH = "/endpoint"


def endpoint(sender: SenderServices, host: Host, **fields: object) -> Endpoint:
    return protocol.endpoint(sender.endpoints, host.url(PATH), **fields)


def canceled(jobs: Jobs, **kwargs: str) -> str:
    job_id = accept(jobs, **kwargs)
    jobs.cancel(job_id)
    return job_id


def again(endpoints: Endpoints, of: Endpoint) -> Endpoint:
    found = endpoints.get(of.id)
    assert found is not None
    return found


def test_each_endpoint_gets_the_events_that_it_chose_and_the_jobs_own_webhook_gets_its_own(
    jobs: Jobs, events: Events, endpoints: Endpoints, settings: Settings
) -> None:
    of_all = protocol.endpoint(endpoints, events=event_type.ALL)
    of_ends = protocol.endpoint(endpoints)
    protocol.endpoint(endpoints, events=("job.failed",))
    job = begin(jobs, accept(jobs, webhook=HOOK))
    jobs.succeed(job, PICTURE, {}, 1)
    written = {history.event.id: history.event for history in events.of_job(job.id)}
    started, succeeded = f"evt_{job.id}_started_{of_all.id}", f"evt_{job.id}_succeeded"
    assert list(written) == [started, succeeded, f"{succeeded}_{of_all.id}", f"{succeeded}_{of_ends.id}"]
    assert [event.endpoint_id for event in written.values()] == [of_all.id, None, of_all.id, of_ends.id]
    assert {event.job_id for event in written.values()} == {job.id}
    assert messages(settings, "webhook") == [succeeded]
    assert set(events.due()) == set(written) - {succeeded}


def test_a_disabled_endpoint_gets_no_events(jobs: Jobs, events: Events, endpoints: Endpoints) -> None:
    one = protocol.endpoint(endpoints, disabled=True)
    other = protocol.endpoint(endpoints)
    endpoints.change(other.id, EndpointFields(disabled=True))
    canceled(jobs)
    assert list(events.due()) == []
    endpoints.change(one.id, EndpointFields(disabled=False))
    job_id = canceled(jobs)
    assert list(events.due()) == [f"evt_{job_id}_canceled_{one.id}"]


def test_an_endpoint_gets_the_job_signed_with_its_own_secret(sender: SenderServices, host: Host) -> None:
    host.serve(PATH)
    one = endpoint(sender, host)
    job_id = canceled(sender.jobs)
    deliver.deliver(f"evt_{job_id}_canceled_{one.id}", sender)
    [received] = host.wait_for(PATH)
    event = Verifier(one.secret).verify(received.body, received.headers)
    assert (event["type"], event["data"]["id"], event["data"]["status"]) == ("job.canceled", job_id, "canceled")
    with pytest.raises(WebhookVerificationError):
        Verifier(str(sender.settings.webhook_secret)).verify(received.body, received.headers)


def test_a_receiver_of_both_kinds_can_tell_which_secret_signed(sender: SenderServices, host: Host) -> None:
    host.serve(PATH)
    one, other = endpoint(sender, host), endpoint(sender, host)
    secrets = {one.id: one.secret, other.id: other.secret, None: str(sender.settings.webhook_secret)}
    job_id = canceled(sender.jobs, webhook=host.url(PATH))
    test_id = sender.events.test(other.id)
    for event_id in (*(history.event.id for history in sender.events.of_job(job_id)), str(test_id)):
        deliver.deliver(event_id, sender)
    seen = []
    for received in host.wait_for(PATH, 4):
        endpoint_id = json.loads(received.body)["endpoint_id"]
        event = Verifier(secrets[endpoint_id]).verify(received.body, received.headers)
        seen.append((event["type"], endpoint_id, event["urls"]))
    urls = {"job": f"/v1/jobs/{job_id}", "batch": None}
    assert seen == [
        *(("job.canceled", each, urls) for each in (None, one.id, other.id)),
        ("webhook.test", other.id, {"job": None, "batch": None}),
    ]


def test_a_receiver_that_fails_does_not_affect_the_others(sender: SenderServices, host: Host) -> None:
    host.serve(PATH)
    host.serve("/broken", status=500)
    good = endpoint(sender, host)
    bad = protocol.endpoint(sender.endpoints, host.url("/broken"))
    job_id = canceled(sender.jobs, webhook=host.url(PATH))
    for history in sender.events.of_job(job_id):
        deliver.deliver(history.event.id, sender)
    states = {history.event.endpoint_id: history.event.state for history in sender.events.of_job(job_id)}
    assert states == {None: "delivered", good.id: "delivered", bad.id: "pending"}
    good, bad = again(sender.endpoints, good), again(sender.endpoints, bad)
    assert good.last_success_at is not None
    assert (good.last_failure_at, good.failing_since, bad.last_success_at) == (None, None, None)
    assert bad.last_failure_at == bad.failing_since is not None


def test_after_a_rotation_both_secrets_sign_and_later_only_the_new_one(sender: SenderServices, host: Host) -> None:
    host.serve(PATH)
    one = endpoint(sender, host)
    sender.endpoints.rotate(one.id)
    rotated = again(sender.endpoints, one)
    assert rotated.secret != one.secret
    deliver.deliver(f"evt_{canceled(sender.jobs)}_canceled_{one.id}", sender)
    [received] = host.wait_for(PATH)
    for secret in (one.secret, rotated.secret):
        Verifier(secret).verify(received.body, received.headers)
    assert len(received.headers["webhook-signature"].split(" ")) == 2
    overlap = timedelta(seconds=sender.settings.webhook_old_secret_seconds)
    now = datetime.now(UTC)
    assert rotated.live_secrets(now) == (rotated.secret, one.secret)
    assert rotated.live_secrets(now + overlap) == (rotated.secret,)
    sender.endpoints.rotate(one.id)
    assert one.secret not in again(sender.endpoints, one).live_secrets(now)  # at most two secrets sign


def test_410_disables_the_endpoint_and_its_pending_events_are_given_up(sender: SenderServices, host: Host) -> None:
    host.serve(PATH, status=410)
    one = endpoint(sender, host)
    first, second = (f"evt_{canceled(sender.jobs)}_canceled_{one.id}" for _ in range(2))
    deliver.deliver(first, sender)
    gone = again(sender.endpoints, one)
    assert (gone.disabled_reason, gone.status(datetime.now(UTC))) == ("it answered 410", "disabled")
    deliver.deliver(second, sender)
    history = sender.events.get(second)
    assert history is not None
    assert (history.event.state, history.deliveries) == ("dead", [])
    assert history.event.outcome == "the endpoint is disabled: it answered 410"
    assert len(host.received) == 1
    canceled(sender.jobs)
    assert list(sender.events.due()) == []


def test_an_endpoint_that_failed_for_days_is_failing_until_it_succeeds(
    jobs: Jobs, events: Events, endpoints: Endpoints, settings: Settings
) -> None:
    one = protocol.endpoint(endpoints)
    event_id = f"evt_{canceled(jobs)}_canceled_{one.id}"

    def try_it(status: int) -> None:
        event = events.begin(event_id, AT)
        assert event is not None
        how = events.delivered if status == 200 else events.give_up
        how(event, Delivery(datetime.now(UTC), HOOK, status, None, 1.0))
        events.redeliver(event_id)

    now = datetime.now(UTC)
    try_it(500)
    since = again(endpoints, one).failing_since
    try_it(500)
    failing = again(endpoints, one)
    assert failing.failing_since == since is not None
    assert failing.status(now) == "enabled"
    assert failing.status(now + FAILING_AFTER + timedelta(minutes=5)) == "failing"
    try_it(200)
    assert again(endpoints, one).status(now + 2 * FAILING_AFTER) == "enabled"


def test_a_deleted_endpoint_gets_no_events_and_leaves_no_keys(sender: SenderServices, host: Host) -> None:
    one = endpoint(sender, host)
    test_id = sender.events.test(one.id)
    event_id = f"evt_{canceled(sender.jobs)}_canceled_{one.id}"
    assert sender.endpoints.delete(one.id)
    assert not sender.endpoints.delete(one.id)
    deliver.deliver(event_id, sender)
    deliver.deliver(str(test_id), sender)
    assert host.received == []
    history = sender.events.get(event_id)
    assert history is not None
    assert (history.event.state, history.event.outcome) == ("dead", "the endpoint was deleted")
    left = protocol.keys(sender.settings)
    assert [key for key in left if one.id in key and key not in (f"event:{event_id}",)] == []
    assert not any(str(test_id) in key for key in left)
    sender.endpoints.change(one.id, EndpointFields(disabled=True))  # does not create the endpoint again
    sender.endpoints.rotate(one.id)
    assert sender.endpoints.get(one.id) is None
    assert sender.events.test(one.id) is None


def test_erasing_a_job_erases_its_events_for_endpoints(sender: SenderServices, host: Host) -> None:
    host.serve(PATH, status=500)
    one = endpoint(sender, host, events=event_type.ALL)
    job = begin(sender.jobs, accept(sender.jobs))
    sender.jobs.fail(job, BROKEN)
    deliver.deliver(f"evt_{job.id}_failed_{one.id}", sender)
    with Keyspace.open(sender.settings) as keyspace:
        assert protocol.erasure_of(keyspace, sender.settings, sender.storage).erase(job.id) == "failed"
    assert [key for key in protocol.keys(sender.settings) if job.id in key] == [f"erased:{job.id}"]
    assert list(sender.events.due()) == []


def test_a_test_event_is_delivered_and_logged_like_any_other(sender: SenderServices, host: Host) -> None:
    host.serve(PATH)
    one = endpoint(sender, host)
    event_id = sender.events.test(one.id)
    assert event_id is not None
    assert messages(sender.settings, "webhook") == [event_id]
    deliver.deliver(event_id, sender)
    [received] = host.wait_for(PATH)
    Verifier(one.secret).verify(received.body, received.headers)
    event = json.loads(received.body)
    assert (event["type"], event["data"]) == ("webhook.test", {"endpoint_id": one.id})
    assert received.headers["webhook-id"] == event_id
    history = sender.events.get(event_id)
    assert history is not None
    assert (history.event.state, history.event.job_id, len(history.deliveries)) == ("delivered", None, 1)


def test_only_the_last_test_events_of_an_endpoint_are_kept(
    events: Events, endpoints: Endpoints, settings: Settings
) -> None:
    one = protocol.endpoint(endpoints)
    ids = [events.test(one.id) for _ in range(KEPT_TESTS + 2)]
    assert [event_id for event_id in ids if events.get(str(event_id))] == ids[2:]
    assert len([key for key in protocol.keys(settings) if key.startswith("event:")]) == KEPT_TESTS


def test_a_replay_continues_where_the_last_ended_and_waits_for_places(
    jobs: Jobs, events: Events, endpoints: Endpoints, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.webhook.events.REPLAYED_PER_CALL", 5)
    monkeypatch.setattr("worker.webhook.events.REPLAYED_PER_STEP", 2)
    one = protocol.endpoint(endpoints)
    ids = [f"evt_{canceled(jobs)}_canceled_{one.id}" for _ in range(12)]
    since, until, counts = datetime.fromtimestamp(0, UTC), datetime.now(UTC) + timedelta(days=1), []
    while True:
        replay = events.replay(one.id, AT, Span(since, until))
        counts.append(replay.replayed)
        if replay.next_since is None:
            break
        since = replay.next_since
    assert counts == [5, 5, 2]
    assert list(events.due()) == []
    events.admit()
    assert set(events.due()) == set(ids[: settings.webhook_threads_per_host])
    assert messages(settings, "webhook") == []


def test_an_erased_event_is_not_replayed(sender: SenderServices, host: Host) -> None:
    one = endpoint(sender, host)
    kept, erased = canceled(sender.jobs), canceled(sender.jobs)
    with Keyspace.open(sender.settings) as keyspace:
        protocol.erasure_of(keyspace, sender.settings, sender.storage).erase(erased)
    span = Span(datetime.fromtimestamp(0, UTC), datetime.now(UTC) + timedelta(days=1))
    replay = sender.events.replay(one.id, AT, span)
    assert (replay.replayed, replay.next_since) == (1, None)
    assert sender.events.of_job(kept)[0].event.host == AT
