"""Answers exceptions with RFC 9457 problem details."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, request
from redis import RedisError
from redis.exceptions import OutOfMemoryError
from werkzeug.exceptions import HTTPException

from gateway import problem, request_id
from ovseg_core.errors import OvsegError
from worker.access.quota import QuotaExceeded
from worker.job.validation import InvalidRequest
from worker.store import outage
from worker.store.storage import ObjectMissing

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2

# Scripts of our pages send this header. At the challenge "Basic", the browser would ask for a password before the page.
PAGE_HEADER = "X-Requested-With"
BEARER = 'Bearer realm="ovseg"'

# A full queue empties at the speed of the workers, not within a second.
HEADERS_OF_CODE = {
    "queue_full": {"Retry-After": "10"},
    "unavailable": {"Retry-After": str(RETRY_AFTER_SECONDS)},
    "key_required": {"WWW-Authenticate": f'{BEARER}, Basic realm="ovseg"'},
    "key_invalid": {"WWW-Authenticate": f'{BEARER}, error="invalid_token", Basic realm="ovseg"'},
    "session_invalid": {"WWW-Authenticate": f'{BEARER}, error="invalid_token"'},
    "scope_missing": {"WWW-Authenticate": f'{BEARER}, error="insufficient_scope"'},  # RFC 6750
    "unsupported_content_encoding": {"Accept-Encoding": "identity"},  # RFC 9110, section 12.5.3
}


def handle_all(app: Flask) -> None:
    app.register_error_handler(OvsegError, _of_caller)
    app.register_error_handler(HTTPException, _of_http)
    for unreachable in (RedisError, BotoCoreError, ClientError):
        app.register_error_handler(unreachable, of_outage)
    app.register_error_handler(OutOfMemoryError, _of_full_redis)
    app.register_error_handler(ObjectMissing, _of_missing_object)
    app.register_error_handler(Exception, _of_bug)


def _of_caller(error: OvsegError) -> Response:
    errors = error.errors if isinstance(error, InvalidRequest) else [error]
    fields = [{"field": e.field, "code": e.code, "message": e.message} for e in errors if e.field]
    detail = "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors)
    if isinstance(error, InvalidRequest) and error.count > len(errors):
        detail += f"; and {error.count - len(errors):,} more"
    return _render(problem.status_of(error.code), error.code, detail, {"errors": fields} if fields else {})


def of_quota(error: QuotaExceeded) -> Response:
    status, violated = problem.status_of(error.code), {"violated-policies": [error.policy]}
    response = _render(status, error.code, error.message, violated)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def _of_http(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    code = problem.code_of(status)
    detail = error.description or status.phrase
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        code, detail = "body_too_large", f"the body is larger than the allowed {request.max_content_length:,} bytes"
    response = _render(status, code, detail)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def of_outage(error: Exception) -> Response:
    """Answer 503; or 500 if Redis answered that our command was wrong."""
    if isinstance(error, RedisError) and not outage.is_one(error):
        return _of_bug(error)
    log.error("%s: %s: %s", _request(), type(error).__name__, error)
    server = "the job store" if isinstance(error, RedisError) else "the object storage"
    symptom = "takes no writes" if outage.is_of_writes(error) else "cannot be reached"
    return _render(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", f"{server} {symptom}; try again soon")


def _of_full_redis(error: OutOfMemoryError) -> Response:
    log.error("%s: Redis is out of memory: %s", _request(), error)
    return _render(HTTPStatus.SERVICE_UNAVAILABLE, "queue_full", "Redis is out of memory; try again later")


def _of_missing_object(error: ObjectMissing) -> Response:
    return _render(HTTPStatus.GONE, "result_gone", "the files of this result are no longer in storage")


def _of_bug(error: Exception) -> Response:
    log.exception("%s", _request())
    return _render(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the service has a bug; the error was logged")


def _request() -> str:
    return f"request {request_id.of_request()}: {request.method} {request.path}"


def _render(status: HTTPStatus, code: str, detail: str, members: Mapping[str, Any] = MappingProxyType({})) -> Response:
    body = {**problem.of(status, code, detail), "request_id": request_id.of_request(), **members}
    response = Response(json.dumps(body), status, HEADERS_OF_CODE.get(code), mimetype=problem.MEDIA_TYPE)
    if status is HTTPStatus.UNAUTHORIZED and PAGE_HEADER in request.headers:
        response.headers["WWW-Authenticate"] = BEARER
    return response
