"""The requests and prompts of a key in a minute: what is counted, where the edge is, and what clients see of it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import create_app
from gateway.rate_limits import RateLimits, Window
from tests.support import lone_gateway, structured_fields
from tests.support.silent_redis import SilentRedis
from tests.support.waiting import wait_until
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import ORDINARY
from worker.store.clock import MINUTE
from worker.store.keyspace import Keyspace

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
URL, BOX = "https://example.com/a.jpg", {"box": [1, 2, 3, 4]}


def client_of(settings: Settings, requests: int | None = None, prompts: int | None = None) -> FlaskClient:
    limits = {"requests_per_minute": requests, "prompts_per_minute": prompts}
    return create_app(settings.model_copy(update=limits)).test_client()


def with_keys(settings: Settings, **limits: int) -> FlaskClient:
    return client_of(settings.model_copy(update={"auth": "required"}), **limits)


def ask(client: FlaskClient, key: KeyText | None = None, path: str = "/v1/jobs", **sent: Any) -> TestResponse:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return client.open(path, headers=headers, **sent)


def submit(client: FlaskClient, prompts: object, key: KeyText | None = None, path: str = "/v1/jobs") -> TestResponse:
    prompts = [BOX] * prompts if isinstance(prompts, int) else prompts
    return ask(client, key, path, method="POST", json={"image": URL, "prompts": prompts})


def standing(answer: TestResponse, policy: str) -> dict[str, int | str]:
    """Return q, w and qu of a policy, and r and t of its current state."""
    policies = structured_fields.read(answer.headers["RateLimit-Policy"])
    states = structured_fields.read(answer.headers["RateLimit"])
    assert list(policies) == list(states)
    return {**policies[policy], **states[policy]}


def refused(answer: TestResponse, policy: str) -> int:
    """Check that an answer is a refusal because of a policy. Return after how many seconds to try again."""
    assert answer.status_code == 429, answer.text
    problem = answer.get_json()
    assert (problem["type"], problem["title"], problem["status"]) == (QUOTA_EXCEEDED, "Too Many Requests", 429)
    assert (problem["code"], problem["violated-policies"]) == ("quota_exceeded", [policy])
    seconds = int(answer.headers["Retry-After"])
    assert standing(answer, policy)["t"] in (seconds, seconds - 1)
    assert f"try again in {seconds} s" in problem["detail"]
    return seconds


def let_pass(keyspace: Keyspace, seconds: float) -> None:
    """Let the counters in Redis become older, as if so much time had passed."""
    for name in keyspace.redis.keys(keyspace.key("rate:*")):
        left = keyspace.redis.pttl(name) - round(seconds * 1000)
        if left > 0:
            keyspace.redis.pexpire(name, left)
        else:
            keyspace.redis.delete(name)


# The edge


@pytest.mark.parametrize("quota", [1, 2, 5])
def test_a_minute_allows_exactly_the_quota_of_requests(s3_settings: Settings, keys: Keys, quota: int) -> None:
    client, key = with_keys(s3_settings, requests=quota), keys.create("", ORDINARY)
    for n in range(quota):
        answer = ask(client, key)
        assert answer.status_code == 200
        found = standing(answer, "requests")
        assert found.pop("t") in range(MINUTE // 2, MINUTE + 1)
        assert found == {"q": quota, "w": 60, "qu": "requests", "r": quota - n - 1}
    answer = ask(client, key)
    refused(answer, "requests")
    assert standing(answer, "requests")["r"] == 0


def test_a_minute_allows_exactly_the_quota_of_prompts_and_a_refused_request_counts_none(s3_settings: Settings) -> None:
    client = client_of(s3_settings, prompts=10)
    assert standing(submit(client, 6), "prompts")["r"] == 4
    refused(submit(client, 5), "prompts")
    answer = submit(client, 4)
    assert answer.status_code == 202
    assert {**standing(answer, "prompts"), "t": 60} == {"q": 10, "w": 60, "qu": "prompts", "r": 0, "t": 60}
    refused(submit(client, 1), "prompts")
    assert len(ask(client).get_json()["jobs"]) == 2


def test_more_prompts_than_any_minute_allows_are_a_mistake_and_not_a_matter_of_time(s3_settings: Settings) -> None:
    client = client_of(s3_settings, prompts=10)
    answer = submit(client, 11)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "too_many_prompts")
    assert submit(client, 10).status_code == 202


def test_of_simultaneous_requests_exactly_the_quota_is_answered(s3_settings: Settings) -> None:
    client = client_of(s3_settings, requests=8)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: client.application.test_client().get("/v1/jobs").status_code, range(20)))
    assert sorted(answers) == [200] * 8 + [429] * 12


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    quota=st.integers(1, 50),
    hits=st.lists(st.tuples(st.floats(0, 70), st.integers(1, 12)), max_size=8),
    cost=st.integers(1, 50),
)
def test_after_the_time_in_retry_after_a_request_is_accepted_and_a_second_earlier_it_is_not(
    settings: Settings, keyspace: Keyspace, quota: int, hits: list[tuple[float, int]], cost: int
) -> None:
    for name in keyspace.redis.keys(keyspace.key("rate:*")):
        keyspace.redis.delete(name)
    limits = RateLimits(keyspace, settings)
    for seconds, count in hits:
        let_pass(keyspace, seconds)
        limits.use("requests", quota, count, "me")
    cost = min(cost, quota)
    asked_at = time.monotonic()
    is_allowed, window = limits.use("requests", quota, cost, "me")
    if not is_allowed:
        seconds = window.retry_after(quota - cost)
        assert 1 <= seconds <= 2 * MINUTE
        let_pass(keyspace, seconds - 1.05)
        is_early = not limits.use("requests", quota, cost, "me")[0]
        assert is_early or time.monotonic() - asked_at > 1  # so slow that it was not a second earlier
        let_pass(keyspace, 1.05)
        assert limits.use("requests", quota, cost, "me")[0]


def test_a_window_slides() -> None:
    assert Window(60, 0, 60).used == 60
    assert Window(60, 0, 30).used == 30
    assert Window(60, 10, 0).used == 10
    assert Window(60, 0, 60).retry_after(59) == 1
    assert Window(60, 0, 60).retry_after(0) == 60
    assert Window(0, 60, 20).retry_after(59) == 21


# What is counted


def prompts_left(answer: TestResponse) -> Any:
    return standing(answer, "prompts")["r"]


def test_each_click_of_everything_mode_is_a_prompt(s3_settings: Settings) -> None:
    client = client_of(s3_settings, prompts=100)
    assert prompts_left(submit(client, {"everything": {"points_per_side": 5}})) == 75


def test_each_phrase_is_a_prompt(s3_settings: Settings) -> None:
    client = client_of(s3_settings, prompts=10)
    body = {"image": URL, "prompts": [{"text": ["dog", "cat"]}, {"text": "dog"}, BOX]}
    assert prompts_left(ask(client, method="POST", json=body)) == 6
    detect = {"image": URL, "prompt": "a . b . c . d . e . f . g ."}
    assert ask(client, path="/open-vocabulary-detection", method="POST", json=detect).status_code == 429


def test_a_retry_and_paddlexs_route_count_prompts_and_an_embedding_has_none(s3_settings: Settings) -> None:
    client = client_of(s3_settings, prompts=10)
    job_id = submit(client, 4).get_json()["id"]
    assert ask(client, path=f"/v1/jobs/{job_id}/cancel", method="POST").status_code == 200
    assert prompts_left(ask(client, path=f"/v1/jobs/{job_id}/retry", method="POST")) == 2
    embedding = ask(client, path="/v1/embeddings", method="POST", json={"image": URL})
    assert (embedding.status_code, "RateLimit" in embedding.headers) == (202, False)
    body = {"image": URL, "prompt": [[1, 2, 3, 4]] * 3, "promptType": "box"}
    paddlex = ask(client, path="/open-vocabulary-segmentation", method="POST", json=body)
    assert (paddlex.status_code, paddlex.get_json()["errorCode"], prompts_left(paddlex)) == (429, 429, 2)
    assert int(paddlex.headers["Retry-After"]) > 0


def test_a_request_shows_every_policy_that_counts_it(s3_settings: Settings) -> None:
    client = client_of(s3_settings, requests=5, prompts=5)
    both = submit(client, 1).headers
    assert both["RateLimit-Policy"] == '"requests";q=5;w=60;qu="requests", "prompts";q=5;w=60;qu="prompts"'
    assert list(structured_fields.read(both["RateLimit"])) == ["requests", "prompts"]
    assert list(structured_fields.read(ask(client).headers["RateLimit"])) == ["requests"]
    refused(submit(client, 5), "prompts")


def test_health_checks_preflights_and_paths_without_a_view_are_not_counted(s3_settings: Settings) -> None:
    client = client_of(s3_settings, requests=1)
    for path in ("/healthz", "/readyz", "/health", "/", "/no/such/path"):
        assert "RateLimit" not in ask(client, path=path).headers, path
    assert "RateLimit" not in ask(client, method="OPTIONS").headers
    assert ask(client).status_code == 200


def test_without_a_limit_no_answer_has_the_headers_and_nothing_is_counted(
    s3_settings: Settings, keyspace: Keyspace
) -> None:
    client = client_of(s3_settings)
    assert not [name for name, _ in submit(client, 3).headers if name.startswith("RateLimit")]
    assert not keyspace.redis.keys(keyspace.key("rate:*"))


def test_a_held_request_counts_once_and_its_answer_has_the_headers(
    s3_settings: Settings, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_REQUESTS_PER_MINUTE", "9")
    job = {"image": URL, "prompts": [BOX]}
    with lone_gateway.running(s3_settings) as gateway, ThreadPoolExecutor(1) as threads:
        url = f"{gateway.url}/v1/jobs"
        held = threads.submit(requests.put, f"{url}/held?wait=60", json=job, timeout=90)
        wait_until(lambda: keyspace.redis.pubsub_numsub(keyspace.key("done"))[0][1])
        canceled = requests.post(f"{url}/held/cancel", timeout=60)
        assert held.result().json()["status"] == "canceled"
        answers = [held.result().headers, canceled.headers]
        assert [structured_fields.read(each["RateLimit"])["requests"]["r"] for each in answers] == [8, 7]


# Whose limit it is


def test_each_key_has_its_own_limit_which_a_rotation_keeps(s3_settings: Settings, keys: Keys) -> None:
    client = with_keys(s3_settings, requests=2)
    first, second = keys.create("", ORDINARY), keys.create("", ORDINARY)
    assert standing(ask(client, first), "requests")["r"] == 1
    rotated = keys.rotate(first.id, overlap_seconds=60)
    assert rotated is not None
    assert standing(ask(client, rotated), "requests")["r"] == 0
    for key in (first, rotated):
        refused(ask(client, key), "requests")
    assert standing(ask(client, second), "requests")["r"] == 1


def test_a_request_without_a_valid_key_counts_for_nobody(s3_settings: Settings, keys: Keys) -> None:
    client, key = with_keys(s3_settings, requests=1), keys.create("", ORDINARY)
    for wrong in (None, KeyText.new(key.id), KeyText.new("0" * 16)):
        for _ in range(3):
            answer = ask(client, wrong)
            assert (answer.status_code, "RateLimit" in answer.headers) == (401, False)
    assert ask(client, key).status_code == 200


def test_all_gateways_share_the_counters_which_are_gone_two_minutes_later(
    s3_settings: Settings, keyspace: Keyspace
) -> None:
    gateways = [client_of(s3_settings, requests=5, prompts=9) for _ in range(2)]
    assert [submit(gateways[n % 2], 2).status_code for n in range(5)] == [202] * 4 + [429]
    for gateway in gateways:
        refused(ask(gateway), "requests")
    counters = keyspace.redis.keys("*/minute*")
    assert len(counters) == 2
    for name in counters:
        assert name.startswith(keyspace.key("rate:"))
        assert 0 < keyspace.redis.ttl(name) <= 120


# A Redis that fails


def test_a_redis_that_does_not_answer_costs_a_limited_request_one_time_out(silent: SilentRedis) -> None:
    client = client_of(Settings(redis_url=silent.url, s3_endpoint_url="http://127.0.0.1:9"), requests=1)
    answer = ask(client)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
    assert silent.calls() == 1
    assert ask(client, path="/healthz").status_code == 200


def test_the_limits_use_the_connections_of_the_service(settings: Settings, keyspace: Keyspace) -> None:
    assert RateLimits(keyspace, settings)._storage.storage.connection_pool is keyspace.redis.connection_pool
