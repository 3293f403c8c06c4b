"""A tenant never exceeds its limits of queued jobs and stored bytes, even if many clients submit at the same moment."""

from __future__ import annotations

import hashlib
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from click.testing import CliRunner, Result
from urllib3 import encode_multipart_formdata
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from ovseg.commands import main
from tests.support import pictures, protocol, structured_fields
from tests.support.protocol import PICTURE
from worker.access.scope import ORDINARY
from worker.job.usage import Work
from worker.store import tenant

URL, BOX = "https://example.com/a.jpg", {"box": [1, 2, 3, 4]}
JOB = {"image": URL, "prompts": [BOX], "device": "gpu"}
IMAGE = pictures.photo()
SIZE = len(IMAGE)


class Clients:
    """Clients of two tenants at gateways with these limits."""

    def __init__(self, settings: Settings, gateways: int = 1, **limits: Any) -> None:
        settings = settings.model_copy(update={"auth": "required", **limits})
        self.apps = [create_app(settings) for _ in range(gateways)]
        self.services: GatewayServices = self.apps[0].extensions["ovseg"]
        # `alone` is a tenant of this test only: tests share the bucket.
        self.alone = f"t{uuid.uuid4().hex[:8]}"
        owners = ("default", "acme", self.alone)
        self.keys = {owner: self.services.keys.create("", ORDINARY, tenant=owner) for owner in owners}

    def ask(self, owner: str, path: str, gateway: int = 0, **sent: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.keys[owner]}", **sent.pop("headers", {})}
        return self.apps[gateway].test_client().open(path, headers=headers, **sent)

    def submit(self, owner: str = "acme", gateway: int = 0, **sent: Any) -> TestResponse:
        return self.ask(owner, "/v1/jobs", gateway, method="POST", json=JOB, **sent)

    def submit_file(self, owner: str = "acme", image: bytes = IMAGE) -> TestResponse:
        parts: dict[str, str | tuple[str, bytes]] = {
            "image": ("image", image),
            "request": json.dumps({"prompts": [BOX]}),
        }
        body, content_type = encode_multipart_formdata(parts)
        return self.ask(owner, "/v1/jobs", method="POST", data=body, content_type=content_type)

    def erase(self, answer: TestResponse, owner: str = "acme") -> None:
        assert self.ask(owner, f"/v1/jobs/{answer.get_json()['id']}", method="DELETE").status_code == 204

    def stored(self, owner: str = "acme") -> Any:
        return self.ask(owner, "/v1/usage").get_json()["stored_bytes"]

    def request_bytes(self, answer: TestResponse, owner: str = "acme") -> int:
        """Return the size of an accepted request, in the record of its job."""
        job_id = tenant.owned(owner, answer.get_json()["id"])
        return len(self.services.keyspace.redis.hget(self.services.keyspace.key(f"job:{job_id}"), "request"))


def refused(answer: TestResponse, policy: str, quota: int, left: int) -> None:
    assert (answer.status_code, answer.get_json()["code"]) == (429, "quota_exceeded"), answer.text
    assert answer.get_json()["violated-policies"] == [policy]
    assert f"{quota:,}" in answer.get_json()["detail"]
    seconds = int(answer.headers["Retry-After"])
    assert seconds > 0
    unit = policy.partition("-")[2]
    assert structured_fields.read(answer.headers["RateLimit-Policy"])[policy] == {"q": quota, "qu": unit}
    assert structured_fields.read(answer.headers["RateLimit"])[policy] == {"r": left, "t": seconds}


# Queued jobs


def test_a_tenant_has_exactly_as_many_queued_jobs_as_it_may(s3_settings: Settings) -> None:
    clients = Clients(s3_settings, max_queued_jobs_per_tenant=3)
    accepted = [clients.submit() for _ in range(3)]
    assert [answer.status_code for answer in accepted] == [202] * 3
    refused(clients.submit(), "queued-jobs", 3, 0)
    assert clients.submit("default").status_code == 202  # the limit is each tenant's own
    for free in (
        lambda: clients.ask("acme", f"/v1/jobs/{accepted[0].get_json()['id']}/cancel", method="POST"),
        lambda: clients.erase(accepted[1]),
        lambda: protocol.begin(clients.services.jobs, f"acme.{accepted[2].get_json()['id']}"),
    ):
        free()
        assert clients.submit().status_code == 202
        refused(clients.submit(), "queued-jobs", 3, 0)


def test_every_kind_of_submission_meets_the_limit_and_a_repeated_one_does_not(s3_settings: Settings) -> None:
    clients = Clients(s3_settings, max_queued_jobs_per_tenant=2)
    key = {"Idempotency-Key": "mine"}
    first = clients.submit(headers=key).get_json()["id"]
    assert clients.ask("acme", "/v1/jobs/mine", method="PUT", json=JOB).status_code == 202
    for answer in (
        clients.submit(),
        clients.submit_file(),
        clients.ask("acme", "/v1/jobs/other", method="PUT", json=JOB),
        clients.ask("acme", "/v1/embeddings", method="POST", json={"image": URL}),
    ):
        refused(answer, "queued-jobs", 2, 0)
    body = {"image": URL, "prompt": [[1, 2, 3, 4]], "promptType": "box"}
    paddlex = clients.ask("acme", "/open-vocabulary-segmentation", method="POST", json=body)
    assert (paddlex.status_code, paddlex.get_json()["errorCode"]) == (429, 429)
    assert int(paddlex.headers["Retry-After"]) > 0
    assert clients.submit(headers=key).get_json()["id"] == first
    assert clients.ask("acme", "/v1/jobs/mine", method="PUT", json=JOB).status_code == 200


