"""An id of another tenant is unknown on every route, and no answer has one, in any order of requests."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from gateway import create_app
from gateway.services import GatewayServices
from tests.support import orders
from tests.support.tenant_client import BATCHES, ENDPOINTS, JOB, JOBS, TenantClient, filled
from worker.webhook.deliver import SenderServices

USAGE, SESSION = "/v1/usage", "/v1/session"
OTHERS_ROUTES = [
    ("GET", "/v1/jobs/{job}"),
    ("GET", "/v1/jobs/{job}/events"),
    ("GET", "/v1/batches/{batch}/events"),
    ("GET", "/v1/jobs/{job}/files"),
    ("GET", "/v1/jobs/{job}/files/image"),
    ("GET", "/v1/jobs/{job}/files/preview"),
    ("GET", "/v1/jobs/{job}/files/result.json"),
    ("DELETE", "/v1/jobs/{job}"),
    ("POST", "/v1/jobs/{job}/cancel"),
    ("POST", "/v1/jobs/{job}/retry"),
    ("GET", "/v1/jobs/{job}/webhook-deliveries"),
    ("GET", "/v1/batches/{batch}"),
    ("DELETE", "/v1/batches/{batch}"),
    ("POST", "/v1/batches/{batch}/cancel"),
    ("POST", "/v1/batches/{batch}/retry"),
    ("GET", "/v1/batches/{batch}/results"),
    ("GET", "/v1/batches/{batch}/files"),
    ("GET", "/v1/uploads/{upload}"),
    ("DELETE", "/v1/uploads/{upload}"),
    ("GET", "/v1/events/{event}"),
    ("POST", "/v1/events/{event}/redeliver"),
    ("GET", "/v1/webhook-endpoints/{endpoint}"),
    ("PATCH", "/v1/webhook-endpoints/{endpoint}"),
    ("DELETE", "/v1/webhook-endpoints/{endpoint}"),
    ("GET", "/v1/webhook-endpoints/{endpoint}/events"),
    ("POST", "/v1/webhook-endpoints/{endpoint}/rotate-secret"),
    ("POST", "/v1/webhook-endpoints/{endpoint}/test"),
    ("POST", "/v1/webhook-endpoints/{endpoint}/replay"),
]
NAMES = ("acme", "beta-2", "default")
ACTS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["submit", "ephemeral", "choose", "endpoint", "cancel", "bulk", "batch", "upload", *OTHERS_ROUTES]),
    st.sampled_from(NAMES),  # whose id is asked for
    st.integers(0, 3),  # which of them
)


@pytest.fixture
def client(sender: SenderServices) -> FlaskClient:
    return create_app(sender.settings.model_copy(update={"auth": "required"})).test_client(use_cookies=False)


@pytest.mark.parametrize(("owner", "stranger"), [("acme", "beta-2"), ("acme", "default"), ("default", "acme")])
def test_the_id_of_another_tenant_is_404_on_every_route(
    client: FlaskClient, services: GatewayServices, owner: str, stranger: str
) -> None:
    has, asks = filled(TenantClient(client, services, owner)), TenantClient(client, services, stranger)
    before = [has.ask("GET", f"/v1/events/{has.events[0]}").get_json(), has.ask("GET", ENDPOINTS).get_json()]
    for prefix in ("", f"{has.name}.", f"{asks.name}.", ".", f"{asks.name}.{has.name}."):
        shown = {"job": has.jobs[0], "event": has.events[0], "endpoint": has.endpoints[0], "batch": has.batches[0]}
        shown["upload"] = has.uploads[0]
        ids = {kind: prefix + shown_id for kind, shown_id in shown.items()}
        for method, path in OTHERS_ROUTES:
            body = {"json": {"since": "2020-01-01T00:00:00Z"}} if "replay" in path else {}
            body = {"json": {"description": "mine"}} if method == "PATCH" else body
            answer = asks.ask(method, path.format(**ids), **body)
            assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found"), (method, path, prefix)
    assert before == [has.ask("GET", f"/v1/events/{has.events[0]}").get_json(), has.ask("GET", ENDPOINTS).get_json()]
    assert asks.ask("GET", JOBS).get_json() == {"jobs": [], "next_cursor": None}
    assert asks.ask("GET", ENDPOINTS).get_json() == {"endpoints": []}
    assert asks.ask("GET", BATCHES).get_json() == {"batches": [], "next_cursor": None}
    assert asks.ask("GET", f"{JOBS}?batch={has.batches[0]}").get_json() == {"jobs": [], "next_cursor": None}


def test_no_answer_has_an_id_of_another_tenant(client: FlaskClient, services: GatewayServices) -> None:
    @given(st.lists(ACTS, min_size=20, max_size=40))
    @hypothesis_settings(max_examples=orders.count(25), deadline=None)
    def check(acts: list[tuple[str, Any, str, int]]) -> None:
        services.keyspace.redis.delete(*services.keyspace.redis.keys(services.keyspace.key("*")), "nothing")
        clients = {name: filled(TenantClient(client, services, name)) for name in NAMES}
        for name, act, of, which in acts:
            _act(clients[name], act, clients[of], which)
            for path in (JOBS, ENDPOINTS, USAGE, BATCHES, SESSION, f"{JOBS}/same", f"{JOBS}/same/webhook-deliveries"):
                _check(clients, clients[name], clients[name].ask("GET", path), "")
            if isinstance(act, tuple):
                path = act[1].format(**_ids(clients[of], which))
                sent = {"json": {"since": "2020-01-01T00:00:00Z"}} if "replay" in path else {}
                sent = {"json": {}} if act[0] == "PATCH" else sent
                answer = clients[name].ask(act[0], path, **sent)
                _check(clients, clients[name], answer, path)
                if path.endswith("/retry") and answer.status_code == 202:
                    clients[name].jobs.append(answer.get_json()["id"])

    check()


def _act(client: TenantClient, act: Any, of: TenantClient, which: int) -> None:
    if act == "submit":
        client.submit()
    elif act == "ephemeral":
        client.submit(ephemeral=True)
    elif act == "bulk":
        _change_many(client, of, f"{JOBS}/{'delete' if which % 2 else 'cancel'}")
    elif act == "batch" and len(client.batches) < 3:
        client.submit_batch(f"{len(client.batches)}-of-{client.name}")
    elif act == "upload":
        client.make_upload()
    elif act == "choose":  # an id that all tenants choose
        client.ask("PUT", f"{JOBS}/same", json=JOB)
    elif act == "endpoint" and len(client.endpoints) < 5:
        client.make_endpoint()
    elif act == "cancel" and client.ask("GET", f"{JOBS}/{client.jobs[-1]}").status_code == 200:
        client.cancel(client.jobs[-1])


def _change_many(client: TenantClient, of: TenantClient, path: str) -> None:
    """Change many jobs in one request: by the ids of a tenant, which changes nothing of another's; by a condition."""
    answer = client.ask("POST", path, json={"ids": of.jobs})
    assert answer.status_code == 200
    if of is not client:
        assert answer.get_json()["count"] == 0
    changed = client.ask("POST", path, json={"filter": {"status": "queued"}}).get_json()["results"]
    assert {job["id"] for job in changed} <= {*client.jobs, "same"}


def _ids(owner: TenantClient, which: int) -> dict[str, str]:
    kinds = {
        "job": owner.jobs,
        "event": owner.events,
        "endpoint": owner.endpoints,
        "batch": owner.batches,
        "upload": owner.uploads,
    }
    return {kind: ids[which % len(ids)] for kind, ids in kinds.items()}


def _check(clients: dict[str, TenantClient], asker: TenantClient, answer: TestResponse, asked: str) -> None:
    assert answer.status_code < 500
    text = answer.text + str(answer.headers)
    for other in clients.values():
        if other is not asker:
            found = {its_id for its_id in other.ids if its_id in text and its_id not in asked}
            assert not found, (asker.name, other.name, asked, answer.text)
            if other.name != "default":
                assert f"{other.name}." not in text
