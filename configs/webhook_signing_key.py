"""Private keys that sign webhooks with ed25519, in the format of Standard Webhooks 1.0.0: `whsk_` and base64."""

from __future__ import annotations

import base64
import binascii
import secrets

PREFIX = "whsk_"
SEED_BYTES = 32  # a private key of ed25519 (RFC 8032, section 5.1.5)


def new() -> str:
    """Return a new private key."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SEED_BYTES)).decode("ascii")


def seeds_of(keys: str) -> tuple[bytes, ...]:
    """Return the bytes of each key in a list that is separated by commas. Raises ValueError if one is malformed."""
    return tuple(_seed_of(key.strip()) for key in keys.split(","))


def _seed_of(key: str) -> bytes:
    try:
        seed = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a webhook signing key is {PREFIX} and base64: {error}") from error
    if not key.startswith(PREFIX) or len(seed) != SEED_BYTES:
        raise ValueError(f"a webhook signing key is {PREFIX} and the base64 of {SEED_BYTES} bytes, not {len(seed)}")
    return seed
