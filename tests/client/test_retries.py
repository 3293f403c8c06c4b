"""Requests are repeated for a bounded time, as the service asks, and marked as the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from ovseg_client import Client, Forbidden, OvsegError, QuotaExceeded, RateLimited, Unavailable, Unreachable
from ovseg_client.errors import ApiError, of_problem
from ovseg_client.retries import retry_after
from tests.support import fakes
from tests.support.fakes import Host, break_off, reply

JOB = json.dumps({"id": "a", "status": "queued", "is_final": False}).encode()
Answer = Callable[[BaseHTTPRequestHandler], None]


def answers_in_turn(*answers: Answer) -> Answer:
    left = list(answers)
    return lambda request: (left.pop(0) if len(left) > 1 else left[0])(request)


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda request: reply(
        request, status, body, {name.replace("_", "-"): text for name, text in headers.items()}
    )


def submit(host: Host, retry_seconds: float = 60.0) -> str:
    with Client(f"http://{host.address}", "ovk_a_b", retry_seconds=retry_seconds) as client:
        return client.submit(b"image", boxes=[0, 0, 1, 1]).id


@pytest.mark.parametrize("failure", [answer(503), answer(502, b"<html>"), answer(408), answer(504), break_off])
def test_a_failure_that_may_pass_is_repeated_as_the_same_request(host: Host, failure: Answer) -> None:
    host.answers["/v1/jobs"] = answers_in_turn(failure, failure, answer(202, JOB))
    assert submit(host) == "a"
    assert len(host.received) == 3
    assert len({request.headers["idempotency-key"] for request in host.received}) == 1
    assert all(b"image" in request.body for request in host.received)


def test_the_next_try_is_not_earlier_than_the_service_asks(host: Host) -> None:
    host.answers["/v1/jobs"] = answers_in_turn(answer(429, Retry_After="1"), answer(202, JOB))
    start = time.monotonic()
    submit(host)
    assert time.monotonic() - start >= 1


def test_a_longer_pause_than_is_left_is_not_waited_for(host: Host) -> None:
    host.answers["/v1/jobs"] = answer(503, Retry_After="3600")
    with pytest.raises(Unavailable) as caught:
        submit(host)
    assert caught.value.retry_after == 3600
    assert len(host.received) == 1


def test_repeating_ends_after_the_given_time(host: Host) -> None:
    host.answers["/v1/jobs"] = answer(503)
    start = time.monotonic()
    with pytest.raises(Unavailable):
        submit(host, retry_seconds=0.5)
    assert time.monotonic() - start < 30


def test_the_time_that_a_request_waited_before_it_failed_does_not_count(host: Host) -> None:
    """As when a gateway is killed that has held a request for a minute."""

    def hold(request: BaseHTTPRequestHandler) -> None:
        time.sleep(1.2)
        request.connection.close()

    host.answers["/v1/jobs"] = answers_in_turn(hold, answer(202, JOB))
    assert submit(host, retry_seconds=1) == "a"


def test_an_answer_of_something_else_than_the_service_is_named(host: Host) -> None:
    host.serve("/v1/jobs", b"<html>", "text/html")
    with pytest.raises(OvsegError, match="is it the address of ovseg"):
        submit(host)


def test_a_service_that_is_not_there_is_unreachable() -> None:
    with Client("http://127.0.0.1:9", retry_seconds=0) as client, pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        client.job("a")


def test_a_refusal_is_not_repeated(host: Host) -> None:
    host.answers["/v1/jobs"] = answer(403, b'{"code": "scope_missing", "detail": "no"}')
    with pytest.raises(Forbidden, match="scope_missing") as caught:
        submit(host)
    assert (caught.value.code, caught.value.status, len(host.received)) == ("scope_missing", 403, 1)


def test_a_redirect_is_not_followed_so_the_other_host_gets_no_key(host: Host) -> None:
    with fakes.host() as other:
        host.redirect("/v1/jobs", other.url("/v1/jobs"))
        with pytest.raises(ApiError, match=f"redirects to {other.url('/v1/jobs')}") as caught:
            submit(host)
    assert caught.value.status == 302
    assert other.received == []
    assert [request.headers["authorization"] for request in host.received] == ["Bearer ovk_a_b"]


@pytest.mark.parametrize(
    ("policies", "kind"),
    [(["requests"], RateLimited), (["prompts"], RateLimited), (["stored-bytes"], QuotaExceeded), (None, RateLimited)],
)
def test_limits_of_a_minute_and_of_a_tenant_are_different_errors(
    policies: list[str] | None, kind: type[ApiError]
) -> None:
    error = of_problem(429, {"violated-policies": policies} if policies else {})
    assert type(error) is kind
    assert error.policies == (policies or [])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [("7", 7, 7), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("Wed, 21 Oct 2099 07:28:00 GMT", 10**9, 10**10)],
)
def test_retry_after_is_seconds_or_a_date(header: str, low: float, high: float) -> None:
    seconds = retry_after(header)
    assert seconds is not None
    assert low <= seconds <= high
    assert retry_after("soon") is None
