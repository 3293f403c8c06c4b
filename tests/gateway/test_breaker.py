"""While Redis is unreachable, requests get 503 immediately, except the one that tries it again."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator

import pytest

from configs.settings import Settings
from gateway import breaker, create_app
from gateway.breaker import PAUSE_SECONDS, TRY_SECONDS, Breaker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    return now


def test_no_request_is_refused_while_redis_answers(clock: list[float]) -> None:
    closed = Breaker()
    closed.close()
    assert not closed.refuses()


def test_one_request_at_a_time_tries_redis_until_it_answers(clock: list[float]) -> None:
    tested = Breaker()
    tested.open()
    assert tested.refuses()
    clock[0] += PAUSE_SECONDS
    assert [tested.refuses() for _ in range(3)] == [False, True, True]
    clock[0] += TRY_SECONDS  # the request that tried did not report back
    assert [tested.refuses() for _ in range(2)] == [False, True]
    tested.open()
    assert tested.refuses()
    clock[0] += PAUSE_SECONDS
    assert not tested.refuses()
    tested.close()
    assert not any(tested.refuses() for _ in range(3))


@pytest.fixture
def silent_redis() -> Iterator[str]:
    """The URL of a Redis that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


# These routes answer without Redis; /readyz tries Redis itself.
ANSWERED = {"/", "/healthz", "/readyz", "/health"}


def test_while_redis_is_silent_each_route_that_needs_it_answers_503_immediately(
    silent_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60.0)
    settings = Settings(redis_url=silent_redis, s3_endpoint_url="http://127.0.0.1:9")
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/v1/jobs").status_code == 503  # after two seconds; from now on Redis counts as unreachable
    tried = 0
    for rule in app.url_map.iter_rules():
        if rule.rule in ANSWERED:
            continue
        path = re.sub("<[^>]+>", "x", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            start = time.monotonic()
            answer = client.open(path, method=method, json=None if method == "GET" else {})
            assert answer.status_code == 503, (method, path, answer.text)
            assert time.monotonic() - start < 1, (method, path)
            tried += 1
    assert tried >= 20
    assert client.get("/no/such/route").status_code == 404
    for path in sorted(ANSWERED - {"/readyz"}):
        assert client.get(path).status_code == 200
