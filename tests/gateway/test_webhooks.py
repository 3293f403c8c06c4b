"""Webhook events over HTTP: their deliveries, and delivering them again."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway import create_app
from tests.support import protocol
from tests.support.fakes import Host
from worker.store.keyspace import Keyspace
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices

HOOK = "/hook"


@pytest.fixture
def client(sender: SenderServices) -> FlaskClient:
    """A gateway with the same key prefix in Valkey as `sender`."""
    return create_app(sender.settings).test_client()


def submit(client: FlaskClient, **fields: Any) -> str:
    body = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}], **fields}
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["id"])


def deliver_all(sender: SenderServices) -> None:
    """Deliver every pending event, also those that are not due yet."""
    with Keyspace.open(sender.settings) as keyspace:
        keyspace.redis.delete(keyspace.key("q:webhook"))
    protocol.let_time_pass(sender.settings, "events:due", 7 * 86_400)
    for event_id in list(sender.events.due()):
        deliver.deliver(event_id, sender)


def test_the_events_of_a_job_are_listed_with_their_deliveries(
    client: FlaskClient, sender: SenderServices, host: Host
) -> None:
    host.serve(HOOK, b"out of order", status=500)
    job_id = submit(client, webhook={"url": host.url(HOOK), "events": ["job.started", "job.canceled"]})
    path = f"/v1/jobs/{job_id}/webhook-deliveries"
    assert client.get(path).get_json() == {"events": [], "next_cursor": None}

    protocol.begin(sender.jobs, job_id)
    deliver_all(sender)
    [event] = client.get(path).get_json()["events"]
    assert client.get(f"/v1/events/{event['id']}").get_json() == event
    [delivery] = event.pop("deliveries")
    assert delivery.pop("at") > event.pop("created_at")
    assert delivery.pop("duration_ms") > 0
    assert delivery == {"url": host.url(HOOK), "status": 500, "error": None, "answer": "out of order"}
    assert event.pop("next_try_at") is not None
    assert event == {
        "id": f"evt_{job_id}_started",
        "type": "job.started",
        "job_id": job_id,
        "batch_id": None,
        "endpoint_id": None,
        "state": "pending",
        "tries": 1,
        "outcome": "answered 500",
    }


def test_an_event_can_be_delivered_again(client: FlaskClient, sender: SenderServices, host: Host) -> None:
    host.serve(HOOK)
    job_id = submit(client, webhook={"url": host.url(HOOK)})
    client.post(f"/v1/jobs/{job_id}/cancel")
    deliver_all(sender)
    event = client.get(f"/v1/events/evt_{job_id}_canceled").get_json()
    assert (event["state"], event["next_try_at"]) == ("delivered", None)

    answer = client.post(f"/v1/events/{event['id']}/redeliver")
    assert (answer.status_code, answer.get_json()["state"], answer.get_json()["tries"]) == (202, "pending", 0)
    assert protocol.messages(sender.settings, "webhook") == [event["id"]]
    deliver.deliver(event["id"], sender)
    assert {received.headers["webhook-id"] for received in host.wait_for(HOOK, 2)} == {event["id"]}
    again = client.get(f"/v1/events/{event['id']}").get_json()
    assert (again["state"], len(again["deliveries"])) == ("delivered", 2)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/none/webhook-deliveries"),
        ("GET", "/v1/events/none"),
        ("POST", "/v1/events/none/redeliver"),
    ],
)
def test_an_event_or_job_that_does_not_exist_is_not_found(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
    assert "'none'" in answer.get_json()["detail"]
