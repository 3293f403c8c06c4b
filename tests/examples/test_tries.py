"""The examples of docs/examples.md send a request again when the service asks for it, and only then."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

import pytest

from ovseg.demo import PHOTO
from tests.support import examples
from tests.support.examples import EXAMPLES, Language
from tests.support.fakes import Host, reply

Answer = Callable[[BaseHTTPRequestHandler], None]


# The client for Python, which its example uses, has tests of its own.
@pytest.fixture(scope="module", params=[name for name in examples.TOOLS if name != "python"])
def language(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Language:
    found = examples.language(request.param, tmp_path_factory.mktemp(request.param))
    return replace(found, environment=found.environment | {"OVSEG_API_KEY": "ovk_1_secret"})


def answering(status: HTTPStatus, headers: dict[str, str] | None = None, **fields: str) -> Answer:
    return lambda request: reply(request, status, json.dumps(fields).encode(), headers or {})


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.close()


def submit(language: Language, host: Host, *answers: Answer) -> tuple[subprocess.CompletedProcess[str], list[float]]:
    """Run `submit` against a host with these answers, one for each request. Return when the requests came, too."""
    todo, times = list(answers), []

    def answer(request: BaseHTTPRequestHandler) -> None:
        times.append(time.monotonic())
        todo.pop(0)(request)

    host.answers["/v1/jobs"] = answer
    return language.run(f"http://{host.address}", "submit", str(PHOTO), "140,10,305,180"), times


def test_a_submission_survives_a_lost_connection_and_a_busy_service(language: Language, host: Host) -> None:
    busy = answering(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1"})
    accepted = answering(HTTPStatus.ACCEPTED, id="a-job")
    ran, times = submit(language, host, hang_up, busy, accepted)
    assert (ran.returncode, ran.stdout) == (0, "a-job\n"), ran.stderr
    assert times[1] - times[0] >= 0.9  # no hot loop
    assert times[2] - times[1] >= 0.9
    assert len({request.headers["idempotency-key"] for request in host.received}) == 1
    assert {request.headers["authorization"] for request in host.received} == {"Bearer ovk_1_secret"}


def test_a_refused_submission_is_not_sent_again(language: Language, host: Host) -> None:
    refused = answering(HTTPStatus.UNPROCESSABLE_ENTITY, detail="prompts[0].box: it is empty")
    ran, times = submit(language, host, refused)
    assert ran.returncode != 0
    assert "prompts[0].box: it is empty" in ran.stderr
    assert len(times) == 1


def test_the_examples_in_go_are_formatted_and_vetted() -> None:
    examples.need("go")
    folder = EXAMPLES / "go"
    unformatted = subprocess.run(["gofmt", "-l", "."], cwd=folder, capture_output=True, text=True, check=True)
    assert unformatted.stdout == ""
    subprocess.run(["go", "vet", "./..."], cwd=folder, check=True, timeout=300)
