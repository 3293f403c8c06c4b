"""The id of a request is in its answer, in problems and in the gateway's log."""

from __future__ import annotations

import logging
import re
import socket

import pytest
import requests
from flask.testing import FlaskClient

from tests.support.lone_gateway import LoneGateway
from tests.support.waiting import wait_until

OURS = re.compile(r"[0-9a-f]{32}")


def lines_of(gateway: LoneGateway, request_id: str) -> list[str]:
    """Return the lines of a request in the gateway's log; the first may be written just after the answer."""

    def lines() -> list[str]:
        return [line for line in gateway.log.read_text().splitlines() if line.endswith(f", request {request_id}")]

    wait_until(lines)
    return lines()


@pytest.mark.parametrize("sent", ["mine", "x" * 128, "0af7651916cd43dd8448eb211c80319c", 'no,"spaces";='])
def test_the_clients_id_is_in_the_answer_in_the_problem_and_in_the_log(gateway: LoneGateway, sent: str) -> None:
    answer = requests.get(f"{gateway.url}/v1/jobs/none", headers={"X-Request-Id": sent}, timeout=30)
    assert (answer.headers["X-Request-Id"], answer.json()["request_id"]) == (sent, sent)
    [line] = lines_of(gateway, sent)
    assert "GET /v1/jobs/none 404 in " in line


@pytest.mark.parametrize("sent", ["", "x" * 129, "two words", "a\tb", "\x9b31m", "caf\xe9"])
def test_another_id_is_replaced_by_our_own(gateway: LoneGateway, sent: str) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        head = f"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-Id: {sent}\r\n\r\n"
        client.sendall(head.encode("latin-1"))
        with client.makefile("rb") as answer:
            found = re.findall(rb"X-Request-Id: (.*)\r\n", answer.read())
    [request_id] = [each.decode() for each in found]
    assert OURS.fullmatch(request_id)
    assert len(lines_of(gateway, request_id)) == 1


def test_a_request_without_an_id_gets_one_of_its_own(gateway: LoneGateway) -> None:
    ids = {requests.get(f"{gateway.url}{path}", timeout=30).headers["X-Request-Id"] for path in ("/healthz", "/", "/x")}
    assert len(ids) == 3
    assert all(map(OURS.fullmatch, ids))


def test_bytes_that_are_no_request_get_an_id(gateway: LoneGateway) -> None:
    answer = requests.get(f"{gateway.url}/{'x' * 9000}", timeout=30)
    assert (answer.status_code, answer.json()["request_id"]) == (414, answer.headers["X-Request-Id"])
    assert len(lines_of(gateway, answer.headers["X-Request-Id"])) == 1


def test_a_held_request_keeps_its_id(gateway: LoneGateway) -> None:
    body = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}]}
    answer = requests.post(f"{gateway.url}/v1/jobs?wait=0.2", json=body, timeout=30)
    assert answer.status_code == 202
    assert len(lines_of(gateway, answer.headers["X-Request-Id"])) == 1


def test_a_fault_of_the_service_is_logged_with_the_id(
    asked: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asked.application.extensions["ovseg"], "jobs", None)
    answer = asked.get("/v1/jobs", headers={"X-Request-Id": "mine"})
    assert (answer.status_code, answer.get_json()["request_id"]) == (500, "mine")
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "request mine: GET /v1/jobs"


def test_paddlexs_answers_have_the_id_in_the_header_only(asked: FlaskClient) -> None:
    answer = asked.post("/open-vocabulary-segmentation", json={}, headers={"X-Request-Id": "mine"})
    assert answer.headers["X-Request-Id"] == "mine"
    assert answer.get_json().keys() == {"logId", "errorCode", "errorMsg"}
