"""Sessions of browsers: they stand for a key, end with it, and no other page can use them."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from configs.settings import Settings
from gateway import create_app
from gateway.session_cookie import NAME, SECURE_NAME
from tests.support import lone_gateway
from tests.support.lone_gateway import LoneGateway
from tests.support.waiting import wait_until
from worker.access import sessions
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import ORDINARY, Scope
from worker.store.keyspace import Keyspace

OWN = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
PUBLIC = {"Host": "seg.example.com", "Origin": "https://seg.example.com", "X-Forwarded-Proto": "https"}
JOB = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}]}
ALLOWED = "https://app.example.com"  # an origin of OVSEG_CORS_ORIGINS


@pytest.fixture
def client(required: Settings) -> FlaskClient:
    settings = required.model_copy(update={"gateway_allowed_hosts": ("seg.example.com",)})
    return create_app(settings).test_client(use_cookies=False)


@pytest.fixture
def key(keys: Keys) -> KeyText:
    return keys.create("a person", ORDINARY, tenant="acme")


def sign_in(client: FlaskClient, key: object, headers: dict[str, str] = OWN) -> TestResponse:
    return client.post("/v1/session", json={"key": str(key)}, headers=headers)


def cookie(answer: TestResponse) -> dict[str, str]:
    """Return the header with which a browser sends the cookie of an answer."""
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def token(answer: TestResponse) -> str:
    return cookie(answer)["Cookie"].partition("=")[2]


def test_a_person_signs_in_uses_the_api_and_signs_out(
    client: FlaskClient, key: KeyText, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert client.get("/v1/session").get_json()["code"] == "key_required"
    answer = sign_in(client, key)
    session = answer.get_json()
    assert (session["object"], session["required"], session["tenant"]) == ("session", True, "acme")
    assert (session["key_id"], session["scopes"]) == (key.id, list(ORDINARY))
    assert answer.headers["Cache-Control"] == "no-store"
    sent = cookie(answer)
    assert client.get("/v1/session", headers=sent).get_json() == session
    assert client.post("/v1/jobs", json=JOB, headers={**OWN, **sent}).status_code == 202
    assert len(client.get("/v1/jobs", headers=sent).get_json()["jobs"]) == 1
    assert client.get("/v1/keys", headers=sent).get_json()["code"] == "scope_missing"

    out = client.delete("/v1/session", headers={**OWN, **sent})
    assert (out.status_code, out.data) == (204, b"")
    assert re.match(
        f"{NAME}=; Expires=Thu, 01 Jan 1970.*Max-Age=0; HttpOnly; Path=/; SameSite=Strict", out.headers["Set-Cookie"]
    )
    ends_within_a_second(client, sent)
    assert client.delete("/v1/session", headers={**OWN, **sent}).status_code == 204
    acts = [record.message for record in caplog.records if record.message.startswith("audit:")]
    assert acts == [f"audit: by key {key.id} from 127.0.0.1: signed {how}" for how in ("in", "out")]
    assert key.secret not in caplog.text
    assert token(answer) not in caplog.text


def ends_within_a_second(client: FlaskClient, sent: dict[str, str]) -> None:
    start = asked_at = time.monotonic()
    while (answer := client.get("/v1/jobs", headers=sent)).status_code != 401:
        assert asked_at - start < 1
        asked_at = time.monotonic()
    assert answer.get_json()["code"] in ("session_invalid", "key_invalid")


def test_the_cookie_is_for_this_service_alone_and_contains_no_key(
    client: FlaskClient, key: KeyText, keyspace: Keyspace
) -> None:
    plain, secure = sign_in(client, key), sign_in(client, key, PUBLIC)
    assert re.fullmatch(
        rf"{NAME}=[\w-]{{43}}; Expires=[^;]+; Max-Age=43200; HttpOnly; Path=/; SameSite=Strict",
        plain.headers["Set-Cookie"],
    )
    assert re.fullmatch(
        rf"{SECURE_NAME}=[\w-]{{43}}; Expires=[^;]+; Max-Age=43200; Secure; HttpOnly; Path=/; SameSite=Strict",
        secure.headers["Set-Cookie"],
    )
    stored = str([keyspace.redis.dump(name) for name in keyspace.redis.keys(keyspace.key("*"))])
    stored += str([keyspace.redis.hgetall(name) for name in keyspace.redis.keys(keyspace.key("session:*"))])
    assert sessions.digest(token(plain)) in str(keyspace.redis.keys(keyspace.key("session:*")))
    for text in (token(plain), token(secure), key.secret):
        assert text not in stored
    assert key.secret not in str(plain.headers) + plain.text
    assert key.hash not in str(plain.headers) + plain.text


WRONG_SIGN_INS = [
    ({"key": "ovk_wrong"}, 401, "key_invalid"),
    ({"key": str(KeyText.new("0" * 16))}, 401, "key_invalid"),
    ({"key": ""}, 401, "key_invalid"),
    ({"key": 7}, 422, "invalid_request"),
    ({"key": ["ovk_"]}, 422, "invalid_request"),
    ({"key": "a" * 5000}, 413, "body_too_large"),
    ({}, 422, "invalid_request"),
    ({"key": "a", "tenant": "acme"}, 422, "invalid_request"),
    ([], 422, "invalid_request"),
]


@pytest.mark.parametrize(("body", "status", "code"), WRONG_SIGN_INS)
def test_a_wrong_sign_in_opens_no_session(
    client: FlaskClient, keyspace: Keyspace, body: Any, status: int, code: str
) -> None:
    answer = client.post("/v1/session", json=body)
    assert answer.status_code == status, answer.text
    assert status == 422 or answer.get_json()["code"] == code
    assert "Set-Cookie" not in answer.headers
    assert keyspace.redis.keys(keyspace.key("session*")) == []


def test_a_revoked_or_expired_key_cannot_sign_in_and_ends_its_sessions(
    client: FlaskClient, keys: Keys, keyspace: Keyspace
) -> None:
    revoked, expiring = keys.create("", ORDINARY), keys.create("", ORDINARY, datetime.now(UTC) + timedelta(hours=1))
    first, second = cookie(sign_in(client, revoked)), sign_in(client, expiring)
    lifetime = re.search(r"Max-Age=(\d+)", second.headers["Set-Cookie"])
    assert lifetime is not None
    assert 3000 < int(lifetime[1]) <= 3600
    keys.revoke(revoked.id)
    keyspace.redis.hset(keyspace.key(f"apikey:{expiring.id}"), "expires_at", 1)  # the time has passed
    for sent in (first, cookie(second)):
        ends_within_a_second(client, sent)
    for ended in (revoked, expiring):
        assert sign_in(client, ended).get_json()["code"] == "key_invalid"


def test_a_session_ends_with_the_secret_that_signed_in(client: FlaskClient, keys: Keys, key: KeyText) -> None:
    sent = cookie(sign_in(client, key))
    keys.rotate(key.id, overlap_seconds=3600)
    time.sleep(0.6)  # after which the gateway reads the key again
    assert client.get("/v1/jobs", headers=sent).status_code == 200
    keys.rotate(key.id, overlap_seconds=0)
    ends_within_a_second(client, sent)


def test_a_session_ends_after_its_time(client: FlaskClient, key: KeyText, keyspace: Keyspace) -> None:
    answer = sign_in(client, key)
    name = keyspace.key(f"session:{sessions.digest(token(answer))}")
    left = keyspace.redis.ttl(name)
    ends = datetime.fromisoformat(answer.get_json()["expires_at"])
    assert left == pytest.approx(sessions.LIFETIME_SECONDS, abs=60)
    assert (ends - datetime.now(UTC)).total_seconds() == pytest.approx(left, abs=60)
    keyspace.redis.pexpire(name, 1)
    ends_within_a_second(client, cookie(answer))


def test_a_key_has_a_bounded_number_of_sessions_and_the_oldest_end(
    keyspace: Keyspace, client: FlaskClient, key: KeyText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_OF_KEY", 3)
    opened = [cookie(sign_in(client, key)) for _ in range(5)]
    assert len(keyspace.redis.keys(keyspace.key("session:*"))) == 3
    for sent in opened[:2]:
        ends_within_a_second(client, sent)
    for sent in opened[2:]:
        assert client.get("/v1/jobs", headers=sent).status_code == 200


def test_signing_in_again_ends_the_session_before_and_adopts_no_token(client: FlaskClient, key: KeyText) -> None:
    planted = {"Cookie": f"{NAME}={'a' * 43}"}
    first = sign_in(client, key, {**OWN, **planted})
    assert token(first) != "a" * 43
    second = sign_in(client, key, {**OWN, **cookie(first)})
    assert token(second) != token(first)
    ends_within_a_second(client, cookie(first))
    assert client.get("/v1/jobs", headers=planted).get_json()["code"] == "session_invalid"


def test_authorization_counts_if_a_request_has_both(client: FlaskClient, keys: Keys, key: KeyText) -> None:
    sent, other = cookie(sign_in(client, key)), keys.create("", [Scope.JOBS_READ], tenant="beta")
    answer = client.get("/v1/session", headers={**sent, "Authorization": f"Bearer {other}"})
    assert answer.get_json()["tenant"] == "beta"
    foreign = {"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site"}
    assert client.get("/v1/jobs", headers={**sent, **foreign, "Authorization": f"Bearer {other}"}).status_code == 200
    wrong = client.get("/v1/jobs", headers={**sent, "Authorization": "Bearer nonsense"})
    assert wrong.get_json()["code"] == "key_invalid"


def test_signing_in_counts_as_a_request_of_the_key(required: Settings, key: KeyText) -> None:
    client = create_app(required.model_copy(update={"requests_per_minute": 2})).test_client(use_cookies=False)
    assert [sign_in(client, key).status_code for _ in range(3)] == [200, 200, 429]


def test_without_required_keys_everyone_may_do_everything_and_nobody_signs_in(
    s3_settings: Settings, key: KeyText
) -> None:
    client = create_app(s3_settings).test_client(use_cookies=False)
    session = client.get("/v1/session").get_json()
    assert (session["required"], session["tenant"], session["key_id"]) == (False, "default", None)
    assert session["scopes"] == list(Scope)
    assert sign_in(client, key).get_json()["code"] == "auth_off"
    assert client.delete("/v1/session").status_code == 204


def test_a_session_that_redis_has_lost_is_refused(client: FlaskClient, key: KeyText, keyspace: Keyspace) -> None:
    sent = cookie(sign_in(client, key))
    for name in keyspace.redis.keys(keyspace.key("session*")):
        keyspace.redis.delete(name)
    ends_within_a_second(client, sent)
    assert client.get("/v1/jobs", headers=cookie(sign_in(client, key))).status_code == 200


def test_only_the_cookie_that_a_subdomain_cannot_plant_counts_over_https(
    client: FlaskClient, keys: Keys, key: KeyText
) -> None:
    own = sign_in(client, key, PUBLIC)
    planted = sign_in(client, keys.create("an attacker's", ORDINARY, tenant="evil"))
    both = f"{cookie(planted)['Cookie']}; {cookie(own)['Cookie']}"
    host = {"Host": "seg.example.com"}
    assert client.get("/v1/session", headers={**host, "Cookie": both}).get_json()["tenant"] == "acme"
    alone = {**host, **cookie(planted), "X-Forwarded-Proto": "https"}
    assert client.get("/v1/session", headers=alone).get_json()["code"] == "session_invalid"
    http = {**PUBLIC, **cookie(own), "Origin": "http://seg.example.com"}
    assert client.post("/v1/jobs", json=JOB, headers=http).get_json()["code"] == "cross_site"


def test_scripts_get_no_challenge_that_makes_the_browser_ask_for_a_password(client: FlaskClient) -> None:
    assert "Basic" in client.get("/v1/jobs").headers["WWW-Authenticate"]
    of_script = client.get("/v1/jobs", headers={"X-Requested-With": "fetch"})
    assert of_script.headers["WWW-Authenticate"] == 'Bearer realm="ovseg"'


# Against a running gateway, over HTTP


@pytest.fixture
def gateway(s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoneGateway]:
    monkeypatch.setenv("OVSEG_AUTH", "required")
    monkeypatch.setenv("OVSEG_CORS_ORIGINS", ALLOWED)
    settings = s3_settings.model_copy(update={"gateway_allowed_hosts": ("team.example.com",)})
    with lone_gateway.running(settings) as running:
        yield running


def attacks(gateway: LoneGateway) -> dict[str, dict[str, str]]:
    """Return the headers of requests that a browser sends for pages that are not the service's."""
    own = gateway.url
    return {
        "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        "another site without fetch metadata": {"Origin": "https://evil.example"},
        "another site without an origin": {"Sec-Fetch-Site": "cross-site"},
        "an origin that may use the API": {"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site"},
        "an origin that may use the API, of the same site": {"Origin": ALLOWED, "Sec-Fetch-Site": "same-site"},
        "a host that is allowed": {"Origin": "https://team.example.com"},
        "a subdomain": {"Origin": f"http://evil.127.0.0.1:{gateway.port}", "Sec-Fetch-Site": "same-site"},
        "another port": {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
        "another port without an origin": {"Sec-Fetch-Site": "same-site"},
        "another scheme": {"Origin": own.replace("http:", "https:").rpartition(":")[0]},
        "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        "a name of loopback": {"Origin": own.replace("127.0.0.1", "localhost"), "Sec-Fetch-Site": "cross-site"},
        "an origin that begins alike": {"Origin": f"{own}.evil.example"},
        "an origin with a user": {"Origin": own.replace("http://", "http://evil@")},
        "two origins": {"Origin": f"{own}, https://evil.example"},
        "an empty origin": {"Origin": ""},
    }


def test_no_other_page_can_use_a_session_or_sign_in_or_out(
    gateway: LoneGateway, key: KeyText, keyspace: Keyspace
) -> None:
    own = {"Origin": gateway.url, "Sec-Fetch-Site": "same-origin"}
    url, body = f"{gateway.url}/v1/session", {"key": str(key)}
    signed_in = requests.post(url, json=body, headers=own, timeout=60)
    sent = {"Cookie": f"{NAME}={signed_in.cookies[NAME]}"}

    def ask(method: str, path: str, headers: dict[str, str], **content: Any) -> requests.Response:
        return requests.request(method, gateway.url + path, headers={**sent, **headers}, timeout=60, **content)

    for name, headers in attacks(gateway).items():
        tried = [
            ask("POST", "/v1/jobs", headers, json=JOB),
            ask("PUT", "/v1/jobs/mine", headers, json=JOB),
            ask("DELETE", "/v1/jobs/mine", headers),
            ask("POST", "/v1/jobs/delete", headers, json={}),
            ask("DELETE", "/v1/session", headers),
            ask("POST", "/v1/session", headers, json=body),
            ask("GET", "/v1/jobs", headers),
            ask("GET", "/v1/events", headers),
            ask("GET", "/v1/session", headers),
        ]
        for answer in tried:
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), (name, answer.request.url)
            assert "Set-Cookie" not in answer.headers
            assert "Access-Control-Allow-Credentials" not in answer.headers
    no_evidence = ask("POST", "/v1/jobs", {}, json=JOB)
    assert no_evidence.json()["code"] == "cross_site"
    form = ask("POST", "/v1/session", own, data={"key": str(key)})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    asked = {**attacks(gateway)["an origin that may use the API"], "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Credentials" not in ask("OPTIONS", "/v1/jobs", asked).headers
    assert keyspace.redis.zcard(keyspace.key("acme.jobs")) == 0
    assert ask("GET", "/v1/session", {}).json()["tenant"] == "acme"
    for page in (own, {"Origin": gateway.url}, {"Sec-Fetch-Site": "same-origin"}):
        assert ask("POST", "/v1/jobs", page, json=JOB).status_code == 202


def test_a_session_survives_a_gateway_and_its_streams_end_with_it(
    gateway: LoneGateway, key: KeyText, required: Settings
) -> None:
    own = {"Origin": gateway.url}
    signed_in = requests.post(f"{gateway.url}/v1/session", json={"key": str(key)}, headers=own, timeout=60)
    sent = {**own, "Cookie": f"{NAME}={signed_in.cookies[NAME]}"}
    other = create_app(required).test_client(use_cookies=False)  # as one that was started later
    assert other.get("/v1/session", headers={"Cookie": sent["Cookie"]}).get_json()["key_id"] == key.id
    with requests.get(f"{gateway.url}/v1/events", headers=sent, stream=True, timeout=60) as stream:
        assert stream.status_code == 200
        assert requests.delete(f"{gateway.url}/v1/session", headers=sent, timeout=60).status_code == 204
        for _ in stream.iter_content(None):
            pass  # until the gateway ends it
    wait_until(lambda: "key_invalid" in gateway.log.read_text())