@pytest.mark.parametrize("limit", [1, 7])
def test_of_simultaneous_submissions_exactly_as_many_are_accepted(s3_settings: Settings, limit: int) -> None:
    clients = Clients(s3_settings, gateways=2, max_queued_jobs_per_tenant=limit)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda n: clients.submit(gateway=n % 2).status_code, range(20)))
    assert sorted(answers) == [202] * limit + [429] * (20 - limit)


def test_the_cap_of_the_service_is_another_answer(s3_settings: Settings) -> None:
    clients = Clients(s3_settings, max_queued_jobs=4, max_queued_jobs_per_tenant=3)
    assert [clients.submit().status_code for _ in range(3)] == [202] * 3
    assert clients.submit("default").status_code == 202
    answer = clients.submit("default")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "queue_full")
    assert int(answer.headers["Retry-After"]) > 0
    assert "RateLimit" not in answer.headers
    refused(clients.submit(), "queued-jobs", 3, 0)


def test_while_keys_are_required_a_tenant_may_fill_half_of_the_queue(s3_settings: Settings) -> None:
    clients = Clients(s3_settings, max_queued_jobs=4)
    assert [clients.submit().status_code for _ in range(3)] == [202, 202, 429]
    assert [clients.submit("default").status_code for _ in range(3)] == [202, 202, 429]


def test_without_keys_a_client_may_fill_the_queue(s3_settings: Settings) -> None:
    client = create_app(s3_settings.model_copy(update={"max_queued_jobs": 4})).test_client()
    assert [client.post("/v1/jobs", json=JOB).status_code for _ in range(5)] == [202] * 4 + [503]


# Stored bytes: those of images, requests and results


@pytest.fixture
def file_size(s3_settings: Settings) -> int:
    """Return how many bytes a job with the image stores before it has a result."""
    clients = Clients(s3_settings)
    answer = clients.submit_file()
    request_bytes = clients.request_bytes(answer)
    assert clients.stored() == SIZE + request_bytes > SIZE + len(json.dumps({"prompts": [BOX]}))
    clients.erase(answer)
    assert clients.stored() == 0
    return SIZE + request_bytes


def test_a_tenant_stores_exactly_as_many_bytes_as_it_may(s3_settings: Settings, file_size: int) -> None:
    clients = Clients(s3_settings, max_stored_bytes_per_tenant=2 * file_size)
    first = clients.submit_file()
    assert clients.stored() == file_size
    assert clients.submit_file().status_code == 202
    assert clients.stored() == 2 * file_size
    refused(clients.submit_file(), "stored-bytes", 2 * file_size, 0)
    refused(clients.submit(), "stored-bytes", 2 * file_size, 0)  # also without an image
    assert clients.submit_file("default").status_code == 202
    clients.erase(first)
    assert clients.stored() == file_size
    assert clients.submit_file().status_code == 202


def test_one_byte_too_few_refuses_an_image(s3_settings: Settings, file_size: int) -> None:
    clients = Clients(s3_settings, max_stored_bytes_per_tenant=2 * file_size - 1)
    assert clients.submit_file().status_code == 202
    refused(clients.submit_file(), "stored-bytes", 2 * file_size - 1, file_size - 1)
    assert clients.submit().status_code == 202


def test_requests_without_images_count_to_the_byte(s3_settings: Settings) -> None:
    """Requests with many points or masks can fill Redis, too."""
    large = {**JOB, "metadata": {"note": "ä" * 1000}}  # two bytes each

    def submit(clients: Clients) -> TestResponse:
        return clients.ask("acme", "/v1/jobs", method="POST", json=large)

    clients = Clients(s3_settings)
    first = submit(clients)
    size = clients.stored()
    assert size > 2000
    clients.erase(first)
    assert clients.stored() == 0
    exact = Clients(s3_settings, max_stored_bytes_per_tenant=2 * size)
    assert [submit(exact).status_code for _ in range(2)] == [202, 202]
    refused(submit(exact), "stored-bytes", 2 * size, 0)
    assert exact.stored() == 2 * size
    too_few = Clients(s3_settings, max_stored_bytes_per_tenant=3 * size - 1)
    refused(submit(too_few), "stored-bytes", 3 * size - 1, size - 1)


def test_an_image_that_never_fits_is_too_large(s3_settings: Settings, file_size: int) -> None:
    clients = Clients(s3_settings, max_stored_bytes_per_tenant=file_size - 1)
    answer = clients.submit_file()
    assert (answer.status_code, answer.get_json()["code"]) == (413, "image_too_large")
    assert f"{file_size:,}" in answer.get_json()["detail"]
    assert clients.stored() == 0


