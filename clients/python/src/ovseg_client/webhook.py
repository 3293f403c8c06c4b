"""Verifies webhooks of ovseg, or of any sender that follows Standard Webhooks 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ovseg_client.errors import WebhookInvalid

TOLERANCE_SECONDS = 300.0  # as Standard Webhooks recommends: clocks differ, and an old message may be a copy
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
Fits = Callable[[bytes, bytes], bool]  # whether a signature is that of a text


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    secret_or_public_key: str | Iterable[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
) -> dict[str, Any]:
    """Return the event of a webhook whose signature fits.

    Args:
        body: As it arrived, before anything parsed it.
        headers: Of the request; the case of their names does not matter.
        secret_or_public_key: `whsec_...`, or `whpk_...` (with the extra `webhooks`), or several of them, one of which
            must fit: while a secret is rotated, or if several endpoints lead to the same receiver.
        tolerance: By how many seconds the time of the webhook may differ from the clock of this machine.

    Raises:
        WebhookInvalid: No signature fits, a header is missing, or the time differs too much. Answer with 400.
        ValueError: A secret or a public key is not one.
        ImportError: `cryptography`, which verifies public keys' signatures, is not installed.
    """
    keys = [secret_or_public_key] if isinstance(secret_or_public_key, str) else list(secret_or_public_key)
    verifiers = [_verifier(key) for key in keys]
    found = {name.lower(): value for name, value in headers.items()}
    if missing := [name for name in HEADERS if name not in found]:
        raise WebhookInvalid(f"the webhook has no header {missing[0]}")
    event_id, timestamp, signatures = (found[name] for name in HEADERS)
    if not (timestamp.isascii() and timestamp.isdecimal()) or abs(time.time() - int(timestamp)) > tolerance:
        raise WebhookInvalid(f"the time of the webhook, {timestamp!r}, is more than {tolerance:g} s from now")
    body = body.encode() if isinstance(body, str) else body
    signed = f"{event_id}.{timestamp}.".encode() + body
    for version, signature in _split(signatures):
        if any(version == of_version and fits(signature, signed) for of_version, fits in verifiers):
            event: dict[str, Any] = json.loads(body)
            return event
    raise WebhookInvalid("no signature of the webhook fits")


def _split(signatures: str) -> Iterable[tuple[str, bytes]]:
    """Yield the version and the bytes of each signature. What is not base64 cannot fit, and is left out."""
    for entry in signatures.split():
        version, _, text = entry.partition(",")
        try:
            yield version, base64.b64decode(text, validate=True)
        except ValueError:
            continue


def _verifier(key: str) -> tuple[str, Fits]:
    """Return the version of the signatures that a secret or public key verifies, and the function that verifies one."""
    kind, mark, text = key.partition("_")
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if (kind, mark) == ("whsec", "_") and raw:
        return "v1", lambda signature, signed: hmac.compare_digest(signature, _hmac(raw, signed))
    if (kind, mark) == ("whpk", "_") and len(raw) == 32:
        return "v1a", _ed25519(raw)
    raise ValueError("this is neither a secret, whsec_ and base64, nor a public key, whpk_ and the base64 of 32 bytes")


def _hmac(secret: bytes, signed: bytes) -> bytes:
    return hmac.new(secret, signed, hashlib.sha256).digest()


def _ed25519(raw: bytes) -> Fits:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ImportError("cryptography verifies signatures with public keys: pip install cryptography") from None
    public = Ed25519PublicKey.from_public_bytes(raw)

    def fits(signature: bytes, signed: bytes) -> bool:
        try:
            public.verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    return fits
