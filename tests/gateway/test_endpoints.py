"""Webhook endpoints over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from standardwebhooks import Webhook as Verifier

from configs import webhook_secret
from gateway import create_app
from tests.support import hooks, protocol
from tests.support.fakes import Host
from tests.support.service import Service
from worker import reaper
from worker.job import event_type
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices

ENDPOINTS = "/v1/webhook-endpoints"
URL = "https://example.com/hook"


@pytest.fixture
def client(sender: SenderServices) -> FlaskClient:
    """A gateway with the same key prefix in Valkey as `sender`."""
    return create_app(sender.settings).test_client()


def make(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(ENDPOINTS, json={"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    assert answer.headers["Location"] == f"{ENDPOINTS}/{made['id']}"
    return made


def test_an_endpoint_shows_its_secret_once(client: FlaskClient) -> None:
    made = make(client, events=["job.failed", "job.started"], description="mine")
    assert len(webhook_secret.key_of(made.pop("secret"))) == 32
    assert client.get(f"{ENDPOINTS}/{made['id']}").get_json() == made
    assert client.get(ENDPOINTS).get_json() == {"endpoints": [made]}
    assert made.pop("id").startswith("ep_")
    assert made.pop("created_at").endswith("Z")
    assert made == {
        "url": URL,
        "events": ["job.started", "job.failed"],
        "description": "mine",
        "header_names": [],
        "status": "enabled",
        "disabled_at": None,
        "disabled_reason": None,
        "last_success_at": None,
        "last_failure_at": None,
        "failing_since": None,
        "old_secret_until": None,
    }


def test_a_patch_changes_only_the_fields_it_has(client: FlaskClient) -> None:
    made = make(client, description="mine")
    del made["secret"]
    path = f"{ENDPOINTS}/{made['id']}"
    assert client.patch(path, json={}).get_json() == made
    changed = client.patch(path, json={"url": f"{URL}/2", "events": ["job.failed"]}).get_json()
    assert changed == {**made, "url": f"{URL}/2", "events": ["job.failed"]}
    disabled = client.patch(path, json={"disabled": True}).get_json()
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "asked for")
    assert client.patch(path, json={"disabled": True}).get_json() == disabled
    assert client.patch(path, json={"disabled": False}).get_json() == changed


def test_a_rotated_secret_is_shown_once_with_the_expiry_of_the_old_one(client: FlaskClient) -> None:
    made = make(client)
    path = f"{ENDPOINTS}/{made['id']}"
    rotated = client.post(f"{path}/rotate-secret").get_json()
    assert webhook_secret.key_of(rotated.pop("secret")) != webhook_secret.key_of(made["secret"])
    assert rotated["old_secret_until"] > rotated["created_at"]
    assert client.get(path).get_json() == rotated


def test_a_test_event_is_delivered_to_an_enabled_endpoint(
    client: FlaskClient, sender: SenderServices, host: Host
) -> None:
    made = make(client, url=host.serve("/hook"))
    answer = client.post(f"{ENDPOINTS}/{made['id']}/test")
    event = answer.get_json()
    assert (answer.status_code, event["type"], event["state"]) == (202, "webhook.test", "pending")
    assert (event["job_id"], event["endpoint_id"]) == (None, made["id"])
    deliver.deliver(event["id"], sender)
    assert client.get(f"/v1/events/{event['id']}").get_json()["state"] == "delivered"
    shown = client.get(f"{ENDPOINTS}/{made['id']}").get_json()
    assert (shown["status"], shown["last_success_at"] is not None) == ("enabled", True)
    client.patch(f"{ENDPOINTS}/{made['id']}", json={"disabled": True})
    answer = client.post(f"{ENDPOINTS}/{made['id']}/test")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "endpoint_disabled")


def test_events_of_a_span_of_time_are_replayed(client: FlaskClient, sender: SenderServices, host: Host) -> None:
    """Delivered and dead events are both replayed, under the same ids."""
    made = make(client, url=host.serve("/hook", status=410))
    other = make(client, url=host.url("/other"))
    ids = [protocol.accept(sender.jobs) for _ in range(3)]
    for job_id in ids:
        sender.jobs.cancel(job_id)
    events = [f"evt_{job_id}_canceled_{made['id']}" for job_id in ids]
    for event_id in events:
        deliver.deliver(event_id, sender)
    path = f"{ENDPOINTS}/{made['id']}"
    times = [client.get(f"/v1/events/{event_id}").get_json()["created_at"] for event_id in events]

    def replay(**span: str) -> Any:
        return client.post(f"{path}/replay", json=span)

    assert (replay(since=times[0]).status_code, replay(since=times[0]).get_json()["code"]) == (409, "endpoint_disabled")
    client.patch(path, json={"disabled": False})
    host.serve("/hook")
    assert replay(since=times[1], until=times[2]).get_json() == {"replayed": 1, "next_since": None}
    assert [client.get(f"/v1/events/{e}").get_json()["state"] for e in events] == ["dead", "pending", "dead"]
    answer = replay(since=times[0].replace("Z", "+00:00"))
    assert (answer.status_code, answer.get_json()["replayed"]) == (202, 3)

    for _ in events:  # a sweep sends only as many events as a host may get at a time
        reaper.sweep_events(sender.events)
        for event_id in events:
            deliver.deliver(event_id, sender)
    assert [client.get(f"/v1/events/{e}").get_json()["state"] for e in events] == ["delivered"] * 3
    assert {r.headers["webhook-id"] for r in host.wait_for("/hook", 4)[1:]} == set(events)
    assert replay(since=times[0]).get_json()["replayed"] == 3  # delivered events too
    assert client.get(f"/v1/events/evt_{ids[0]}_canceled_{other['id']}").get_json()["tries"] == 0


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "invalid_request", "since"),
        ({"since": None}, "invalid_request", "since"),
        ({"since": "yesterday"}, "invalid_value", "since"),
        ({"since": "2026-11-21"}, "invalid_value", "since"),
        ({"since": "2026-11-21T08:30:00"}, "invalid_value", "since"),
        ({"since": "2026-02-30T08:30:00Z"}, "invalid_value", "since"),
        ({"since": 1_700_000_000}, "invalid_value", "since"),
        ({"since": "2026-11-21T08:30:00Z", "until": "2026-11-21T09:30:00+01:00"}, "invalid_value", "until"),
        ({"since": "9999-11-21T08:30:00Z"}, "invalid_value", "until"),
        ({"since": "2026-11-21T08:30:00Z", "to": "2026-11-21T08:30:00Z"}, "unknown_field", "to"),
    ],
)
def test_an_invalid_span_is_refused_with_its_field(client: FlaskClient, body: object, code: str, field: str) -> None:
    answer = client.post(f"{ENDPOINTS}/{make(client)['id']}/replay", json=body)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (422, code), problem
    assert [error["field"] for error in problem["errors"]] == [field]


def test_the_events_of_an_endpoint_are_listed_newest_first(client: FlaskClient, sender: SenderServices) -> None:
    made = make(client)
    ids = [protocol.accept(sender.jobs) for _ in range(5)]
    for job_id in ids:
        sender.jobs.cancel(job_id)
    client.post(f"{ENDPOINTS}/{made['id']}/test")  # a test event belongs to no job
    pages: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{ENDPOINTS}/{made['id']}/events?limit=2{cursor and '&cursor='}{cursor}").get_json()
        pages.append([event["job_id"] for event in page["events"]])
        cursor = page["next_cursor"]
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    [event] = client.get(f"/v1/jobs/{ids[0]}/webhook-deliveries").get_json()["events"]
    assert page["events"] == [event]
    assert client.get(f"{ENDPOINTS}/{made['id']}/events?limit=0").get_json()["errors"][0]["field"] == "limit"


def test_a_deleted_endpoint_is_gone(client: FlaskClient) -> None:
    path = f"{ENDPOINTS}/{make(client)['id']}"
    assert client.delete(path).status_code == 204
    assert client.get(ENDPOINTS).get_json() == {"endpoints": []}


def test_the_number_of_endpoints_is_limited(sender: SenderServices) -> None:
    few = sender.settings.model_copy(update={"max_webhook_endpoints": 2})
    client = create_app(few).test_client()
    first = make(client)
    make(client)
    answer = client.post(ENDPOINTS, json={"url": URL})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "too_many_endpoints")
    client.delete(f"{ENDPOINTS}/{first['id']}")
    make(client)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ([], "invalid_request", None),
        ({}, "invalid_request", "url"),
        ({"url": "http://example.com/"}, "url_forbidden", "url"),
        ({"url": "https://127.0.0.1/"}, "url_forbidden", "url"),
        ({"url": "https://10.0.0.1/"}, "url_forbidden", "url"),
        ({"url": "https://example.com:8443/"}, "url_forbidden", "url"),
        ({"url": "https://me:pw@example.com/"}, "url_forbidden", "url"),
        ({"url": "ftp://example.com/"}, "url_invalid", "url"),
        ({"url": "https://example.com/" + "a" * 2048}, "invalid_value", "url"),
        ({"url": 5}, "invalid_value", "url"),
        ({"url": URL, "events": []}, "invalid_value", "events"),
        ({"url": URL, "events": ["job.sneezed"]}, "invalid_value", "events[0]"),
        ({"url": URL, "events": ["webhook.test"]}, "invalid_value", "events[0]"),
        ({"url": URL, "disabled": "no"}, "invalid_value", "disabled"),
        ({"url": URL, "description": "x" * 257}, "invalid_value", "description"),
        ({"url": URL, "secret": "whsec_mine"}, "unknown_field", "secret"),
    ],
)
def test_an_invalid_endpoint_is_refused_with_its_field(
    client: FlaskClient, body: object, code: str, field: str | None
) -> None:
    ways = [client.post(ENDPOINTS, json=body)]
    if body:
        ways.append(client.patch(f"{ENDPOINTS}/{make(client)['id']}", json=body))
    for answer in ways:
        problem = answer.get_json()
        assert (answer.status_code, problem["code"]) == (422, code), problem
        assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])


def test_a_body_that_is_not_json_is_refused(client: FlaskClient) -> None:
    answer = client.post(ENDPOINTS, data="url=x", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")
    answer = client.post(ENDPOINTS, data="{", content_type="application/json")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_json")


def test_endpoints_need_a_secret_to_sign_webhooks(sender: SenderServices) -> None:
    mute = create_app(sender.settings.model_copy(update={"webhook_secret": None})).test_client()
    answer = mute.post(ENDPOINTS, json={"url": URL})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "webhooks_unavailable")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "none"),
        ("GET", "none/events"),
        ("PATCH", "none"),
        ("DELETE", "none"),
        ("POST", "none/rotate-secret"),
        ("POST", "none/test"),
        ("POST", "none/replay"),
    ],
)
def test_an_endpoint_that_does_not_exist_is_not_found(client: FlaskClient, method: str, path: str) -> None:
    bodies: dict[str, Any] = {"PATCH": {"disabled": True}, "POST": {"since": "2026-11-21T08:30:00Z"}}
    body: dict[str, Any] = {"json": bodies[method]} if method in bodies else {}
    answer = client.open(f"{ENDPOINTS}/{path}", method=method, **body)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
    assert "'none'" in answer.get_json()["detail"]
    assert client.get(ENDPOINTS).get_json() == {"endpoints": []}


def test_the_running_service_notifies_an_endpoint_of_a_job(service: Service, trusted_host: Host) -> None:
    made = service.post(ENDPOINTS, json={"url": trusted_host.serve("/endpoint"), "events": list(event_type.ALL)}).json()
    try:
        job = service.submit(image=trusted_host.url("/nowhere.jpg"), prompts=[{"box": [1, 2, 3, 4]}])
        assert service.wait(job["id"])["status"] == "failed"
        types: set[str] = set()
        count = 0
        while types != {"job.started", "job.failed"}:  # jobs of other tests may end meanwhile and send events too
            received = trusted_host.wait_for("/endpoint", count + 1, seconds=60)
            count = len(received)
            events = [Verifier(made["secret"]).verify(each.body, each.headers) for each in received]
            types = {event["type"] for event in events if event["data"]["id"] == job["id"]}
        assert {event["endpoint_id"] for event in events} == {made["id"]}
        [key] = service.get("/.well-known/ovseg-webhook-keys.json").json()["keys"]
        assert all(hooks.is_signed_by(each, key) for each in received)  # `ovseg up` has made the private key
    finally:
        service.delete(f"{ENDPOINTS}/{made['id']}")
