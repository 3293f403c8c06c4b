"""The header Idempotency-Key, as draft-ietf-httpapi-idempotency-key-header-07 has it."""

from __future__ import annotations

import re

from flask import request

from ovseg_core.errors import OvsegError

LONGEST = 255


def of_request() -> str | None:
    """The key of the current request, None without one.

    The draft wants a quoted string of RFC 8941; many clients send the bare text, which is taken for the same key.
    Raises OvsegError `invalid_idempotency_key`.
    """
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    key = _unquoted(value) if value.startswith('"') else value
    if key is None or len(key) > LONGEST or not re.fullmatch(r"[\x20-\x7e]+", key):
        message = f"Idempotency-Key must be 1 to {LONGEST} printable ASCII characters, in double quotes or without"
        raise OvsegError("invalid_idempotency_key", message)
    return key


def _unquoted(value: str) -> str | None:
    quoted = re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', value)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else None
