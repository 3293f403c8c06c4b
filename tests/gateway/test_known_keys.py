"""A gateway remembers keys for a moment: a revoked or rotated key works no longer, and Redis has few requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app, remembered
from gateway.known_keys import KnownKeys
from tests.support import lone_gateway
from tests.support.waiting import wait_until
from worker.access.api_key import KeyText, new_id
from worker.access.credential import Credential
from worker.access.keys import Keys
from worker.access.scope import ORDINARY, Scope
from worker.access.sessions import Sessions
from worker.store.keyspace import Keyspace

READ = Scope.JOBS_READ


@pytest.fixture
def client(required: Settings) -> FlaskClient:
    return create_app(required).test_client()


def status(client: FlaskClient, key: object, path: str = "/v1/jobs") -> int:
    """Send a request with a key and return the status of its answer."""
    return client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code


def refused_within_a_second(ask: Callable[[], list[int]]) -> None:
    """Ask until all answers are 401. What is asked a second from now must be, however long the answers take."""
    start = asked_at = time.monotonic()
    while set(ask()) != {401}:
        assert asked_at - start < 1
        asked_at = time.monotonic()


def test_both_secrets_work_after_a_rotation_until_the_old_one_ends(client: FlaskClient, keys: Keys) -> None:
    first = keys.create("", [READ])
    second = keys.rotate(first.id, overlap_seconds=3600)
    assert second is not None
    assert status(client, first) == status(client, second) == 200
    third = keys.rotate(first.id, overlap_seconds=0)
    refused_within_a_second(lambda: [status(client, key) for key in (first, second)])
    assert status(client, third) == 200


def test_every_gateway_refuses_a_revoked_key_within_a_second(required: Settings, keys: Keys) -> None:
    gateways = [create_app(required).test_client() for _ in range(2)]
    key = keys.create("", [READ])
    assert [status(gateway, key) for gateway in gateways] == [200, 200]
    keys.revoke(key.id)
    refused_within_a_second(lambda: [status(gateway, key) for gateway in gateways])
    assert keys.rotate(key.id, 60) is None


def test_a_gateway_remembers_few_keys(keyspace: Keyspace, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_RECORDS", 3)
    known = KnownKeys(keys, Sessions(keyspace))
    for _ in range(20):
        assert known.find(Credential.of_text(keys.create("", [READ])), datetime.now(UTC)) is not None
        assert known.find(Credential.of_text(KeyText.new(new_id())), datetime.now(UTC)) is None
    assert len(known._known_keys) == 3


def test_redis_is_asked_for_a_key_twice_a_second_and_not_at_every_request(
    client: FlaskClient, keyspace: Keyspace, keys: Keys
) -> None:
    admin = keys.create("", [Scope.ADMIN])
    calls = keyspace.redis.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"]
    start = time.monotonic()
    for _ in range(20):
        assert status(client, admin, "/v1/keys/x") == 404  # reads one record, which does not exist
    seconds = time.monotonic() - start
    asked = keyspace.redis.info("commandstats")["cmdstat_hgetall"]["calls"] - calls - 20
    assert 1 <= asked <= 1 + seconds / remembered.SECONDS


def test_the_last_use_is_written_at_most_once_a_minute(client: FlaskClient, keys: Keys, keyspace: Keyspace) -> None:
    key = keys.create("", [READ])
    status(client, key)
    record = keyspace.key(f"apikey:{key.id}")
    first = int(keyspace.redis.hget(record, "last_used_at"))
    assert abs(first - keyspace.now()) < 10_000_000
    for ago, is_written in ((30, False), (61, True)):
        before = first - ago * 1_000_000
        keyspace.redis.hset(record, "last_used_at", before)
        time.sleep(remembered.SECONDS)  # after this time the gateway reads the record again
        status(client, key)
        assert (int(keyspace.redis.hget(record, "last_used_at")) != before) is is_written


def test_redis_has_no_secret(keys: Keys, keyspace: Keyspace) -> None:
    first = keys.create("", [READ])
    second = keys.rotate(first.id, 60)
    assert second is not None
    stored = str([keyspace.redis.dump(name) for name in keyspace.redis.keys(keyspace.key("*"))])
    stored += str(keyspace.redis.hgetall(keyspace.key(f"apikey:{first.id}")))
    assert second.hash in stored
    for text in (first, second):
        assert text.secret not in stored
        assert text.secret not in repr(text)


def test_a_wait_that_is_held_is_refused_once_its_key_is_revoked(
    s3_settings: Settings, keys: Keys, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_AUTH", "required")
    key, job_id = keys.create("", ORDINARY), "held"
    with lone_gateway.running(s3_settings) as gateway, ThreadPoolExecutor(1) as threads:
        sent = {"Authorization": f"Bearer {key}"}
        job = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}]}
        url = f"{gateway.url}/v1/jobs/{job_id}"
        assert requests.put(url, json=job, headers=sent, timeout=60).status_code == 202
        held = threads.submit(requests.get, f"{url}?wait=60", headers=sent, timeout=90)
        wait_until(lambda: keyspace.redis.pubsub_numsub(keyspace.key("done"))[0][1])  # for the first wait
        keys.revoke(key.id)
        with create_app(s3_settings).test_client() as client:
            refused_within_a_second(lambda: [requests.get(url, headers=sent, timeout=60).status_code])
            assert not held.done()
            assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
        assert held.result().status_code == 401
