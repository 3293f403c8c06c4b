"""Valkey loses all its data, and the service restores it from object storage."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from configs import webhook_secret
from tests.chaos import stack
from tests.chaos.order import Order
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from worker.access.keys import Keys
from worker.access.scope import ORDINARY
from worker.store.keyspace import Keyspace


def submit(members: Stack, n: int, key: object = "") -> dict[str, Any]:
    body = Order(n).body("") | {"webhook": None}
    headers = {"Idempotency-Key": Order(n).key, **bearer(key)}
    answer = requests.post(f"{members.url}/v1/jobs", json=body, headers=headers, timeout=60)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def bearer(key: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def look(members: Stack, job_id: str, key: object = "") -> requests.Response:
    return requests.get(f"{members.url}/v1/jobs/{job_id}?wait=60", headers=bearer(key), timeout=90)


def submit_batch(members: Stack, order: Order) -> dict[str, Any]:
    """Submit, or submit again, a batch of three items on the image of a job that was submitted before."""
    sha256 = hashlib.sha256(base64.b64decode(order.body("")["image"])).hexdigest()
    items = [{"id": f"{n}", "image": {"sha256": sha256}, "prompts": order.prompts} for n in range(3)]
    answer = requests.put(f"{members.url}/v1/batches/three", json={"items": items}, timeout=60)
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


def batch_results(members: Stack) -> list[dict[str, Any]]:
    """Wait until the batch has completed, and return its results."""
    url = f"{members.url}/v1/batches/three"
    members.wait_until(lambda: requests.get(url, timeout=60).json()["is_final"], "the batch")
    return [json.loads(line) for line in requests.get(f"{url}/results", timeout=60).iter_lines()]


def is_archived(members: Stack) -> bool:
    with Keyspace.open(members.settings) as keyspace:
        return not keyspace.redis.exists(keyspace.key("unarchived"), keyspace.key("unarchived_records"))


def lose_valkey(members: Stack) -> None:
    """Delete all of Valkey's data."""
    members.members["valkey"].kill(down_seconds=float("inf"))
    shutil.rmtree(members.folder / "valkey" / "appendonlydir")
    members.members["valkey"].start()
    members.wait_until(lambda: requests.get(f"{members.url}/readyz", timeout=60).status_code == 200, "Valkey")
    with Keyspace.open(members.settings) as keyspace:
        assert keyspace.redis.keys(keyspace.key("job*")) == []


def recover(members: Stack) -> str:
    settings = members.settings
    environment = {
        **os.environ,
        **members.credentials,
        "OVSEG_REDIS_URL": settings.redis_url,
        "OVSEG_S3_ENDPOINT_URL": str(settings.s3_endpoint_url),
    }
    command = [sys.executable, "-m", "ovseg", "recover"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.timeout(900)
def test_no_accepted_job_is_lost_with_valkey_and_none_is_done_twice(tmp_path: Path) -> None:
    scale = Scale(name="one of each", jobs=0, seconds=0, workers=1, reapers=1)
    with stack.running(scale, tmp_path, {"OVSEG_WEBHOOK_SECRET": webhook_secret.new()}) as members:
        done = [look(members, submit(members, n)["id"]).json() for n in range(3)]
        members.members["worker-1"].kill(down_seconds=float("inf"))
        waiting = [submit(members, n)["id"] for n in range(3, 6)]
        submit_batch(members, Order(0))
        members.wait_until(lambda: is_archived(members), "the archive")
        lose_valkey(members)

        kept, gone, spare = done
        assert look(members, kept["id"]).json()["result"] == kept["result"]
        assert look(members, waiting[0]).status_code == 404
        assert requests.delete(f"{members.url}/v1/jobs/{gone['id']}", timeout=60).status_code == 204
        assert look(members, gone["id"]).status_code == 404
        retried = requests.post(f"{members.url}/v1/jobs/{spare['id']}/retry", timeout=60)
        assert retried.status_code == 202

        assert "3 jobs are queued again, 2 finished jobs are restored" in recover(members)
        assert "0 jobs are queued again, 0 finished jobs are restored" in recover(members)
        members.members["worker-1"].start()
        for n, job_id in enumerate(waiting, 3):
            job = look(members, job_id).json()
            assert (job["status"], job["attempt"]) == ("succeeded", 1001)
            assert Order(n).is_answered_by(job["result"])
            assert submit(members, n)["id"] == job_id  # its Idempotency-Key is remembered again
        results = batch_results(members)
        assert [row["status"] for row in results] == ["succeeded"] * 3
        assert all(Order(0).is_answered_by(row["result"]) for row in results)
        for job in (kept, spare):
            found = look(members, job["id"]).json()
            assert (found["result"], found["attempt"]) == (job["result"], 1)
        assert Order(2).is_answered_by(look(members, retried.json()["id"]).json()["result"])
        listed = requests.get(f"{members.url}/v1/jobs", timeout=60).json()["jobs"]
        of_batch = {row["job"] for row in results}
        assert {job["id"] for job in listed} == {kept["id"], spare["id"], *waiting, retried.json()["id"], *of_batch}
        assert {job["attempt"] for job in listed if job["id"] in of_batch} == {1001}


@pytest.mark.timeout(900)
def test_tenants_their_keys_and_endpoints_survive_and_a_revoked_keys_job_ends(tmp_path: Path) -> None:
    scale = Scale(name="one of each", jobs=0, seconds=0, workers=1, reapers=1)
    given = {
        "OVSEG_WEBHOOK_SECRET": webhook_secret.new(),
        "OVSEG_IMAGE_HEADERS_SECRET": "s" * 32,
        "OVSEG_AUTH": "required",
    }
    with stack.running(scale, tmp_path, given) as members:
        with Keyspace.open(members.settings) as keyspace:
            keys = Keys(keyspace)
            live, revoked, stranger = (keys.create("", ORDINARY, tenant=name) for name in ("acme", "acme", "beta"))
            url = f"{members.url}/v1/webhook-endpoints"
            headers = {"Authorization": "Bearer token"}
            fields = {"url": "https://example.com/", "events": ["job.failed"], "headers": headers}
            endpoint = requests.post(url, json=fields, headers=bearer(live), timeout=60).json()
            endpoint.pop("secret")
            assert endpoint["header_names"] == ["Authorization"]
            members.members["worker-1"].kill(down_seconds=float("inf"))
            job_id = submit(members, 1, revoked)["id"]
            keys.revoke(revoked.id)
        members.wait_until(lambda: is_archived(members), "the archive")
        lose_valkey(members)
        assert look(members, job_id, live).status_code == 401

        assert "6 tenants, API keys, webhook endpoints and batches are restored" in recover(members)
        members.members["worker-1"].start()
        assert look(members, job_id, revoked).status_code == 401
        assert look(members, job_id, stranger).status_code == 404
        job = look(members, job_id, live).json()
        assert (job["status"], job["attempt"]) == ("succeeded", 1001)
        assert submit(members, 1, live)["id"] == job_id
        shown = requests.get(url, headers=bearer(live), timeout=60).json()
        assert shown == {"endpoints": [endpoint]}
