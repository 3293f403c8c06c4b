"""API keys: every route refuses a request without the right key, and a revoked key works no longer."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import auth, create_app, remembered
from gateway.known_keys import KnownKeys
from tests.support import lone_gateway
from tests.support.waiting import wait_until
from worker.access.api_key import KeyText, new_id
from worker.access.credential import Credential
from worker.access.keys import Keys
from worker.access.scope import ORDINARY, Scope
from worker.access.sessions import Sessions
from worker.store.keyspace import Keyspace

READ, WRITE, HOOKS, ADMIN = Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.WEBHOOKS, Scope.ADMIN
OPEN, ANY = None, auth.ANY
ROUTES = {
    "GET /": OPEN,
    "GET /console": OPEN,
    "GET /console/{}": OPEN,
    "GET /assets/{}": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /health": OPEN,
    "GET /openapi.json": OPEN,
    "GET /docs": OPEN,
    "GET /docs/docs.js": OPEN,
    "GET /docs/swagger-ui.css": OPEN,
    "GET /docs/swagger-ui-bundle.js": OPEN,
    "GET /.well-known/ovseg-webhook-keys.json": OPEN,
    "GET /metrics": ADMIN,
    "POST /open-vocabulary-segmentation": WRITE,
    "POST /open-vocabulary-detection": WRITE,
    "POST /v1/chat/completions": WRITE,
    "POST /v1/jobs": WRITE,
    "GET /v1/jobs": READ,
    "PUT /v1/jobs/{}": WRITE,
    "GET /v1/jobs/{}": READ,
    "GET /v1/jobs/{}/events": READ,
    "GET /v1/batches/{}/events": READ,
    "GET /v1/events": READ,
    "GET /v1/jobs/{}/files": READ,
    "GET /v1/jobs/{}/files/{}": READ,
    "DELETE /v1/jobs/{}": WRITE,
    "POST /v1/jobs/{}/cancel": WRITE,
    "POST /v1/jobs/{}/retry": WRITE,
    "GET /v1/jobs/{}/webhook-deliveries": HOOKS,
    "POST /v1/jobs/cancel": WRITE,
    "POST /v1/jobs/delete": WRITE,
    "POST /v1/batches": WRITE,
    "GET /v1/batches": READ,
    "PUT /v1/batches/{}": WRITE,
    "GET /v1/batches/{}": READ,
    "DELETE /v1/batches/{}": WRITE,
    "POST /v1/batches/{}/cancel": WRITE,
    "POST /v1/batches/{}/retry": WRITE,
    "GET /v1/batches/{}/results": READ,
    "GET /v1/batches/{}/files": READ,
    "POST /v1/embeddings": WRITE,
    "POST /v1/uploads": WRITE,
    "GET /v1/uploads/{}": READ,
    "DELETE /v1/uploads/{}": WRITE,
    "GET /v1/models": READ,
    "GET /v1/models/{}": READ,
    "GET /v1/events/{}": HOOKS,
    "POST /v1/events/{}/redeliver": HOOKS,
    "POST /v1/webhook-endpoints": HOOKS,
    "GET /v1/webhook-endpoints": HOOKS,
    "GET /v1/webhook-endpoints/{}": HOOKS,
    "PATCH /v1/webhook-endpoints/{}": HOOKS,
    "DELETE /v1/webhook-endpoints/{}": HOOKS,
    "GET /v1/webhook-endpoints/{}/events": HOOKS,
    "POST /v1/webhook-endpoints/{}/rotate-secret": HOOKS,
    "POST /v1/webhook-endpoints/{}/test": HOOKS,
    "POST /v1/webhook-endpoints/{}/replay": HOOKS,
    "POST /v1/webhook-secret/rotate": HOOKS,
    "POST /v1/session": OPEN,
    "GET /v1/session": ANY,
    "DELETE /v1/session": OPEN,
    "GET /v1/usage": READ,
    "GET /v1/usage/tenants": ADMIN,
    "GET /v1/usage/tenants/{}": ADMIN,
    "GET /v1/fleet": ADMIN,
    "POST /v1/keys": ADMIN,
    "GET /v1/keys": ADMIN,
    "GET /v1/keys/{}": ADMIN,
    "PATCH /v1/keys/{}": ADMIN,
    "POST /v1/keys/{}/rotate": ADMIN,
    "POST /v1/keys/{}/revoke": ADMIN,
}
# There is no file `x`, a sign-in needs a body, and a sign-out has none.
ANSWERS_WITHOUT_KEY = {"GET /assets/{}": 404, "POST /v1/session": 415, "DELETE /v1/session": 204}
CLOSED = [route for route, scope in ROUTES.items() if scope is not OPEN]
UNKNOWN = str(KeyText.new("0" * 16))


@pytest.fixture
def required(s3_settings: Settings) -> Settings:
    return s3_settings.model_copy(update={"auth": "required"})


@pytest.fixture
def client(required: Settings) -> FlaskClient:
    return create_app(required).test_client()


@pytest.fixture
def keys(keyspace: Keyspace) -> Keys:
    return Keys(keyspace)


@pytest.fixture
def admin(keys: Keys) -> KeyText:
    return keys.create("the first", [ADMIN])


def ask(client: FlaskClient, route: str, key: object = None, **sent: Any) -> TestResponse:
    """Send a request to a route of the table, with a key unless it is None."""
    method, path = route.replace("{}", "x").split()
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return client.open(path, method=method, headers=headers, **sent)


def code(answer: TestResponse) -> str | None:
    """Return the code of a refusal for a key; None if the key was accepted. PaddleX's envelope has only the status."""
    if answer.status_code not in (401, 403):
        return None
    return str(answer.get_json().get("code", answer.status_code))


