"""Objects that a person or a lifecycle rule removed from storage are reported as gone, not as an outage."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from ovseg_core import outputs
from tests.support import lone_gateway, pictures, protocol
from tests.support.fakes import Host
from tests.support.parts import processes
from tests.support.protocol import HOOK, PICTURE
from tests.support.waiting import wait_until
from worker.job.job_filter import JobFilter
from worker.job.record import Job, Run
from worker.store import object_names
from worker.webhook import deliver

PHOTO = base64.b64encode(pictures.photo()).decode()
BODY = {"image": PHOTO, "prompts": [{"box": [1, 2, 30, 40]}], "device": "gpu"}
REMOVED = {"reason": "removed_from_storage"}


def overlay_jpeg(prefix: str) -> str:
    return prefix + outputs.OVERLAY_JPEG.path


@pytest.fixture
def services(client: FlaskClient) -> GatewayServices:
    services: GatewayServices = client.application.extensions["ovseg"]
    return services


def succeeded(client: FlaskClient, services: GatewayServices, **fields: Any) -> Job:
    """Make a job that has succeeded, with its result and overlay in storage."""
    job_id = client.post("/v1/jobs", json={**BODY, "webhook": {"url": HOOK}, **fields}).get_json()["id"]
    job = protocol.begin(services.jobs, job_id)
    document = {"logId": job_id, "result": {"masks": [], "maskInfos": []}, "errorCode": 0, "errorMsg": "Success"}
    services.storage.put(object_names.result(job.attempt_prefix), json.dumps(document).encode(), "application/json")
    services.storage.put(overlay_jpeg(job.attempt_prefix), b"jpeg", "image/jpeg")
    services.jobs.succeed(job, PICTURE, {}, 1, Run("openvino", "float32", "miss"))
    wait_until_stored(services, job_id)
    services.archive.keep(job_id)
    found = services.jobs.get(job_id)
    assert found is not None
    return found


def wait_until_stored(services: GatewayServices, job_id: str) -> None:
    """Wait until the gateway has moved the job's image from Redis to storage; only then it can be deleted."""
    wait_until(lambda: not services.keyspace.redis.exists(services.keyspace.key(f"input:{job_id}")))


def ended(client: FlaskClient, job_id: str) -> dict[str, Any]:
    """Wait until the job has ended, and return the job object."""
    wait_until(lambda: client.get(f"/v1/jobs/{job_id}").get_json()["is_final"])
    job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").get_json()
    return job


def test_a_job_without_its_result_shows_result_gone_and_all_other_fields(
    client: FlaskClient, services: GatewayServices, caplog: pytest.LogCaptureFixture
) -> None:
    job = succeeded(client, services)
    before = client.get(f"/v1/jobs/{job.id}").get_json()
    assert before["result"] == {"masks": [], "maskInfos": []}
    assert before["result_gone"] is None
    services.storage.delete_prefix(f"jobs/{job.id}/")
    caplog.clear()
    for _ in range(2):
        answer = client.get(f"/v1/jobs/{job.id}")
        assert answer.status_code == 200
        after = answer.get_json()
        assert (after["result"], after["result_gone"]) == (None, REMOVED)
        assert {name: file["url"] for name, file in after["files"].items()} == {"result": None, "overlay": None}
        assert after.keys() == before.keys()
        for name in before.keys() - {"result", "result_gone", "files"}:
            assert after[name] == before[name]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert client.get("/v1/jobs").get_json()["jobs"][0]["id"] == job.id
    assert client.delete(f"/v1/jobs/{job.id}").status_code == 204


def test_a_job_that_redis_has_lost_shows_result_gone_too(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services)
    services.storage.delete_prefix(f"jobs/{job.id}/")
    services.keyspace.redis.delete(services.keyspace.key(f"job:{job.id}"))
    answer = client.get(f"/v1/jobs/{job.id}")
    assert (answer.status_code, answer.get_json()["result_gone"]) == (200, REMOVED)


def test_a_missing_overlay_does_not_hide_the_result(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services)
    services.storage.delete_prefix(overlay_jpeg(job.attempt_prefix))
    shown = client.get(f"/v1/jobs/{job.id}").get_json()
    assert (shown["result"], shown["result_gone"]) == ({"masks": [], "maskInfos": []}, None)


