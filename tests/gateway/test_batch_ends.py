"""Batches and jobs of batches are canceled and deleted over HTTP; on real servers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from gateway.services import GatewayServices
from tests.gateway.test_batches import BATCHES, counts_of, fail, items, run_all, shown, succeed
from tests.support import protocol
from tests.support.waiting import wait_until
from worker.batch import feeder
from worker.batch.item import job_id_of
from worker.job.record import Job


def test_canceling_ends_waiting_queued_and_running_items(
    client: FlaskClient, services: GatewayServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeder, "MAX_QUEUED", 3)
    client.put(f"{BATCHES}/stop", json={"items": items(*"abcdefghi")})
    services.feeder.sweep()
    running = [began(services), began(services)]
    assert succeed(services, running[0]) == "succeeded"
    assert counts_of(client, "stop") == {"total": 9, "waiting": 6, "queued": 1, "running": 1, "succeeded": 1}
    answer = client.post(f"{BATCHES}/stop/cancel")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "canceling")
    assert counts_of(client, "stop") == {"total": 9, "queued": 1, "running": 1, "succeeded": 1, "canceled": 6}
    assert client.put(f"{BATCHES}/stop", json={"items": items("z")}).get_json()["code"] == "batch_canceled"
    services.feeder.sweep()
    assert succeed(services, running[1]) == "canceled"
    assert shown(client, "stop")["status"] == "canceled"
    assert counts_of(client, "stop") == {"total": 9, "succeeded": 1, "canceled": 8}
    assert client.post(f"{BATCHES}/stop/cancel").status_code == 200
    assert run_all(services, succeed) == 0


def began(services: GatewayServices) -> Job:
    job = services.jobs.begin(protocol.AUTO, "worker")
    assert job is not None
    return job


def test_a_batch_that_has_completed_cannot_be_canceled_and_one_that_runs_cannot_be_deleted(
    client: FlaskClient, services: GatewayServices
) -> None:
    client.put(f"{BATCHES}/short", json={"items": items("a")})
    assert client.delete(f"{BATCHES}/short").get_json()["code"] == "batch_not_final"
    run_all(services, fail)
    assert counts_of(client, "short") == {"total": 1, "failed": 1}
    assert client.post(f"{BATCHES}/short/cancel").get_json()["code"] == "batch_already_final"


def test_deleting_a_batch_leaves_nothing_of_it(client: FlaskClient, services: GatewayServices) -> None:
    before = set(services.keyspace.redis.keys())
    client.put(f"{BATCHES}/old", json={"items": items(*"abcde")})
    run_all(services, succeed)
    jobs = [job["id"] for job in client.get("/v1/jobs?batch=old").get_json()["jobs"]]
    for job_id in jobs:
        services.archive.keep(job_id)
    assert client.delete(f"{BATCHES}/old").status_code == 202
    assert client.get(f"{BATCHES}/old").status_code == 404
    services.feeder.sweep()
    services.erasure.sweep()
    services.record_archive.sweep()
    assert client.get("/v1/jobs?batch=old").get_json()["jobs"] == []

    def left() -> list[str]:
        return [name for name in services.storage.list("") if "old" in name or any(each in name for each in jobs)]

    wait_until(lambda: left() == [])  # a document that was just being written is deleted by its writer
    unexpected = [name for name in set(services.keyspace.redis.keys()) - before if "batch" in name or "job:" in name]
    assert unexpected == [services.keyspace.key("erased_batch:old")]
    again = client.put(f"{BATCHES}/old", json={"items": items("a")})
    assert (again.status_code, again.get_json()["code"]) == (410, "batch_deleted")


def test_a_job_that_is_deleted_counts_as_deleted(client: FlaskClient, services: GatewayServices) -> None:
    client.put(f"{BATCHES}/some", json={"items": items("a", "b")})
    services.feeder.sweep()
    job_id = job_id_of("some", "a")
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert counts_of(client, "some") == {"total": 2, "queued": 1, "deleted": 1}
    assert run_all(services, succeed) == 1
    assert shown(client, "some")["status"] == "completed"
