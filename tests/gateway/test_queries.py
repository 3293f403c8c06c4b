"""Query parameters that a route does not take are refused by name."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from worker.access.keys import Keys
from worker.access.scope import Scope
from worker.store.keyspace import Keyspace

PADDLEX = ("/open-vocabulary-segmentation", "/open-vocabulary-detection")

OF_LIST = "limit, cursor, status, model, batch, device, priority, name, metadata, accepted_after, accepted_before"

# fmt: off
QUERIES = [
    ("POST", "/v1/jobs", "wait=61", "wait", "0 to 60"),
    ("POST", "/v1/jobs", "limit=5", "limit", "allowed: wait"),
    ("PUT", "/v1/jobs/mine", "limit=5", "limit", "allowed: wait"),
    ("GET", "/v1/jobs", "wait=5", "wait", "allowed: limit, cursor, status"),
    ("GET", "/v1/jobs", "Limit=5", "Limit", "allowed: limit, cursor, status"),
    ("GET", "/v1/jobs", "limit=1&limit=2", "limit", "given 2 times"),
    ("GET", "/v1/jobs", "limit=1&limit=1", "limit", "given 2 times"),
    ("GET", "/v1/jobs", "metadata=site", "metadata", "metadata.KEY=VALUE"),
    ("GET", "/v1/jobs", "metadata.site=a&metadata.site=b", "metadata.site", "given 2 times"),
    ("GET", "/v1/jobs", "device=tpu", "device", "must be 'auto', 'cpu' or 'gpu'"),
    ("GET", "/v1/jobs", "accepted_after=yesterday", "accepted_after", "RFC 3339"),
    ("GET", "/v1/jobs", "accepted_before=2026-02-30T00:00:00Z", "accepted_before", "day"),
    ("GET", "/v1/jobs", "limit[]=1", "limit[]", "allowed: limit, cursor, status"),
    ("GET", "/v1/jobs/x", "limit=5", "limit", "allowed: wait"),
    ("GET", "/v1/jobs/x", "wait=1&wait=2", "wait", "given 2 times"),
    ("GET", "/v1/jobs/x", "", None, ""),
    ("GET", "/v1/jobs/x/events", "after=1", "after", "allowed: last_event_id"),
    ("GET", "/v1/batches/x/events", "after=1", "after", "allowed: last_event_id"),
    ("GET", "/v1/events", "after=1", "after", "allowed: last_event_id"),
    ("GET", "/v1/jobs/x/files", "x=1", "x", "none is allowed"),
    ("DELETE", "/v1/jobs/x", "force=1", "force", "none is allowed"),
    ("POST", "/v1/jobs/x/cancel", "now=1", "now", "none is allowed"),
    ("POST", "/v1/jobs/x/retry", "limit=1", "limit", "allowed: wait"),
    ("GET", "/v1/jobs/x/webhook-deliveries", "status=1", "status", "allowed: limit, cursor"),
    ("POST", "/v1/jobs/cancel", "status=queued", "status", "none is allowed"),
    ("POST", "/v1/jobs/delete", "status=queued", "status", "none is allowed"),
    ("POST", "/v1/batches", "wait=5", "wait", "allowed: more"),
    ("PUT", "/v1/batches/x", "more=yes", "more", "must be 'true' or 'false'"),
    ("GET", "/v1/batches", "status=running", "status", "allowed: limit, cursor"),
    ("GET", "/v1/batches/x", "x=1", "x", "allowed: wait"),
    ("DELETE", "/v1/batches/x", "x=1", "x", "none is allowed"),
    ("POST", "/v1/batches/x/cancel", "x=1", "x", "none is allowed"),
    ("POST", "/v1/batches/x/retry", "wait=1", "wait", "none is allowed"),
    ("GET", "/v1/batches/x/files", "files=result,input", "files[1]", "must be 'result', 'overlay', 'masks' or 'image'"),
    ("GET", "/v1/jobs/x/files/image", "redirect=1", "redirect", "must be 'true' or 'false'"),
    ("POST", "/v1/uploads", "size=1", "size", "none is allowed"),
    ("GET", "/v1/uploads/x", "x=1", "x", "none is allowed"),
    ("DELETE", "/v1/uploads/x", "x=1", "x", "none is allowed"),
    ("GET", "/v1/batches/x/results", "format=yolo", "format", "must be 'ndjson' or 'coco'"),
    ("POST", "/v1/embeddings", "model=x", "model", "allowed: wait"),
    ("GET", "/v1/models", "limit=5", "limit", "none is allowed"),
    ("GET", "/v1/models/x", "x=1", "x", "none is allowed"),
    ("GET", "/v1/events/x", "x=", "x", "none is allowed"),
    ("POST", "/v1/events/x/redeliver", "x", "x", "none is allowed"),
    ("GET", "/v1/webhook-endpoints", "limit=5", "limit", "none is allowed"),
    ("POST", "/v1/webhook-endpoints", "x=1", "x", "none is allowed"),
    ("GET", "/v1/webhook-endpoints/x", "x=1", "x", "none is allowed"),
    ("PATCH", "/v1/webhook-endpoints/x", "x=1", "x", "none is allowed"),
    ("DELETE", "/v1/webhook-endpoints/x", "x=1", "x", "none is allowed"),
    ("GET", "/v1/webhook-endpoints/x/events", "x=1", "x", "allowed: limit, cursor"),
    ("POST", "/v1/webhook-endpoints/x/test", "x=1", "x", "none is allowed"),
    ("POST", "/v1/webhook-endpoints/x/replay", "since=1", "since", "none is allowed"),
    ("POST", "/v1/webhook-endpoints/x/rotate-secret", "x=1", "x", "none is allowed"),
    ("POST", "/v1/webhook-secret/rotate", "x=1", "x", "none is allowed"),
    ("GET", "/.well-known/ovseg-webhook-keys.json", "key=x", "key", "allowed: tenant"),
    ("GET", "/.well-known/ovseg-webhook-keys.json", "tenant=A", "tenant", "pattern"),
    ("GET", "/v1/session", "x=1", "x", "none is allowed"),
    ("DELETE", "/v1/session", "x=1", "x", "none is allowed"),
    ("GET", "/v1/usage", "x=1", "x", "allowed: since, until"),
    ("GET", "/v1/usage", "since=2026-2-1", "since", "must be a day like 2026-11-21"),
    ("GET", "/v1/usage", "until=2026-02-30", "until", "day"),
    ("GET", "/v1/usage/tenants", "tenant=x", "tenant", "allowed: limit, cursor, since, until"),
    ("GET", "/v1/usage/tenants/default", "limit=1", "limit", "allowed: since, until"),
    ("GET", "/v1/fleet", "x=1", "x", "none is allowed"),
    ("GET", "/metrics", "x=1", "x", "none is allowed"),
    ("GET", "/readyz", "worker=1", "worker", "allowed: workers"),
    ("GET", "/healthz", "x=1", "x", "none is allowed"),
    ("GET", "/", "x=1", "x", "allowed: job"),
    ("GET", "/assets/playground.js", "x=1", "x", "none is allowed"),
    ("GET", "/openapi.json", "x=1", "x", "none is allowed"),
    ("GET", "/docs", "x=1", "x", "none is allowed"),
    ("GET", "/docs/docs.js", "x=1", "x", "none is allowed"),
    ("GET", "/docs/swagger-ui.css", "x=1", "x", "none is allowed"),
    ("GET", "/docs/swagger-ui-bundle.js", "x=1", "x", "none is allowed"),
    ("GET", "/v1/jobs", "%C3%A9%0a%1b=1", "é\n\u001b", "allowed: limit"),
    ("GET", "/v1/jobs", "x" * 3000 + "=1", "x" * 80 + "...", "allowed: limit"),
]
QUERIES_OF_KEYS = [
    ("GET", "/v1/keys", "x=5", "x", "allowed: limit, cursor"),
    ("POST", "/v1/session", "x=1", "x", "none is allowed"),
    ("POST", "/v1/keys", "x=1", "x", "none is allowed"),
    ("GET", "/v1/keys/x", "x=1", "x", "none is allowed"),
    ("PATCH", "/v1/keys/x", "x=1", "x", "none is allowed"),
    ("POST", "/v1/keys/x/rotate", "x=1", "x", "none is allowed"),
    ("POST", "/v1/keys/x/revoke", "x=1", "x", "none is allowed"),
]
# fmt: on


@pytest.mark.parametrize(("method", "path", "query", "field", "message"), QUERIES)
def test_a_query_parameter_that_a_route_does_not_take_is_refused_by_name(
    asked: FlaskClient, method: str, path: str, query: str, field: str | None, message: str
) -> None:
    answer = asked.open(path, method=method, query_string=query, json={})
    if field is None:
        assert answer.status_code == 404
        return
    assert answer.status_code == 422, answer.text
    [error] = answer.get_json()["errors"]
    assert error["field"] == field
    assert message in error["message"]


@pytest.mark.parametrize(("method", "path", "query", "field", "message"), QUERIES_OF_KEYS)
def test_a_query_parameter_that_a_route_of_keys_does_not_take_is_refused_by_name(
    s3_settings: Settings, keyspace: Keyspace, method: str, path: str, query: str, field: str, message: str
) -> None:
    """These routes answer only while keys are required."""
    asked = create_app(s3_settings.model_copy(update={"auth": "required"})).test_client()
    headers = {"Authorization": f"Bearer {Keys(keyspace).create('an admin', [Scope.ADMIN])}"}
    answer = asked.open(path, method=method, query_string=query, json={}, headers=headers)
    assert answer.status_code == 422, answer.text
    [error] = answer.get_json()["errors"]
    assert error["field"] == field
    assert message in error["message"]


def test_all_errors_of_a_query_are_in_one_answer(asked: FlaskClient) -> None:
    answer = asked.get("/v1/jobs", query_string="limit=0&cursor=x&status=odd&colour=1&limit=2")
    assert answer.status_code == 422
    errors = {error["field"]: (error["code"], error["message"]) for error in answer.get_json()["errors"]}
    assert errors["limit"] == ("invalid_value", "given 2 times; once is allowed")
    assert errors["colour"] == ("unknown_field", f"unknown query parameter; allowed: {OF_LIST}")
    assert errors.keys() == {"limit", "cursor", "status", "colour"}


@pytest.mark.parametrize("path", ["/health", *PADDLEX])
def test_paddlexs_routes_refuse_query_parameters_in_their_own_format(asked: FlaskClient, path: str) -> None:
    answer = asked.open(path, method="POST" if path in PADDLEX else "GET", query_string="x=1", json={})
    assert (answer.status_code, answer.get_json()["errorCode"]) == (422, 422)
    assert "x: unknown query parameter" in answer.get_json()["errorMsg"]


def test_the_chat_refuses_query_parameters_in_its_own_format(asked: FlaskClient) -> None:
    answer = asked.post("/v1/chat/completions?x=1", json={})
    error = answer.get_json()["error"]
    assert (answer.status_code, error["param"]) == (422, "x")
    assert "x: unknown query parameter" in error["message"]


def test_every_route_is_in_the_table_of_queries(asked: FlaskClient) -> None:
    """A new route must not ignore query parameters."""
    adapter = asked.application.url_map.bind("localhost")
    tried = {adapter.match(path, method)[0] for method, path, _, _, _ in (*QUERIES, *QUERIES_OF_KEYS)} | {
        "chat.complete",
        "console.show",  # its script reads them
        "paddlex.infer",
        "paddlex.detect",
        "paddlex.health",
    }
    assert {rule.endpoint for rule in asked.application.url_map.iter_rules()} == tried


@pytest.mark.parametrize("path", ["//v1/jobs", "/v1//jobs", "/v1/jobs/", "/v1/jobs//x"])
def test_a_path_with_an_extra_slash_is_not_redirected_to_the_host_of_the_request(asked: FlaskClient, path: str) -> None:
    answer = asked.get("/", environ_overrides={"PATH_INFO": path}, headers={"Host": "localhost:1"})
    assert answer.status_code in (200, 404)  # Werkzeug reads the first two slashes as one
    assert "Location" not in answer.headers
