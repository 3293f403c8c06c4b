"""Reads the header Idempotency-Key, as defined in draft-ietf-httpapi-idempotency-key-header-07."""

from __future__ import annotations

import re

from flask import request

from gateway.operation import Header
from ovseg_core.errors import OvsegError

MAX_CHARACTERS = 255
HEADER = Header(
    "Idempotency-Key",
    "A text of your own: the same request with the same key makes one job, for 24 hours.",
    {"type": "string", "pattern": r"^[\x20\x21\x23-\x7e][\x20-\x7e]{0,254}$"},  # without the form in quotes
    codes=("invalid_idempotency_key", "idempotency_key_reused", "job_deleted"),
)


def of_request() -> str | None:
    """Return the key of the current request, or None if it has none.

    The draft requires a quoted string (RFC 8941). Many clients send the key without quotes: that is the same key.
    Raises OvsegError `invalid_idempotency_key`.
    """
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    key = _unquoted(value) if value.startswith('"') else value
    if key is None or len(key) > MAX_CHARACTERS or not re.fullmatch(r"[\x20-\x7e]+", key):
        message = f"Idempotency-Key must be 1 to {MAX_CHARACTERS} printable ASCII characters, with or without quotes"
        raise OvsegError("invalid_idempotency_key", message)
    return key


def _unquoted(value: str) -> str | None:
    quoted = re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', value)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else None
