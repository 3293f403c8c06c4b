"""Headers that a client gives for requests to a URL of its own: the rules for their names and values."""

from __future__ import annotations

import re
from typing import Any

from worker.job.client_text import brief

MAX_HEADERS = 8
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # a token of RFC 9110, section 5.6.2
VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,4094}[\x21-\x7e])?")  # the longest tokens have 2,000 to 4,000 characters
# These belong to the connection, or decide how the answer is read.
OURS = frozenset(
    [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)

# The JSON Schema of what `checked` checks. It does not exclude the names of OURS.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "maxProperties": MAX_HEADERS,
    "propertyNames": {"pattern": f"^{NAME.pattern}$"},
    "additionalProperties": {"type": "string", "pattern": f"^{VALUE.pattern}$"},
}


def checked(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers. Raises ValueError, whose message has no value of a header. For pydantic's AfterValidator."""
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"{len(headers)} headers; at most {MAX_HEADERS} are allowed")
    for name, value in headers.items():
        if not NAME.fullmatch(name) or name.lower() in OURS:
            raise refused(name)
        if not VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} must be 1 to 4,096 printable ASCII characters")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header occurs twice")
    return headers


def refused(name: str) -> ValueError:
    """Return the error for a name that a client's header may not have."""
    return ValueError(f"{brief(name)!r} cannot be the name of a header here")
