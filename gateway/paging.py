"""Lists that are answered page by page: `?limit=` and `?cursor=`."""

from __future__ import annotations

import re

from flask import request

from ovseg_core.errors import OvsegError

DEFAULT, LARGEST = 20, 100


def limit() -> int:
    """How many the client wants on a page. Raises OvsegError."""
    text = request.args.get("limit", str(DEFAULT))
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST:
        raise OvsegError("invalid_value", f"must be a whole number from 1 to {LARGEST}", "limit")
    return int(text)


def cursor() -> str | None:
    """Where the page begins, None for the first. Raises OvsegError."""
    found = request.args.get("cursor")
    if found is not None and not re.fullmatch(r"\d{1,16}", found):
        raise OvsegError("invalid_value", "must be a next_cursor of an earlier answer", "cursor")
    return found
