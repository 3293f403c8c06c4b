"""API keys: every route refuses a request without the right key."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import auth, create_app
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import ORDINARY, Scope

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
def client(required: Settings) -> FlaskClient:
    return create_app(required).test_client()


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
