"""RFC 9457 problem details, the form of every error but those of PaddleX's routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
# Of these, Python's name depends on its version, or says less than the one that is in use here.
CODES = {HTTPStatus.REQUEST_URI_TOO_LONG: "uri_too_long", HTTPStatus.SERVICE_UNAVAILABLE: "unavailable"}


def of(status: HTTPStatus, code: str, detail: str) -> dict[str, Any]:
    """The problem object, without the list of fields."""
    return {
        "type": f"urn:ovseg:problem:{code}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
    }


def code_of(status: HTTPStatus) -> str:
    """The code of an error that has no more to say than its status: `not_found` of 404."""
    return CODES.get(status) or status.phrase.lower().replace(" ", "_").replace("-", "_")
