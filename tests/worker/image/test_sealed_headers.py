"""Headers for an image's URL: encrypted in the record, sent to the URL's own host only, and never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from tests.support.fakes import Host, reply
from tests.support.outbound import LIMIT, client
from worker.job import description, idempotency
from worker.job.parsing import parse, parse_embedding
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.job.validation import InvalidRequest
from worker.outbound import sealed_headers

SETTINGS = Settings(image_headers_secret="s" * 32, allowed_private_hosts=("plain.example",))
URL, TOKEN = "https://example.com/cat.jpg", "Bearer of-a-secret-token"
BOX = {"box": [1, 2, 30, 40]}


def body(headers: Any, url: Any = URL, **fields: Any) -> dict[str, Any]:
    return {"image": {"url": url, "headers": headers, **fields}, "prompts": [BOX]}


def request_of(headers: dict[str, str], url: str = URL) -> JobRequest:
    return parse(body(headers, url), None, SETTINGS)[0]


def test_headers_are_encrypted_in_the_record_and_not_shown() -> None:
    request = request_of({"Authorization": TOKEN, "X-Tenant": "a b"})
    record = request.model_dump_json()
    assert "secret-token" not in record
    assert "Tenant" not in record
    read = JobRequest.model_validate_json(record)
    unsealed = sealed_headers.unseal(read.image.headers or "", SETTINGS, "image.headers")
    assert unsealed == {"Authorization": TOKEN, "X-Tenant": "a b"}
    shown = description.describe(Job.accepted("mine", request, "0"))
    assert shown["image"].keys() == {"url", "key", "width", "height", "format"}
    assert str(request.image.headers) not in json.dumps(shown)
    assert parse_embedding({"image": body({"A": "b"})["image"]}, None, SETTINGS)[0].image.headers is not None


def test_the_same_headers_are_encrypted_differently_each_time_and_do_not_change_the_fingerprint() -> None:
    one, other = request_of({"Authorization": TOKEN}), request_of({"Authorization": TOKEN})
    assert one.image.headers != other.image.headers
    assert idempotency.fingerprint(one) == idempotency.fingerprint(request_of({"Authorization": "Bearer renewed"}))


@pytest.mark.parametrize("secret", [None, "t" * 32])
def test_headers_cannot_be_read_with_another_secret(secret: str | None) -> None:
    sealed = sealed_headers.seal({"A": "b"}, SETTINGS, "image.headers")
    with pytest.raises(OvsegError) as caught:
        sealed_headers.unseal(sealed, SETTINGS.model_copy(update={"image_headers_secret": secret}), "image.headers")
    assert (caught.value.code, caught.value.field) == ("headers_unavailable", "image.headers")


def test_without_a_secret_headers_are_refused() -> None:
    with pytest.raises(OvsegError) as caught:
        parse(body({"A": "b"}), None, Settings(image_headers_secret=None))
    assert (caught.value.code, caught.value.field) == ("headers_unavailable", "image.headers")


@pytest.mark.parametrize(
    ("body", "code", "field", "message"),
    [
        (body({}), "invalid_value", "image.headers", "at least 1"),
        (body({f"X-{i}": "a" for i in range(9)}), "invalid_value", "image.headers", "at most 8"),
        (body({"Host": "a"}), "invalid_value", "image.headers", "'Host' cannot be the name"),
        (body({"TRANSFER-encoding": "a"}), "invalid_value", "image.headers", "cannot be the name"),
        (body({"a b": "a"}), "invalid_value", "image.headers", "cannot be the name"),
        (body({"": "a"}), "invalid_value", "image.headers", "cannot be the name"),
        (body({"X": "secret\r\nY: z"}), "invalid_value", "image.headers", "the value of X must be"),
        (body({"X": "secret\u00e9"}), "invalid_value", "image.headers", "the value of X must be"),
        (body({"X": ""}), "invalid_value", "image.headers", "the value of X must be"),
        (body({"X": "secret" * 1000}), "invalid_value", "image.headers", "the value of X must be"),
        (body({"X": "a", "x": "b"}), "invalid_value", "image.headers", "twice"),
        (body({"X": 5}), "invalid_value", "image.headers.X", "string"),
        (body(["X: a"]), "invalid_value", "image.headers", "dictionary"),
        (body({"X": "a"}, "http://example.com/a.jpg"), "url_forbidden", "image.url", "must be https"),
        (body({"X": "a"}, "data:image/png;base64,AA=="), "url_invalid", "image.url", "http or https"),
        (body({"X": "a"}, "https://127.0.0.1/a.jpg"), "url_forbidden", "image.url", "not a public address"),
        (body({"X": "a"}, 5), "invalid_value", "image.url", "string"),
        (body({"X": "a"}, colour=1), "unknown_field", "image.colour", "allowed: url, headers, sha256"),
        ({"image": {}, "prompts": [BOX]}, "invalid_value", "image", "or {"),
        ({"image": {"headers": {"X": "a"}}, "prompts": [BOX]}, "invalid_value", "image", "or {"),
        (body({"X": "a"}, sha256="0" * 64), "invalid_value", "image", "or {"),
        ({"image": {"sha256": "0" * 63}, "prompts": [BOX]}, "invalid_value", "image.sha256", "pattern"),
        ({"image": {"sha256": "A" * 64}, "prompts": [BOX]}, "invalid_value", "image.sha256", "pattern"),
        ({"image": {"sha256": "0" * 64}, "prompts": [BOX]}, "image_not_found", "image.sha256", "send the file"),
        ({"image": [URL], "prompts": [BOX]}, "invalid_value", "image", "string"),
    ],
)
def test_what_may_not_be_asked(body: dict[str, Any], code: str, field: str, message: str) -> None:
    with pytest.raises(OvsegError) as caught:
        parse(body, None, SETTINGS)
    error = caught.value.errors[0] if isinstance(caught.value, InvalidRequest) else caught.value
    assert (error.code, error.field) == (code, field)
    assert message in error.message
    assert "secret" not in error.message.replace("OVSEG_IMAGE_HEADERS_SECRET", "")


def test_an_object_with_only_a_url_means_the_url() -> None:
    assert parse({"image": {"url": URL}, "prompts": [BOX]}, None, SETTINGS)[0].image.model_dump() == {
        "url": URL,
        "key": None,
        "content": None,
    }


def test_a_trusted_host_may_be_sent_headers_without_tls() -> None:
    assert request_of({"X": "a"}, "http://plain.example/a.jpg").image.headers is not None


def test_headers_are_sent_to_the_first_host_and_not_to_one_that_it_redirects_to(host: Host, trusted_host: Host) -> None:
    def show(request: Any) -> None:
        reply(request, 200, (request.headers.get("Authorization") or "none").encode(), {})

    host.answers["/show"] = trusted_host.answers["/show"] = show
    fetch = client(host.address, trusted_host.address)

    def fetched(url: str) -> bytes:
        return fetch.get(url, LIMIT, 5.0, "image", headers={"Authorization": TOKEN})

    assert fetched(host.url("/show")) == TOKEN.encode()
    assert fetched(host.redirect("/same", "/show")) == TOKEN.encode()
    assert fetched(host.redirect("/away", trusted_host.url("/show"))) == b"none"
    assert fetch.get(host.url("/show"), LIMIT, 5.0, "image") == b"none"  # on the same connection, afterwards
