"""Bad input to the real service: a table of requests, each with its status, code, field and message."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any

import pytest
import requests

from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

BOX = {"box": [10, 10, 200, 200]}
URL = "https://example.com/cat.jpg"


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def check(answer: requests.Response, status: int, code: str, message: str, field: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"urn:ovseg:problem:{code}"
    assert problem["title"]
    assert message in problem["detail"], problem
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]]


# fmt: off
REFUSED = [
    ({"prompts": [BOX]}, 422, "image_missing", "image", "required"),
    ({"image": "", "prompts": [BOX]}, 422, "image_empty", "image", "no bytes"),
    ({"image": base64_of(b"just text"), "prompts": [BOX]}, 422, "image_format_unsupported", "image", "not an image"),
    ({"image": "not even base64", "prompts": [BOX]}, 422, "image_unreadable", "image", "nor base64"),
    ({"image": base64_of(b"GIF89a" + bytes(9)), "prompts": [BOX]}, 422, "image_format_unsupported", "image", "GIF is"),
    ({"image": base64_of(b"%PDF-1.7"), "prompts": [BOX]}, 422, "image_format_unsupported", "image", "PDF is not"),
    ({"image": base64_of(pictures.png_of_400_megapixels()), "prompts": [BOX]},
     422, "image_too_many_pixels", "image", "at most 80,000,000"),
    ({"image": base64_of(pictures.photo()), "prompts": [{"box": [600, 600, 700, 700]}]},
     422, "box_outside_image", "prompts[0].box", "outside the image of 512 x 512"),
    ({"image": base64_of(pictures.photo()), "prompts": [{"points": [[5, 600]]}]},
     422, "point_outside_image", "prompts[0].points[0]", "outside the image"),
    ({"image": URL, "prompts": [{"box": [20, 0, 10, 5]}]}, 422, "invalid_prompt", "prompts[0].box", "x1 (10) must be"),
    ({"image": URL, "prompts": [{"box": [1, 2, 3]}]}, 422, "invalid_prompt", "prompts[0].box", "four numbers"),
    ({"image": URL, "prompts": []}, 422, "prompts_missing", "prompts", "at least one"),
    ({"image": URL, "prompts": [BOX] * 1001}, 422, "too_many_prompts", "prompts", "at most 1,000"),
    ({"image": URL, "prompts": [BOX], "model": "SAM-9000"}, 422, "unknown_model", "model", "available: SAM-Lite"),
    ({"image": URL, "prompts": [BOX], "device": "tpu"}, 422, "invalid_value", "device", "'cpu'"),
    ({"image": URL, "prompts": [BOX], "colour": "red"}, 422, "unknown_field", "colour", "allowed: image"),
    ({"image": "http://127.0.0.1/a.jpg", "prompts": [BOX]}, 422, "url_forbidden", "image", "not a public address"),
    ({"image": "http://169.254.169.254/a", "prompts": [BOX]}, 422, "url_forbidden", "image", "not a public address"),
]
# fmt: on


@pytest.mark.parametrize(("body", "status", "code", "field", "message"), REFUSED)
def test_an_error_that_the_gateway_can_find_is_refused_with_a_message(
    service: Service, body: Any, status: int, code: str, field: str, message: str
) -> None:
    check(service.post("/v1/jobs", json=body), status, code, message, field)


def test_nan_is_refused_with_its_field(service: Service) -> None:
    body = json.dumps({"image": URL, "prompts": [{"box": [1, 2, 3, float("nan")]}]})  # Python writes it as NaN
    answer = service.post("/v1/jobs", data=body, headers={"Content-Type": "application/json"})
    check(answer, 422, "invalid_value", "finite number", "prompts[0].box[3]")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_a_wrong_content_type_is_415(service: Service, content_type: str) -> None:
    answer = service.post("/v1/jobs", data=b"{}", headers={"Content-Type": content_type})
    check(answer, 415, "unsupported_media_type", f"not {content_type}")


def test_broken_json_is_400(service: Service) -> None:
    answer = service.post("/v1/jobs", data=b"{", headers={"Content-Type": "application/json"})
    check(answer, 400, "invalid_json", "not JSON")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_too_large_is_413(service: Service, is_chunked: bool) -> None:
    body = bytes(33_000_000)
    data = iter([body[:16_000_000], body[16_000_000:]]) if is_chunked else body  # an iterator has no Content-Length
    try:
        answer = service.post("/v1/jobs", data=data, headers={"Content-Type": "application/json"})
    except requests.ConnectionError:  # the gateway hung up while the client was sending, which is as clear, and sooner
        assert is_chunked
        return
    check(answer, 413, "body_too_large", "32,000,000 bytes")


def test_an_image_too_large_is_413(service: Service) -> None:
    answer = service.post(
        "/v1/jobs", files={"image": bytes(21_000_000)}, data={"request": json.dumps({"prompts": [BOX]})}
    )
    check(answer, 413, "image_too_large", "at most 20,000,000", "image")


@pytest.mark.parametrize(
    ("files", "data", "field", "message"),
    [
        ({"image": pictures.photo()}, {}, "prompts", "required"),
        ({"image": pictures.photo(), "mask": b""}, {"request": "{}"}, "mask", "unknown part"),
        ({"other": b""}, {"request": "{}", "image": "http://x"}, "other", "unknown part"),
        ({"request": json.dumps({"prompts": [BOX]})}, {"image": "http://x"}, "image", "must be a file part"),
        ({"image": pictures.photo()}, {"request": json.dumps({"image": URL, "prompts": [BOX]})}, "image", "not both"),
        ({"image": b""}, {"request": json.dumps({"prompts": [BOX]})}, "image", "no bytes"),
    ],
)
def test_multipart_with_wrong_parts_is_422(service: Service, files: Any, data: Any, field: str, message: str) -> None:
    answer = service.post("/v1/jobs", files=files, data=data)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert message in answer.text


# fmt: off
BAD_GETS = [
    ("/v1/jobs/no-such-job", 404, "not_found", "no job 'no-such-job'"),
    ("/v1/nothing", 404, "not_found", "not found"),
    ("/v1/jobs?status=sleeping", 422, "invalid_value", "must be 'queued', 'running'"),
    ("/v1/jobs?limit=0", 422, "invalid_value", "from 1 to 100"),
    ("/v1/jobs?limit=many", 422, "invalid_value", "from 1 to 100"),
    ("/v1/jobs?cursor=abc", 422, "invalid_value", "next_cursor"),
    ("/v1/jobs/x?wait=61", 422, "invalid_value", "0 to 60"),
    ("/v1/jobs/x?wait=soon", 422, "invalid_value", "0 to 60"),
    ("/v1/jobs/x?wait=nan", 422, "invalid_value", "0 to 60"),
]
# fmt: on


@pytest.mark.parametrize(("path", "status", "code", "message"), BAD_GETS)
def test_a_bad_path_or_query_is_refused_with_a_message(
    service: Service, path: str, status: int, code: str, message: str
) -> None:
    check(service.get(path), status, code, message)


def test_a_wrong_method_is_405_and_lists_the_allowed_methods(service: Service) -> None:
    answer = requests.put(f"{service.url}/v1/jobs", timeout=60)
    check(answer, 405, "method_not_allowed", "not allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


# Errors that only a worker can find: the job is accepted, and fails with the same kind of message.


def failure(service: Service, image: str | bytes) -> dict[str, Any]:
    if isinstance(image, bytes):
        image = base64_of(image)
    job = service.wait(service.submit(image=image, prompts=[BOX])["id"])
    assert job["status"] == "failed"
    assert job["result"] is None
    assert job["files"] == {}
    error: dict[str, Any] = job["error"]
    return error


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_jpeg_fails_its_job(service: Service, share: float) -> None:
    data = pictures.photo()
    error = failure(service, data[: int(len(data) * share)])
    assert (error["code"], error["field"]) == ("image_unreadable", "image")
    assert "breaks off" in error["message"]


def test_a_url_of_html_fails_its_job(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/page", b"<!DOCTYPE html><title>Not found</title>", "text/html")
    error = failure(service, url)
    assert error["code"] == "image_format_unsupported"
    assert "HTML is not supported" in error["message"]


def test_a_url_of_a_too_large_image_fails_its_job(service: Service, trusted_host: Host) -> None:
    assert failure(service, trusted_host.serve("/large", bytes(20_000_001)))["code"] == "image_too_large"
    bomb = trusted_host.serve("/bomb.png", pictures.png_of_400_megapixels())
    assert failure(service, bomb)["code"] == "image_too_many_pixels"


@pytest.mark.parametrize("to", ["http://127.0.0.1/a.jpg", "http://169.254.169.254/latest/meta-data"])
def test_a_redirect_to_a_private_address_fails_its_job(service: Service, trusted_host: Host, to: str) -> None:
    error = failure(service, trusted_host.redirect("/moved", to))
    assert error["code"] == "url_forbidden"
    assert "not a public address" in error["message"]


def test_a_host_that_does_not_answer_fails_its_job(service: Service, trusted_host: Host) -> None:
    trusted_host.answers["/silence"] = lambda request: __import__("time").sleep(10)
    error = failure(service, trusted_host.url("/silence"))
    assert (error["code"], error["message"]) == ("url_unreachable", "127.0.0.1 did not answer in time")


def test_a_url_that_answers_404_fails_its_job(service: Service, trusted_host: Host) -> None:
    assert failure(service, trusted_host.url("/nothing-here.jpg"))["message"] == "the URL answered 404"


def test_a_prompt_outside_a_fetched_image_fails_its_job_with_the_field(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/photo.jpg", pictures.photo())
    job = service.wait(service.submit(image=url, prompts=[BOX, {"points": [[600, 1]]}])["id"])
    assert job["error"]["code"] == "point_outside_image"
    assert job["error"]["field"] == "prompts[1].points[0]"


def test_the_service_still_works_after_bad_input(service: Service) -> None:
    assert service.get("/readyz").status_code == 200
    job = service.wait(service.submit(image=base64_of(pictures.photo()), prompts=[BOX])["id"])
    assert job["status"] == "succeeded"


def test_the_gateway_survives_bytes_that_are_not_http(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as wire:
        wire.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        wire.settimeout(60)
        assert b"400" in wire.recv(1000)
    assert service.get("/healthz").json() == {"status": "ok"}
