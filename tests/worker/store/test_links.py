"""Signed links repeat for a quarter of an hour, and work for at least the time of the setting."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from configs.settings import Settings
from ovseg.embedded.seaweedfs import BUCKET
from worker.store import links
from worker.store.storage import Storage

QUARTER_PAST = 1_800_000_900.0


def at(moment: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: moment)


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_links_of_one_quarter_of_an_hour_are_equal_and_then_they_change(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Storage(s3_settings).links, Storage(s3_settings).links  # as in two gateways
    at(QUARTER_PAST, monkeypatch)
    first, signed_at = one.sign("a/b.json"), one.signed_at()
    assert signed_at == datetime.fromtimestamp(QUARTER_PAST, UTC)
    at(QUARTER_PAST + links.STEP_SECONDS - 1, monkeypatch)
    assert (other.sign("a/b.json"), other.signed_at()) == (first, signed_at)
    at(QUARTER_PAST + links.STEP_SECONDS, monkeypatch)
    assert other.sign("a/b.json") != first
    assert other.signed_at() > signed_at


@pytest.mark.parametrize(("seconds", "longest_step"), [(60, 15), (3600, 900), (604_800, 900)])
def test_a_link_works_for_at_least_the_time_of_the_setting(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch, seconds: int, longest_step: int
) -> None:
    storage = Storage(s3_settings.model_copy(update={"presigned_url_seconds": seconds}))
    now = QUARTER_PAST + 899
    at(now, monkeypatch)
    signed = query(storage.links.sign("key"))
    since = datetime.strptime(signed["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    until = since + int(signed["X-Amz-Expires"])
    assert int(signed["X-Amz-Expires"]) <= links.MAX_SECONDS
    assert since <= now < since + longest_step
    assert until >= min(now + seconds, since + links.MAX_SECONDS)
    assert until <= now + seconds + longest_step


def test_storage_accepts_such_a_link_and_its_own_requests_are_not_rounded(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage(s3_settings)
    storage.put("links/a b.txt", b"read", "text/plain")
    now = time.time()
    at(now, monkeypatch)
    answer = requests.get(storage.links.sign("links/a b.txt"), timeout=30)
    assert (answer.status_code, answer.content) == (200, b"read")
    assert storage.get("links/a b.txt") == b"read"
    assert requests.get(storage.links.sign("links/other.txt"), timeout=30).status_code == 404
    at(now - 3 * 3600, monkeypatch)
    assert requests.get(storage.links.sign("links/a b.txt"), timeout=30).status_code == 403  # expired


@pytest.mark.parametrize("key", ["jobs/a.b_c-1/1/result.json", "ü 1/%2F+&=?#~/x"])
@pytest.mark.parametrize("token", [None, "a/token+="])
@pytest.mark.parametrize("host", ["http://127.0.0.1:8333", "https://S3.example.com:443", "http://[::1]:8333"])
def test_a_link_is_what_boto3_would_sign(
    key: str, token: str | None, host: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(QUARTER_PAST, monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    elsewhere = settings.model_copy(update={"s3_endpoint_url": host, "s3_bucket": BUCKET})
    direct, of_client = Storage(elsewhere).links, Storage(elsewhere).links
    of_client._requests.are_possible = False
    assert direct.sign(key) == of_client.sign(key)
    assert query(direct.sign(key)).get("X-Amz-Security-Token") == token
