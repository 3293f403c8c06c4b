"""The OpenAPI document: it has every route, its examples work, and its schemas are those of the parsers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from configs.settings import Settings
from gateway import auth, create_app, operation
from gateway.openapi import problems
from tests.gateway.test_keys import ROUTES
from tests.support import contract, protocol
from worker.access.keys import Keys
from worker.access.scope import Scope
from worker.job.event_type import ALL, OF_BATCHES, TEST
from worker.store import object_names
from worker.store.keyspace import Keyspace
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices

ROOT = Path(__file__).parents[2]
DOCUMENT = contract.built()
OPERATIONS = [
    (f"{method.upper()} {path}", each) for path, item in DOCUMENT["paths"].items() for method, each in item.items()
]
RAISED = r'(?:OvsegError|_refuse|JobError|_render)\(\s*(?:status, )?"([a-z_]+)"'
# Only in `error` of a job that failed.
OF_FAILED_JOBS = {"result_too_large", "url_unreachable"}


def test_the_document_follows_the_specification() -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_route_is_described_or_is_a_page() -> None:
    app = contract.gateway()
    undescribed = [
        rule for rule in app.url_map.iter_rules() if not operation.describes.is_on(app.view_functions[rule.endpoint])
    ]
    assert undescribed == [], "mark the view with @operation.describes(...)"


def test_the_document_has_the_scope_of_every_route() -> None:
    pages = {
        route for route in ROUTES if route == "GET /" or route.startswith(("GET /assets", "GET /console", "GET /docs"))
    }
    scopes = {re.sub(r"\{[^}]+\}", "{}", route): each["security"] for route, each in OPERATIONS}
    assert scopes.keys() == ROUTES.keys() - pages
    for route, security in scopes.items():
        scope = ROUTES[route]
        scopes_of_route = [] if scope == auth.ANY else [scope]
        expected = [{scheme: scopes_of_route} for scheme in ("key", "password", "session")]
        assert security == ([] if scope is None else expected), route


def test_every_code_is_a_code_of_a_route() -> None:
    app = contract.gateway()
    listed = {*problems.OF_EVERY_ROUTE, *OF_FAILED_JOBS}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if operation.describes.of(view) is not None:
            for method in rule.methods or ():
                listed |= set(problems.codes(view, method))
    written = set()
    for folder in ("gateway", "worker", "ovseg_core"):
        for file in (ROOT / folder).rglob("*.py"):
            written |= set(
                re.findall(r'(?:OvsegError|_refuse|JobError|_render)\(\s*(?:status, )?"([a-z_]+)"', file.read_text())
            )
    assert len(written) > 40
    assert sorted(written - listed) == []


EXAMPLES = [
    (route, name, example["value"])
    for route, each in OPERATIONS
    for name, example in each.get("requestBody", {})
    .get("content", {})
    .get("application/json", {})
    .get("examples", {})
    .items()
]


@pytest.mark.parametrize(("route", "name", "body"), EXAMPLES, ids=[f"{route} {name}" for route, name, _ in EXAMPLES])
def test_an_example_is_accepted(s3_settings: Settings, keyspace: Keyspace, route: str, name: str, body: Any) -> None:
    settings = s3_settings.model_copy(update={"auth": "required", "paddlex_timeout_seconds": 0.1})
    client = create_app(settings).test_client()
    key = Keys(keyspace).create("an admin", [Scope.ADMIN])
    headers = {"Authorization": f"Bearer {key}"}
    method, path = route.replace("{key_id}", key.id).split()
    if "{endpoint_id}" in path:
        made = client.post("/v1/webhook-endpoints", json={"url": "https://example.com/hook"}, headers=headers)
        path = path.replace("{endpoint_id}", made.get_json()["id"])
    path = path.replace("{job_id}", "mine").replace("{batch_id}", "mine")
    body = {"key": str(key)} if path == "/v1/session" else body  # a document cannot have a live key
    answer = client.open(path, method=method, json=body, headers=headers)
    waits = "open-vocabulary" in path or "chat" in path  # there is no worker
    expected = {504} if waits else {200, 201, 202}
    assert answer.status_code in expected, answer.text


def test_every_json_body_has_an_example() -> None:
    with_body = {route for route, each in OPERATIONS if "requestBody" in each}
    assert with_body == {route for route, _, _ in EXAMPLES}


def test_an_event_is_as_documented(sender: SenderServices) -> None:
    assert DOCUMENT["webhooks"].keys() == {*ALL, *OF_BATCHES, TEST}
    job_id = protocol.accept(sender.jobs, webhook=protocol.HOOK, events=ALL)
    job = protocol.begin(sender.jobs, job_id)
    sender.storage.put(object_names.result(job.attempt_prefix), b'{"result": {"maskInfos": []}}', "application/json")
    assert sender.jobs.succeed(job, protocol.PICTURE, {}, 0) == "succeeded"
    test = sender.events.test(protocol.endpoint(sender.endpoints).id)
    histories = [*sender.events.of_job(job_id), sender.events.get(str(test))]
    assert len(histories) == 3
    for history in histories:
        assert history is not None
        of_job = sender.jobs.get(job_id) if history.event.job_id else None
        message = json.loads(deliver.payload(history.event, of_job, sender.storage, None))
        sent = DOCUMENT["webhooks"][history.event.type]["post"]["requestBody"]
        schema = sent["content"]["application/json"]["schema"]
        assert contract.errors(schema, message) == []


def test_the_document_is_cached_by_its_etag(asked: FlaskClient) -> None:
    first = asked.get("/openapi.json")
    assert (first.status_code, first.get_json()) == (200, DOCUMENT)
    again = asked.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_page_of_the_document_runs_only_files_of_this_service(asked: FlaskClient) -> None:
    """Looked at in a browser: Swagger UI works under this policy, without an error in the console."""
    page = asked.get("/docs")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'; img-src 'self' data:;")
    scripts = re.findall(r"<script([^>]*)>([^<]*)</script>", page.text)
    assert len(scripts) == 2
    assert all(" src=" in attributes and not content for attributes, content in scripts)
    assert not re.search(r"<style| style=| on\w+=", page.text)
    files = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert len(files) == 3
    for file in files:
        answer = asked.get(f"/{file}")
        assert answer.status_code == 200, file
        assert answer.content_type.startswith("text/css" if file.endswith(".css") else "text/javascript")
        assert asked.get(f"/{file}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_command_prints_the_document_of_the_documentation() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "ovseg", "openapi"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert json.loads(printed) == DOCUMENT
    assert (ROOT / "docs" / "openapi.json").read_text() == printed, "run `make openapi`"


def test_the_contract_finds_what_is_not_documented() -> None:
    """The comparison in conftest.py would be worthless if it accepted everything."""
    routes = contract.gateway().url_map
    json_headers = {"Content-Type": "application/json"}
    problem = {"type": "", "title": "", "status": 409, "detail": "", "code": "job_running", "request_id": ""}

    def refused(method: str, path: str, status: int, body: Any, headers: dict[str, str] = json_headers) -> None:
        with pytest.raises(AssertionError):
            contract.check(routes, method, path, status, headers, json.dumps(body).encode())

    contract.check(routes, "GET", "/healthz", 200, json_headers, b'{"status": "ok"}')
    refused("GET", "/healthz", 200, {"status": "ok", "more": 1})
    refused("GET", "/healthz", 200, {})
    refused("GET", "/healthz", 201, {"status": "ok"})
    refused("GET", "/healthz", 200, {"status": "ok"}, {"Content-Type": "text/html"})
    refused("GET", "/healthz", 200, {"status": "ok"}, {**json_headers, "X-More": "1"})
    refused("DELETE", "/v1/jobs/x", 204, {})
    problem_headers = {"Content-Type": "application/problem+json"}
    contract.check(routes, "DELETE", "/v1/jobs/x", 409, problem_headers, json.dumps(problem).encode())
    refused("GET", "/v1/jobs/x", 409, problem, problem_headers)
    refused("DELETE", "/v1/jobs/x", 409, {**problem, "code": "job_not_final"}, problem_headers)
