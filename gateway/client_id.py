"""Ids that clients choose for their jobs and batches."""

from __future__ import annotations

import re

from ovseg_core.errors import OvsegError

# The ids that the service chooses have this form, too.
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Reserved for ids that the service chooses: UUIDs of version 7.
OUR_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def check(chosen: str) -> None:
    """Check an id that a client chose. Raises OvsegError `invalid_value`."""
    if not CLIENT_ID.fullmatch(chosen):
        raise OvsegError("invalid_value", "must be 1 to 64 letters, digits, - or _", "id")
    if OUR_ID.fullmatch(chosen):
        raise OvsegError("invalid_value", "UUIDs of version 7 are reserved for the service; use another version", "id")
