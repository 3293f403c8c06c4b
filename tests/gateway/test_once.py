"""A request that is sent again makes no second job, in the real service."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support import pictures
from tests.support.service import Service

HEAD = {"box": [140, 10, 305, 180]}
QUEUED = {"prompts": [HEAD], "device": "gpu"}  # no worker has this device, so the job stays queued
BODY = {"image": "https://example.com/a.jpg", **QUEUED}


def unique_name() -> str:
    return f"test-{uuid.uuid4().hex}"


def post(service: Service, key: str, body: Any = BODY) -> requests.Response:
    return service.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})


def post_photo(service: Service, key: str, photo: bytes) -> requests.Response:
    data = {"request": json.dumps(QUEUED)}
    return service.post("/v1/jobs", files={"image": photo}, data=data, headers={"Idempotency-Key": key})


def put(service: Service, name: str, body: Any = BODY) -> requests.Response:
    return requests.put(f"{service.url}/v1/jobs/{name}", json=body, timeout=60)


def put_photo(service: Service, name: str, photo: bytes) -> requests.Response:
    data = {"request": json.dumps({"prompts": [HEAD]})}
    return requests.put(f"{service.url}/v1/jobs/{name}", files={"image": photo}, data=data, timeout=60)


def test_the_same_key_and_body_are_answered_with_the_same_job(service: Service) -> None:
    key = unique_name()
    first, second = post(service, f'"{key}"'), post(service, key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first.headers["Location"] == second.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


def test_a_repeated_request_is_answered_with_the_current_state_of_the_job(service: Service) -> None:
    key = unique_name()
    job_id = post(service, key).json()["id"]
    service.post(f"/v1/jobs/{job_id}/cancel")
    assert post(service, key).json()["status"] == "canceled"


def test_the_same_key_with_another_body_or_image_is_refused(service: Service) -> None:
    key = unique_name()
    post_photo(service, key, pictures.photo())
    others = [post(service, key), post_photo(service, key, pictures.noise(400, 400))]
    for answer in others:
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert post_photo(service, key, pictures.photo()).headers["Idempotency-Replayed"] == "true"


def test_a_refused_request_does_not_use_up_its_key(service: Service) -> None:
    key = unique_name()
    assert post(service, key, {**BODY, "prompts": []}).status_code == 422
    assert post(service, key).status_code == 202


def test_the_key_of_a_deleted_job_makes_no_new_job(service: Service) -> None:
    key = unique_name()
    job_id = post(service, key).json()["id"]
    assert requests.delete(f"{service.url}/v1/jobs/{job_id}", timeout=60).status_code == 204
    answer = post(service, key)
    assert (answer.status_code, answer.json()["code"]) == (410, "job_deleted")


@pytest.mark.parametrize("key", ["", '""', '"open', 'a"b"c' * 60, "x" * 256, "schlüssel".encode(), "a\tb"])
def test_an_invalid_key_is_refused(service: Service, key: Any) -> None:
    answer = post(service, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert "1 to 255 printable ASCII" in answer.json()["detail"]


@pytest.mark.parametrize("way", ["key", "key and photo", "id"])
def test_many_simultaneous_requests_make_one_job(service: Service, way: str) -> None:
    name, photo = unique_name(), pictures.photo()

    def send(_: int) -> requests.Response:
        if way == "id":
            return put(service, name)
        return post(service, name) if way == "key" else post_photo(service, name, photo)

    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(send, range(32)))
    assert {answer.status_code for answer in answers} == ({200, 202} if way == "id" else {202})
    [job_id] = {answer.json()["id"] for answer in answers}
    new = [a for a in answers if a.status_code == 202 and "Idempotency-Replayed" not in a.headers]
    assert len(new) == 1
    assert len({answer.json()["accepted_at"] for answer in answers}) == 1
    assert service.get(f"/v1/jobs/{job_id}").status_code == 200


def test_a_job_has_the_id_that_the_client_chose(service: Service) -> None:
    name = unique_name()
    first = put_photo(service, name, pictures.photo())
    assert (first.status_code, first.headers["Location"]) == (202, f"/v1/jobs/{name}")
    job = service.wait(name)
    assert (job["id"], job["status"]) == (name, "succeeded")
    again = put_photo(service, name, pictures.photo())
    assert (again.status_code, again.json()["status"]) == (200, "succeeded")


def test_an_id_that_is_taken_is_refused_and_its_job_keeps_its_image(service: Service) -> None:
    name = unique_name()
    put_photo(service, name, pictures.photo())
    answer = put_photo(service, name, pictures.noise(400, 400))
    assert (answer.status_code, answer.json()["code"]) == (409, "id_taken")
    assert service.wait(name)["image"]["format"] == "JPEG"


def test_the_id_of_a_deleted_job_is_not_used_again(service: Service) -> None:
    name = unique_name()
    put(service, name)
    assert requests.delete(f"{service.url}/v1/jobs/{name}", timeout=60).status_code == 204
    answer = put(service, name)
    assert (answer.status_code, answer.json()["code"]) == (410, "job_deleted")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x" * 65, "1 to 64 letters"),
        ("a.b", "1 to 64 letters"),
        ("schlüssel", "1 to 64 letters"),
        ("01a1fcd6-84ce-741a-b4b5-8a0d247d0312", "version 7"),
        ("01A1FCD6-84CE-741A-B4B5-8A0D247D0312", "version 7"),
    ],
)
def test_an_invalid_or_reserved_id_is_refused(service: Service, name: str, words: str) -> None:
    answer = put(service, name)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_value")
    assert words in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "id"


def test_a_uuid_of_another_version_may_be_an_id(service: Service) -> None:
    assert put(service, str(uuid.uuid4())).status_code == 202
