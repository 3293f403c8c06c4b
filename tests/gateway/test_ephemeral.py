"""Ephemeral jobs: in no list and no archive, nothing in storage, no events, forgotten a minute after their end."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import create_app
from tests.chaos.box_inference import BoxInference
from tests.support import pictures, protocol
from worker import tasks
from worker.job import ephemeral, result_document
from worker.worker_services import WorkerServices

PHOTO = pictures.photo()
SHA256 = hashlib.sha256(PHOTO).hexdigest()
BOX = {"box": [140, 10, 305, 180]}
URL = "https://example.com/a.jpg"
RESULT = json.dumps(result_document.of("x", {"maskInfos": [], "masks": []})).encode()
CLICK = {"prompts": [BOX], "ephemeral": True}


@pytest.fixture
def worker(s3_settings: Settings) -> Iterator[WorkerServices]:
    opened = WorkerServices(s3_settings, "cpu", BoxInference(encode_seconds=0))
    yield opened
    opened.close()


def send(client: FlaskClient, path: str = "/v1/jobs", **sent: Any) -> TestResponse:
    """Send the photo with an ephemeral job."""
    parts = {"image": (io.BytesIO(PHOTO), "a.jpg"), "request": json.dumps({**CLICK, **sent.pop("fields", {})})}
    return client.open(path, method=sent.pop("method", "POST"), data=parts, **sent)


def sent(client: FlaskClient, **fields: Any) -> str:
    answer = send(client, fields=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["id"])


def show(client: FlaskClient, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").get_json()
    return job


def stored(worker: WorkerServices, job_id: str) -> list[str]:
    """Return the names of all objects of a job."""
    keys = list(worker.storage.list(f"jobs/{job_id}/"))
    return keys + [key for key in worker.storage.list("archive/") if job_id in key]


def let_it_expire(worker: WorkerServices, job_id: str) -> None:
    """Delete what Redis deletes within a minute; what a job leaves behind then fails the test that checks it."""
    redis, key = worker.keyspace.redis, worker.keyspace.key
    for name in (f"job:{job_id}", f"result:{job_id}"):
        if redis.exists(key(name)):
            assert 0 < redis.ttl(key(name)) <= 60, name
            redis.delete(key(name))


def names(worker: WorkerServices, job_id: str) -> list[str]:
    """Return the keys of Redis that name a job or have it as a member."""
    redis, found = worker.keyspace.redis, []
    for name in redis.keys(worker.keyspace.key("*")):
        kind, short = redis.type(name), name.removeprefix(worker.keyspace.prefix)
        members = redis.zrange(name, 0, -1) if kind == "zset" else redis.lrange(name, 0, -1) if kind == "list" else []
        if job_id in short or (job_id in members and not short.startswith("q:")):
            found.append(short)
    return sorted(found)


def test_an_ephemeral_job_is_answered_and_leaves_nothing_behind(client: FlaskClient, worker: WorkerServices) -> None:
    client.post("/v1/webhook-endpoints", json={"url": "https://example.com/hook"})
    job_id = sent(client)
    queued = show(client, job_id)
    assert (queued["status"], queued["ephemeral"], queued["outputs"]) == ("queued", True, ["rle"])
    assert queued["image"]["key"] is None
    tasks.segment(job_id, worker)
    job = show(client, job_id)
    assert (job["status"], job["files"], job["result_gone"]) == ("succeeded", {}, None)
    assert len(job["result"]["masks"]) == 1
    assert client.get(f"/v1/jobs/{job_id}/files").get_json() == {"files": {}}
    assert client.get(f"/v1/jobs/{job_id}/webhook-deliveries").get_json()["events"] == []

    worker.archive.sweep()
    assert stored(worker, job_id) == []
    assert worker.keyspace.redis.keys(worker.keyspace.key("event:*")) == []
    let_it_expire(worker, job_id)
    assert names(worker, job_id) == []
    assert client.get(f"/v1/jobs/{job_id}").status_code == 404
    assert worker.keyspace.redis.get(worker.keyspace.key("ephemeral_bytes")) == "0"


@pytest.mark.parametrize("status", ["queued", "running", "succeeded"])
def test_it_is_in_no_list(client: FlaskClient, worker: WorkerServices, status: str) -> None:
    job_id = sent(client)
    if status != "queued":
        job = protocol.begin(worker.jobs, job_id)
        if status == "succeeded":
            worker.jobs.succeed(job, protocol.PICTURE, {}, 1, None, RESULT)
    assert show(client, job_id)["status"] == status
    for query in ("", f"?status={status}", "?model=SAM-Lite"):
        assert client.get(f"/v1/jobs{query}").get_json() == {"jobs": [], "next_cursor": None}
    selected = client.post("/v1/jobs/cancel", json={"filter": {"model": "SAM-Lite"}}).get_json()
    assert selected["results"] == []


def test_a_job_that_names_a_known_image_writes_nothing_to_storage(client: FlaskClient, worker: WorkerServices) -> None:
    first = client.post("/v1/embeddings", data={"image": (io.BytesIO(PHOTO), "a.jpg"), "request": "{}"}).get_json()
    tasks.segment(first["id"], worker)
    embeddings = list(worker.storage.list("embeddings/"))
    job_id = client.post("/v1/jobs", json={**CLICK, "image": {"sha256": SHA256}}).get_json()["id"]
    tasks.segment(job_id, worker)
    job = show(client, job_id)
    assert (job["status"], job["embedding_cache"], len(job["result"]["masks"])) == ("succeeded", "hit", 1)
    assert stored(worker, job_id) == []
    assert list(worker.storage.list("embeddings/")) == embeddings
    retried = client.post(f"/v1/jobs/{job_id}/retry").get_json()
    assert (retried["ephemeral"], retried["image"]["key"]) == (True, job["image"]["key"])


def test_the_result_is_that_of_another_job(client: FlaskClient, worker: WorkerServices) -> None:
    usual = send(client, fields={"ephemeral": False, "outputs": ["rle", "polygons"]}).get_json()["id"]
    job_id = sent(client, outputs=["rle", "polygons"])
    for each in (usual, job_id):
        tasks.segment(each, worker)
    assert show(client, usual)["ephemeral"] is False
    assert show(client, job_id)["result"] == show(client, usual)["result"]


def test_an_image_that_an_ephemeral_job_sent_is_not_known_later(client: FlaskClient, worker: WorkerServices) -> None:
    tasks.segment(sent(client), worker)
    answer = client.post("/v1/jobs", json={**CLICK, "image": {"sha256": SHA256}})
    assert answer.get_json()["code"] == "image_not_found"


def test_a_retry_needs_an_image_that_still_exists(client: FlaskClient, worker: WorkerServices) -> None:
    uploaded = sent(client)
    tasks.segment(uploaded, worker)
    gone = client.post(f"/v1/jobs/{uploaded}/retry")
    assert (gone.status_code, gone.get_json()["code"]) == (410, "input_gone")
    by_url = client.post("/v1/jobs", json={**CLICK, "image": URL}).get_json()["id"]
    client.post(f"/v1/jobs/{by_url}/cancel")
    retried = client.post(f"/v1/jobs/{by_url}/retry")
    assert (retried.status_code, retried.get_json()["ephemeral"]) == (202, True)
    let_it_expire(worker, by_url)
    assert client.post(f"/v1/jobs/{by_url}/retry").status_code == 404


def test_an_idempotency_key_finds_the_job_while_it_exists_and_makes_no_second_one(
    client: FlaskClient, worker: WorkerServices
) -> None:
    headers = {"Idempotency-Key": "k"}
    job_id = send(client, headers=headers).get_json()["id"]
    tasks.segment(job_id, worker)
    replayed = send(client, "/v1/jobs?wait=0", headers=headers)
    assert (replayed.status_code, replayed.get_json()["id"]) == (200, job_id)
    assert len(replayed.get_json()["result"]["masks"]) == 1
    other = send(client, headers=headers, fields={"ephemeral": False})
    assert other.get_json()["code"] == "idempotency_key_reused"
    let_it_expire(worker, job_id)
    late = send(client, headers=headers)
    assert (late.status_code, late.get_json()["code"]) == (410, "job_deleted")


def test_an_id_that_the_client_chose_is_not_used_again(client: FlaskClient, worker: WorkerServices) -> None:
    path = f"/v1/jobs/{worker.settings.redis_prefix.strip(':')}"
    job_id = path.rpartition("/")[2]
    assert send(client, path, method="PUT").status_code == 202
    tasks.segment(job_id, worker)
    again = send(client, path, method="PUT")
    assert (again.status_code, again.get_json()["status"]) == (200, "succeeded")
    assert send(client, path, method="PUT", fields={"ephemeral": False}).get_json()["code"] == "id_taken"
    let_it_expire(worker, job_id)
    assert send(client, path, method="PUT").get_json()["code"] == "job_deleted"
    assert names(worker, job_id) == [f"erased:{job_id}"]
    assert worker.keyspace.redis.ttl(worker.keyspace.key(f"erased:{job_id}")) > 60


def test_its_masks_are_prompts_of_another_job_while_it_exists(client: FlaskClient, worker: WorkerServices) -> None:
    job_id = sent(client)
    mask = {"mask": {"job": job_id, "index": 0}}
    too_early = send(client, fields={"prompts": [mask]})
    assert too_early.get_json()["code"] == "mask_not_found"
    tasks.segment(job_id, worker)
    assert send(client, fields={"prompts": [mask]}).status_code == 202
    worker.keyspace.redis.delete(worker.keyspace.key(f"result:{job_id}"))
    assert send(client, fields={"prompts": [mask]}).get_json()["code"] == "mask_not_found"
    let_it_expire(worker, job_id)
    assert send(client, fields={"prompts": [mask]}).get_json()["code"] == "mask_not_found"


def test_it_can_be_canceled_and_deleted(client: FlaskClient, worker: WorkerServices) -> None:
    canceled = sent(client)
    assert client.post(f"/v1/jobs/{canceled}/cancel").get_json()["status"] == "canceled"
    let_it_expire(worker, canceled)
    running = sent(client)
    job = protocol.begin(worker.jobs, running)
    assert client.delete(f"/v1/jobs/{running}").get_json()["code"] == "job_running"
    assert client.post(f"/v1/jobs/{running}/cancel").status_code == 202
    assert worker.jobs.finish_as_decided(job) == "canceled"
    assert client.delete(f"/v1/jobs/{running}").status_code == 204
    queued = sent(client)
    deleted = client.post("/v1/jobs/delete", json={"ids": [queued]}).get_json()["results"]
    assert deleted == [{"id": queued, "status": "deleted", "problem": None}]
    for job_id in (canceled, running, queued):
        assert client.get(f"/v1/jobs/{job_id}").status_code == 404
        assert names(worker, job_id) == []
        assert stored(worker, job_id) == []
    assert worker.keyspace.redis.get(worker.keyspace.key("ephemeral_bytes")) == "0"


def test_an_attempt_that_was_lost_is_repeated(client: FlaskClient, worker: WorkerServices) -> None:
    job_id = sent(client)
    protocol.begin(worker.jobs, job_id, "dead")
    protocol.let_leases_end(worker.settings)
    assert protocol.sweep(worker.settings) == [("leases", "queued")]
    tasks.segment(job_id, worker)
    assert show(client, job_id)["status"] == "succeeded"


def test_it_is_not_recovered(client: FlaskClient, worker: WorkerServices) -> None:
    queued, ended = sent(client), sent(client)
    tasks.segment(ended, worker)
    for job_id in (queued, ended):
        worker.archive.keep(job_id)
        assert worker.archive.find(job_id) is None
        assert stored(worker, job_id) == []


def test_a_job_whose_result_had_to_make_room_says_so(client: FlaskClient, worker: WorkerServices) -> None:
    job_id = sent(client)
    tasks.segment(job_id, worker)
    worker.keyspace.redis.delete(worker.keyspace.key(f"result:{job_id}"))
    answer = client.get(f"/v1/jobs/{job_id}")
    assert (answer.get_json()["result"], answer.get_json()["result_gone"]) == (None, {"reason": "evicted"})
    assert "ETag" not in answer.headers


def test_a_result_that_is_too_large_fails_the_job(
    client: FlaskClient, worker: WorkerServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ephemeral, "MAX_RESULT_BYTES", 100)
    job_id = sent(client)
    tasks.segment(job_id, worker)
    assert show(client, job_id)["error"]["code"] == "result_too_large"


def test_images_beyond_the_memory_for_them_are_refused_until_a_job_ends(s3_settings: Settings) -> None:
    big = pictures.noise(600, 500)  # 0.9 MB as PNG
    client = create_app(s3_settings.model_copy(update={"ephemeral_megabytes": 1})).test_client()

    def post() -> TestResponse:
        return client.post("/v1/jobs?ephemeral=true&box=1,1,9,9", data=big, content_type="image/png")

    first = post()
    assert first.status_code == 202
    full = post()
    assert (full.status_code, full.get_json()["code"]) == (503, "queue_full")
    assert "1 MB" in full.get_json()["detail"]
    assert client.post("/v1/jobs", json={**CLICK, "image": URL}).status_code == 202
    client.post(f"/v1/jobs/{first.get_json()['id']}/cancel")
    assert post().status_code == 202


def test_it_counts_as_usage_and_as_a_queued_job_of_its_tenant_and_stores_no_bytes(
    s3_settings: Settings, worker: WorkerServices
) -> None:
    limits = {"max_queued_jobs_per_tenant": 1, "max_stored_bytes_per_tenant": 1}
    client = create_app(s3_settings.model_copy(update=limits)).test_client()
    job_id = sent(client)
    exceeded = client.post("/v1/jobs", json={**CLICK, "image": URL})
    assert exceeded.get_json()["violated-policies"] == ["queued-jobs"]
    assert client.get("/v1/usage").get_json()["queued_jobs"] == 1
    tasks.segment(job_id, worker)
    used = client.get("/v1/usage").get_json()
    assert (used["queued_jobs"], used["running_jobs"], used["stored_bytes"]) == (0, 0, 0)
    total = used["total"]
    assert (total["accepted"], total["succeeded"], total["prompts"], total["encodes"]) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"outputs": ["rle", "overlay"]}, "outputs", "overlay is a file, and an ephemeral job stores none"),
        ({"outputs": ["png"]}, "outputs", "allowed: rle, polygons"),
        ({"webhook": "https://example.com/hook"}, "webhook", "an ephemeral job has no events"),
        ({"ephemeral": "yes"}, "ephemeral", "valid boolean"),
    ],
)
def test_what_an_ephemeral_job_cannot_have_is_refused(
    client: FlaskClient, fields: dict[str, Any], field: str, message: str
) -> None:
    answer = client.post("/v1/jobs", json={**CLICK, "image": URL, **fields})
    assert answer.status_code == 422
    [error] = answer.get_json()["errors"]
    assert error["field"] == field
    assert message in error["message"]


def test_it_may_be_asked_for_as_a_text_and_not_for_an_embedding(client: FlaskClient) -> None:
    image = {"data": PHOTO, "content_type": "image/jpeg"}
    answer = client.post("/v1/jobs?ephemeral=true&box=140,10,305,180", **image)
    assert (answer.status_code, answer.get_json()["ephemeral"]) == (202, True)
    refused = client.post("/v1/embeddings", json={"image": URL, "ephemeral": True})
    assert refused.get_json()["code"] == "unknown_field"
