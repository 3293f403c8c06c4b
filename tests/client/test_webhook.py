"""`verify_webhook` accepts what the service signs, and nothing else."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from configs import webhook_secret, webhook_signing_key
from configs.settings import Settings
from ovseg_client import WebhookInvalid, verify_webhook
from worker.webhook import signature, signing_keys

SECRET, OTHER = webhook_secret.new(), webhook_secret.new()
KEY, OTHER_KEY = (
    signing_keys.of_tenant("default", Settings(webhook_signing_key=webhook_signing_key.new()))[0] for _ in range(2)
)
BODY = json.dumps({"type": "job.succeeded", "data": {"id": "ü"}}).encode()


def signed(age: int = 0) -> dict[str, str]:
    """Return the headers that the service sends: signatures of two secrets and two keys."""
    return signature.headers((OTHER, SECRET), (OTHER_KEY, KEY), "evt_a", int(time.time()) - age, BODY)


# Processes of pytest-xdist must agree on the names of tests, so a key that differs between runs is in no name.
@pytest.mark.parametrize(
    "key",
    [SECRET, OTHER, KEY.shown, OTHER_KEY.shown, (webhook_secret.new(), SECRET)],
    ids=["secret", "other secret", "public key", "other public key", "several"],
)
def test_each_signature_of_the_service_is_accepted(key: str | tuple[str, ...]) -> None:
    assert verify_webhook(BODY, signed(), key) == json.loads(BODY)
    assert verify_webhook(BODY.decode(), {name.title(): value for name, value in signed().items()}, key)


@pytest.mark.parametrize(
    "key",
    [webhook_secret.new(), "whpk_" + base64.b64encode(bytes(32)).decode()],
    ids=["secret", "public key"],
)
def test_another_secret_and_another_public_key_are_not_accepted(key: str) -> None:
    with pytest.raises(WebhookInvalid, match="no signature"):
        verify_webhook(BODY, signed(), key)


def test_what_the_library_of_standard_webhooks_signs_is_accepted() -> None:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "evt_a",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(SECRET).sign("evt_a", now, BODY.decode()),
    }
    assert verify_webhook(BODY, headers, SECRET)


@given(st.sampled_from([(SECRET, 1), (KEY.shown, 3)]), st.data())
def test_a_changed_bit_anywhere_is_refused(key_and_place: tuple[str, int], data: st.DataObject) -> None:
    key, place_of_its_signature = key_and_place
    headers = signed()
    headers["webhook-signature"] = headers["webhook-signature"].split()[place_of_its_signature]
    assert verify_webhook(BODY, headers, key)
    parts = [BODY, *(value.encode() for value in headers.values())]
    part = data.draw(st.integers(0, len(parts) - 1))
    place = data.draw(st.integers(0, len(parts[part]) - 1))
    changed = bytearray(parts[part])
    changed[place] ^= 16  # base64 may ignore one of the lower four bits of a text's last character
    parts[part] = bytes(changed)
    names = dict(zip(headers, (text.decode("latin-1") for text in parts[1:]), strict=True))
    with pytest.raises(WebhookInvalid):
        verify_webhook(parts[0], names, key)


@pytest.mark.parametrize("age", [400, -400])
def test_a_webhook_that_is_too_old_or_from_the_future_is_refused(age: int) -> None:
    with pytest.raises(WebhookInvalid, match="the time of the webhook"):
        verify_webhook(BODY, signed(age), SECRET)
    assert verify_webhook(BODY, signed(age), SECRET, tolerance=500)


BROKEN: list[Callable[[dict[str, str]], dict[str, str]]] = [
    lambda headers: {},
    lambda headers: {name: value for name, value in headers.items() if name != "webhook-id"},
    lambda headers: headers | {"webhook-timestamp": "now"},
    lambda headers: headers | {"webhook-timestamp": "²"},
    lambda headers: headers | {"webhook-signature": ""},
    lambda headers: headers | {"webhook-signature": "v1,é v1a,=== v2"},
    lambda headers: headers | {"webhook-signature": headers["webhook-signature"].replace("v1,", "v1a,")},
]


@pytest.mark.parametrize("change", BROKEN)
def test_headers_that_are_missing_or_broken_are_refused(change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    with pytest.raises(WebhookInvalid):
        verify_webhook(BODY, change(signed()), SECRET)


@pytest.mark.parametrize(
    "key",
    ["", "abc", "whsec_", "whsec_é", "whpk_AAAA", SECRET.removeprefix("whsec_"), "whsk_AAAA"],
    ids=["empty", "a word", "only the prefix", "no base64", "too short", "no prefix", "a private key"],
)
def test_what_is_no_key_is_refused_by_name(key: str) -> None:
    with pytest.raises(ValueError, match="neither a secret"):
        verify_webhook(BODY, signed(), key)
