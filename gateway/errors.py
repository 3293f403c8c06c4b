"""Errors as each route's clients expect them: RFC 9457 problem details, or PaddleX's envelope."""

from __future__ import annotations

import json
import logging
import uuid
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, request
from redis import RedisError
from werkzeug.exceptions import HTTPException

from gateway import problem
from ovseg_core.errors import OvsegError
from worker.request import InvalidRequest

log = logging.getLogger(__name__)

PADDLEX_PATHS = ("/open-vocabulary-segmentation", "/health")
RETRY_AFTER_SECONDS = 2

# What a caller can put right is 422, but for these.
STATUS_OF_CODE = {
    "invalid_idempotency_key": HTTPStatus.BAD_REQUEST,
    "cross_site": HTTPStatus.FORBIDDEN,
    "host_not_allowed": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "job_deleted": HTTPStatus.GONE,
    "input_gone": HTTPStatus.GONE,
    "id_taken": HTTPStatus.CONFLICT,
    "job_already_final": HTTPStatus.CONFLICT,
    "job_not_final": HTTPStatus.CONFLICT,
    "job_running": HTTPStatus.CONFLICT,
    "endpoint_disabled": HTTPStatus.CONFLICT,
    "too_many_endpoints": HTTPStatus.CONFLICT,
    "canceled": HTTPStatus.CONFLICT,
    "image_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid_json": HTTPStatus.BAD_REQUEST,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "worker_lost": HTTPStatus.INTERNAL_SERVER_ERROR,
}


def handle_all(app: Flask) -> None:
    app.register_error_handler(OvsegError, _of_caller)
    app.register_error_handler(HTTPException, _of_http)
    for away in (RedisError, BotoCoreError, ClientError):
        app.register_error_handler(away, of_outage)
    app.register_error_handler(Exception, _of_ours)


def status_of(code: str) -> HTTPStatus:
    return STATUS_OF_CODE.get(code, HTTPStatus.UNPROCESSABLE_ENTITY)


def _of_caller(error: OvsegError) -> Response:
    errors = error.errors if isinstance(error, InvalidRequest) else [error]
    fields = [{"field": e.field, "code": e.code, "message": e.message} for e in errors if e.field]
    words = "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors)
    return _render(status_of(error.code), error.code, words, fields)


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
    log.error("%s %s: %s: %s", request.method, request.path, type(error).__name__, error)
    away = "the job store" if isinstance(error, RedisError) else "the object storage"
    response = _render(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", f"{away} cannot be reached; try again soon")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _of_ours(error: Exception) -> Response:
    log.exception("%s %s", request.method, request.path)
    return _render(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "this is a fault of ours; it has been logged")


def _render(status: HTTPStatus, code: str, detail: str, fields: list[dict[str, Any]] | None = None) -> Response:
    if request.path in PADDLEX_PATHS:
        body: dict[str, Any] = {"logId": str(uuid.uuid4()), "errorCode": int(status), "errorMsg": detail}
        return Response(json.dumps(body), status, mimetype="application/json")
    body = problem.of(status, code, detail)
    if fields:
        body["errors"] = fields
    return Response(json.dumps(body), status, mimetype=problem.MEDIA_TYPE)
