"""A request's body: JSON, or multipart with the image as a file beside it."""

from __future__ import annotations

import json
from typing import Any

from flask import request

from ovseg_core.errors import OvsegError


def read_json() -> Any:
    """The JSON of the current request. Raises OvsegError `unsupported_media_type` or `invalid_json`."""
    if request.mimetype != "application/json":
        sent = request.mimetype or "a body without Content-Type"
        raise OvsegError("unsupported_media_type", f"send application/json, not {sent}")
    return _json(_all_of_it())


def read() -> tuple[Any, bytes | None]:
    """The JSON of the current request, and the image file if it came as one.

    Raises OvsegError `unsupported_media_type` or `invalid_json`.
    """
    if request.mimetype == "application/json":
        return _json(_all_of_it()), None
    if request.mimetype == "multipart/form-data":
        return _multipart()
    message = f"send application/json or multipart/form-data, not {request.mimetype or 'a body without Content-Type'}"
    raise OvsegError("unsupported_media_type", message)


def _all_of_it() -> bytes:
    body = request.get_data(cache=False)
    request.stream.read(1)  # Werkzeug cuts a body without Content-Length at the limit, and says so only to who asks on
    return body


def _multipart() -> tuple[Any, bytes | None]:
    """Parts: the file `image`, and `request`, the same JSON as otherwise (as a text part or as a file)."""
    unknown = sorted(({*request.form} | {*request.files}) - {"image", "request"})
    if unknown:
        raise OvsegError("unknown_field", "unknown part; allowed: image (a file) and request (JSON)", unknown[0])
    if "image" in request.form:
        raise OvsegError("invalid_value", "must be a file part; put a URL or base64 into the request's JSON", "image")
    text = request.files["request"].read() if "request" in request.files else request.form.get("request")
    if text is None:
        raise OvsegError("invalid_request", "the part request, the JSON, is missing", "request")
    image = request.files["image"].read() if "image" in request.files else None
    return _json(text), image


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OvsegError("invalid_json", f"not JSON: {error}") from error
