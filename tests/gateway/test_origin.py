"""A web page of another site in the user's browser can neither read the service's data nor change it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

from configs.settings import Settings
from gateway import create_app

LIST, CHANGE = "/v1/jobs", "/v1/webhook-endpoints/x/rotate-secret"


Open = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def client(redis_url: str) -> Open:
    """Make the client of a gateway. An application takes half a second to make, so each is made once."""

    @cache
    def made(listens_on: str = "127.0.0.1", allowed: str = "") -> FlaskClient:
        settings = Settings(
            redis_url=redis_url,
            redis_prefix="origin:",
            s3_endpoint_url="http://127.0.0.1:9",
            gateway_host=listens_on,
            auth="off",
            gateway_allowed_hosts=tuple(host for host in allowed.split(",") if host),
        )
        return create_app(settings).test_client()

    return made


def code(client: FlaskClient, method: str, path: str, **headers: str) -> str | None:
    """Return the code of the refusal by host, origin or content type; None if the request was let in."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.open(path, method=method, headers=sent)
    refusals = ("host_not_allowed", "cross_site", "bad_request", "unsupported_media_type")
    problem = answer.get_json() if answer.status_code >= 400 else {}
    return problem["code"] if problem.get("code") in refusals else None


OWN = ["localhost", "localhost:8080", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080"]
OWN += ["[0:0:0:0:0:0:0:1]:8080"]
FOREIGN = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "127.0.0.2",
    "192.168.1.2",
]
FOREIGN += ["[::2]", "[::ffff:127.0.0.1]", "0.0.0.0", "xlocalhost", "2130706433"]
INVALID_HOSTS = [
    "",
    ":8080",
    "localhost:80:80",
    "local host",
    "localhost/",
    "user@localhost",
    "[::1",
    "[x]",
    "localhost,evil",
    "localhost:65536",
]


@pytest.mark.parametrize("host", OWN)
def test_a_gateway_on_loopback_answers_for_the_names_of_loopback(client: Open, host: str) -> None:
    assert code(client(), "GET", LIST, Host=host) is None


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/", LIST, CHANGE, "/no/such/path", "/open-vocabulary-segmentation"])
def test_a_gateway_on_loopback_refuses_other_hosts(client: Open, host: str, path: str) -> None:
    answer = client().get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert "does not answer for" in answer.text


@pytest.mark.parametrize("host", INVALID_HOSTS)
def test_an_invalid_host_is_400_on_every_address(client: Open, host: str) -> None:
    for listens_on in ("127.0.0.1", "0.0.0.0"):
        assert code(client(listens_on), "GET", LIST, Host=host) == "bad_request"


@pytest.mark.parametrize("listens_on", ["0.0.0.0", "::", "192.168.1.2", "gateway"])
def test_a_gateway_on_another_address_answers_for_any_host_by_default(client: Open, listens_on: str) -> None:
    assert code(client(listens_on), "GET", LIST, Host="gateway:8080") is None


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "::1", "localhost", "0.0.0.0"])
@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("api.example", True),
        ("API.example.:8443", True),
        ("sub.api.example", False),
        ("team.example", True),
        ("a.b.team.example", True),
        ("xteam.example", False),
        ("ported.example:8443", True),
        ("ported.example", False),
        ("[2001:db8::1]:8080", True),
        ("localhost", True),
        ("evil.example", False),
    ],
)
def test_a_gateway_with_allowed_hosts_answers_for_these_only(
    client: Open, listens_on: str, host: str, is_answered: bool
) -> None:
    allowed = "api.example,.team.example,ported.example:8443,2001:db8::1"
    refusal = None if is_answered else "host_not_allowed"
    assert code(client(listens_on, allowed), "GET", LIST, Host=host) == refusal


def test_a_star_allows_any_host_but_no_other_origin(client: Open) -> None:
    gateway = client(allowed="*")
    assert code(gateway, "GET", LIST, Host="evil.example") is None
    assert code(gateway, "POST", CHANGE, Host="localhost", Origin="http://evil.example") == "cross_site"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/health", "/metrics"])
def test_probes_and_scrapers_may_use_any_host(client: Open, path: str) -> None:
    assert client().get(path, headers={"Host": "10.1.2.3:8080"}).status_code in (200, 503)


def test_an_invalid_allowed_host_fails_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSEG_GATEWAY_ALLOWED_HOSTS", "https://api.example")
    with pytest.raises(ValidationError, match="is not a host"):
        Settings()


