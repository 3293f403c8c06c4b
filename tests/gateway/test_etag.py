"""A client that has the current job object gets 304 without a body."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from tests.support import protocol
from tests.support.protocol import PICTURE
from worker.job.record import Job, Run
from worker.store import links, object_names

BODY = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 30, 40]}]}


@pytest.fixture
def client(s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Give a client of a gateway whose links do not change during a test."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    with create_app(s3_settings).test_client() as client:
        yield client


@pytest.fixture
def services(client: FlaskClient) -> GatewayServices:
    services: GatewayServices = client.application.extensions["ovseg"]
    return services


def submit(client: FlaskClient) -> str:
    return str(client.post("/v1/jobs", json=BODY).get_json()["id"])


def succeeded(client: FlaskClient, services: GatewayServices) -> Job:
    job = protocol.begin(services.jobs, submit(client))
    document = {"logId": job.id, "result": {"masks": [], "maskInfos": []}, "errorCode": 0, "errorMsg": "Success"}
    services.storage.put(object_names.result(job.attempt_prefix), json.dumps(document).encode(), "application/json")
    services.jobs.succeed(job, PICTURE, {}, 1, Run("openvino", "float32", "miss"))
    return job


def get(client: FlaskClient, job_id: str, etag: str | None = None) -> Any:
    headers = {} if etag is None else {"If-None-Match": etag}
    return client.get(f"/v1/jobs/{job_id}", headers=headers)


def test_the_answers_of_an_ended_job_are_equal_bytes_and_the_second_need_not_be_sent(
    client: FlaskClient, services: GatewayServices
) -> None:
    job = succeeded(client, services)
    first, second = get(client, job.id), get(client, job.id)
    assert first.data == second.data
    assert first.get_json()["files"]["result"]["url"] is not None
    etag = first.headers["ETag"]
    assert etag.startswith('W/"')
    assert (second.headers["ETag"], first.headers["Cache-Control"]) == (etag, "private, no-cache")
    unchanged = get(client, job.id, etag)
    assert (unchanged.status_code, unchanged.data, unchanged.headers["ETag"]) == (304, b"", etag)
    assert "Content-Type" not in unchanged.headers


@pytest.mark.parametrize("sent", ['"other"', 'W/"other"', "*", "{} ", '"other", {}', "{strong}", "odd"])
def test_any_etag_of_the_list_may_match(client: FlaskClient, sent: str) -> None:
    job_id = submit(client)
    etag = get(client, job_id).headers["ETag"]
    answer = get(client, job_id, sent.replace("{strong}", etag.removeprefix("W/")).replace("{}", etag))
    assert answer.status_code == (304 if sent in ("*", "{} ", '"other", {}', "{strong}") else 200)


def test_every_change_of_a_job_changes_its_etag(client: FlaskClient, services: GatewayServices) -> None:
    job_id = submit(client)
    etags = [get(client, job_id).headers["ETag"]]
    job = protocol.begin(services.jobs, job_id)
    etags.append(get(client, job_id, etags[-1]).headers["ETag"])
    services.jobs.report_progress(job, 1, 2)
    etags.append(get(client, job_id, etags[-1]).headers["ETag"])
    services.jobs.cancel(job_id)
    etags.append(get(client, job_id, etags[-1]).headers["ETag"])
    services.jobs.finish_as_decided(job)
    answer = get(client, job_id, etags[-1])
    assert (answer.status_code, answer.get_json()["status"]) == (200, "canceled")
    assert len({*etags, answer.headers["ETag"]}) == 5


def test_new_links_change_the_etag_of_a_job_with_files_only(
    client: FlaskClient, services: GatewayServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued, done = submit(client), succeeded(client, services).id
    before = {job_id: get(client, job_id).headers["ETag"] for job_id in (queued, done)}
    later = time.time() + links.STEP_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    assert get(client, queued, before[queued]).status_code == 304
    assert get(client, done, before[done]).status_code == 200


def test_an_answer_without_the_result_that_should_be_there_has_no_etag(
    client: FlaskClient, services: GatewayServices
) -> None:
    job = succeeded(client, services)
    services.storage.delete_prefix(job.attempt_prefix)
    answer = get(client, job.id)
    assert answer.get_json()["result_gone"] is not None
    assert "ETag" not in answer.headers


def test_an_error_has_no_etag(client: FlaskClient) -> None:
    answer = get(client, "there-is-none", "*")
    assert (answer.status_code, answer.headers.get("ETag")) == (404, None)


def test_the_files_of_a_job_are_answered_without_its_result(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services)
    shown = get(client, job.id).get_json()
    assert client.get(shown["urls"]["files"]).get_json() == {"files": shown["files"]}
    assert client.get(f"/v1/jobs/{submit(client)}/files").get_json() == {"files": {}}
    assert client.get("/v1/jobs/there-is-none/files").status_code == 404


def test_the_urls_of_a_job_lead_to_its_routes_and_is_final_follows_its_status(client: FlaskClient) -> None:
    job_id = submit(client)
    job = get(client, job_id).get_json()
    assert (job["is_final"], job["urls"].keys()) == (False, {"self", "cancel", "retry", "files"})
    assert client.get(job["urls"]["self"]).get_json() == job
    assert client.post(job["urls"]["cancel"]).get_json()["is_final"] is True
    retried = client.post(job["urls"]["retry"])
    assert retried.status_code == 202
    assert retried.headers["Location"] == retried.get_json()["urls"]["self"]


def test_a_queued_job_shows_how_many_wait_in_front_of_it_and_when_it_is_expected_to_end(
    client: FlaskClient, services: GatewayServices
) -> None:
    ids = [submit(client) for _ in range(3)]
    shown = [get(client, job_id).get_json()["queue"] for job_id in ids]
    assert shown == [{"ahead": i, "eta_s": None} for i in range(3)]  # none has ended yet
    etag = get(client, ids[2]).headers["ETag"]
    services.jobs.cancel(ids[1])
    later = get(client, ids[2], etag)
    assert (later.status_code, later.get_json()["queue"]) == (200, {"ahead": 1, "eta_s": 120.0})  # one ends a minute
    assert get(client, ids[1]).get_json()["queue"] is None
    protocol.begin(services.jobs, ids[2])
    assert get(client, ids[2]).get_json()["queue"] is None
    assert {job["queue"] for job in client.get("/v1/jobs").get_json()["jobs"]} == {None}
    assert client.post("/v1/jobs?wait=0", json=BODY).get_json()["queue"] is None
