"""When the queue or Redis is full, new jobs are refused with a message, and the requests that empty it still work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from urllib3 import encode_multipart_formdata
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import create_app
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.conftest import WEBHOOK_SECRET
from tests.support import own_valkey, pictures
from tests.support.parts import processes
from tests.support.waiting import wait_until
from worker.store.keyspace import Keyspace

URL, BOX = "https://example.com/a.jpg", {"box": [1, 1, 9, 9]}
LARGE = {"points": [[n / 7, n / 11] for n in range(1, 101)]}


@pytest.fixture
def settings(tmp_path: Path, s3: Seaweedfs) -> Iterator[Settings]:
    with own_valkey.running(tmp_path, megabytes=24) as url:
        yield Settings(
            redis_url=url,
            s3_endpoint_url=s3.endpoint_url,
            s3_bucket=BUCKET,
            webhook_secret=WEBHOOK_SECRET,
            redis_prefix=f"{tmp_path.name}:",
            requests_per_minute=1000,  # so that counting requests is tried while Redis is full
        )


def submit(client: FlaskClient, **fields: Any) -> TestResponse:
    return client.post("/v1/jobs", json={"image": URL, "prompts": [BOX], "device": "gpu", **fields})


def submit_file(client: FlaskClient, image: bytes, **fields: Any) -> TestResponse:
    parts: dict[str, str | tuple[str, bytes]] = {
        "image": ("image", image),
        "request": json.dumps({"prompts": [BOX], **fields}),
    }
    body, content_type = encode_multipart_formdata(parts)
    return client.post("/v1/jobs", data=body, content_type=content_type)


def fill(client: FlaskClient) -> list[str]:
    """Submit jobs of some hundred kB until no more are accepted, and return their ids."""
    ids = []
    while (answer := submit(client, prompts=[LARGE] * 100)).status_code == 202:
        ids.append(answer.get_json()["id"])
        assert len(ids) < 200
    assert_full(answer, "memory")
    return ids


def assert_full(answer: TestResponse, message: str) -> None:
    assert (answer.status_code, answer.get_json()["code"]) == (503, "queue_full"), answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert message in answer.get_json()["detail"]


def test_a_full_queue_refuses_new_jobs_of_every_kind_and_answers_other_requests(settings: Settings) -> None:
    client = create_app(settings.model_copy(update={"max_queued_jobs": 2})).test_client()
    key = {"Idempotency-Key": "mine"}
    body = {"image": URL, "prompts": [BOX], "device": "gpu"}
    first = client.post("/v1/jobs", json=body, headers=key).get_json()["id"]
    client.put("/v1/jobs/of-mine", json=body)

    for refused in (
        submit(client),
        submit_file(client, pictures.photo()),
        client.put("/v1/jobs/another", json=body),
        client.post("/v1/embeddings", json={"image": URL}),
    ):
        assert_full(refused, "2 jobs are queued")
    paddlex_body = {"image": URL, "prompt": [[1, 1, 9, 9]], "promptType": "box"}
    paddlex = client.post("/open-vocabulary-segmentation", json=paddlex_body)
    assert (paddlex.status_code, paddlex.get_json()["errorCode"]) == (503, 503)
    assert int(paddlex.headers["Retry-After"]) > 0

    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["submissions"].startswith("queue_full: 2 jobs")
    assert (
        client.post("/v1/jobs", json=body, headers=key).get_json()["id"] == first
    )  # the same request again is the same job
    assert client.put("/v1/jobs/of-mine", json=body).status_code == 200
    assert len(client.get("/v1/jobs").get_json()["jobs"]) == 2
    assert client.post(f"/v1/jobs/{first}/cancel").status_code == 200
    assert client.get("/readyz").get_json()["submissions"] == "ok"
    assert client.post(f"/v1/jobs/{first}/retry").status_code == 202
    assert_full(client.post(f"/v1/jobs/{first}/retry"), "2 jobs are queued")


def test_jobs_can_be_read_processed_and_deleted_while_redis_is_full_and_deleting_makes_space(
    settings: Settings,
) -> None:
    client = create_app(settings).test_client()
    waiting = submit_file(client, pictures.photo()).get_json()["id"]
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.setrange(keyspace.key("of others"), 15_000_000, "x")  # so that Redis is full sooner
    filling = fill(client)
    with Keyspace.open(settings) as keyspace:
        # somewhat above the limit, so that temporary buffers make no difference
        keyspace.redis.config_set("maxmemory", int(keyspace.redis.info("memory")["used_memory"] / 0.92))
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["submissions"].startswith("queue_full: Redis's memory")

    page = client.get("/v1/jobs?limit=100").get_json()
    assert page["jobs"][0]["id"] == filling[-1]
    assert client.get(f"/v1/jobs/{filling[0]}").status_code == 200
    with processes(settings, "worker"):
        wait_until(lambda: client.get(f"/v1/jobs/{waiting}").get_json()["status"] == "succeeded")
    assert client.post(f"/v1/jobs/{filling[0]}/cancel").status_code == 200
    for job_id in filling[: len(filling) // 2]:
        assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert client.get("/readyz").get_json()["submissions"] == "ok"
    assert submit(client).status_code == 202


def test_an_image_that_redis_has_no_space_for_goes_to_storage_first(settings: Settings) -> None:
    app = create_app(settings)
    client, services = app.test_client(), app.extensions["ovseg"]
    large = pictures.noise(2500, 2600, "BMP")  # 19.5 MB; with the copy in a buffer this is more than Valkey has
    answer = submit_file(client, large, device="gpu")
    assert answer.status_code == 202, answer.text
    job = answer.get_json()
    assert services.storage.get(job["image"]["key"]) == large
    assert services.inputs.fetch(job["id"], job["image"]["key"]) == large


def test_a_redis_out_of_memory_is_reported_as_full_and_not_as_unreachable(settings: Settings) -> None:
    client = create_app(settings).test_client()
    job_id = submit(client).get_json()["id"]
    with own_valkey.out_of_memory(settings):
        assert_full(submit(client), "memory")
        assert_full(client.post("/v1/webhook-endpoints", json={"url": "https://example.com/hook"}), "memory")
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/jobs").status_code == 200
        assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert client.post("/v1/webhook-endpoints", json={"url": "https://example.com/hook"}).status_code == 201
