"""What a tenant has is invisible to all others, over HTTP: jobs, events, endpoints, keys of idempotency and results."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from werkzeug.test import TestResponse

from gateway import create_app, session_cookie
from gateway.services import GatewayServices
from tests.support import orders
from tests.support.fakes import Host
from tests.support.protocol import PICTURE, begin
from worker.access.credential import Credential
from worker.access.scope import ORDINARY, Scope
from worker.job import result_document
from worker.store import object_names, tenant
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices

JOBS, ENDPOINTS, USAGE, BATCHES = "/v1/jobs", "/v1/webhook-endpoints", "/v1/usage", "/v1/batches"
SESSION = "/v1/session"
JOB = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}]}
MASK = {"rleResult": "0`0", "size": [4, 4]}  # all of 4 x 4 pixels
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

Ask = Callable[..., TestResponse]


class Client:
    """A client with a key of a tenant, and a session of that key: its requests use them in turn. It notes the ids of
    what it made.
    """

    def __init__(self, client: FlaskClient, services: GatewayServices, name: str) -> None:
        self.name = name
        self._client = client
        key = services.keys.create("", ORDINARY, tenant=name)
        token, _ = services.sessions.create(Credential.of_text(key), 3600)
        session = {"Cookie": f"{session_cookie.NAME}={token}", "Origin": "http://localhost"}
        self._credentials = itertools.cycle([{"Authorization": f"Bearer {key}"}, session])
        self.jobs: list[str] = []
        self.events: list[str] = []
        self.endpoints: list[str] = []
        self.batches: list[str] = []
        self.uploads: list[str] = []

    @property
    def ids(self) -> set[str]:
        return {*self.jobs, *self.events, *self.endpoints, *self.batches, *self.uploads}

    def ask(self, method: str, path: str, **sent: Any) -> TestResponse:
        headers = {**next(self._credentials), **sent.pop("headers", {})}
        return self._client.open(path, method=method, headers=headers, **sent)

    def submit(self, job_id: str | None = None, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        method, path = ("PUT", f"{JOBS}/{job_id}") if job_id else ("POST", JOBS)
        answer = self.ask(method, path, json={**JOB, **fields}, headers=headers or {})
        assert answer.status_code in (200, 202), answer.text
        job: dict[str, Any] = answer.get_json()
        assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
        self.jobs.append(job["id"])
        return job

    def make_endpoint(self) -> str:
        answer = self.ask("POST", ENDPOINTS, json={"url": "https://example.com/hook"})
        endpoint_id = str(answer.get_json()["id"])
        assert answer.headers["Location"] == f"{ENDPOINTS}/{endpoint_id}"
        self.endpoints.append(endpoint_id)
        return endpoint_id

    def submit_batch(self, batch_id: str) -> None:
        answer = self.ask("PUT", f"{BATCHES}/{batch_id}", json={"items": [{**JOB, "id": "item"}]})
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"] == f"{BATCHES}/{batch_id}"
        self.batches.append(batch_id)

    def make_upload(self) -> None:
        answer = self.ask("POST", "/v1/uploads", json={"content_type": "image/jpeg", "size": 1})
        assert answer.status_code == 201, answer.text
        self.uploads.append(answer.get_json()["id"])

    def cancel(self, job_id: str) -> None:
        """Cancel a job, and note the events that this makes."""
        assert self.ask("POST", f"{JOBS}/{job_id}/cancel").status_code in (200, 409)
        answer = self.ask("GET", f"{JOBS}/{job_id}/webhook-deliveries").get_json()
        self.events += [event["id"] for event in answer["events"]]


@pytest.fixture
def app_client(sender: SenderServices) -> FlaskClient:
    return create_app(sender.settings.model_copy(update={"auth": "required"})).test_client(use_cookies=False)


@pytest.fixture
def services(app_client: FlaskClient) -> GatewayServices:
    found: GatewayServices = app_client.application.extensions["ovseg"]
    return found


@pytest.fixture
def acme(app_client: FlaskClient, services: GatewayServices) -> Client:
    return Client(app_client, services, "acme")


@pytest.fixture
def beta(app_client: FlaskClient, services: GatewayServices) -> Client:
    return Client(app_client, services, "beta-2")


@pytest.fixture
def default(app_client: FlaskClient, services: GatewayServices) -> Client:
    return Client(app_client, services, "default")


def succeed(services: GatewayServices, owner: Client, job_id: str) -> None:
    """End a job with one mask, as a worker does."""
    job = begin(services.jobs, tenant.owned(owner.name, job_id))
    document = result_document.of(job.shown_id, {"masks": [MASK], "maskInfos": []})
    services.storage.put(object_names.result(job.attempt_prefix), json.dumps(document).encode(), "application/json")
    assert services.jobs.succeed(job, PICTURE, {}, 1) == "succeeded"


def filled(client: Client) -> Client:
    """Give a tenant an endpoint, and a job that was canceled, with its event for the endpoint."""
    client.make_endpoint()
    client.submit_batch(f"batch-of-{client.name}")
    client.make_upload()
    client.cancel(client.submit(f"of-{client.name}")["id"])
    assert len(client.events) == 1
    return client


@pytest.mark.parametrize(("owner", "stranger"), [("acme", "beta"), ("acme", "default"), ("default", "acme")])
def test_the_id_of_another_tenant_is_404_on_every_route(
    request: pytest.FixtureRequest, owner: str, stranger: str
) -> None:
    has, asks = filled(request.getfixturevalue(owner)), request.getfixturevalue(stranger)
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


def test_tenants_may_choose_the_same_id_for_different_jobs(acme: Client, beta: Client, default: Client) -> None:
    clients = [acme, beta, default]
    for client in clients:
        client.make_endpoint()
        assert client.submit("car-1", metadata={"of": client.name})["status"] == "queued"
    acme.cancel("car-1")
    for client in clients:
        job = client.ask("GET", f"{JOBS}/car-1").get_json()
        assert (job["id"], job["metadata"]) == ("car-1", {"of": client.name})
        assert job["status"] == ("canceled" if client is acme else "queued")
        listed = client.ask("GET", f"{JOBS}?status={job['status']}").get_json()["jobs"]
        assert [each["metadata"] for each in listed] == [{"of": client.name}]
        events = client.ask("GET", f"{ENDPOINTS}/{client.endpoints[0]}/events").get_json()["events"]
        assert len(events) == (client is acme)
    (event,) = acme.ask("GET", f"{ENDPOINTS}/{acme.endpoints[0]}/events").get_json()["events"]
    assert event["id"] == f"evt_car-1_canceled_{acme.endpoints[0]}"
    assert (event["job_id"], event["endpoint_id"]) == ("car-1", acme.endpoints[0])
    assert beta.ask("GET", f"/v1/events/{event['id']}").status_code == 404
    assert acme.ask("DELETE", f"{JOBS}/car-1").status_code == 204
    assert acme.ask("PUT", f"{JOBS}/car-1", json=JOB).status_code == 410
    assert beta.submit("car-1", metadata={"of": "beta-2"})["status"] == "queued"  # the same job as before


def test_an_idempotency_key_is_the_tenants_own(acme: Client, beta: Client, default: Client) -> None:
    once = {"Idempotency-Key": "one"}
    jobs = [client.submit(headers=once, metadata={"of": client.name})["id"] for client in (acme, beta, default)]
    assert len(set(jobs)) == 3
    assert acme.submit(headers=once, metadata={"of": "acme"})["id"] == jobs[0]
    reused = acme.ask("POST", JOBS, json=JOB, headers=once)
    assert reused.get_json()["code"] == "idempotency_key_reused"
    for client, job_id in ((acme, jobs[0]), (beta, jobs[1])):
        client.cancel(job_id)
        retried = [client.ask("POST", f"{JOBS}/{job_id}/retry", headers=once).get_json()["id"] for _ in range(2)]
        assert retried[0] == retried[1] not in jobs


def test_the_masks_of_another_tenants_job_are_no_prompts(
    services: GatewayServices, acme: Client, beta: Client, default: Client
) -> None:
    succeed(services, acme, acme.submit("earlier")["id"])
    for asked, code in (("earlier", "mask_not_found"), ("acme.earlier", "invalid_value")):
        job = {**JOB, "model": "SAM-B", "prompts": [{"mask": {"job": asked, "index": 0}}]}
        for client in (beta, default):
            assert client.ask("POST", JOBS, json=job).get_json()["code"] == code
    job = {**JOB, "model": "SAM-B", "prompts": [{"mask": {"job": "earlier", "index": 0}}]}
    assert acme.ask("POST", JOBS, json=job).status_code == 202


def test_a_result_shows_the_id_that_its_tenant_knows(services: GatewayServices, acme: Client) -> None:
    succeed(services, acme, acme.submit("mine")["id"])
    job = acme.ask("GET", f"{JOBS}/mine").get_json()
    assert (job["id"], job["result"]) == ("mine", {"masks": [MASK], "maskInfos": []})
    assert job["files"]["result"]["key"] == "jobs/acme.mine/1/result.json"


def test_a_job_that_redis_lost_is_in_the_archive_of_its_tenant_only(
    services: GatewayServices, acme: Client, beta: Client, default: Client
) -> None:
    job_id = f"lost-{uuid.uuid4()}"
    succeed(services, acme, acme.submit(job_id)["id"])
    services.archive.keep(f"acme.{job_id}")
    services.keyspace.redis.delete(services.keyspace.key(f"job:acme.{job_id}"))
    assert acme.ask("GET", f"{JOBS}/{job_id}").get_json()["status"] == "succeeded"
    for client in (beta, default):
        for asked in (job_id, f"acme.{job_id}"):
            assert client.ask("GET", f"{JOBS}/{asked}").status_code == 404
            assert client.ask("POST", f"{JOBS}/{asked}/retry").status_code == 404
            assert client.ask("DELETE", f"{JOBS}/{asked}").status_code == 404
    assert acme.ask("DELETE", f"{JOBS}/{job_id}").status_code == 204


def test_the_limit_of_endpoints_is_each_tenants_own(services: GatewayServices, acme: Client, beta: Client) -> None:
    for _ in range(services.settings.max_webhook_endpoints):
        acme.make_endpoint()
    assert acme.ask("POST", ENDPOINTS, json={"url": "https://example.com/"}).get_json()["code"] == "too_many_endpoints"
    beta.make_endpoint()


def test_a_jobs_webhook_is_signed_with_the_secret_of_its_tenant(
    sender: SenderServices, services: GatewayServices, acme: Client, beta: Client, default: Client, host: Host
) -> None:
    rotated = {}
    for client in (acme, beta):
        rotated[client] = [client.ask("POST", "/v1/webhook-secret/rotate").get_json()["secret"] for _ in range(2)]
    assert not set(rotated[acme]) & set(rotated[beta])
    assert default.ask("POST", "/v1/webhook-secret/rotate").get_json()["code"] == "secret_is_a_setting"
    rotated[default] = [str(sender.settings.webhook_secret)]
    for client, secrets in rotated.items():
        url = host.serve(f"/{client.name}")
        job = client.submit("car-1", webhook={"url": url, "events": ["job.canceled"]})
        client.cancel(job["id"])
        deliver.deliver(tenant.owned(client.name, "evt_car-1_canceled"), sender)
        (received,) = host.wait_for(f"/{client.name}")
        for secret in secrets:  # also the one before the last rotation
            assert Verifier(secret).verify(received.body, received.headers)["data"]["id"] == "car-1"
        assert len(received.headers["webhook-signature"].split()) == len(secrets)
        assert received.headers["webhook-id"] == "evt_car-1_canceled"
        shown = client.ask("GET", "/v1/events/evt_car-1_canceled").get_json()
        assert (shown["state"], shown["job_id"]) == ("delivered", "car-1")


def test_the_test_event_of_an_endpoint_has_the_ids_that_its_tenant_knows(
    sender: SenderServices, acme: Client, host: Host
) -> None:
    made = acme.ask("POST", ENDPOINTS, json={"url": host.serve("/hook")}).get_json()
    event = acme.ask("POST", f"{ENDPOINTS}/{made['id']}/test").get_json()
    assert event["endpoint_id"] == made["id"]
    deliver.deliver(f"acme.{event['id']}", sender)
    (received,) = host.wait_for("/hook")
    assert Verifier(made["secret"]).verify(received.body, received.headers)["data"] == {"endpoint_id": made["id"]}
    assert received.headers["webhook-id"] == event["id"]


def test_what_is_made_without_a_key_has_the_keys_of_before_and_is_the_default_tenants(
    services: GatewayServices, default: Client
) -> None:
    open_client = create_app(services.settings.model_copy(update={"auth": "off"})).test_client()
    once = {"Idempotency-Key": "k"}
    job_id = open_client.post(JOBS, json=JOB, headers=once).get_json()["id"]
    endpoint_id = open_client.post(ENDPOINTS, json={"url": "https://example.com/"}).get_json()["id"]
    names = set(services.keyspace.redis.keys(services.keyspace.key("*")))
    ours = {"jobs", "jobs:queued", f"job:{job_id}", "key:/k", "waiting:segment.auto", "q:segment.auto", "unarchived"}
    ours |= {"endpoints", f"endpoint:{endpoint_id}"}
    assert {services.keyspace.key(name) for name in ours} <= names
    assert default.ask("GET", f"{JOBS}/{job_id}").get_json()["id"] == job_id
    assert default.submit(headers=once)["id"] == job_id


def test_only_the_default_tenant_has_admins(services: GatewayServices, app_client: FlaskClient) -> None:
    admin = {"Authorization": f"Bearer {services.keys.create('', [Scope.ADMIN])}"}
    answer = app_client.post("/v1/keys", json={"tenant": "acme", "scopes": ["admin"]}, headers=admin)
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "scopes")
    for wrong in ("", "Acme", "a.b", "-a", "a-", "a_b", "a" * 33, "acme\n", "é", 7, None):
        answer = app_client.post("/v1/keys", json={"tenant": wrong}, headers=admin)
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "tenant"), wrong
    made = app_client.post("/v1/keys", json={"tenant": "acme"}, headers=admin).get_json()
    assert made["tenant"] == "acme"
    assert services.tenants.names() == ["acme"]


NAMES = ("acme", "beta-2", "default")
ACTS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["submit", "ephemeral", "choose", "endpoint", "cancel", "bulk", "batch", "upload", *OTHERS_ROUTES]),
    st.sampled_from(NAMES),  # whose id is asked for
    st.integers(0, 3),  # which of them
)


def test_no_answer_has_an_id_of_another_tenant(app_client: FlaskClient, services: GatewayServices) -> None:
    @given(st.lists(ACTS, min_size=20, max_size=40))
    @hypothesis_settings(max_examples=orders.count(25), deadline=None)
    def check(acts: list[tuple[str, Any, str, int]]) -> None:
        services.keyspace.redis.delete(*services.keyspace.redis.keys(services.keyspace.key("*")), "nothing")
        clients = {name: filled(Client(app_client, services, name)) for name in NAMES}
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


def _act(client: Client, act: Any, of: Client, which: int) -> None:
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


def _change_many(client: Client, of: Client, path: str) -> None:
    """Change many jobs in one request: by the ids of a tenant, which changes nothing of another's; by a condition."""
    answer = client.ask("POST", path, json={"ids": of.jobs})
    assert answer.status_code == 200
    if of is not client:
        assert answer.get_json()["count"] == 0
    changed = client.ask("POST", path, json={"filter": {"status": "queued"}}).get_json()["results"]
    assert {job["id"] for job in changed} <= {*client.jobs, "same"}


def _ids(owner: Client, which: int) -> dict[str, str]:
    kinds = {
        "job": owner.jobs,
        "event": owner.events,
        "endpoint": owner.endpoints,
        "batch": owner.batches,
        "upload": owner.uploads,
    }
    return {kind: ids[which % len(ids)] for kind, ids in kinds.items()}


def _check(clients: dict[str, Client], asker: Client, answer: TestResponse, asked: str) -> None:
    assert answer.status_code < 500
    text = answer.text + str(answer.headers)
    for other in clients.values():
        if other is not asker:
            found = {its_id for its_id in other.ids if its_id in text and its_id not in asked}
            assert not found, (asker.name, other.name, asked, answer.text)
            if other.name != "default":
                assert f"{other.name}." not in text
