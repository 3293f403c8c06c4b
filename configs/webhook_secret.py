"""Secrets that sign webhooks, in the format of Standard Webhooks 1.0.0: `whsec_` and base64."""

from __future__ import annotations

import base64
import binascii
import secrets

PREFIX = "whsec_"


def new() -> str:
    """Return a new secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def key_of(secret: str) -> bytes:
    """Return the bytes of a secret. Raises ValueError if it is not `whsec_` and 24 to 64 bytes in base64."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a webhook secret is {PREFIX} and base64: {error}") from error
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"a webhook secret is {PREFIX} and the base64 of 24 to 64 bytes, not {len(key)}")
    return key
