"""Answers over 1 kB are compressed for clients that accept gzip, and for no others."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient

from gateway import compression

BODY = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}], "metadata": {"text": "x" * 1000}}


@pytest.fixture(scope="module")
def path(asked: FlaskClient) -> str:
    """Give the path of a job whose object has more than a kilobyte."""
    return str(asked.post("/v1/jobs", json=BODY).headers["Location"])


def get(client: FlaskClient, path: str, accepted: str | None) -> Any:
    return client.get(path, headers={} if accepted is None else {"Accept-Encoding": accepted})


@pytest.mark.parametrize("accepted", ["gzip", "GZIP", "gzip, deflate, br", "br;q=1, gzip;q=0.5", "*", "x-gzip, gzip"])
def test_a_client_that_accepts_gzip_gets_a_smaller_answer_with_the_same_content(
    asked: FlaskClient, path: str, accepted: str
) -> None:
    plain, packed = get(asked, path, None), get(asked, path, accepted)
    assert (packed.status_code, packed.headers["Content-Encoding"], packed.headers["Vary"]) == (
        200,
        "gzip",
        "Accept-Encoding",
    )
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    assert packed.headers["ETag"] == plain.headers["ETag"]  # it is weak


@pytest.mark.parametrize("accepted", [None, "", "identity", "gzip;q=0", "br", "identity, gzip;q=0.5", "*;q=0", "x;q=y"])
def test_other_clients_get_the_answer_as_it_is(asked: FlaskClient, path: str, accepted: str | None) -> None:
    answer = get(asked, path, accepted)
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.get_json()["metadata"] == BODY["metadata"]


def test_a_small_answer_and_a_304_are_not_compressed(asked: FlaskClient, path: str) -> None:
    etag = get(asked, path, "gzip").headers["ETag"]
    unchanged = asked.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": etag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    for answer in (get(asked, "/v1/jobs/none", "gzip"), get(asked, "/healthz", "gzip"), unchanged):
        assert "Content-Encoding" not in answer.headers


def test_a_large_problem_is_compressed(asked: FlaskClient) -> None:
    body = {**BODY, "prompts": [{"box": ["x"] * 4}] * 100}
    answer = asked.post("/v1/jobs", json=body, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (422, "gzip")
    assert len(json.loads(gzip.decompress(answer.data))["errors"]) == 100


@pytest.mark.parametrize("mimetype", ["text/event-stream", "image/png", "application/octet-stream"])
def test_event_streams_and_files_are_not_compressed(asked: FlaskClient, mimetype: str) -> None:
    with asked.application.test_request_context("/v1/jobs", headers={"Accept-Encoding": "gzip"}):
        answer = compression._compress(Response(b"x" * 5000, mimetype=mimetype))
    assert not {"Content-Encoding", "Vary"} & set(answer.headers.keys())


def test_an_answer_that_is_made_piece_by_piece_is_not_compressed(asked: FlaskClient) -> None:
    with asked.application.test_request_context("/v1/jobs", headers={"Accept-Encoding": "gzip"}):
        answer = compression._compress(Response(iter([b"x" * 5000]), mimetype="application/json"))
    assert "Content-Encoding" not in answer.headers


def test_head_has_the_headers_of_the_compressed_answer(asked: FlaskClient, path: str) -> None:
    head = asked.head(path, headers={"Accept-Encoding": "gzip"})
    assert (head.data, head.headers["Content-Encoding"]) == (b"", "gzip")
    assert head.headers["Content-Length"] == get(asked, path, "gzip").headers["Content-Length"]