def refused(client: FlaskClient, route: str, key: object, status: int, expected: str) -> None:
    answer = ask(client, route, key)
    assert (answer.status_code, code(answer)) in ((status, expected), (status, str(status))), (route, key)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="ovseg"')


def test_the_table_has_every_route_and_every_route_declares_its_scope(client: FlaskClient) -> None:
    app = client.application
    found = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        assert auth.needs.is_on(view), rule
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            with app.test_request_context(re.sub("<[^>]+>", "x", rule.rule), method=method):
                found[f"{method} {re.sub('<[^>]+>', '{}', rule.rule)}"] = auth.needs.of_view()
    assert found == ROUTES


def test_no_route_but_the_open_ones_answers_without_a_live_key(client: FlaskClient, keys: Keys) -> None:
    live = keys.create("", [ADMIN])
    expired = keys.create("", [ADMIN], datetime.now(UTC) - timedelta(seconds=1))
    revoked = keys.create("", [ADMIN])
    keys.revoke(revoked.id)
    wrong = KeyText.new(live.id)
    for route in CLOSED:
        refused(client, route, None, 401, "key_required")
        for key in (UNKNOWN, wrong, expired, revoked):
            refused(client, route, key, 401, "key_invalid")
        assert code(ask(client, route, live)) is None, route


def test_a_key_can_do_what_its_scopes_allow_and_nothing_else(client: FlaskClient, keys: Keys) -> None:
    for scope in ORDINARY:
        key = keys.create("", [scope])
        for route in CLOSED:
            if ROUTES[route] in (scope, ANY):
                assert code(ask(client, route, key)) is None, (route, scope)
            else:
                refused(client, route, key, 403, "scope_missing")


def test_open_routes_need_no_key_and_ignore_a_wrong_one(client: FlaskClient) -> None:
    for route, scope in ROUTES.items():
        if scope is OPEN:
            expected = ANSWERS_WITHOUT_KEY.get(route, 200)
            assert ask(client, route).status_code == ask(client, route, "nonsense").status_code == expected, route


def test_a_setting_opens_the_metrics(required: Settings) -> None:
    client = create_app(required.model_copy(update={"metrics_without_key": True})).test_client()
    assert ask(client, "GET /metrics").status_code == 200
    assert ask(client, "GET /v1/jobs").status_code == 401


