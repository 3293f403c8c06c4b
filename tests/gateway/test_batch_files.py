"""The files of a batch as one tar archive: complete, in order, with safe names, and larger than memory."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway.services import GatewayServices
from tests.support import lone_gateway, pictures, protocol
from worker.batch import files
from worker.batch.item import job_id_of
from worker.store import object_names

BATCHES = "/v1/batches"
URL = "https://example.com/a.jpg"
LONG = bytes(range(256)) * 4000  # longer than what is read ahead


def submit(client: FlaskClient, batch_id: str, *ids: str, **fields: Any) -> None:
    request = {"image": URL, "prompts": [{"box": [1, 2, 3, 4]}], "outputs": ["overlay", "png"], **fields}
    answer = client.put(f"{BATCHES}/{batch_id}", json={"items": [{"id": each, **request} for each in ids]})
    assert answer.get_json()["manifest"]["added"] == len(ids), answer.text


def succeed(services: GatewayServices, batch_id: str, item_id: str, overlay: bytes = LONG) -> None:
    """End the job of an item as a worker does, with an empty mask."""
    services.feeder.sweep()
    job = protocol.begin(services.jobs, job_id_of(batch_id, item_id))
    stored = {object_names.result(""): item_id.encode(), "overlay.jpg": overlay, "masks/0000.png": b""}
    for name, data in stored.items():
        services.storage.put(job.attempt_prefix + name, data, "image/jpeg")
    assert services.jobs.succeed(job, protocol.PICTURE, {}, 1) == "succeeded"


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the files of an archive, in its order. Python's reader refuses names that lead out of a folder."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as archive:
        found: dict[str, bytes] = {}
        for member in archive:
            assert tarfile.data_filter(member, "/somewhere").name == member.name
            content = archive.extractfile(member)
            assert content is not None
            assert member.name not in found
            found[member.name] = content.read()
    return found


def test_an_archive_has_the_files_of_all_items_that_have_succeeded(
    client: FlaskClient, services: GatewayServices
) -> None:
    submit(client, "mine", "b/2.jpg", "a", "é" * 128, "fails", "waits")
    for item_id in ("b/2.jpg", "a", "é" * 128):
        succeed(services, "mine", item_id)
    services.jobs.fail(protocol.begin(services.jobs, job_id_of("mine", "fails")), protocol.BROKEN)
    answer = client.get(f"{BATCHES}/mine/files")
    assert (answer.status_code, answer.mimetype) == (200, "application/x-tar")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="mine.tar"'
    expected = {
        f"{item_id}/{name}": data
        for item_id in ("b/2.jpg", "a", "é" * 128)
        for name, data in (("result.json", item_id.encode()), ("overlay.jpg", LONG), ("masks/0000.png", b""))
    }
    found = unpacked(answer.data)
    assert found == expected
    assert list(found) == list(expected)
    masks = client.get(f"{BATCHES}/mine/files?files=masks")
    assert list(unpacked(masks.data)) == [name for name in expected if "masks" in name]


def test_images_that_the_service_has_may_be_in_the_archive(client: FlaskClient, services: GatewayServices) -> None:
    photo = pictures.noise(30, 40, seed=3)
    job = client.post("/v1/jobs", data={"image": (io.BytesIO(photo), "a"), "box": "1,2,3,4"}).get_json()
    stored = services.jobs.get(job["id"])
    assert stored is not None
    assert stored.request.image.content is not None
    services.inputs.settle(job["id"], str(stored.request.image.key))
    submit(client, "seen", "known", image={"sha256": stored.request.image.content.sha256})
    submit(client, "seen", "url")
    for item_id in ("known", "url"):
        succeed(services, "seen", item_id)
    found = unpacked(client.get(f"{BATCHES}/seen/files?files=result,image").data)
    assert found == {"known/result.json": b"known", "known/image": photo, "url/result.json": b"url"}


def test_a_file_that_is_gone_is_left_out(client: FlaskClient, services: GatewayServices) -> None:
    submit(client, "partly", "a", "b")
    for item_id in ("a", "b"):
        succeed(services, "partly", item_id)
    job = services.jobs.get(job_id_of("partly", "a"))
    assert job is not None
    services.storage.delete([f"{job.files_prefix}overlay.jpg"])
    assert "a/overlay.jpg" not in (found := unpacked(client.get(f"{BATCHES}/partly/files").data))
    assert len(found) == 5


@pytest.mark.parametrize(
    ("item_id", "path"),
    [
        ("train/1.jpg", "train/1.jpg"),
        ("../x", "%2E%2E/x"),
        ("a/../../b", "a/%2E%2E/%2E%2E/b"),
        ("/etc/passwd", "%/etc/passwd"),
        ("a//b/", "a/%/b/%"),
        (".", "%2E"),
        ("..\\x", "..%5Cx"),
        ("...", "..."),
        ("50%", "50%25"),
    ],
)
def test_an_id_leads_into_no_other_folder(item_id: str, path: str) -> None:
    assert files.safe(item_id) == path


def test_an_archive_takes_little_memory(client: FlaskClient, services: GatewayServices, s3_settings: Settings) -> None:
    ids = [f"{n}" for n in range(12)]
    submit(client, "large", *ids)
    data = LONG * 8  # 8 MB
    for item_id in ids:
        succeed(services, "large", item_id, data)
    batch = services.batches.get("large")
    assert batch is not None
    tracemalloc.start()
    try:
        size = sum(map(len, services.batch_files.tar(batch, files.USUAL)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 12 * len(data)
    assert peak < 10_000_000
    with lone_gateway.running(s3_settings) as gateway:
        answer = requests.get(f"{gateway.url}{BATCHES}/large/files", timeout=60)
        assert len(unpacked(answer.content)) == 36
