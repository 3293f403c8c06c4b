"""A request that submits a job and waits for its result, in the real service."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support import pictures
from tests.support.service import Service

HEAD = {"box": [140, 10, 305, 180]}
NO_WORKER = {"image": "https://example.com/a.jpg", "prompts": [HEAD], "device": "gpu"}  # its job stays queued


def send(service: Service, path: str, method: str = "POST", **kwargs: Any) -> requests.Response:
    return requests.request(method, f"{service.url}{path}", timeout=90, **kwargs)


def photo(**fields: Any) -> dict[str, Any]:
    """Return the arguments of a request with the photo."""
    return {"files": {"image": pictures.photo()}, "data": {"request": json.dumps({"prompts": [HEAD], **fields})}}


def test_one_request_submits_a_job_and_returns_its_result(service: Service) -> None:
    answer = send(service, "/v1/jobs?wait=60", **photo(outputs=["rle"]))
    assert answer.status_code == 200
    job = answer.json()
    assert (job["status"], len(job["result"]["masks"])) == ("succeeded", 1)
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert "Preference-Applied" not in answer.headers
    shown = service.get(answer.headers["Location"]).json()
    assert {**shown, "files": None} == {**job, "files": None}


def test_a_form_with_single_fields_and_an_image_as_body_give_the_same_masks(service: Service) -> None:
    fields = {"box": "140,10,305,180", "outputs": "rle"}
    in_form = send(service, "/v1/jobs?wait=60", files={"image": pictures.photo()}, data=fields)
    query, headers = {**fields, "wait": "60"}, {"Content-Type": "image/jpeg"}
    as_body = send(service, "/v1/jobs", params=query, data=pictures.photo(), headers=headers)
    as_json = send(service, "/v1/jobs?wait=60", **photo(outputs=["rle"]))
    assert as_json.status_code == 200, as_json.text
    assert in_form.json()["result"] == as_body.json()["result"] == as_json.json()["result"]


def test_a_preference_that_was_granted_is_stated(service: Service) -> None:
    answer = send(service, "/v1/jobs", headers={"Prefer": "wait=600"}, **photo())
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_a_job_that_failed_in_time_is_answered_with_200_and_its_error(service: Service) -> None:
    answer = send(service, "/v1/jobs?wait=60", **photo(model="SAM-H"))
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"]["code"] == "model_not_installed"


def test_a_job_that_has_not_ended_in_time_is_answered_with_202_and_continues(service: Service) -> None:
    start = time.monotonic()
    answer = send(service, "/v1/jobs", json=NO_WORKER, headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - start < 30  # the longest wait is a minute
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert service.get(answer.headers["Location"]).json()["status"] == "queued"


def test_a_repeated_request_waits_for_the_job_that_it_made(service: Service) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = send(service, "/v1/jobs?wait=0", headers=headers, **photo())
    again = send(service, "/v1/jobs?wait=60", headers=headers, **photo())
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json()["id"], again.json()["status"]) == (first.json()["id"], "succeeded")
    assert again.json()["result"] is not None


def test_put_waits_and_200_means_then_that_the_job_has_ended(service: Service) -> None:
    path = f"/v1/jobs/{uuid.uuid4().hex}"
    assert [send(service, f"{path}-gpu?wait=0.1", "PUT", json=NO_WORKER).status_code for _ in range(2)] == [202, 202]
    assert send(service, f"{path}-gpu", "PUT", json=NO_WORKER).status_code == 200  # without waiting: it exists
    for wait in ("60", "0"):
        answer = send(service, f"{path}?wait={wait}", "PUT", **photo())
        assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
        assert answer.json()["result"] is not None


def test_a_retry_waits_for_its_own_job(service: Service) -> None:
    first = send(service, "/v1/jobs?wait=60", **photo()).json()
    answer = send(service, f"/v1/jobs/{first['id']}/retry?wait=60")
    assert answer.status_code == 200
    assert answer.json()["id"] != first["id"]
    assert answer.json()["result"] == first["result"]


def test_an_embedding_is_waited_for(service: Service) -> None:
    answer = send(service, "/v1/embeddings?wait=60", files={"image": pictures.photo()}, data={"request": "{}"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")


@pytest.mark.parametrize(("method", "status"), [("cancel", 200), ("delete", 410)])
def test_another_request_may_cancel_or_delete_the_job_meanwhile(service: Service, method: str, status: int) -> None:
    path = f"/v1/jobs/{uuid.uuid4().hex}"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(send, service, f"{path}?wait=60", "PUT", json=NO_WORKER)
        while service.get(path).status_code == 404:
            assert not waiting.done(), waiting.result().text
        ended = send(service, f"{path}/cancel") if method == "cancel" else send(service, path, "DELETE")
        assert ended.ok
        answer = waiting.result(60)
    assert answer.status_code == status
    assert answer.json().get("status") == ("canceled" if method == "cancel" else 410)
