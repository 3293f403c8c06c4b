"""A request may name an image by its digest that an earlier request sent."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from typing import Any

import requests
from flask.testing import FlaskClient

from tests.support import pictures
from tests.support.service import Service
from worker.image import known_images

SEEDS = itertools.count(4321)
BOX = {"box": [140, 10, 305, 180]}


def send(client: FlaskClient, image: bytes, path: str = "/v1/jobs", **fields: Any) -> Any:
    data = {"image": (_file(image), "a.png"), "request": json.dumps({"prompts": [BOX], "device": "gpu", **fields})}
    return client.post(path, data=data)


def _file(data: bytes) -> io.BytesIO:
    return io.BytesIO(data)


def name(client: FlaskClient, sha256: str, **fields: Any) -> Any:
    body = {"image": {"sha256": sha256}, "prompts": [BOX], "device": "gpu", **fields}
    return client.post("/v1/jobs", json=body)


def picture() -> tuple[bytes, str]:
    """Return an image that no other test sends, and its digest."""
    data = pictures.noise(310, 310, seed=next(SEEDS))
    return data, hashlib.sha256(data).hexdigest()


def test_one_upload_serves_several_jobs(service: Service) -> None:
    photo = pictures.photo()
    digest = hashlib.sha256(photo).hexdigest()
    first = service.post(
        "/v1/jobs?wait=60", files={"image": photo}, data={"request": json.dumps({"prompts": [BOX]})}
    ).json()
    body = {"image": {"sha256": digest}, "prompts": [BOX], "outputs": ["rle", "overlay"]}
    answer = service.post("/v1/jobs?wait=60", json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.json()["result"] == first["result"]
    assert answer.json()["image"] == first["image"]
    assert "fetch" in answer.json()["timings_ms"]  # the overlay needs the file, which belongs to the first job
    encoded = service.post("/v1/embeddings?wait=60", json={"image": {"sha256": digest}})
    assert encoded.json()["status"] == "succeeded"
    retried = service.post(f"/v1/jobs/{answer.json()['id']}/retry?wait=60").json()
    assert retried["image"]["key"] != first["image"]["key"]  # a retry has its own copy
    assert requests.delete(f"{service.url}/v1/jobs/{first['id']}", timeout=60).status_code == 204
    assert service.post("/v1/jobs?wait=60", json=body).json()["status"] == "succeeded"  # by the copy of the retry


def test_an_ephemeral_click_on_an_image_that_was_encoded_before_has_its_masks_in_one_answer(service: Service) -> None:
    data, digest = picture()
    encoded = service.post("/v1/embeddings?wait=60", files={"image": data}, data={"request": "{}"}).json()
    assert encoded["status"] == "succeeded"
    click = {"image": {"sha256": digest}, "prompts": [{"points": [[150, 150]]}], "ephemeral": True}
    answer = service.post("/v1/jobs?wait=60", json=click)
    job = answer.json()
    assert (answer.status_code, job["status"], job["files"]) == (200, "succeeded", {})
    assert (job["embedding_cache"], len(job["result"]["masks"])) == ("hit", 1)
    listed = requests.get(f"{service.url}/v1/jobs?limit=100", timeout=60).json()["jobs"]
    assert job["id"] not in [each["id"] for each in listed]


def test_a_named_image_is_checked_like_a_file_and_makes_the_same_request(asked: FlaskClient) -> None:
    data, digest = picture()
    key = {"Idempotency-Key": digest}
    fields = {"prompts": [BOX], "device": "gpu"}
    by_name = {"image": {"sha256": digest}, **fields}
    assert asked.post("/v1/jobs", json=by_name).get_json()["code"] == "image_not_found"
    sent = asked.post("/v1/jobs", data={"image": (_file(data), "a"), "request": json.dumps(fields)}, headers=key)
    assert sent.status_code == 202
    named = asked.post("/v1/jobs", json=by_name, headers=key)
    assert named.headers["Idempotency-Replayed"] == "true"
    assert named.get_json()["id"] == sent.get_json()["id"]
    outside = name(asked, digest, prompts=[{"box": [600, 0, 700, 10]}])
    assert outside.get_json()["code"] == "box_outside_image"


def test_the_image_of_an_erased_job_is_unknown(asked: FlaskClient) -> None:
    data, digest = picture()
    job_id = send(asked, data).get_json()["id"]
    assert name(asked, digest).status_code == 202
    assert asked.delete(f"/v1/jobs/{job_id}").status_code == 204
    refused = name(asked, digest)
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "image.sha256")


def test_naming_an_image_keeps_it_known(asked: FlaskClient) -> None:
    data, digest = picture()
    send(asked, data)
    keyspace = asked.application.extensions["ovseg"].keyspace
    [key] = keyspace.redis.keys(keyspace.key(f"image:*{digest}"))
    for _ in range(2):  # the second time the gateway remembers where the image is
        keyspace.redis.expire(key, 5)
        assert name(asked, digest).status_code == 202
        assert keyspace.redis.ttl(key) > known_images.KNOWN_SECONDS - 60
    keyspace.redis.delete(key)
    assert name(asked, digest).get_json()["code"] == "image_not_found"


def test_an_image_that_is_sent_again_after_its_job_was_erased_is_found_at_its_new_place(asked: FlaskClient) -> None:
    data, digest = picture()
    first = send(asked, data).get_json()["id"]
    assert name(asked, digest).status_code == 202
    assert asked.delete(f"/v1/jobs/{first}").status_code == 204
    second = send(asked, data).get_json()["id"]
    named = name(asked, digest)
    assert named.status_code == 202
    jobs = asked.application.extensions["ovseg"].jobs
    assert jobs.get(named.get_json()["id"]).request.image.owner == second
