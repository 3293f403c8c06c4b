"""The framing of a body: its encoding, parts and chunks. An error has a message, and no data is dropped silently."""

from __future__ import annotations

import gzip
import io
import json
import socket

import pytest
from flask.testing import FlaskClient

from tests.support import pictures
from tests.support.service import Service

JOBS, PADDLEX = "/v1/jobs", "/open-vocabulary-segmentation"
FIELDS = json.dumps({"prompts": [{"box": [1, 2, 30, 40]}], "device": "gpu"}).encode()
PHOTO = pictures.photo()
FORM = "multipart/form-data; boundary=b"


def part(name: str, data: bytes, is_file: bool = False, **headers: str) -> bytes:
    file = '; filename="x"' if is_file else ""
    lines = [f'Content-Disposition: form-data; name="{name}"{file}', *(f"{k}: {v}" for k, v in headers.items())]
    return b"--b\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + data + b"\r\n"


IMAGE, REQUEST = part("image", PHOTO, is_file=True), part("request", FIELDS)
END = b"--b--\r\n"

# fmt: off
FORMS = [
    ("multipart/form-data", IMAGE + REQUEST + END, 400, "invalid_multipart", "has no boundary"),
    ("multipart/form-data; boundary=", IMAGE + REQUEST + END, 400, "invalid_multipart", "has no boundary"),
    ('multipart/form-data; boundary="\xe9"', IMAGE + REQUEST + END, 400, "invalid_multipart", "ASCII"),
    ("multipart/form-data; boundary=" + "b" * 300, IMAGE + REQUEST + END, 400, "invalid_multipart", "200 ASCII"),
    ("multipart/form-data; boundary=c", IMAGE + REQUEST + END, 400, "invalid_multipart", "before the last boundary"),
    (FORM, IMAGE + REQUEST, 400, "invalid_multipart", "before the last boundary"),
    (FORM, (IMAGE + REQUEST)[:1000], 400, "invalid_multipart", "before the last boundary"),
    (FORM, b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" + END, 400, "invalid_multipart", "Content-Disposition"),
    (FORM, b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END, 400, "invalid_multipart", "no name"),
    (FORM, b'--b\r\nContent-Disposition: form-data; name="\xe9"\r\n\r\nx\r\n' + END, 400, "invalid_multipart", "utf-8"),
    (FORM, IMAGE + IMAGE + REQUEST + END, 422, "invalid_request", "image: there are two parts with this name"),
    (FORM, IMAGE + REQUEST + REQUEST + END, 422, "invalid_request", "request: there are two parts with this name"),
    (FORM, IMAGE + REQUEST + part("image", b"http://x") + END, 422, "invalid_request", "image: there are two parts"),
    (FORM, IMAGE + REQUEST + part("mask", PHOTO) + END, 422, "unknown_field", "mask: unknown part; allowed: image and"),
    (FORM, b"".join(part(f"p{n}", b"x") for n in range(1500)) + END, 422, "unknown_field", "p0: unknown part"),
    (FORM, part("image", b"x", True) * 1500 + END, 422, "invalid_request", "two parts with this name"),
    (FORM, part("x" * 9000, b"") + END, 422, "unknown_field", "unknown part"),
    (FORM, b"--b\r\n" + b"A: b\r\n" * 200_000 + b"\r\n" + END, 400, "invalid_multipart", "outside the parts' data"),
    (FORM, part("x" * 1_000_000, b"") + IMAGE + END, 400, "invalid_multipart", "outside the parts' data"),
    (FORM, b"a preamble\r\n" * 20_000 + IMAGE + REQUEST + END, 400, "invalid_multipart", "outside the parts' data"),
    (FORM, IMAGE + REQUEST + END + b"an epilogue" * 20_000, 400, "invalid_multipart", "outside the parts' data"),
    (FORM, IMAGE + END, 422, "prompts_missing", "prompts: required"),
    (FORM, END, 422, "invalid_request", "the part `request`, which holds the JSON, is missing"),
    (FORM, part("image", b"http://x") + REQUEST + END, 422, "invalid_value", "image: must be a file part"),
    (FORM, IMAGE + part("request", b"{\xe9}") + END, 400, "invalid_json", "not UTF-8"),
    (FORM, IMAGE + part("request", b"") + END, 400, "invalid_json", "not JSON"),
]
# fmt: on


@pytest.mark.parametrize(("content_type", "body", "status", "code", "message"), FORMS)
def test_an_invalid_form_is_refused_with_a_message(
    asked: FlaskClient, content_type: str, body: bytes, status: int, code: str, message: str
) -> None:
    answer = asked.post(JOBS, data=body, content_type=content_type)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code), answer.text
    assert message in answer.get_json()["detail"]
    assert len(answer.data) < 1000


