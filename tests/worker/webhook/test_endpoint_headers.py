"""Headers of an endpoint: encrypted in the record, sent to the endpoint's own origin only, and shown nowhere."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway import create_app
from tests.support import fakes, protocol
from tests.support.fakes import Host
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.store.record_archive import RECORDS, RecordArchive
from worker.store.storage import Storage
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices
from worker.webhook.events import History

ENDPOINTS, PATH = "/v1/webhook-endpoints", "/hook"
TOKEN = "Bearer of-a-secret-token"
HEADERS = {"Authorization": TOKEN, "X-Site": "a b"}


@pytest.fixture
def sender(sender: SenderServices, keyspace: Keyspace, trusted_host: Host) -> SenderServices:
    """A sender with a secret for headers, that may post to two hosts."""
    trusted = (*sender.settings.allowed_private_hosts, trusted_host.address)
    settings = sender.settings.model_copy(
        update={"image_headers_secret": "s" * 32, "allowed_private_hosts": trusted, "webhook_timeout_seconds": 5.0}
    )
    return SenderServices.open(settings, keyspace, queue.create(settings))


@pytest.fixture
def client(sender: SenderServices) -> FlaskClient:
    return create_app(sender.settings).test_client()


def make(client: FlaskClient, url: str, headers: Any = HEADERS) -> dict[str, Any]:
    answer = client.post(ENDPOINTS, json={"url": url, "headers": headers})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def change(client: FlaskClient, made: dict[str, Any], **fields: Any) -> Any:
    return client.patch(f"{ENDPOINTS}/{made['id']}", json=fields)


def tried(sender: SenderServices, made: dict[str, Any]) -> History:
    """Deliver a test event of an endpoint once, and return the event."""
    event_id = str(sender.events.test(made["id"]))
    deliver.deliver(event_id, sender)
    found = sender.events.get(event_id)
    assert found is not None
    return found


def test_the_headers_are_sent_with_each_webhook_and_do_not_replace_ours(
    client: FlaskClient, sender: SenderServices, host: Host
) -> None:
    made = make(client, host.serve(PATH))
    assert tried(sender, made).event.state == "delivered"
    [received] = host.wait_for(PATH)
    assert (received.headers["authorization"], received.headers["x-site"]) == (TOKEN, "a b")
    assert received.headers["content-type"] == "application/json"


def test_the_values_are_encrypted_in_redis_and_shown_in_no_answer_event_or_log_line(
    client: FlaskClient, sender: SenderServices, host: Host, keyspace: Keyspace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(request: Any) -> None:
        fakes.reply(request, 401, f"no access with {request.headers['Authorization']}".encode(), {})

    host.answers[PATH] = echo
    made = make(client, host.url(PATH))
    history = tried(sender, made)
    assert [(each.status, each.answer) for each in history.deliveries] == [(401, "")]
    path = f"{ENDPOINTS}/{made['id']}"
    shown = [made, *(client.get(each).get_json() for each in (path, ENDPOINTS, f"/v1/events/{history.event.id}"))]
    shown += [change(client, made, description="x").get_json(), client.post(f"{path}/rotate-secret").get_json()]
    assert made["header_names"] == ["Authorization", "X-Site"]
    record = keyspace.redis.hgetall(keyspace.key(f"endpoint:{made['id']}"))
    for text in (json.dumps(shown), json.dumps(record), caplog.text):
        assert "secret-token" not in text


def test_a_redirect_gets_no_headers(client: FlaskClient, sender: SenderServices, host: Host) -> None:
    host.redirect(PATH, host.serve("/elsewhere"))
    assert tried(sender, make(client, host.url(PATH))).event.outcome == "answered 302"
    assert [received.path for received in host.received] == [PATH]


def test_headers_can_be_replaced_kept_and_removed(client: FlaskClient, sender: SenderServices, host: Host) -> None:
    made = make(client, host.serve(PATH))
    changes: list[dict[str, Any]] = [
        {"description": "x"},
        {"headers": None},
        {"headers": {"X-Other": "c"}},
        {"headers": {}},
    ]
    sent = []
    for count, fields in enumerate(changes, start=1):
        assert change(client, made, **fields).status_code == 200
        tried(sender, made)
        received = host.wait_for(PATH, count)[-1].headers
        sent.append([received.get(name) for name in ("authorization", "x-other")])
    assert sent == [[TOKEN, None], [TOKEN, None], [None, "c"], [None, None]]
    assert client.get(f"{ENDPOINTS}/{made['id']}").get_json()["header_names"] == []


def test_headers_stay_with_the_host_that_they_were_given_for(
    client: FlaskClient, sender: SenderServices, host: Host, trusted_host: Host
) -> None:
    elsewhere = trusted_host.serve("/headers-of-an-endpoint")
    made = make(client, host.serve(PATH))
    assert change(client, made, url=host.serve("/other-path")).get_json()["header_names"] == list(HEADERS)
    answer = change(client, made, url=elsewhere)
    [error] = answer.get_json()["errors"]
    assert (answer.status_code, answer.get_json()["code"], error["field"]) == (422, "url_forbidden", "url")
    assert tried(sender, made).deliveries[0].url == host.url("/other-path")
    assert change(client, made, url=elsewhere, headers={"X-New": "d"}).status_code == 200
    assert tried(sender, made).event.state == "delivered"
    received = trusted_host.wait_for("/headers-of-an-endpoint")[-1].headers
    assert (received.get("authorization"), received["x-new"]) == (None, "d")


def test_a_url_that_was_changed_in_redis_gets_no_headers(
    client: FlaskClient, sender: SenderServices, host: Host, trusted_host: Host, keyspace: Keyspace
) -> None:
    made = make(client, host.serve(PATH))
    stolen = trusted_host.serve("/stolen-headers")
    keyspace.redis.hset(keyspace.key(f"endpoint:{made['id']}"), "url", stolen)
    history = tried(sender, made)
    assert (history.event.state, history.deliveries[0].status) == ("pending", None)
    assert f"given for another host than http://{trusted_host.address}" in str(history.event.outcome)
    assert [received for received in trusted_host.received if received.path == "/stolen-headers"] == []


def test_with_another_secret_the_delivery_fails_and_is_tried_again(
    client: FlaskClient, sender: SenderServices, host: Host
) -> None:
    made = make(client, host.serve(PATH))
    other = replace(sender, settings=sender.settings.model_copy(update={"image_headers_secret": "t" * 32}))
    event_id = tried(other, made).event.id
    assert host.received == []
    deliver.deliver(event_id, sender)
    assert host.wait_for(PATH)[0].headers["authorization"] == TOKEN


def test_an_endpoint_with_headers_survives_the_loss_of_redis(
    client: FlaskClient, sender: SenderServices, host: Host, keyspace: Keyspace
) -> None:
    made = make(client, host.serve(PATH))
    storage = Storage(sender.settings)
    archive = RecordArchive(keyspace, storage)
    storage.delete_prefix(RECORDS)  # other tests share the bucket
    try:
        archive.sweep()
        copy = storage.get(f"{RECORDS}endpoint/{made['id']}.json")
        assert b"secret-token" not in copy
        keyspace.redis.delete(*keyspace.redis.keys(keyspace.key("*")))
        assert archive.restore() == 1
    finally:
        storage.delete_prefix(RECORDS)
    assert tried(sender, made).event.state == "delivered"
    assert host.wait_for(PATH)[0].headers["authorization"] == TOKEN


@pytest.mark.parametrize(
    ("headers", "field", "message"),
    [
        ({f"X-{i}": "a" for i in range(9)}, "headers", "at most 8"),
        ({"Host": "secret"}, "headers", "'Host' cannot be the name"),
        ({"Content-Length": "secret"}, "headers", "cannot be the name"),
        ({"content-type": "secret"}, "headers", "cannot be the name"),
        ({"Webhook-Signature": "secret"}, "headers", "cannot be the name"),
        ({"X": "secret\r\nY: z"}, "headers", "the value of X must be"),
        ({"X": "secret" * 1000}, "headers", "the value of X must be"),
        ({"X": "secret", "x": "b"}, "headers", "twice"),
        ({"X": 5}, "headers.X", "string"),
        (["X: secret"], "headers", "dictionary"),
    ],
)
def test_wrong_headers_are_refused_without_repeating_them(
    client: FlaskClient, headers: Any, field: str, message: str
) -> None:
    answer = client.post(ENDPOINTS, json={"url": protocol.HOOK, "headers": headers})
    [error] = answer.get_json()["errors"]
    assert (answer.status_code, answer.get_json()["code"], error["field"]) == (422, "invalid_value", field)
    assert message in error["message"]
    assert "secret" not in answer.text


def test_without_a_secret_for_them_headers_are_refused(sender: SenderServices) -> None:
    client = create_app(sender.settings.model_copy(update={"image_headers_secret": None})).test_client()
    answer = client.post(ENDPOINTS, json={"url": protocol.HOOK, "headers": HEADERS})
    [error] = answer.get_json()["errors"]
    assert (answer.status_code, answer.get_json()["code"], error["field"]) == (422, "headers_unavailable", "headers")
    assert client.post(ENDPOINTS, json={"url": protocol.HOOK, "headers": {}}).status_code == 201