def basic(password: object, user: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_key_is_also_the_password_of_basic_authentication(client: FlaskClient, admin: KeyText) -> None:
    for user in ("", "anybody", "a" * 100):
        assert client.get("/v1/jobs", headers={"Authorization": basic(admin, user)}).status_code == 200
    assert client.get("/v1/jobs", headers={"Authorization": basic(UNKNOWN)}).status_code == 401


def test_paddlexs_route_takes_a_key_and_refuses_in_its_own_envelope(client: FlaskClient, keys: Keys) -> None:
    route = "POST /open-vocabulary-segmentation"
    answer = ask(client, route, json={})
    assert (answer.status_code, answer.get_json()["errorCode"]) == (401, 401)
    assert ask(client, route, keys.create("", [WRITE]), json={}).status_code == 422


def test_the_chat_takes_a_key_and_refuses_in_openais_envelope(client: FlaskClient, keys: Keys) -> None:
    route = "POST /v1/chat/completions"
    answer = ask(client, route, json={})
    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (401, "authentication_error", "key_required")
    answer = ask(client, route, keys.create("", [Scope.JOBS_READ]), json={})
    assert (answer.status_code, answer.get_json()["error"]["type"]) == (403, "permission_error")
    assert ask(client, route, keys.create("", [WRITE]), json={}).status_code == 422


BAD_HEADERS: dict[str, Callable[[str], str]] = {
    "empty": lambda key: "",
    "only a scheme": lambda key: "Bearer",
    "no scheme": lambda key: key,
    "another scheme": lambda key: f"Token {key}",
    "twice": lambda key: f"Bearer {key}, Bearer {key}",
    "a digit more": lambda key: f"Bearer {key}0",
    "a digit less": lambda key: f"Bearer {key[:-1]}",
    "no prefix": lambda key: f"Bearer {key.removeprefix('ovk_')}",
    "a space inside": lambda key: f"Bearer {key[:30]} {key[30:]}",
    "as parameters": lambda key: f'Bearer token="{key}"',
    "basic without base64": lambda key: "Basic ///",
    "basic that is not UTF-8": lambda key: "Basic /////w==",
    "basic without a colon": lambda key: "Basic " + base64.b64encode(key.encode()).decode(),
    "the key as the user": lambda key: basic("", key),
    "too long": lambda key: f"Bearer {key}{'=' * 8000}",
    "another language": lambda key: "Bearer ovk_\xe9\xe8",
}


def test_a_header_that_has_no_key_is_refused(client: FlaskClient, admin: KeyText) -> None:
    for wrong, header in BAD_HEADERS.items():
        answer = client.get("/v1/jobs", headers={"Authorization": header(str(admin))})
        assert (answer.status_code, answer.get_json()["code"]) == (401, "key_invalid"), wrong


def test_without_required_keys_a_key_changes_nothing(s3_settings: Settings) -> None:
    client = create_app(s3_settings).test_client()
    for key in (None, UNKNOWN, "nonsense"):
        assert ask(client, "GET /v1/jobs", key).status_code == 200


def test_nobody_makes_keys_over_http_while_none_are_required(s3_settings: Settings, keys: Keys) -> None:
    client = create_app(s3_settings).test_client()
    key = keys.create("", [ADMIN])
    for route in (route for route in ROUTES if "/v1/keys" in route):
        for sent in (None, key):
            answer = ask(client, route, sent)
            assert (answer.status_code, answer.get_json()["code"]) == (403, "auth_off")
    assert len(keys.list()) == 1


def test_a_method_that_a_route_does_not_have_is_no_fault_of_the_service(
    client: FlaskClient, s3_settings: Settings
) -> None:
    without_keys = create_app(s3_settings).test_client()
    for path in {route.split()[1] for route in ROUTES}:
        for each in (client, without_keys):
            assert ask(each, f"OPTIONS {path}").status_code == 200, path
            assert ask(each, f"TRACE {path}").status_code == 405, path


def test_both_secrets_work_after_a_rotation_until_the_old_one_ends(client: FlaskClient, keys: Keys) -> None:
    first = keys.create("", [READ])
    second = keys.rotate(first.id, overlap_seconds=3600)
    assert second is not None
    assert code(ask(client, "GET /v1/jobs", first)) is code(ask(client, "GET /v1/jobs", second)) is None
    third = keys.rotate(first.id, overlap_seconds=0)
    deadline = time.monotonic() + 1
    while any(code(ask(client, "GET /v1/jobs", key)) is None for key in (first, second)):
        assert time.monotonic() < deadline
    assert code(ask(client, "GET /v1/jobs", third)) is None


def test_every_gateway_refuses_a_revoked_key_within_a_second(required: Settings, keys: Keys) -> None:
    gateways = [create_app(required).test_client() for _ in range(2)]
    key = keys.create("", [READ])
    assert [code(ask(gateway, "GET /v1/jobs", key)) for gateway in gateways] == [None, None]
    keys.revoke(key.id)
    revoked_at = time.monotonic()
    while any(code(ask(gateway, "GET /v1/jobs", key)) is None for gateway in gateways):
        assert time.monotonic() - revoked_at < 1
    assert keys.rotate(key.id, 60) is None


def test_a_gateway_remembers_few_keys(keyspace: Keyspace, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_RECORDS", 3)
    known = KnownKeys(keys, Sessions(keyspace))
    for _ in range(20):
        assert known.find(Credential.of_text(keys.create("", [READ])), datetime.now(UTC)) is not None
        assert known.find(Credential.of_text(KeyText.new(new_id())), datetime.now(UTC)) is None
    assert len(known._known_keys) == 3


def test_redis_is_asked_for_a_key_twice_a_second_and_not_at_every_request(
    client: FlaskClient, keyspace: Keyspace, admin: KeyText
) -> None:
    calls = keyspace.redis.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"]
    start = time.monotonic()
    for _ in range(20):
        assert ask(client, "GET /v1/keys/{}", admin).status_code == 404  # reads one record, which does not exist
    seconds = time.monotonic() - start
    asked = keyspace.redis.info("commandstats")["cmdstat_hgetall"]["calls"] - calls - 20
    assert 1 <= asked <= 1 + seconds / remembered.SECONDS


def test_the_last_use_is_written_at_most_once_a_minute(client: FlaskClient, keys: Keys, keyspace: Keyspace) -> None:
    key = keys.create("", [READ])
    ask(client, "GET /v1/jobs", key)
    record = keyspace.key(f"apikey:{key.id}")
    first = int(keyspace.redis.hget(record, "last_used_at"))
    assert abs(first - keyspace.now()) < 10_000_000
    for ago, is_written in ((50, False), (70, True)):
        before = first - ago * 1_000_000
        keyspace.redis.hset(record, "last_used_at", before)
        time.sleep(remembered.SECONDS)  # after this time the gateway reads the record again
        ask(client, "GET /v1/jobs", key)
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
            deadline = time.monotonic() + 1
            while requests.get(url, headers=sent, timeout=60).status_code != 401:
                assert time.monotonic() < deadline
            assert not held.done()
            assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
        assert held.result().status_code == 401
