"""The running service fetches images from URLs whose hosts are slow or misbehave."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tests.support import drips, fakes, pictures
from tests.support.fakes import Host
from tests.support.service import Service

BOX = {"box": [10, 10, 60, 60]}


def dripping(host: Host, how: str) -> tuple[str, threading.Event]:
    """Return the URL of a server that sends slowly in this way, and an event that is set when the client hangs up."""
    path, hung_up = f"/{how.replace(' ', '-')}", threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        try:
            drips.ALL[how](request)
        except OSError:
            hung_up.set()

    host.answers[path] = answer
    return host.url(path), hung_up


def test_slow_fetches_do_not_keep_a_worker_from_the_next_job(service: Service, trusted_host: Host) -> None:
    slow = [service.submit(image=dripping(trusted_host, how)[0], prompts=[BOX])["id"] for how in drips.ALL]
    url = trusted_host.serve("/photo.jpg", pictures.photo())
    assert service.wait(service.submit(image=url, prompts=[BOX])["id"])["status"] == "succeeded"
    errors = [service.wait(job_id)["error"] for job_id in slow]
    assert {(error["code"], error["field"]) for error in errors} == {("url_unreachable", "image")}


def test_an_image_is_fetched_with_the_headers_of_its_request_also_for_a_retry(
    service: Service, trusted_host: Host
) -> None:
    def only_with_token(request: BaseHTTPRequestHandler) -> None:
        is_allowed = request.headers.get("Authorization") == "Bearer mine"
        body = pictures.photo() if is_allowed else b""
        fakes.reply(request, 200 if is_allowed else 401, body, {"Content-Type": "image/jpeg"})

    trusted_host.answers["/private.jpg"] = only_with_token
    url = trusted_host.url("/private.jpg")
    assert "401" in service.wait(service.submit(image=url, prompts=[BOX])["id"])["error"]["message"]
    image = {"url": url, "headers": {"Authorization": "Bearer mine"}}
    done = service.wait(service.submit(image=image, prompts=[BOX])["id"])
    assert (done["status"], done["image"]["url"]) == ("succeeded", url)
    assert "mine" not in str(done)
    assert service.post(f"/v1/jobs/{done['id']}/retry?wait=60").json()["status"] == "succeeded"
    assert not any("Bearer mine" in line for line in service.lines)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, trusted_host: Host) -> Iterator[Service]:
    """A service that allows a fetch an hour: a fetch that ends sooner was canceled."""
    running = Service(
        tmp_path_factory.mktemp("patient"),
        {
            "OVSEG_ALLOWED_PRIVATE_HOSTS": trusted_host.address,
            "OVSEG_FETCH_TIMEOUT_SECONDS": "3600",
            "OVSEG_WORKER_CONCURRENCY": "2",
        },
    )
    try:
        yield running.wait_until_ready()
    finally:
        running.stop()


def wait_for_another_request(host: Host, seen: int) -> None:
    with host.arrived:
        assert host.arrived.wait_for(lambda: len(host.received) > seen, 60)


def cancel(service: Service, job_id: str) -> None:
    assert service.post(f"/v1/jobs/{job_id}/cancel").status_code in (200, 202)


@pytest.mark.parametrize(
    ("deadline", "end", "status"),
    [(None, cancel, "canceled"), ({"run_within_s": 1}, lambda service, job_id: None, "failed")],
)
def test_a_slow_fetch_ends_with_its_job(
    patient: Service,
    trusted_host: Host,
    deadline: object,
    end: Callable[[Service, str], None],
    status: str,
) -> None:
    for how in ("bytes of a header", "100 Continue", "digits of a chunk's size", "trailers"):
        url, hung_up = dripping(trusted_host, how)
        seen = len(trusted_host.received)
        job_id = patient.submit(image=url, prompts=[BOX], deadline=deadline)["id"]
        wait_for_another_request(trusted_host, seen)
        end(patient, job_id)
        job = patient.wait(job_id)
        assert job["status"] == status
        assert hung_up.wait(30), how
    url = trusted_host.serve("/photo.jpg", pictures.photo())
    assert patient.wait(patient.submit(image=url, prompts=[BOX])["id"])["status"] == "succeeded"


def test_an_image_with_content_encoding_gzip_is_decompressed(service: Service, trusted_host: Host) -> None:
    body = gzip.compress(pictures.photo())
    headers = {"Content-Encoding": "gzip"}
    trusted_host.answers["/stored.jpg"] = lambda request: fakes.reply(request, 200, body, headers)
    job = service.wait(service.submit(image=trusted_host.url("/stored.jpg"), prompts=[BOX])["id"])
    assert job["status"] == "succeeded"


@pytest.mark.parametrize("location", [b"http://[", b"\xff\xfe", b"http://\x1bc/"])
def test_a_broken_redirect_fails_the_job_at_the_first_attempt(
    service: Service, trusted_host: Host, location: bytes
) -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n"
    trusted_host.answers["/moved"] = lambda request: fakes.write(request, raw)
    job = service.wait(service.submit(image=trusted_host.url("/moved"), prompts=[BOX])["id"])
    assert (job["status"], job["attempt"], job["error"]["field"]) == ("failed", 1, "image")
    assert job["error"]["code"] in ("url_invalid", "url_unreachable")
    assert job["error"]["message"].isprintable()
