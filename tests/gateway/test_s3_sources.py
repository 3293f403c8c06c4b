"""Images in buckets that the operator lists for a tenant: read by workers, and by no other tenant; on real servers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from flask.testing import FlaskClient

from configs.s3_sources import Source
from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from ovseg.child import Child
from ovseg.embedded import seaweedfs
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.chaos.box_inference import BoxInference
from tests.support import pictures
from worker import tasks
from worker.access.scope import ORDINARY
from worker.job.record import Job
from worker.worker_services import WorkerServices

identities = seaweedfs._identities
JOBS, THEIRS = "/v1/jobs", "photos-of-others"
PHOTO = pictures.photo()
BOX = {"box": [140, 10, 305, 180]}
OBJECTS = {
    "a.jpg": PHOTO,
    "train/1 é?.jpg": PHOTO,
    "training/1.jpg": PHOTO,
    "notes.txt": b"not an image",
    "large.jpg": bytes(700_000),
}


def identities_with_all_buckets(keys: dict[str, str]) -> dict[str, Any]:
    found = identities(keys)
    found["identities"][0]["actions"] = ["Admin", "Read", "Write", "List"]
    return found


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SeaweedFS whose user may use every bucket, with these objects in one of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seaweedfs, "_identities", identities_with_all_buckets)
        weed = Seaweedfs(tmp_path_factory.mktemp("buckets"))
        server = Child(weed.command(), lambda label, line: None)
        for name, value in weed.credentials.items():
            patch.setenv(name, value)
        try:
            deadline = time.monotonic() + 60
            while not weed.is_ready():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            config = Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"})
            client = boto3.client("s3", endpoint_url=weed.endpoint_url, region_name="us-east-1", config=config)
            client.create_bucket(Bucket=THEIRS)
            for key, data in OBJECTS.items():
                client.put_object(Bucket=THEIRS, Key=key, Body=data)
            yield weed.endpoint_url
        finally:
            server.ask_to_end()
            server.end_by(time.monotonic() + 10)
            weed.remove_sockets()


@pytest.fixture
def listed(settings: Settings, endpoint_url: str) -> Settings:
    """Settings that list the bucket."""
    sources = (THEIRS, f"{THEIRS}/train@acme", "no-such-bucket")
    changed = {"s3_endpoint_url": endpoint_url, "s3_bucket": BUCKET, "s3_sources": sources, "max_image_bytes": 600_000}
    return settings.model_copy(update=changed)


@pytest.fixture
def client(listed: Settings) -> FlaskClient:
    return create_app(listed).test_client()


@pytest.fixture
def worker(listed: Settings) -> Iterator[WorkerServices]:
    opened = WorkerServices(listed, "cpu", BoxInference(encode_seconds=0))
    yield opened
    opened.close()


def submit(client: FlaskClient, address: object, **headers: str) -> Any:
    body = {"image": {"s3": address}, "prompts": [BOX], "outputs": ["rle"]}
    return client.post(JOBS, json=body, headers=headers)


def run(client: FlaskClient, worker: WorkerServices, address: str) -> Job:
    answer = submit(client, address)
    assert answer.status_code == 202, answer.text
    assert answer.get_json()["image"]["url"] == address
    tasks.segment("segment.auto", worker)
    job = worker.jobs.get(answer.get_json()["id"])
    assert job is not None
    return job


def test_an_object_in_a_listed_bucket_is_the_image_of_a_job(client: FlaskClient, worker: WorkerServices) -> None:
    for address in (f"s3://{THEIRS}/a.jpg", f"s3://{THEIRS}/train/1 é?.jpg"):
        job = run(client, worker, address)
        assert (job.status, job.image_hw) == ("succeeded", (512, 512)), job.error
        assert list(worker.storage.list(f"jobs/{job.id}/1/"))  # its results, but no copy of the image
        assert not worker.storage.exists(f"jobs/{job.id}/input")


@pytest.mark.parametrize(
    ("key", "code", "words"),
    [
        ("none.jpg", "object_unreachable", "does not exist"),
        ("large.jpg", "image_too_large", "600,000 bytes"),
        ("notes.txt", "image_format_unsupported", "format"),
    ],
)
def test_an_object_that_cannot_be_used_fails_the_job_with_the_reason(
    client: FlaskClient, worker: WorkerServices, key: str, code: str, words: str
) -> None:
    job = run(client, worker, f"s3://{THEIRS}/{key}")
    assert job.error is not None
    assert (job.status, job.error.code) == ("failed", code)
    assert words in job.error.message
    assert job.attempt == 1


def test_a_bucket_that_does_not_exist_fails_the_job(client: FlaskClient, worker: WorkerServices) -> None:
    job = run(client, worker, "s3://no-such-bucket/a.jpg")
    assert job.error is not None
    assert (job.error.code, job.attempt) == ("object_unreachable", 1)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (f"s3://{BUCKET}/uploads/x", "url_forbidden"),
        ("s3://another/a.jpg", "url_forbidden"),
        (f"s3://{THEIRS}x/a.jpg", "url_forbidden"),
        (f"s3://{THEIRS}/../{BUCKET}/a.jpg", "url_invalid"),
        (f"s3://{THEIRS}/train/../a.jpg", "url_invalid"),
        (f"s3://{THEIRS}//a.jpg", "url_invalid"),
        (f"s3://{THEIRS}/./a.jpg", "url_invalid"),
        (f"s3://{THEIRS}/a\x00.jpg", "url_invalid"),
        (f"s3://{THEIRS}/", "url_invalid"),
        (f"s3://{THEIRS}", "url_invalid"),
        ("s3:///a.jpg", "url_invalid"),
        (f"http://{THEIRS}/a.jpg", "url_invalid"),
        ("s3://../a.jpg", "url_invalid"),
        ("x" * 1200, "invalid_value"),
        (5, "invalid_value"),
    ],
)
def test_an_address_that_is_not_listed_is_refused(client: FlaskClient, address: object, code: str) -> None:
    answer = submit(client, address)
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert {error["field"] for error in answer.get_json()["errors"]} == {"image.s3"}


def test_a_tenant_reads_only_what_is_listed_for_it(listed: Settings) -> None:
    with create_app(listed.model_copy(update={"auth": "required"})).test_client() as client:
        services: GatewayServices = client.application.extensions["ovseg"]
        found = {}
        for tenant in ("default", "acme", "beta"):
            key = services.keys.create("", ORDINARY, tenant=tenant)
            answers = [
                submit(client, f"s3://{THEIRS}/{name}", Authorization=f"Bearer {key}")
                for name in ("a.jpg", "train/1 é?.jpg", "training/1.jpg")
            ]
            found[tenant] = [answer.status_code for answer in answers]
    assert found == {"default": [202, 202, 202], "acme": [422, 202, 422], "beta": [422, 422, 422]}


def test_a_worker_reads_no_bucket_that_its_own_list_lacks(listed: Settings, client: FlaskClient) -> None:
    job_id = submit(client, f"s3://{THEIRS}/a.jpg").get_json()["id"]
    strict = WorkerServices(listed.model_copy(update={"s3_sources": ()}), "cpu", BoxInference(encode_seconds=0))
    tasks.segment("segment.auto", strict)
    job = strict.jobs.get(job_id)
    strict.close()
    assert job is not None
    assert job.error is not None
    assert job.error.code == "url_forbidden"


def test_an_item_of_a_batch_may_name_a_listed_object(client: FlaskClient) -> None:
    rows = [{"id": each, "image": {"s3": f"s3://{each}/a.jpg"}, "prompts": [BOX]} for each in (THEIRS, "another")]
    sent = {"data": "\n".join(map(json.dumps, rows)), "content_type": "application/x-ndjson"}
    report = client.post("/v1/batches", **sent).get_json()["manifest"]
    assert (report["added"], [error["code"] for error in report["errors"]]) == (1, ["url_forbidden"])


def test_entries_of_the_setting() -> None:
    assert Source.parse("photos") == Source("photos", "", "default")
    assert Source.parse("photos/a/b@acme") == Source("photos", "a/b/", "acme")
    assert Source.parse("photos@*").has("photos", "x", "beta")
    assert not Source.parse("photos/a").has("photos", "ab/x", "default")
    for wrong in ("", "a", "photos@", "photos@ACME", "@acme", "s3://photos"):
        with pytest.raises(ValueError, match=r"bucket|tenant"):
            Source.parse(wrong)
    listed = Settings.model_validate({"s3_sources": "photos, scans/2026@acme,"})
    assert listed.s3_sources == ("photos", "scans/2026@acme")
    with pytest.raises(ValueError, match="OVSEG_S3_BUCKET cannot be a source"):
        Settings(s3_bucket="mine", s3_sources=("mine/x@acme",))
