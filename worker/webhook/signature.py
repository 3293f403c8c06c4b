"""The headers that sign a webhook, as Standard Webhooks 1.0.0 specifies it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

from configs import webhook_secret
from worker.webhook.signing_keys import SigningKey


def headers(
    secrets: Iterable[str], keys: Iterable[SigningKey], event_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the headers that prove who sent a body: its id, its time, and a signature of each secret and each key.

    `v1` is the base64 of HMAC-SHA256 with a secret, `v1a` the base64 of an ed25519 signature. Both are over id, time
    and body. A receiver ignores the versions that it does not know.
    """
    signed = b".".join((event_id.encode(), str(timestamp).encode(), body))
    signatures = [
        *(
            "v1," + _base64(hmac.new(webhook_secret.key_of(secret), signed, hashlib.sha256).digest())
            for secret in secrets
        ),
        *("v1a," + _base64(key.private.sign(signed)) for key in keys),
    ]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
