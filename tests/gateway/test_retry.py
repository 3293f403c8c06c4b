"""Retries of jobs, as a client requests them."""

from __future__ import annotations

import json
from typing import Any

import requests

from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

HEAD = {"box": [140, 10, 305, 180]}


def retry(service: Service, job_id: str, **headers: str) -> requests.Response:
    return service.post(f"/v1/jobs/{job_id}/retry", headers=headers)


def submit_photo(service: Service, **fields: Any) -> str:
    photo = {"image": ("photo.jpg", pictures.photo())}
    data = {"request": json.dumps({"prompts": [HEAD], **fields})}
    return str(service.post("/v1/jobs", files=photo, data=data).json()["id"])


def test_a_retry_is_a_new_job_with_the_same_request_and_image(service: Service) -> None:
    first = service.wait(submit_photo(service, metadata={"mine": 1}, outputs=["rle"]))
    answer = retry(service, first["id"])
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    assert answer.json()["id"] != first["id"]
    assert requests.delete(f"{service.url}/v1/jobs/{first['id']}", timeout=60).status_code == 204
    second = service.wait(answer.json()["id"])  # it has its own copy of the image
    assert second["status"] == "succeeded"
    for name in ("prompts", "metadata", "outputs", "model", "result"):
        assert second[name] == first[name]


def test_a_canceled_job_can_be_retried(service: Service) -> None:
    job_id = submit_photo(service, device="gpu")  # no worker has this device
    refused = retry(service, job_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_final")
    assert service.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    assert retry(service, job_id).status_code == 202  # also while its image is being moved to storage


def test_a_retry_fetches_the_image_from_its_url_again(service: Service, trusted_host: Host) -> None:
    url = trusted_host.url("/later.jpg")
    failed = service.wait(service.submit(image=url, prompts=[HEAD])["id"])
    assert failed["status"] == "failed"
    trusted_host.serve("/later.jpg", pictures.photo())
    assert service.wait(retry(service, failed["id"]).json()["id"])["status"] == "succeeded"


def test_an_idempotency_key_makes_one_retry(service: Service) -> None:
    job_id = service.wait(submit_photo(service))["id"]
    headers = {"Idempotency-Key": f"retry-{job_id}"}
    first, second = retry(service, job_id, **headers), retry(service, job_id, **headers)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Idempotency-Replayed"] == "true"


def test_a_job_that_does_not_exist_cannot_be_retried(service: Service) -> None:
    answer = retry(service, "no-such-job")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
