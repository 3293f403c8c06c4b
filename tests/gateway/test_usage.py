"""What a tenant has used, as its clients, admins and the command line see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from urllib3 import encode_multipart_formdata

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from ovseg.commands import main
from tests.support import pictures, protocol
from tests.support.parts import processes
from tests.support.protocol import BROKEN, PICTURE
from tests.support.waiting import wait_until
from worker import tenant_erasure
from worker.access.scope import ORDINARY, Scope
from worker.job import usage
from worker.job.usage import DAYS_KEPT, EPOCH, Work
from worker.store import tenant

NOTHING = {
    "accepted": 0,
    "succeeded": 0,
    "failed": 0,
    "canceled": 0,
    "expired": 0,
    "prompts": 0,
    "encodes": 0,
    "network_ms": 0,
}
Get = Callable[..., Any]


@pytest.fixture
def client(s3_settings: Settings) -> FlaskClient:
    limits = {"auth": "required", "max_queued_jobs": 1000, "prompts_per_minute": 500}
    return create_app(s3_settings.model_copy(update=limits)).test_client()


@pytest.fixture
def services(client: FlaskClient) -> GatewayServices:
    found: GatewayServices = client.application.extensions["ovseg"]
    return found


@pytest.fixture
def get(client: FlaskClient, services: GatewayServices) -> Get:
    keys = {owner: services.keys.create("", ORDINARY, tenant=owner) for owner in ("acme", "beta")}
    keys["admin"] = services.keys.create("", [Scope.ADMIN])

    def ask(who: str, path: str = "", status: int = 200) -> Any:
        answer = client.get(f"/v1/usage{path}", headers={"Authorization": f"Bearer {keys[who]}"})
        assert answer.status_code == status, answer.text
        return answer.get_json()

    return ask


def run_jobs(services: GatewayServices, owner: str) -> int:
    """Give a tenant a job of each status. Returns how many bytes they store: the requests and a result of 700 bytes."""
    jobs = services.jobs
    protocol.accept(jobs, owner)  # last in the queue
    running, succeeded, failed, canceled = (protocol.accept(jobs, owner) for _ in range(4))
    expired = protocol.accept(jobs, owner, start_within_s=1e-6)
    protocol.begin(jobs, running)
    work = Work(prompts=3, encodes=1, network_ms=91.25, stored_bytes=700)
    jobs.succeed(protocol.begin(jobs, succeeded), PICTURE, {}, 3, work=work)
    jobs.fail(protocol.begin(jobs, failed), BROKEN)
    jobs.cancel(canceled)
    jobs.expire(expired)
    requests = [protocol.request()] * 5 + [protocol.request(start_within_s=1e-6)]
    return 700 + sum(len(request.model_dump_json()) for request in requests)


def test_a_tenant_sees_what_it_used_what_it_has_and_what_it_may(services: GatewayServices, get: Get) -> None:
    stored_bytes = run_jobs(services, "acme")
    counts: dict[str, float] = {"accepted": 6, "succeeded": 1, "failed": 1, "canceled": 1, "expired": 1}
    counts |= {"prompts": 3, "encodes": 1, "network_ms": 91.25}
    today = usage.today()
    assert get("acme") == {
        "tenant": "acme",
        "since": str(today - timedelta(days=29)),
        "until": str(today),
        "total": counts,
        "days": [{"day": str(today), **counts}],
        "queued_jobs": 1,
        "running_jobs": 1,
        "stored_bytes": stored_bytes,
        "limits": {
            "max_queued_jobs": 500,
            "max_stored_bytes": None,
            "requests_per_minute": None,
            "prompts_per_minute": 500,
        },
    }
    other = get("beta")
    assert (other["tenant"], other["total"], other["days"], other["stored_bytes"]) == ("beta", NOTHING, [], 0)


def test_each_day_is_counted_for_itself_and_forgotten_after_a_quarter(services: GatewayServices, get: Get) -> None:
    today, redis, key = usage.today(), services.keyspace.redis, services.keyspace.key
    days = [today - timedelta(days=n) for n in (DAYS_KEPT - 1, 30, 29, 1)]
    for n, day in enumerate(days):
        redis.hset(key(f"acme.usage:{(day - EPOCH).days}"), mapping={"accepted": n + 1, "network_us": 500})
    protocol.accept(services.jobs, "acme")
    assert [day["day"] for day in get("acme")["days"]] == [str(day) for day in (*days[2:], today)]
    assert get("acme")["total"]["accepted"] == 3 + 4 + 1
    everything = get("acme", f"?since={days[0]}")
    assert (everything["total"]["accepted"], everything["total"]["network_ms"]) == (11, 2.0)
    one = get("acme", f"?since={days[1]}&until={days[1]}")
    assert [(day["day"], day["accepted"]) for day in one["days"]] == [(str(days[1]), 2)]
    seconds = redis.ttl(key(f"acme.usage:{(today - EPOCH).days}"))
    assert seconds == pytest.approx((DAYS_KEPT + 1) * 86400, abs=60)


@pytest.mark.parametrize(
    "days", ["?since=2026-01-02&until=2026-01-01", "?since=2026-01-01&until=2026-04-01", "?since=2999-01-01"]
)
def test_a_span_that_is_reversed_or_too_long_is_refused(get: Get, days: str) -> None:
    assert get("acme", days, 422)["errors"][0]["field"] == "since"


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_of_the_calendar_are_days_as_any_other(get: Get, day: str) -> None:
    assert get("acme", f"?until={day}")["until"] == day


def test_an_admin_sees_every_tenant_and_no_other_key_does(services: GatewayServices, get: Get) -> None:
    run_jobs(services, "beta")
    assert get("admin", "/tenants/beta")["total"]["accepted"] == 6
    assert get("admin", "/tenants/default")["total"] == NOTHING
    assert get("admin", "/tenants/nobody", 404)["code"] == "not_found"
    assert get("admin")["tenant"] == "default"
    page = get("admin", "/tenants?limit=2")
    assert [each["tenant"] for each in page["tenants"]] == ["default", "acme"]
    page = get("admin", f"/tenants?limit=2&cursor={page['next_cursor']}")
    assert [(each["tenant"], each["total"]["accepted"], each["days"]) for each in page["tenants"]] == [
        ("beta", 6, None)
    ]
    assert page["next_cursor"] is None
    for path in ("/tenants", "/tenants/acme", "/tenants/beta"):
        assert get("acme", path, 403)["code"] == "scope_missing"


def is_final(client: FlaskClient, job_id: str) -> bool:
    return bool(client.get(f"/v1/jobs/{job_id}").get_json()["is_final"])


def test_a_worker_counts_the_prompts_the_encodings_and_every_byte_that_it_stores(s3_settings: Settings) -> None:
    app = create_app(s3_settings)
    client, storage = app.test_client(), app.extensions["ovseg"].storage
    redis, key = app.extensions["ovseg"].keyspace.redis, app.extensions["ovseg"].keyspace.key
    image = pictures.photo()
    stored = 0
    with processes(s3_settings, "worker"):
        for n in (1, 2):  # the second job finds the embedding
            fields = {"prompts": [{"box": [9, 9, 90, 90]}] * 2, "outputs": ["rle", "png", "overlay"]}
            body, content_type = encode_multipart_formdata(
                [("image", ("image", image)), ("request", json.dumps(fields))]
            )
            job_id = client.post("/v1/jobs", data=body, content_type=content_type).get_json()["id"]
            wait_until(partial(is_final, client, job_id))
            job = client.get(f"/v1/jobs/{job_id}").get_json()
            assert job["status"] == "succeeded"
            app.extensions["ovseg"].inputs.settle(job_id, job["image"]["key"])
            stored += len(redis.hget(key(f"job:{job_id}"), "request"))
            stored += sum(len(storage.get(key)) for key in storage.list(f"jobs/{job_id}/"))
            found = client.get("/v1/usage").get_json()
            assert (found["total"]["prompts"], found["total"]["encodes"], found["total"]["succeeded"]) == (2 * n, 1, n)
            assert found["total"]["network_ms"] > 0
            assert found["stored_bytes"] == stored > 2 * len(image) * (n - 1)


def test_the_command_line_shows_the_usage_of_tenants(services: GatewayServices, get: Get, settings: Settings) -> None:
    stored_bytes = run_jobs(services, "beta")
    redis = {"OVSEG_REDIS_URL": settings.redis_url, "OVSEG_REDIS_PREFIX": settings.redis_prefix}

    def lines(*arguments: str) -> list[str]:
        return CliRunner(env=redis).invoke(main, ["tenants", "usage", *arguments]).output.splitlines()

    today = usage.today()
    assert lines("beta", "--days", "1") == [
        f"beta  since {today}: 6 accepted  1 succeeded  1 failed  1 canceled  1 expired  3 prompts  1 encodes  "
        f"0.1 s of networks; now 1 queued, 1 running, {stored_bytes} bytes stored"
    ]
    assert [line.split()[0] for line in lines()] == ["default", "acme", "beta"]
    assert lines("beta", "nobody") == ["Error: there is no tenant 'nobody'"]


def test_the_usage_of_an_erased_tenant_is_forgotten(services: GatewayServices) -> None:
    services.keys.create("", ORDINARY, tenant="gone")
    job_id = tenant.owned("gone", "mine")
    services.jobs.accept(job_id, protocol.request(), b"image", None, 5)
    tenant_erasure.erase(services, "gone")
    left = services.keyspace.redis.keys(services.keyspace.key("gone.*"))
    assert left == []
