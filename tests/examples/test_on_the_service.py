"""The examples of docs/examples.md submit, wait, receive and run a batch on the real service."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from standardwebhooks import Webhook

from ovseg.demo import PHOTO
from ovseg.stack import free_port
from tests.conftest import WEBHOOK_SECRET
from tests.support import examples, pictures
from tests.support.examples import Language
from tests.support.fakes import Host, Received
from tests.support.service import Service

BOX = "140,10,305,180"


@pytest.fixture(scope="module", params=list(examples.TOOLS))
def language(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Language:
    return examples.language(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def event(service: Service, trusted_host: Host) -> Received:
    """An event that the service has delivered."""
    hook = f"/hooks/{os.urandom(4).hex()}"
    trusted_host.serve(hook)
    image = trusted_host.serve("/examples.jpg", pictures.photo())
    service.submit(image=image, prompts=[{"box": [140, 10, 305, 180]}], webhook=trusted_host.url(hook))
    [event] = trusted_host.wait_for(hook)
    return event


def test_a_submitted_photo_gets_a_mask_and_an_overlay(language: Language, service: Service) -> None:
    submitted = language.run(service.url, "submit", str(PHOTO), BOX)
    assert submitted.returncode == 0, submitted.stderr
    waited = language.run(service.url, "wait", submitted.stdout.strip())
    assert waited.returncode == 0, waited.stderr
    assert waited.stdout.count("\n") == 1
    assert (language.folder / "overlay.jpg").read_bytes().startswith(b"\xff\xd8")


def test_waiting_for_a_job_that_fails_fails_with_the_reason(
    language: Language, service: Service, trusted_host: Host
) -> None:
    job = service.submit(image=trusted_host.url("/there-is-no-such-image"), prompts=[{"box": [1, 2, 3, 4]}])
    waited = language.run(service.url, "wait", job["id"])
    assert waited.returncode != 0
    assert "failed: " in waited.stderr
    assert service.wait(job["id"])["error"]["message"] in waited.stderr


def test_a_manifest_becomes_results_and_its_invalid_lines_are_shown(
    language: Language, service: Service, trusted_host: Host
) -> None:
    image = trusted_host.serve("/examples.jpg", pictures.photo())
    items = [{"id": f"{i}.jpg", "image": image, "prompts": [{"box": [140, 10, 305, 180 + i]}]} for i in range(2)]
    lines = [{"defaults": {"outputs": ["rle"]}}, *items, {"id": "2.jpg", "image": image}]
    (language.folder / "manifest.ndjson").write_text("\n".join(map(json.dumps, lines)))
    for _ in range(2):  # the second time, the batch has ended already
        ran = language.run(service.url, "batch", f"examples-{language.name}", "manifest.ndjson", "results.ndjson")
        assert ran.returncode == 0, ran.stderr
        assert ("item 3: " if language.name == "python" else "line 4: ") in ran.stderr
        results = map(json.loads, (language.folder / "results.ndjson").read_text().splitlines())
        assert [(row["id"], row["status"]) for row in results] == [("0.jpg", "succeeded"), ("1.jpg", "succeeded")]


def signed(body: bytes, event_id: str, at: datetime) -> dict[str, str]:
    """Return the headers of an event as Standard Webhooks' library signs it."""
    signature = Webhook(WEBHOOK_SECRET).sign(event_id, at, body.decode())
    timestamp = str(int(at.timestamp()))
    return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


@pytest.mark.parametrize("language", [name for name in examples.TOOLS if name != "curl"], indirect=True)
def test_a_receiver_takes_an_event_once_and_refuses_what_the_service_has_not_signed_now(
    language: Language, event: Received
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    now = datetime.now(tz=UTC)
    genuine = {name: value for name, value in event.headers.items() if name.startswith("webhook-")}
    last = b'{"type": "webhook.test", "data": {"id": "last", "status": "sent"}}'
    with language.running("webhook", str(port), OVSEG_WEBHOOK_SECRET=WEBHOOK_SECRET) as receiver:
        _wait_until_it_listens(port)
        assert requests.post(url, event.body, headers=genuine, timeout=30).status_code == 204
        assert requests.post(url, event.body, headers=genuine, timeout=30).status_code == 204
        assert requests.post(url, event.body + b" ", headers=genuine, timeout=30).status_code == 401
        assert requests.post(url, event.body, timeout=30).status_code == 401
        old = signed(event.body, "evt_old", now - timedelta(minutes=6))
        assert requests.post(url, event.body, headers=old, timeout=30).status_code == 401
        rotated = signed(last, "evt_last", now)
        rotated["webhook-signature"] = "v1,bm90IG91cnM= " + rotated["webhook-signature"]  # as while a secret is rotated
        assert requests.post(url, last, headers=rotated, timeout=30).status_code == 204
        assert receiver.stdout is not None
        printed = [receiver.stdout.readline().split() for _ in range(2)]
    job = json.loads(event.body)["data"]["id"]
    assert printed == [["job.succeeded", job, "succeeded"], ["webhook.test", "last", "sent"]]


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def no_endpoints(service: Service) -> Iterator[None]:
    yield
    for endpoint in service.get("/v1/webhook-endpoints").json()["endpoints"]:
        service.delete(f"/v1/webhook-endpoints/{endpoint['id']}")


@pytest.mark.usefixtures("no_endpoints")
def test_curl_registers_a_receiver_once_and_sends_it_a_test(
    service: Service, trusted_host: Host, tmp_path: Path
) -> None:
    curl = examples.language("curl", tmp_path)
    receiver = trusted_host.serve("/hooks/registered")
    registered = curl.run(service.url, "webhook", receiver)
    assert registered.returncode == 0, registered.stderr
    [event] = trusted_host.wait_for("/hooks/registered")
    Webhook(registered.stdout.strip()).verify(event.body, event.headers)
    again = curl.run(service.url, "webhook", receiver)
    assert (again.returncode, again.stderr) == (1, f"{receiver} is registered already\n")
