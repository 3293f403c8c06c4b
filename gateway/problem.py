"""RFC 9457 problem details: the format of every error, except those of PaddleX's routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
# For these, Python's phrase depends on its version, or is less clear than the code used here.
CODES = {HTTPStatus.REQUEST_URI_TOO_LONG: "uri_too_long", HTTPStatus.SERVICE_UNAVAILABLE: "unavailable"}


def of(status: HTTPStatus, code: str, detail: str) -> dict[str, Any]:
    """Return the problem object, without its list of `errors`."""
    return {
        "type": f"urn:ovseg:problem:{code}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
    }


def code_of(status: HTTPStatus) -> str:
    """Return the code of an error that has only a status: `not_found` for 404."""
    return CODES.get(status) or status.phrase.lower().replace(" ", "_").replace("-", "_")
