"""While Redis does not answer, requests get 503 immediately, except the one that pings it."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from redis import Redis, RedisError
from redis.exceptions import ConnectionError as Refused
from redis.exceptions import TimeoutError as NoAnswer

from configs.settings import Settings
from gateway import breaker, create_app
from gateway.breaker import PAUSE_SECONDS, Breaker
from tests.support import own_valkey
from tests.support.silent_redis import SilentRedis


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_no_request_pings_redis_while_it_answers(clock: list[float]) -> None:
    pings: list[str] = []
    Breaker(lambda: pings.append("ping")).check()
    assert not pings


def test_one_request_at_a_time_pings_redis_until_it_answers(clock: list[float]) -> None:
    answers: list[Exception | None] = [NoAnswer(), Refused(), None]

    def ping() -> None:
        clock[0] += PAUSE_SECONDS
        with pytest.raises(RedisError, match="not tried again yet"):
            tested.check()  # another request, meanwhile
        if (error := answers.pop(0)) is not None:
            raise error

    tested = Breaker(ping)
    tested.open()
    for error in (NoAnswer, Refused):
        with pytest.raises(RedisError, match="not tried again yet"):
            tested.check()
        clock[0] += PAUSE_SECONDS
        with pytest.raises(error):
            tested.check()
    clock[0] += PAUSE_SECONDS
    for _ in range(3):
        tested.check()
    assert not answers


def test_any_request_finds_out_that_redis_answers_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0.0)
    with own_valkey.running(tmp_path) as url, Redis.from_url(url) as redis:
        client = create_app(Settings(redis_url=url, s3_endpoint_url="http://127.0.0.1:9")).test_client()
        process = redis.info("server")["process_id"]
        os.kill(process, signal.SIGSTOP)
        assert client.get("/v1/jobs").status_code == 503
        os.kill(process, signal.SIGCONT)
        assert client.post("/v1/jobs", json={}).status_code == 422  # it is invalid without asking Redis
        assert client.get("/v1/jobs").status_code == 200


# These routes answer without Redis; /readyz tries Redis itself.
DOCS = {"/openapi.json", "/docs", "/docs/docs.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"}
KEYS = "/.well-known/ovseg-webhook-keys.json"
ANSWERED = {
    "/",
    "/console",
    "/console/<path:view>",
    "/assets/<path:name>",
    KEYS,
    "/healthz",
    "/readyz",
    "/health",
    *DOCS,
}


def test_while_redis_is_silent_each_route_that_needs_it_answers_503_immediately(
    silent: SilentRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 600.0)
    settings = Settings(redis_url=silent.url, s3_endpoint_url="http://127.0.0.1:9")
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/v1/jobs").status_code == 503  # after two seconds; from now on Redis counts as unreachable
    assert silent.calls() == 1
    tried = 0
    for rule in app.url_map.iter_rules():
        if rule.rule in ANSWERED:
            continue
        path = re.sub("<[^>]+>", "x", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(path, method=method, json=None if method == "GET" else {})
            assert answer.status_code == 503, (method, path, answer.text)
            assert silent.calls() == 0, (method, path)  # so it did not wait for an answer of Redis
            tried += 1
    assert tried >= 20
    assert client.get("/no/such/route").status_code == 404
    for path in sorted(ANSWERED - {"/readyz", "/assets/<path:name>"}):
        assert client.get(path).status_code == 200