# fmt: off
GOOD_FORMS = [
    (FORM, IMAGE + REQUEST + END),
    (FORM, REQUEST + IMAGE + END),
    (FORM, b"a preamble\r\n" + IMAGE + REQUEST + END + b"an epilogue"),
    (FORM, part("image", PHOTO, True, **{"Content-Type": "image/jpeg"}) + part("request", FIELDS, True) + END),
    (FORM, part("image", PHOTO, True, X="a" * 60_000) + part("request", FIELDS, X="a" * 60_000) + END + b"a" * 60_000),
    ('multipart/form-data; boundary="b"', IMAGE + part("request", b"\xef\xbb\xbf" + FIELDS) + END),
    (FORM, (part("image", b"PHOTO", True) + REQUEST + END).replace(b"\r\n", b"\n").replace(b"PHOTO", PHOTO)),
    ("multipart/form-data; boundary=" + "b" * 70, (IMAGE + REQUEST + END).replace(b"--b", b"--" + b"b" * 70)),
]
# fmt: on


@pytest.mark.parametrize(("content_type", "body"), GOOD_FORMS)
def test_every_usual_form_is_accepted_and_its_image_is_not_changed(
    asked: FlaskClient, content_type: str, body: bytes
) -> None:
    answer = asked.post(JOBS, data=body, content_type=content_type)
    assert answer.status_code == 202, answer.text
    job, services = answer.get_json(), asked.application.extensions["ovseg"]
    assert services.inputs.fetch(job["id"], job["image"]["key"]) == PHOTO


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, identity", "aws-chunked"])
@pytest.mark.parametrize("path", [JOBS, PADDLEX, "/v1/embeddings", "/v1/webhook-endpoints", "/v1/jobs/mine"])
def test_a_compressed_body_is_415_with_the_accepted_encoding(asked: FlaskClient, path: str, encoding: str) -> None:
    method = "PUT" if path.endswith("mine") else "POST"
    headers = {"Content-Encoding": encoding}
    answer = asked.open(
        path, method=method, data=gzip.compress(FIELDS), headers=headers, content_type="application/json"
    )
    assert answer.status_code == 415
    assert answer.headers["Accept-Encoding"] == "identity"
    assert f"not with Content-Encoding: {encoding}" in answer.text


def test_content_encoding_identity_is_accepted(asked: FlaskClient) -> None:
    headers = {"Content-Encoding": "Identity"}
    assert asked.post(JOBS, data=IMAGE + REQUEST + END, content_type=FORM, headers=headers).status_code == 202


def test_paddlexs_route_refuses_forms(asked: FlaskClient) -> None:
    answer = asked.post(PADDLEX, data=IMAGE + REQUEST + END, content_type=FORM)
    assert (answer.status_code, answer.get_json()["errorCode"]) == (415, 415)
    assert answer.get_json()["errorMsg"] == "send application/json, not multipart/form-data"


class BreaksOff(io.RawIOBase):
    """A body that ends with an error: each server has its own exceptions for a client that hangs up."""

    def __init__(self, begin: bytes, error: Exception) -> None:
        self._begin, self._error = begin, error

    def read(self, size: int = -1) -> bytes:
        if not self._begin:
            raise self._error
        begin, self._begin = self._begin, b""
        return begin


class ServerError(Exception):
    pass


@pytest.mark.parametrize("error", [OSError("reset"), ConnectionResetError(), EOFError(), ValueError(), ServerError()])
@pytest.mark.parametrize(("content_type", "begin"), [("application/json", b"{"), (FORM, IMAGE[:500])])
def test_a_body_that_cannot_be_read_is_400(
    asked: FlaskClient, content_type: str, begin: bytes, error: Exception
) -> None:
    environ = {"wsgi.input_terminated": True, "wsgi.input": BreaksOff(begin, error)}
    answer = asked.post(JOBS, content_type=content_type, environ_overrides=environ)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "incomplete_body")


def test_a_body_that_is_shorter_than_its_content_length_is_incomplete(asked: FlaskClient) -> None:
    environ = {"CONTENT_LENGTH": str(len(FIELDS) + 10), "wsgi.input_terminated": True}
    answer = asked.post(JOBS, data=FIELDS, content_type="application/json", environ_overrides=environ)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "incomplete_body")


def test_a_body_that_takes_too_long_is_408(asked: FlaskClient) -> None:
    environ = {"wsgi.input_terminated": True, "wsgi.input": BreaksOff(b"{", TimeoutError())}
    answer = asked.post(JOBS, content_type="application/json", environ_overrides=environ)
    assert answer.status_code in (400, 408)


def test_a_body_of_exactly_the_allowed_length_is_read(asked: FlaskClient) -> None:
    maximum = asked.application.config["MAX_CONTENT_LENGTH"]
    start = json.dumps({"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}], "device": "gpu"})
    for length, status in ((maximum, 202), (maximum + 1, 413)):
        body = start.encode() + b" " * (length - len(start))
        answer = asked.post(
            JOBS, data=body, content_type="application/json", environ_overrides={"wsgi.input_terminated": True}
        )
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("chunk", [b"zz\r\n{}\r\n", b"0x2\r\n{}\r\n", b"-2\r\n{}\r\n", b"2;\r\n{}xx", b"\r\n\r\n"])
def test_bad_chunks_are_400(service: Service, chunk: bytes) -> None:
    head = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port)) as wire:
        wire.settimeout(30)
        wire.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        wire.shutdown(socket.SHUT_WR)
        assert wire.recv(1000).startswith(b"HTTP/1.1 400 ")
