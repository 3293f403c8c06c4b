"""The id of a request, `X-Request-Id`: the client's or our own, in the answer, in problems and in log lines."""

from __future__ import annotations

import re

import uuid_utils
from flask import Flask, Response, request

from gateway.operation import Header

HEADER = "X-Request-Id"
SENT = Header(HEADER, "An id for this request, in 1 to 128 visible ASCII characters.", {"type": "string"})
ANSWERED = Header(HEADER, "The id of the request: its own, or a new one.", {"type": "string"})
KEY = "ovseg.request_id"  # in the WSGI environ, so that a held request, which runs twice, keeps its id
# Visible ASCII without spaces, so that a log line can be split; long enough for two UUIDs and a name.
VALID = re.compile(r"[\x21-\x7e]{1,128}")


def attend(app: Flask) -> None:
    @app.after_request
    def send(response: Response) -> Response:
        response.headers[HEADER] = of_request()
        return response


def new() -> str:
    return uuid_utils.uuid4().hex


def of_request() -> str:
    """Return the id of the current request. One that is too long or has other characters is replaced by our own."""
    if KEY not in request.environ:
        sent = request.headers.get(HEADER, "")
        request.environ[KEY] = sent if VALID.fullmatch(sent) else new()
    found: str = request.environ[KEY]
    return found