def test_results_count_and_may_exceed_the_limit(s3_settings: Settings, file_size: int) -> None:
    clients = Clients(s3_settings, max_stored_bytes_per_tenant=file_size + 10)
    answer = clients.submit_file()
    job = protocol.begin(clients.services.jobs, tenant.owned("acme", answer.get_json()["id"]))
    assert clients.services.jobs.succeed(job, PICTURE, {}, 1, work=Work(stored_bytes=500)) == "succeeded"
    assert clients.stored() == file_size + 500
    refused(clients.submit(), "stored-bytes", file_size + 10, 0)
    clients.erase(answer)
    assert clients.stored() == 0


def test_an_image_that_is_named_by_its_digest_is_stored_once(s3_settings: Settings, file_size: int) -> None:
    clients = Clients(s3_settings)
    sha256 = hashlib.sha256(IMAGE).hexdigest()
    assert clients.submit_file().status_code == 202
    job = {"image": {"sha256": sha256}, "prompts": [BOX]}
    answer = clients.ask("acme", "/v1/jobs", method="POST", json=job)
    assert clients.stored() == file_size + clients.request_bytes(answer)


@pytest.mark.parametrize("images", [1, 3])
def test_simultaneous_images_never_exceed_the_limit(s3_settings: Settings, images: int, file_size: int) -> None:
    clients = Clients(s3_settings, max_stored_bytes_per_tenant=images * file_size)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: clients.submit_file().status_code, range(20)))
    assert sorted(answers) == [202] * images + [429] * (20 - images)
    assert clients.stored() == images * file_size


def test_an_image_that_goes_to_storage_first_counts_as_well_and_is_deleted_if_it_is_refused(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch, file_size: int
) -> None:
    file_size += len("t12345678") - len("acme")  # the request has the key of the image, which has the tenant's name
    clients = Clients(s3_settings, max_stored_bytes_per_tenant=file_size)
    monkeypatch.setattr(clients.services.inputs, "reserve", lambda: False)
    job_id = clients.submit_file(clients.alone).get_json()["id"]
    refused(clients.submit_file(clients.alone), "stored-bytes", file_size, 0)
    assert clients.stored(clients.alone) == file_size
    stored = clients.services.storage.list(f"jobs/{clients.alone}.")
    assert list(stored) == [f"jobs/{clients.alone}.{job_id}/input"]


# A tenant's own limits


def test_a_tenant_may_have_limits_of_its_own(s3_settings: Settings, client_env: dict[str, str], file_size: int) -> None:
    clients = Clients(s3_settings, max_queued_jobs_per_tenant=1)

    def change(*arguments: str) -> Result:
        return CliRunner(env=client_env).invoke(main, ["tenants", "change", *arguments])

    done = change("acme", "--queued-jobs", "2", "--stored-bytes", str(file_size))
    assert done.stdout == f"acme: max_queued_jobs 2, max_stored_bytes {file_size}\n"
    assert f"changed tenant acme: max_queued_jobs 2, max_stored_bytes {file_size}" in done.stderr
    assert clients.submit_file().status_code == 202
    refused(clients.submit_file(), "stored-bytes", file_size, 0)
    assert change("acme", "--stored-bytes", "default").exit_code == 0
    assert clients.submit().status_code == 202
    refused(clients.submit(), "queued-jobs", 2, 0)
    assert clients.submit("default").status_code == 202
    refused(clients.submit("default"), "queued-jobs", 1, 0)
    limits = clients.ask("acme", "/v1/usage").get_json()["limits"]
    assert (limits["max_queued_jobs"], limits["max_stored_bytes"]) == (2, None)
    for wrong in (["other", "--queued-jobs", "2"], ["default", "--queued-jobs", "2"], ["acme"]):
        assert change(*wrong).exit_code != 0, wrong
    for number in ("0", "-1", "1e3", "", "none"):
        assert change("acme", "--queued-jobs", number).exit_code == 2, number
    assert change("acme", "--weight", "1000").exit_code == 0
    assert change("acme", "--weight", "1001").exit_code == 2  # it could take all turns


@pytest.fixture
def client_env(settings: Settings) -> dict[str, str]:
    return {"OVSEG_REDIS_URL": settings.redis_url, "OVSEG_REDIS_PREFIX": settings.redis_prefix}


# Images of ephemeral jobs


def test_one_of_several_tenants_takes_at_most_half_of_the_memory_for_images_of_ephemeral_jobs(
    s3_settings: Settings,
) -> None:
    clients = Clients(s3_settings, ephemeral_megabytes=1)
    jobs, request = clients.services.jobs, protocol.request().model_copy(update={"ephemeral": True})

    def accept(owner: str) -> str:
        outcome = jobs.accept(tenant.owned(owner, uuid.uuid4().hex), request, b"i" * 300_000, None)
        return outcome.job.id if outcome.job else str(outcome.refusal)

    first = accept("acme")
    assert accept("acme") == "ephemeral"
    assert accept("default") not in ("ephemeral", "memory")
    jobs.cancel(first)
    assert accept("acme") not in ("ephemeral", "memory")