# Headers that browsers and programs send.
# fmt: off
PASS = [
    {},
    {"Origin": "http://localhost:8080"},
    {"Origin": "http://localhost:8080", "Sec_Fetch_Site": "same-origin"},
    {"Sec_Fetch_Site": "none"},
    {"Host": "public.example", "Origin": "https://public.example", "Sec_Fetch_Site": "same-origin"},  # behind TLS
    {"Host": "public.example", "Origin": "http://public.example"},
    {"Host": "public.example:443", "Origin": "https://public.example"},
    {"Host": "PUBLIC.example.", "Origin": "https://public.example"},
    {"Host": "[::1]:8080", "Origin": "http://[::1]:8080"},
    {"Origin": "https://app.example", "Sec_Fetch_Site": "cross-site"},  # a page of an allowed host
    {"Origin": "https://ui.team.example:444", "Sec_Fetch_Site": "same-site"},
]
CROSS_SITE = [
    {"Origin": "http://evil.example"},
    {"Origin": "http://evil.example", "Sec_Fetch_Site": "cross-site"},
    {"Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"},
    {"Origin": "http://localhost:3000", "Sec_Fetch_Site": "same-site"},  # another server on this machine
    {"Origin": "http://localhost"},
    {"Origin": "http://127.0.0.1:8080"},
    {"Origin": "https://localhost:8081"},
    {"Origin": "null"},
    {"Origin": "null", "Sec_Fetch_Site": "same-origin"},
    {"Origin": ""},
    {"Origin": "file://"},
    {"Origin": "chrome-extension://abcdef"},
    {"Origin": "http://localhost:8080, http://evil.example"},
    {"Origin": "http://localhost:8080@evil.example"},
    {"Origin": "http://localhost:8080.evil.example"},
    {"Host": "127.0.0.1", "Origin": "https://127.0.0.1:8443"},
    {"Host": "127.0.0.1:8080", "Origin": "https://127.0.0.1"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "something-new"},
    {"Origin": "http://localhost:8080", "Sec_Fetch_Site": "cross-site"},
]
# fmt: on


@pytest.fixture
def open_to_pages(client: Open) -> FlaskClient:
    return client("0.0.0.0", "app.example,.team.example,public.example")


@pytest.mark.parametrize("headers", PASS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_programs_and_pages_of_the_same_host_may_change_things(
    open_to_pages: FlaskClient, method: str, headers: dict[str, str]
) -> None:
    assert code(open_to_pages, method, CHANGE, **{"Host": "localhost:8080", **headers}) is None


@pytest.mark.parametrize("headers", CROSS_SITE)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_of_other_sites_may_not_change_things(
    open_to_pages: FlaskClient, method: str, headers: dict[str, str]
) -> None:
    sent = {"Host": "localhost:8080", **headers}
    assert code(open_to_pages, method, CHANGE, **sent) == "cross_site"
    assert code(open_to_pages, "GET", LIST, **sent) is None  # they cannot read the answer: there is no CORS


def test_every_route_that_changes_something_refuses_other_sites(client: Open) -> None:
    gateway, tried = client(), 0
    for rule in gateway.application.url_map.iter_rules():
        path = rule.rule.replace("<job_id>", "x").replace("<endpoint_id>", "x").replace("<event_id>", "x")
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
            headers = {"Origin": "http://evil.example", "Host": "localhost"}
            answer = gateway.open(path, method=method, json={}, headers=headers)
            assert answer.status_code == 403, (method, path)
            assert "Access-Control-Allow-Origin" not in answer.headers
            tried += 1
    assert tried >= 12


BODILESS = ["/v1/jobs/x/cancel", "/v1/events/x/redeliver"]
BODILESS += [f"/v1/webhook-endpoints/x/{what}" for what in ("rotate-secret", "test")]
BODIES = ["/v1/jobs", "/v1/embeddings", "/v1/webhook-endpoints", "/v1/webhook-endpoints/x/replay"]
BODIES += ["/open-vocabulary-segmentation"]


@pytest.mark.parametrize("path", BODILESS + BODIES)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"])
def test_a_body_without_the_content_type_json_is_refused(client: Open, path: str, content_type: str) -> None:
    answer = client().post(path, data=b"{}", content_type=content_type)
    assert answer.status_code == 415, answer.text


@pytest.mark.parametrize("path", BODILESS)
def test_a_route_that_reads_no_body_needs_none(client: Open, path: str) -> None:
    bodies: list[dict[str, Any]] = [{}, {"content_type": "text/plain"}, {"json": {}}]
    for body in bodies:
        assert client().post(path, **body).status_code == 404
    with Path(__file__).open("rb") as file:
        assert client().post(path, data={"image": (file, "a.jpg")}).status_code == 415


@pytest.mark.parametrize("path", ["/v1//jobs", "//evil.example/..", "/v1/jobs/", "//evil.example"])
def test_no_path_is_redirected_to_the_host_of_the_request(client: Open, path: str) -> None:
    gateway = client("0.0.0.0")
    answer = gateway.get("/", environ_overrides={"PATH_INFO": path}, headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "Location" not in answer.headers
