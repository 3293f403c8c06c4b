"""Canceled, deleted and expired jobs, as a client sees them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests

from tests.support import fakes, pictures
from tests.support.fakes import Host
from tests.support.service import Service

HEAD = {"box": [140, 10, 305, 180]}
NO_WORKER = "gpu"  # no worker has this device, so a job for it stays queued


def submit(service: Service, **fields: Any) -> str:
    return str(service.submit(**{"image": "https://example.com/a.jpg", "prompts": [HEAD], **fields})["id"])


def cancel(service: Service, job_id: str) -> requests.Response:
    return service.post(f"/v1/jobs/{job_id}/cancel")


def delete(service: Service, job_id: str) -> requests.Response:
    return requests.delete(f"{service.url}/v1/jobs/{job_id}", timeout=60)


@contextmanager
def held(host: Host, path: str) -> Iterator[str]:
    """Yield the URL of a photo that the host sends only when the context ends."""
    release = threading.Event()

    def photo_later(request: BaseHTTPRequestHandler) -> None:
        release.wait(60)
        fakes.reply(request, 200, pictures.photo(), {"Content-Type": "image/jpeg"})

    host.answers[path] = photo_later
    try:
        yield host.url(path)
    finally:
        release.set()


def test_a_queued_job_is_canceled_immediately_and_may_be_canceled_again(service: Service) -> None:
    job_id = submit(service, device=NO_WORKER)
    for _ in range(2):
        answer = cancel(service, job_id)
        assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    job = service.wait(job_id)
    assert (job["status"], job["error"], job["started_at"], job["result"]) == ("canceled", None, None, None)
    assert job_id in [job["id"] for job in service.get("/v1/jobs?status=canceled&limit=100").json()["jobs"]]


def test_a_running_job_is_canceled_before_its_next_stage(service: Service, trusted_host: Host) -> None:
    hook = trusted_host.serve("/hooks/canceled")
    with held(trusted_host, "/held.jpg") as url:
        job_id = submit(service, image=url, webhook={"url": hook})
        trusted_host.wait_for("/held.jpg")
        refused = delete(service, job_id)
        assert (refused.status_code, refused.json()["code"]) == (409, "job_running")
        answer = cancel(service, job_id)
        assert (answer.status_code, answer.json()["status"]) == (202, "running")
        assert answer.json()["cancel_requested_at"] is not None
    job = service.wait(job_id)
    assert (job["status"], job["error"], job["files"]) == ("canceled", None, {})
    assert "encode" not in job["timings_ms"]
    [webhook] = trusted_host.wait_for("/hooks/canceled")
    assert webhook.headers["webhook-id"] == f"evt_{job_id}_canceled"


def test_a_job_that_has_ended_cannot_be_canceled_but_it_can_be_deleted_with_its_files(service: Service) -> None:
    photo = {"image": ("photo.jpg", pictures.photo())}
    job_id = service.post("/v1/jobs", files=photo, data={"request": '{"prompts": [{"box": [1, 1, 99, 99]}]}'}).json()[
        "id"
    ]
    job = service.wait(job_id)
    answer = cancel(service, job_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_already_final")
    assert "already ended (succeeded)" in answer.json()["detail"]

    url = job["files"]["result"]["url"]
    assert requests.get(url, timeout=30).status_code == 200
    answer = delete(service, job_id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert requests.get(url, timeout=30).status_code == 404
    assert service.get(f"/v1/jobs/{job_id}").status_code == 404


def test_a_queued_job_can_be_deleted(service: Service) -> None:
    job_id = submit(service, device=NO_WORKER)
    assert delete(service, job_id).status_code == 204
    assert delete(service, job_id).status_code == 404
    assert job_id not in [job["id"] for job in service.get("/v1/jobs?limit=100").json()["jobs"]]


def show(service: Service, job_id: str) -> requests.Response:
    return service.get(f"/v1/jobs/{job_id}")


@pytest.mark.parametrize("job_id", ["no-such-job", "%C3%A4%20..", "x" * 2000])
@pytest.mark.parametrize("request_to", [cancel, delete, show])
def test_a_job_that_does_not_exist_is_not_found(service: Service, request_to: Any, job_id: str) -> None:
    answer = request_to(service, job_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_job_that_no_worker_starts_in_time_expires(service: Service, trusted_host: Host) -> None:
    hook = trusted_host.serve("/hooks/expired")
    deadline = {"start_within_s": 0.5}
    job = service.wait(submit(service, device=NO_WORKER, deadline=deadline, webhook={"url": hook}))
    assert (job["status"], job["started_at"], job["error"]) == ("expired", None, None)
    assert job["deadline"] == {"start_within_s": 0.5, "run_within_s": None}
    [webhook] = trusted_host.wait_for("/hooks/expired")
    assert webhook.headers["webhook-id"] == f"evt_{job['id']}_expired"


def test_a_job_that_runs_too_long_fails_and_is_not_retried(service: Service, trusted_host: Host) -> None:
    with held(trusted_host, "/slow.jpg") as url:
        job = service.wait(submit(service, image=url, deadline={"run_within_s": 0.5}))
    assert (job["status"], job["attempt"]) == ("failed", 1)
    assert (job["error"]["code"], job["error"]["field"]) == ("timeout", "deadline.run_within_s")


def test_a_job_within_its_deadlines_succeeds(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/photo.jpg", pictures.photo())
    job = service.wait(submit(service, image=url, deadline={"start_within_s": 600, "run_within_s": 600}))
    assert job["status"] == "succeeded"


@pytest.mark.parametrize(
    ("deadline", "field"),
    [
        ({"run_within_s": 0}, "deadline.run_within_s"),
        ({"start_within_s": 1e9}, "deadline.start_within_s"),
        ({"within_s": 5}, "deadline.within_s"),
    ],
)
def test_an_invalid_deadline_is_refused_with_its_field(service: Service, deadline: Any, field: str) -> None:
    body = {"image": "https://example.com/a.jpg", "prompts": [HEAD], "deadline": deadline}
    answer = service.post("/v1/jobs", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
