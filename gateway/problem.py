"""RFC 9457 problem details: the format of every error, except those of PaddleX's routes; its codes and statuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"

# Errors that the caller can correct are 422, except these.
STATUS_OF_CODE = {
    "invalid_idempotency_key": HTTPStatus.BAD_REQUEST,
    "invalid_multipart": HTTPStatus.BAD_REQUEST,
    "incomplete_body": HTTPStatus.BAD_REQUEST,
    "key_required": HTTPStatus.UNAUTHORIZED,
    "key_invalid": HTTPStatus.UNAUTHORIZED,
    "session_invalid": HTTPStatus.UNAUTHORIZED,
    "auth_off": HTTPStatus.FORBIDDEN,
    "scope_missing": HTTPStatus.FORBIDDEN,
    "cross_site": HTTPStatus.FORBIDDEN,
    "host_not_allowed": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "batch_deleted": HTTPStatus.GONE,
    "job_deleted": HTTPStatus.GONE,
    "input_gone": HTTPStatus.GONE,
    "result_gone": HTTPStatus.GONE,
    "id_taken": HTTPStatus.CONFLICT,
    "batch_already_final": HTTPStatus.CONFLICT,
    "batch_canceled": HTTPStatus.CONFLICT,
    "batch_not_final": HTTPStatus.CONFLICT,
    "nothing_to_retry": HTTPStatus.CONFLICT,
    "job_already_final": HTTPStatus.CONFLICT,
    "job_not_final": HTTPStatus.CONFLICT,
    "job_running": HTTPStatus.CONFLICT,
    "key_revoked": HTTPStatus.CONFLICT,
    "secret_is_a_setting": HTTPStatus.CONFLICT,
    "endpoint_disabled": HTTPStatus.CONFLICT,
    "too_many_endpoints": HTTPStatus.CONFLICT,
    "canceled": HTTPStatus.CONFLICT,
    "range_not_satisfiable": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "image_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported_content_encoding": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "quota_exceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "queue_full": HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "invalid_json": HTTPStatus.BAD_REQUEST,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "worker_lost": HTTPStatus.INTERNAL_SERVER_ERROR,
}

# Other problems have a type of our own. `quota-exceeded` is the name in draft-ietf-httpapi-ratelimit-headers.
TYPE_OF_CODE = {"quota_exceeded": "https://iana.org/assignments/http-problem-types#quota-exceeded"}

# For these, Python's phrase depends on its version, or is less clear than the code used here.
CODE_OF_STATUS = {HTTPStatus.REQUEST_URI_TOO_LONG: "uri_too_long", HTTPStatus.SERVICE_UNAVAILABLE: "unavailable"}


def of(status: HTTPStatus, code: str, detail: str) -> dict[str, Any]:
    """Return the problem object, without its list of `errors`."""
    return {
        "type": TYPE_OF_CODE.get(code, f"urn:ovseg:problem:{code}"),
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
    }


def status_of(code: str) -> HTTPStatus:
    return STATUS_OF_CODE.get(code, HTTPStatus.UNPROCESSABLE_ENTITY)


def code_of(status: HTTPStatus) -> str:
    """Return the code of an error that has only a status: `not_found` for 404."""
    return CODE_OF_STATUS.get(status) or status.phrase.lower().replace(" ", "_").replace("-", "_")
