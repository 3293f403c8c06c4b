"""What a tenant has is invisible to all others, over HTTP: jobs, events, endpoints, keys of idempotency and results."""

from __future__ import annotations

import json
import uuid

import pytest
from flask.testing import FlaskClient
from standardwebhooks import Webhook as Verifier

from gateway import create_app
from gateway.services import GatewayServices
from tests.support.fakes import Host
from tests.support.protocol import PICTURE, begin
from tests.support.tenant_client import ENDPOINTS, JOB, JOBS, TenantClient
from worker.access.scope import Scope
from worker.job import result_document
from worker.store import object_names, tenant
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices

MASK = {"rleResult": "0`0", "size": [4, 4]}  # all of 4 x 4 pixels


@pytest.fixture
def client(sender: SenderServices) -> FlaskClient:
    return create_app(sender.settings.model_copy(update={"auth": "required"})).test_client(use_cookies=False)


@pytest.fixture
def acme(client: FlaskClient, services: GatewayServices) -> TenantClient:
    return TenantClient(client, services, "acme")


@pytest.fixture
def beta(client: FlaskClient, services: GatewayServices) -> TenantClient:
    return TenantClient(client, services, "beta-2")


@pytest.fixture
def default(client: FlaskClient, services: GatewayServices) -> TenantClient:
    return TenantClient(client, services, "default")


def succeed(services: GatewayServices, owner: TenantClient, job_id: str) -> None:
    """End a job with one mask, as a worker does."""
    job = begin(services.jobs, tenant.owned(owner.name, job_id))
    document = result_document.of(job.shown_id, {"masks": [MASK], "maskInfos": []})
    services.storage.put(object_names.result(job.attempt_prefix), json.dumps(document).encode(), "application/json")
    assert services.jobs.succeed(job, PICTURE, {}, 1) == "succeeded"


def test_tenants_may_choose_the_same_id_for_different_jobs(
    acme: TenantClient, beta: TenantClient, default: TenantClient
) -> None:
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


def test_an_idempotency_key_is_the_tenants_own(acme: TenantClient, beta: TenantClient, default: TenantClient) -> None:
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
    services: GatewayServices, acme: TenantClient, beta: TenantClient, default: TenantClient
) -> None:
    succeed(services, acme, acme.submit("earlier")["id"])
    for asked, code in (("earlier", "mask_not_found"), ("acme.earlier", "invalid_value")):
        job = {**JOB, "model": "SAM-B", "prompts": [{"mask": {"job": asked, "index": 0}}]}
        for client in (beta, default):
            assert client.ask("POST", JOBS, json=job).get_json()["code"] == code
    job = {**JOB, "model": "SAM-B", "prompts": [{"mask": {"job": "earlier", "index": 0}}]}
    assert acme.ask("POST", JOBS, json=job).status_code == 202


def test_a_result_shows_the_id_that_its_tenant_knows(services: GatewayServices, acme: TenantClient) -> None:
    succeed(services, acme, acme.submit("mine")["id"])
    job = acme.ask("GET", f"{JOBS}/mine").get_json()
    assert (job["id"], job["result"]) == ("mine", {"masks": [MASK], "maskInfos": []})
    assert job["files"]["result"]["key"] == "jobs/acme.mine/1/result.json"


def test_a_job_that_redis_lost_is_in_the_archive_of_its_tenant_only(
    services: GatewayServices, acme: TenantClient, beta: TenantClient, default: TenantClient
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


def test_the_limit_of_endpoints_is_each_tenants_own(
    services: GatewayServices, acme: TenantClient, beta: TenantClient
) -> None:
    for _ in range(services.settings.max_webhook_endpoints):
        acme.make_endpoint()
    assert acme.ask("POST", ENDPOINTS, json={"url": "https://example.com/"}).get_json()["code"] == "too_many_endpoints"
    beta.make_endpoint()


def test_a_jobs_webhook_is_signed_with_the_secret_of_its_tenant(
    sender: SenderServices,
    services: GatewayServices,
    acme: TenantClient,
    beta: TenantClient,
    default: TenantClient,
    host: Host,
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
    sender: SenderServices, acme: TenantClient, host: Host
) -> None:
    made = acme.ask("POST", ENDPOINTS, json={"url": host.serve("/hook")}).get_json()
    event = acme.ask("POST", f"{ENDPOINTS}/{made['id']}/test").get_json()
    assert event["endpoint_id"] == made["id"]
    deliver.deliver(f"acme.{event['id']}", sender)
    (received,) = host.wait_for("/hook")
    assert Verifier(made["secret"]).verify(received.body, received.headers)["data"] == {"endpoint_id": made["id"]}
    assert received.headers["webhook-id"] == event["id"]


def test_what_is_made_without_a_key_has_the_keys_of_before_and_is_the_default_tenants(
    services: GatewayServices, default: TenantClient
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


def test_only_the_default_tenant_has_admins(services: GatewayServices, client: FlaskClient) -> None:
    admin = {"Authorization": f"Bearer {services.keys.create('', [Scope.ADMIN])}"}
    answer = client.post("/v1/keys", json={"tenant": "acme", "scopes": ["admin"]}, headers=admin)
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "scopes")
    for wrong in ("", "Acme", "a.b", "-a", "a-", "a_b", "a" * 33, "acme\n", "é", 7, None):
        answer = client.post("/v1/keys", json={"tenant": wrong}, headers=admin)
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "tenant"), wrong
    made = client.post("/v1/keys", json={"tenant": "acme"}, headers=admin).get_json()
    assert made["tenant"] == "acme"
    assert services.tenants.names() == ["acme"]
