"""Secrets that sign webhooks, as Standard Webhooks 1.0.0 writes them: `whsec_` and base64."""

from __future__ import annotations

import base64
import binascii
import secrets

PREFIX = "whsec_"


def new() -> str:
    """A fresh secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def key_of(secret: str) -> bytes:
    """The bytes of a secret. Raises ValueError for one that is not 24 to 64 bytes behind `whsec_`."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a webhook secret is {PREFIX} and base64: {error}") from error
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"a webhook secret is {PREFIX} and the base64 of 24 to 64 bytes, not {len(key)}")
    return key
