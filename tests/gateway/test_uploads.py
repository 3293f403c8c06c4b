"""Files that clients put into storage themselves: a presigned PUT for one file, and jobs with it; on real servers."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore import auth
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from tests.support import pictures, protocol
from tests.support.uploads import (
    FILE,
    JOBS,
    JPEG,
    PROMPTS,
    UPLOADS,
    image_of,
    make,
    make_due,
    put,
    sent,
    status,
    stored_bytes,
    submit,
)
from tests.support.waiting import PATIENCE_SECONDS
from worker.store import object_names
from worker.store.record_archive import RECORDS

pytestmark = pytest.mark.usefixtures("no_copies_of_uploads")


def test_a_file_goes_to_storage_and_jobs_of_every_kind_get_it(client: FlaskClient, services: GatewayServices) -> None:
    upload = make(client)
    assert (upload["object"], upload["method"]) == ("upload", "PUT")
    assert (upload["status"], upload["size"], upload["content_type"]) == ("waiting", len(FILE), JPEG)
    lifetime = datetime.fromisoformat(upload["expires_at"]) - datetime.fromisoformat(upload["created_at"])
    assert lifetime == timedelta(days=1)
    assert put(upload) == 200
    shown = client.get(f"{UPLOADS}/{upload['id']}").get_json()
    assert shown == {**{name: upload[name] for name in shown}, "status": "received"}
    for path, fields in ((JOBS, {}), ("/v1/embeddings", {}), (JOBS, {"ephemeral": True})):
        answer = submit(client, upload["id"], path, **fields)
        assert answer.status_code == 202, answer.text
        assert image_of(services, answer.get_json()["id"]) == FILE


def test_a_job_keeps_its_image_when_the_upload_is_deleted_or_expires(
    client: FlaskClient, services: GatewayServices
) -> None:
    for end in (lambda found: client.delete(f"{UPLOADS}/{found}"), lambda found: make_due(services, found)):
        upload_id = sent(client)
        job = submit(client, upload_id).get_json()
        end(upload_id)
        assert client.get(f"{UPLOADS}/{upload_id}").status_code == 404
        assert services.storage.head(object_names.upload(upload_id)) is None
        assert image_of(services, job["id"]) == FILE
        assert client.delete(f"{JOBS}/{job['id']}").status_code == 204
        assert services.storage.head(job["image"]["key"]) is None
    assert stored_bytes(client) == 0


@pytest.mark.parametrize(
    "attempt",
    [
        lambda upload: put(upload, url=upload["url"].replace("/uploads/", "/jobs/")),
        lambda upload: put(upload, url=upload["url"].replace(upload["id"], "upl_" + "0" * 32)),
        lambda upload: put(upload, FILE[:-1]),
        lambda upload: put(upload, FILE + b"x"),
        lambda upload: put(upload, Content_Type="text/html"),
        lambda upload: put(upload, If_None_Match="x"),
        lambda upload: put(upload, x_amz_acl="public-read"),
        lambda upload: put(upload, url=upload["url"] + "&tagging"),
        lambda upload: put(upload, url=re.sub("Expires=[0-9]+", "Expires=604800", upload["url"])),
        lambda upload: put(upload, url=upload["url"].replace("content-length%3B", "")),
        lambda upload: (
            requests.put(upload["url"], data=iter([FILE, FILE]), headers=upload["headers"], timeout=30).status_code
        ),
        lambda upload: requests.get(upload["url"], timeout=30).status_code,
        lambda upload: requests.delete(upload["url"], timeout=30).status_code,
    ],
    ids=[
        "another folder",
        "another upload",
        "too short",
        "too long",
        "another type",
        "another condition",
        "public",
        "subresource",
        "longer",
        "size unsigned",
        "in chunks",
        "read",
        "delete",
    ],
)
def test_storage_refuses_a_request_that_is_not_the_one_that_was_signed(
    client: FlaskClient, attempt: Callable[[dict[str, Any]], int]
) -> None:
    upload = make(client)
    assert attempt(upload) == 403
    assert status(client, upload["id"]) == "waiting"


def test_the_url_expires(client: FlaskClient, services: GatewayServices, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = make(client)
    record = services.uploads.get(upload["id"])
    assert record is not None
    with monkeypatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda: datetime.now(UTC) - timedelta(hours=25))
        signed_a_day_ago = services.uploads.sign(record)
    assert put(upload, url=signed_a_day_ago) == 403


def test_a_second_file_is_refused_also_after_a_job_has_taken_the_first(
    client: FlaskClient, services: GatewayServices
) -> None:
    upload = make(client)
    other = FILE[::-1]
    assert (put(upload), put(upload, other)) == (200, 412)
    job = submit(client, upload["id"]).get_json()
    assert put(upload, other) == 412
    client.delete(f"{UPLOADS}/{upload['id']}")
    assert put(upload, other) == 200  # a file of no upload: nothing can name it, and the reaper deletes it
    assert submit(client, upload["id"]).get_json()["code"] == "image_not_found"
    assert image_of(services, job["id"]) == FILE
    make_due(services, upload["id"])
    assert services.storage.head(object_names.upload(upload["id"])) is None
    assert not services.keyspace.redis.exists(services.keyspace.key(f"upload:{upload['id']}"))


def test_a_file_that_storage_should_have_refused_is_not_used(client: FlaskClient, services: GatewayServices) -> None:
    """A server that does not check what is signed: the file has another size or type, or is replaced meanwhile."""
    for data, content_type in ((FILE + b"x", JPEG), (FILE, "text/html")):
        upload = make(client)
        services.storage.put(object_names.upload(upload["id"]), data, content_type)
        refused = submit(client, upload["id"]).get_json()
        assert (refused["code"], refused["errors"][0]["field"]) == ("upload_not_received", "image.upload")
    upload_id = sent(client)
    source = services.uploads.image("default", upload_id)
    services.storage.put(object_names.upload(upload_id), FILE[::-1], JPEG)
    with pytest.raises(Exception, match="expired"):
        services.acceptance.accept("late", protocol.request().model_copy(update={"image": source}), None)
    assert services.jobs.get("late") is None


def test_what_cannot_be_used_is_refused_with_a_code_of_its_own(client: FlaskClient, services: GatewayServices) -> None:
    waiting, expired = make(client)["id"], sent(client)
    services.keyspace.redis.hset(services.keyspace.key(f"upload:{expired}"), "expires_at", 1)
    manifest = make(client, content_type="application/x-ndjson")["id"]
    found = [
        (submit(client, upload_id).status_code, submit(client, upload_id).get_json()["code"])
        for upload_id in (waiting, expired, manifest, "upl_0", "../jobs", "", "x" * 65, 5)
    ]
    assert found == [
        (422, "upload_not_received"),
        (422, "upload_expired"),
        (422, "invalid_value"),
        (422, "image_not_found"),
        (422, "image_not_found"),
        (422, "image_not_found"),
        (422, "invalid_value"),
        (422, "invalid_value"),
    ]
    assert status(client, expired) == "expired"
    both = {"image": {"upload": waiting, "url": "https://example.com/a.jpg"}, "prompts": PROMPTS}
    assert client.post(JOBS, json=both).get_json()["code"] == "invalid_value"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content_type": "image/svg+xml", "size": 1}, "invalid_value"),
        ({"content_type": "text/html", "size": 1}, "invalid_value"),
        ({"content_type": f"{JPEG}; a=b", "size": 1}, "invalid_value"),
        ({"content_type": JPEG, "size": 0}, "invalid_value"),
        ({"content_type": JPEG, "size": "5"}, "invalid_value"),
        ({"content_type": JPEG, "size": 20_000_001}, "image_too_large"),
        ({"content_type": "application/x-ndjson", "size": 200_000_001}, "body_too_large"),
        ({"content_type": JPEG}, "invalid_value"),
        ({"content_type": JPEG, "size": 1, "key": "jobs/x"}, "unknown_field"),
    ],
)
def test_an_upload_that_may_not_be_made(client: FlaskClient, fields: dict[str, Any], code: str) -> None:
    problem = client.post(UPLOADS, json=fields).get_json()
    assert problem["code"] == code
    assert {error["field"] for error in problem["errors"]} <= {"content_type", "size", "key"}


def test_uploads_count_as_stored_and_their_number_is_limited(s3_settings: Settings) -> None:
    limited = s3_settings.model_copy(update={"max_uploads": 2, "max_stored_bytes_per_tenant": 2 * len(FILE) + 5})
    with create_app(limited).test_client() as client:
        first, _ = make(client), make(client)
        assert stored_bytes(client) == 2 * len(FILE)
        refused = client.post(UPLOADS, json={"content_type": JPEG, "size": 1})
        assert (refused.status_code, refused.get_json()["violated-policies"]) == (429, ["uploads"])
        assert client.delete(f"{UPLOADS}/{first['id']}").status_code == 204
        assert client.delete(f"{UPLOADS}/{first['id']}").status_code == 404
        refused = client.post(UPLOADS, json={"content_type": JPEG, "size": len(FILE) + 6})
        assert (refused.status_code, refused.get_json()["violated-policies"]) == (429, ["stored-bytes"])
        third = make(client)
        make_due(client.application.extensions["ovseg"], third["id"])
        assert stored_bytes(client) == len(FILE)


def test_an_upload_survives_a_redis_lost_with_its_disk(client: FlaskClient, services: GatewayServices) -> None:
    kept, deleted, held = sent(client), sent(client), sent(client)
    client.delete(f"{UPLOADS}/{deleted}")
    services.uploads.hold([held])
    services.record_archive.sweep()
    before = [client.get(f"{UPLOADS}/{each}").get_json() for each in (kept, held)]
    redis = services.keyspace.redis
    redis.delete(*redis.keys(services.keyspace.key("*")))
    assert services.record_archive.restore() == 2
    after = [client.get(f"{UPLOADS}/{each}").get_json() for each in (kept, held)]
    for was, restored in zip(before, after, strict=True):  # a batch may hold either of them
        assert datetime.fromisoformat(restored.pop("expires_at")) > datetime.now(UTC) + timedelta(days=6)
        assert restored == {name: value for name, value in was.items() if name != "expires_at"}
    assert client.get(f"{UPLOADS}/{deleted}").status_code == 404
    assert stored_bytes(client) == 2 * len(FILE)
    assert submit(client, kept).status_code == 202
    for each in (kept, held):
        make_due(services, each)
    assert list(services.storage.list(f"{RECORDS}upload/")) == []
    assert redis.zcard(services.keyspace.key("uploads:due")) == 0


def test_one_request_that_is_sent_twice_makes_one_job_and_leaves_no_second_copy(
    client: FlaskClient, services: GatewayServices
) -> None:
    upload_id = sent(client)
    body = {"image": {"upload": upload_id}, "prompts": PROMPTS}
    keyed = [client.post(JOBS, json=body, headers={"Idempotency-Key": "once"}).get_json()["id"] for _ in range(2)]
    chosen = [client.put(f"{JOBS}/mine", json=body).status_code for _ in range(2)]
    assert (keyed[0] == keyed[1], chosen) == (True, [202, 200])
    other = sent(client)
    body["image"] = {"upload": other}
    assert client.put(f"{JOBS}/mine", json=body).get_json()["code"] == "id_taken"
    copies = [key for job_id in (keyed[0], "mine") for key in services.storage.list(f"jobs/{job_id}/")]
    assert len(copies) == 2
    assert image_of(services, "mine") == FILE


def test_a_photo_by_upload_has_the_result_of_the_photo_and_a_preview(service: Any) -> None:
    photo = pictures.noise(300, 310, "JPEG", seed=77)  # an image that no other test sends
    upload = service.post(UPLOADS, json={"content_type": JPEG, "size": len(photo)}).json()
    assert put(upload, photo) == 200
    box = [{"box": [140, 10, 305, 180]}]
    by_upload = service.post(f"{JOBS}?wait=60", json={"image": {"upload": upload["id"]}, "prompts": box}).json()
    named = {"image": {"sha256": hashlib.sha256(photo).hexdigest()}, "prompts": box}
    assert service.post(f"{JOBS}?wait=60", json=named).json()["result"] == by_upload["result"]
    by_file = service.post(f"{JOBS}?wait=60", files={"image": photo}, data={"request": json.dumps({"prompts": box})})
    assert by_upload["status"] == "succeeded"
    assert by_upload["result"] == by_file.json()["result"]
    assert by_upload["image"]["width"] == by_file.json()["image"]["width"]
    preview = f"{service.url}{JOBS}/{by_upload['id']}/files/preview"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := requests.get(preview, timeout=30)).status_code == 202:
        assert time.monotonic() < deadline
        time.sleep(float(answer.headers["Retry-After"]) / 4)
    assert answer.content.startswith(b"\xff\xd8")
