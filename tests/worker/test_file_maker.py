"""A worker makes the files that clients ask for: previews, and copies of images that are behind URLs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import create_app
from tests.chaos.box_inference import BoxInference
from tests.support import bombs, pictures
from tests.support.fakes import Host
from tests.support.waiting import wait_until
from worker.file_maker import FileMaker
from worker.worker_services import WorkerServices

JOBS, EMBEDDINGS = "/v1/jobs", "/v1/embeddings"
BOX = {"box": [1, 2, 3, 4]}


@pytest.fixture
def near(s3_settings: Settings, host: Host) -> Settings:
    return s3_settings.model_copy(update={"allowed_private_hosts": (host.address,), "decode_seconds": 1.0})


@pytest.fixture
def client(near: Settings) -> FlaskClient:
    return create_app(near).test_client()


@pytest.fixture
def worker(near: Settings) -> Iterator[WorkerServices]:
    opened = WorkerServices(near, "cpu", BoxInference(encode_seconds=0))
    yield opened
    opened.close()


def by_file(client: FlaskClient, image: bytes, path: str = JOBS) -> str:
    request = {"prompts": [BOX]} if path == JOBS else {}
    return _accepted(client.post(path, data={"image": (io.BytesIO(image), "a"), "request": json.dumps(request)}))


def by_url(client: FlaskClient, url: str, path: str = JOBS) -> str:
    return _accepted(client.post(path, json={"image": url, **({"prompts": [BOX]} if path == JOBS else {})}))


def _accepted(answer: TestResponse) -> str:
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["id"])


def made(client: FlaskClient, worker: WorkerServices, job_id: str, name: str) -> TestResponse:
    """Ask for a file, let a worker make it, and return the next answer."""
    assert client.get(f"{JOBS}/{job_id}/files/{name}").status_code == 202
    assert FileMaker(worker).make_next()
    return client.get(f"{JOBS}/{job_id}/files/{name}")


def stored_bytes(client: FlaskClient) -> int:
    return int(client.get("/v1/usage").get_json()["stored_bytes"])


def rotated(size: tuple[int, int]) -> bytes:
    """Return a JPEG with a red left half that is stored lying on its side."""
    picture = Image.new("RGB", size, (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, size[0], size[1] // 2))
    exif = Image.Exif()
    exif[0x0112] = 8  # to be shown, the image is turned by 90 degrees counterclockwise: its top becomes its left side
    return pictures.encoded(picture, "JPEG", exif=exif, quality=95)


@pytest.mark.parametrize(("size", "shown"), [((3000, 1000), (683, 2048)), ((60, 40), (40, 60)), ((1, 5000), (2048, 1))])
@pytest.mark.parametrize("path", [JOBS, EMBEDDINGS])
def test_a_preview_is_an_upright_jpeg_of_at_most_2048_pixels(
    client: FlaskClient, worker: WorkerServices, size: tuple[int, int], shown: tuple[int, int], path: str
) -> None:
    job_id = by_file(client, rotated(size), path) if size[0] > 4 else by_file(client, rotated(size), EMBEDDINGS)
    answer = made(client, worker, job_id, "preview")
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    picture = Image.open(io.BytesIO(answer.data))
    assert (picture.format, picture.size, dict(picture.getexif())) == ("JPEG", shown, {})
    if min(shown) > 8:
        left, right = (picture.getpixel((x, shown[1] // 2)) for x in (shown[0] // 4, shown[0] * 3 // 4))
        assert _is_like(left, (255, 0, 0))
        assert _is_like(right, (0, 0, 255))


def _is_like(found: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 20 for a, b in zip(found, colour, strict=True))


def test_images_behind_urls_are_fetched_when_they_are_asked_for(
    client: FlaskClient, worker: WorkerServices, host: Host
) -> None:
    photo = pictures.photo()
    url = host.serve("/photo.jpg", photo)
    for path in (JOBS, EMBEDDINGS):
        job_id = by_url(client, url, path)
        answer = made(client, worker, job_id, "image")
        assert (answer.status_code, answer.data) == (200, photo)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        preview = made(client, worker, job_id, "preview")
        assert Image.open(io.BytesIO(preview.data)).size == (512, 512)
        before = stored_bytes(client)
        assert client.delete(f"{JOBS}/{job_id}").status_code == 204
        assert before - stored_bytes(client) > len(photo) + len(preview.data)
        assert list(worker.storage.list(f"jobs/{job_id}/")) == []


def test_what_cannot_be_made_is_answered_with_the_reason(
    client: FlaskClient, worker: WorkerServices, host: Host
) -> None:
    """A page of a private host that is allowed for images must not be readable through the route of images."""
    page = host.serve("/secret.html", b"<h1>a page of the intranet</h1>", "text/html")
    gone = host.serve("/gone.jpg", status=404)
    expected = [
        (by_url(client, page), "image", "image_format_unsupported"),
        (by_url(client, page), "preview", "image_format_unsupported"),
        (by_url(client, gone), "image", "url_unreachable"),
        (by_url(client, host.serve("/bomb.jpg", bombs.jpeg_progressive_scans())), "preview", "image_too_costly"),
        (by_file(client, pictures.photo()[:9000]), "preview", "image_unreadable"),
    ]
    for job_id, name, code in expected:
        answer = made(client, worker, job_id, name)
        assert (answer.status_code, answer.get_json()["code"]) == (422, code)
        assert worker.asked_files.take() is None  # the error is remembered
        assert list(worker.storage.list(f"jobs/{job_id}/asked/")) == []


def test_a_file_of_a_job_that_is_erased_meanwhile_is_not_kept(client: FlaskClient, worker: WorkerServices) -> None:
    job_id = by_file(client, pictures.photo())
    job = worker.jobs.get(job_id)
    assert job is not None
    client.delete(f"{JOBS}/{job_id}")
    FileMaker(worker)._store(job, "preview", b"late")
    # The gateway moves the image from Redis to storage at this time, and then deletes it there.
    wait_until(lambda: list(worker.storage.list(f"jobs/{job_id}/")) == [])
    worker.asked_files.ask(job_id, "preview")
    FileMaker(worker).make_next()
    with pytest.raises(Exception, match="no record"):
        worker.asked_files.ask(job_id, "preview")
    assert stored_bytes(client) == 0
