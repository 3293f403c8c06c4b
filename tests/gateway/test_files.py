"""The files of a job through the gateway: whole, in ranges, by a redirect; its image; nothing that is not the job's."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway.services import GatewayServices
from tests.support import lone_gateway, pictures, protocol
from tests.support.waiting import wait_until
from worker.job import result_document
from worker.job.record import Job
from worker.store import object_names

JOBS = "/v1/jobs"
BOX = {"box": [1, 2, 3, 4]}
OVERLAY = bytes(range(256)) * 1000
RESULT: dict[str, Any] = {"masks": [], "maskInfos": []}


def submitted(client: FlaskClient, job_id: str, image: bytes | None = None, **fields: Any) -> None:
    request = {"prompts": [BOX], "outputs": ["rle", "overlay", "png"], **fields}
    if image is None:
        answer = client.put(f"{JOBS}/{job_id}", json={"image": "https://example.com/a.jpg", **request})
    else:
        form = {"image": (io.BytesIO(image), "a"), "request": json.dumps(request)}
        answer = client.put(f"{JOBS}/{job_id}", data=form)
    assert answer.status_code == 202, answer.text


def succeeded(client: FlaskClient, services: GatewayServices, job_id: str, image: bytes | None = None) -> Job:
    """Submit a job, and end it with an overlay and two masks, as a worker does."""
    submitted(client, job_id, image)
    job = protocol.begin(services.jobs, job_id)
    files = {"overlay.jpg": OVERLAY, "masks/0000.png": b"first", "masks/0001.png": b""}
    document = json.dumps(result_document.of(job_id, RESULT)).encode()
    services.storage.put(object_names.result(job.attempt_prefix), document, "application/json")
    for name, data in files.items():
        services.storage.put(job.attempt_prefix + name, data, "text/html")
    assert services.jobs.succeed(job, protocol.PICTURE, {}, 2) == "succeeded"
    return job


def get(client: FlaskClient, job_id: str, name: str, **headers: str) -> TestResponse:
    return client.get(f"{JOBS}/{job_id}/files/{name}", headers={n.replace("_", "-"): v for n, v in headers.items()})


def test_each_file_of_a_result_is_sent_as_it_is_stored(client: FlaskClient, services: GatewayServices) -> None:
    succeeded(client, services, "done")
    expected = [
        ("result.json", "application/json", json.dumps(result_document.of("done", RESULT)).encode()),
        ("overlay.jpg", "image/jpeg", OVERLAY),
        ("masks/0000.png", "image/png", b"first"),
        ("masks/0001.png", "image/png", b""),
    ]
    for name, content_type, data in expected:
        answer = get(client, "done", name)
        assert (answer.status_code, answer.mimetype, answer.data) == (200, content_type, data)
        assert answer.headers["Content-Length"] == str(len(data))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Disposition"] == f'inline; filename="done-{name.replace("/", "-")}"'
        head = client.head(f"{JOBS}/done/files/{name}")
        assert (head.data, head.headers["Content-Length"]) == (b"", str(len(data)))
        assert head.headers["ETag"] == answer.headers["ETag"]
        assert get(client, "done", name, If_None_Match=answer.headers["ETag"]).status_code == 304
        assert get(client, "done", name, Accept_Encoding="gzip").data == data


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-9", 206, OVERLAY[:10]),
        ("bytes=255990-", 206, OVERLAY[255990:]),
        ("bytes=-5", 206, OVERLAY[-5:]),
        ("bytes=0-999999", 206, OVERLAY),
        ("bytes=256000-", 416, None),
        ("bytes=0-1,5-6", 200, OVERLAY),
        ("pages=1-2", 200, OVERLAY),
        ("bytes=x", 200, OVERLAY),
    ],
)
def test_a_range_of_a_file(
    client: FlaskClient, services: GatewayServices, wanted: str, status: int, part: bytes | None
) -> None:
    succeeded(client, services, "part")
    answer = get(client, "part", "overlay.jpg", Range=wanted)
    assert answer.status_code == status
    if part is None:
        assert answer.get_json()["code"] == "range_not_satisfiable"
        return
    assert answer.data == part
    if status == 206:
        first = OVERLAY.rindex(part) if wanted.startswith("bytes=-") else int(wanted[6:].partition("-")[0])
        assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(OVERLAY)}"
        etag = answer.headers["ETag"]
        assert get(client, "part", "overlay.jpg", Range=wanted, If_Range=etag).status_code == 206
        assert get(client, "part", "overlay.jpg", Range=wanted, If_Range='"other"').data == OVERLAY


def test_a_redirect_leads_to_the_file_in_storage(client: FlaskClient, services: GatewayServices) -> None:
    job = succeeded(client, services, "there")
    answer = client.get(f"{JOBS}/there/files/overlay.jpg?redirect=true")
    assert answer.status_code == 302
    assert answer.headers["Location"] == services.storage.links.sign(f"{job.attempt_prefix}overlay.jpg")
    assert requests.get(answer.headers["Location"], timeout=30).content == OVERLAY


@pytest.mark.parametrize(
    "name",
    [
        "overlay.png",
        "masks/0002.png",
        "masks/../result.json",
        "masks%2f..%2fresult.json",
        "..%2f..%2fof-another%2fresult.json",
        "../../of-another/1/result.json",
        "/result.json",
        "result.json/",
        "result.json%00",
        "%2e%2e",
        "RESULT.JSON",
        "input",
        "1/result.json",
        "asked/preview",
    ],
)
def test_a_name_that_the_job_does_not_have_is_404(client: FlaskClient, services: GatewayServices, name: str) -> None:
    succeeded(client, services, "named")
    answer = get(client, "named", name)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")


def test_a_job_has_no_results_before_its_end_and_none_that_are_gone(
    client: FlaskClient, services: GatewayServices
) -> None:
    submitted(client, "early")
    assert get(client, "early", "result.json").get_json()["code"] == "not_found"
    job = succeeded(client, services, "gone")
    services.storage.delete([f"{job.attempt_prefix}overlay.jpg"])
    answer = get(client, "gone", "overlay.jpg")
    assert (answer.status_code, answer.get_json()["code"]) == (410, "result_gone")
    assert get(client, "none", "image").status_code == 404


def test_the_image_that_was_sent(client: FlaskClient, services: GatewayServices) -> None:
    png, ppm = pictures.noise(30, 20, seed=1), b"P6 2 2 255\n" + bytes(12)
    for job_id, image, content_type in (("png", png, "image/png"), ("ppm", ppm, "application/octet-stream")):
        submitted(client, job_id, image, prompts=[{"box": [0, 0, 1, 1]}])
        answer = get(client, job_id, "image")  # soon: the image may still be in Redis
        assert (answer.status_code, answer.data, answer.mimetype) == (200, image, content_type)
    submitted(client, "later", png)
    job = services.jobs.get("later")
    assert job is not None
    # Until the gateway has moved the image to storage, it could write the deleted object again.
    wait_until(lambda: not services.keyspace.redis.exists(services.keyspace.key("input:later")))
    services.storage.delete([str(job.request.image.key)])
    answer = get(client, "later", "image")
    assert (answer.status_code, answer.get_json()["code"]) == (410, "input_gone")


def test_an_ephemeral_job_has_no_files(client: FlaskClient) -> None:
    submitted(client, "brief", pictures.noise(30, 20, seed=2), ephemeral=True, outputs=["rle"])
    for name in ("image", "preview", "result.json"):
        assert get(client, "brief", name).get_json()["code"] == "not_found"


def test_a_file_is_asked_for_once_and_the_files_of_one_tenant_do_not_delay_another(
    client: FlaskClient, services: GatewayServices
) -> None:
    for job_id in ("a", "b"):
        submitted(client, job_id)
        for _ in range(3):
            answer = get(client, job_id, "preview")
            assert (answer.status_code, answer.get_json()) == (202, {"status": "making"})
            assert int(answer.headers["Retry-After"]) > 0
    services.asked_files.ask("acme.c", "image")
    taken = [services.asked_files.take() for _ in range(4)]
    assert taken == [("a", "preview"), ("acme.c", "image"), ("b", "preview"), None]
    for n in range(100):
        services.asked_files.ask(f"acme.{n}", "preview")
    with pytest.raises(Exception, match="wait to be made"):
        services.asked_files.ask("acme.100", "preview")
    assert get(client, "a", "image").status_code == 202


def test_a_long_file_takes_no_thread_and_little_memory_while_a_client_reads_slowly(
    client: FlaskClient, services: GatewayServices, s3_settings: Settings
) -> None:
    """More clients than the gateway has threads stop in the middle of a file; others are answered meanwhile."""
    job = succeeded(client, services, "long")
    data = OVERLAY * 64  # 16 MB, more than the buffers of a connection
    services.storage.put(f"{job.attempt_prefix}overlay.jpg", data, "image/jpeg")
    with lone_gateway.running(s3_settings.model_copy(update={"gateway_threads": 4})) as gateway:
        url = f"{gateway.url}{JOBS}/long/files/overlay.jpg"

        def opened() -> Iterator[requests.Response]:
            for _ in range(12):
                answer = requests.get(url, stream=True, timeout=30)
                assert answer.raw.read(1000) == data[:1000]
                yield answer

        slow = list(opened())
        whole = requests.get(url, timeout=30)
        assert (whole.status_code, whole.content) == (200, data)
        assert whole.headers["Content-Length"] == str(len(data))
        part = requests.get(url, headers={"Range": "bytes=1000000-1999999"}, timeout=30)
        assert (part.status_code, part.content) == (206, data[1_000_000:2_000_000])
        head = requests.head(url, timeout=30)
        assert (head.headers["Content-Length"], head.content) == (str(len(data)), b"")
        assert slow[0].raw.read() == data[1000:]
        for answer in slow:
            answer.close()
