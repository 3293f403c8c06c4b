"""Who is told that Redis is away, and who is sent to look."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator

import pytest

from configs.settings import Settings
from gateway import breaker, create_app
from gateway.breaker import ASKING_SECONDS, PAUSE_SECONDS, Breaker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(breaker.time, "monotonic", lambda: now[0])
    return now


def test_while_redis_answers_nobody_is_refused(clock: list[float]) -> None:
    there = Breaker()
    there.close()
    assert not there.refuses()


def test_when_it_is_away_one_at_a_time_asks_until_it_answers(clock: list[float]) -> None:
    away = Breaker()
    away.open()
    assert away.refuses()
    clock[0] += PAUSE_SECONDS
    assert [away.refuses() for _ in range(3)] == [False, True, True]
    clock[0] += ASKING_SECONDS  # whoever asked was never heard of again
    assert [away.refuses() for _ in range(2)] == [False, True]
    away.open()
    assert away.refuses()
    clock[0] += PAUSE_SECONDS
    assert not away.refuses()
    away.close()
    assert not any(away.refuses() for _ in range(3))


@pytest.fixture
def silent_redis() -> Iterator[str]:
    """The URL of a Redis that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


# Routes that answer without Redis, or that ask it for themselves.
ANSWERED = {"/", "/healthz", "/readyz", "/health"}


def test_while_redis_is_silent_no_route_but_those_without_it_makes_its_client_wait(
    silent_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 60.0)
    settings = Settings(redis_url=silent_redis, s3_endpoint_url="http://127.0.0.1:9")
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/v1/jobs").status_code == 503  # after two seconds: from now on it is known to be away
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