def test_a_missing_result_does_not_hide_the_overlays_url(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services)
    services.storage.delete([object_names.result(job.attempt_prefix)])
    shown = client.get(f"/v1/jobs/{job.id}").get_json()
    assert (shown["result_gone"], shown["files"]["result"]["url"]) == (REMOVED, None)
    assert requests.get(shown["files"]["overlay"]["url"], timeout=30).content == b"jpeg"


def test_a_retry_of_a_job_whose_image_is_gone_is_410(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services)
    services.storage.delete_prefix(f"jobs/{job.id}/")
    answer = client.post(f"/v1/jobs/{job.id}/retry")
    assert (answer.status_code, answer.get_json()["code"]) == (410, "input_gone")


def test_a_webhook_has_the_same_fields_when_the_result_is_gone(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services)
    event = services.events.get(f"evt_{job.id}_succeeded")
    assert event is not None
    before = json.loads(deliver.payload(event.event, job, services.storage, None))["data"]
    services.storage.delete_prefix(f"jobs/{job.id}/")
    after = json.loads(deliver.payload(event.event, job, services.storage, None))["data"]
    assert after.keys() == before.keys()
    assert (before["result_gone"], after["result"], after["result_gone"]) == (None, None, REMOVED)


@pytest.mark.parametrize("lost", [object_names.result, overlay_jpeg])
def test_paddlexs_route_is_410_when_its_result_is_gone(
    s3_settings: Settings, services: GatewayServices, lost: Callable[[str], str]
) -> None:
    def work_badly() -> None:
        while not (jobs := services.jobs.list("default", JobFilter(), 1, None)[0]):
            time.sleep(0.05)
        job = protocol.begin(services.jobs, jobs[0].id)
        document: dict[str, Any] = {"result": {"masks": [], "maskInfos": []}}
        for name, data in ((object_names.result, json.dumps(document).encode()), (overlay_jpeg, b"jpeg")):
            if name is not lost:
                services.storage.put(name(job.attempt_prefix), data, "application/octet-stream")
        services.jobs.succeed(job, PICTURE, {}, 1)

    body = {"image": PHOTO, "prompt": [[1, 2, 30, 40]], "promptType": "box"}
    with lone_gateway.running(s3_settings) as gateway, ThreadPoolExecutor(1) as worker:
        work = worker.submit(work_badly)
        answer = requests.post(f"{gateway.url}/open-vocabulary-segmentation", json=body, timeout=60)
        work.result()
    assert (answer.status_code, answer.json()["errorCode"]) == (410, 410)
    assert "no longer in storage" in answer.json()["errorMsg"]


def test_a_result_in_an_archive_storage_class_is_gone_too(
    client: FlaskClient, services: GatewayServices, s3_settings: Settings, host: Host
) -> None:
    job = succeeded(client, services)
    words = b"<Error><Code>InvalidObjectState</Code><Message>not valid for the storage class</Message></Error>"
    host.serve(
        f"/{s3_settings.s3_bucket}/{object_names.result(job.attempt_prefix)}", words, "application/xml", status=403
    )
    elsewhere = create_app(s3_settings.model_copy(update={"s3_endpoint_url": host.url("")})).test_client()
    shown = elsewhere.get(f"/v1/jobs/{job.id}")
    assert (shown.status_code, shown.get_json()["result"]) == (200, None)
    assert shown.get_json()["result_gone"] == {"reason": "archived_in_storage"}


def test_a_missing_bucket_is_an_outage(client: FlaskClient, services: GatewayServices, s3_settings: Settings) -> None:
    job = succeeded(client, services)
    elsewhere = create_app(s3_settings.model_copy(update={"s3_bucket": "no-such-bucket"})).test_client()
    answer = elsewhere.get(f"/v1/jobs/{job.id}")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")


def test_a_queued_job_whose_image_is_gone_fails_at_its_first_attempt(
    client: FlaskClient, services: GatewayServices
) -> None:
    job_id = client.post("/v1/jobs", json={**BODY, "device": "cpu"}).get_json()["id"]
    key = client.get(f"/v1/jobs/{job_id}").get_json()["image"]["key"]
    wait_until_stored(services, job_id)
    services.storage.delete_prefix(key)
    with processes(services.settings, "worker"):
        job = ended(client, job_id)
    assert (job["status"], job["attempt"]) == ("failed", 1)
    assert (job["error"]["code"], job["error"]["field"]) == ("input_gone", "image")


def test_a_signed_url_of_a_stored_result_works(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services)
    url = client.get(f"/v1/jobs/{job.id}").get_json()["files"]["result"]["url"]
    assert requests.get(url, timeout=30).status_code == 200
