"""Reads a request's body: JSON, or multipart with the image as a file part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestTimeout

from configs.settings import Settings
from gateway import multipart
from gateway.mark import Mark
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.job.client_text import brief
from worker.job.validation import MAX_DIGITS

PIECE_BYTES = 64 * 1024
JSON = "application/json"
JSON_OR_FORM = (JSON, "multipart/form-data")

# The content types that a view takes.
takes: Mark[tuple[str, ...]] = Mark((JSON,))


def read_json() -> Any:
    """Return the JSON of the current request.

    Raises OvsegError `unsupported_media_type`, `unsupported_content_encoding`, `incomplete_body`, `invalid_json`,
    `body_too_large`.
    """
    _check_headers()
    return _json(b"".join(_pieces()))


def read() -> tuple[Any, bytes | None]:
    """Return the JSON of the current request, and the image file if the request has one.

    Raises OvsegError as `read_json` does; for multipart also `invalid_multipart`, `invalid_request`, `unknown_field`.
    """
    _check_headers()
    if request.mimetype == JSON:
        return _json(b"".join(_pieces())), None
    return _multipart()


def _multipart() -> tuple[Any, bytes | None]:
    """Read two parts: the file `image`, and `request`, the JSON that is otherwise the body (a text or file part)."""
    found = multipart.parts(_pieces(), request.mimetype_params.get("boundary"), ("image", "request"))
    image, fields = found.get("image"), found.get("request")
    if image is not None and not image.is_file:
        raise OvsegError("invalid_value", "must be a file part; put a URL or base64 into the request's JSON", "image")
    if fields is None:
        raise OvsegError("invalid_request", "the part `request`, which holds the JSON, is missing", "request")
    return _json(bytes(fields.data)), None if image is None else bytes(image.data)


def check_type() -> None:
    """Check the content type of the current request. Raises OvsegError `unsupported_media_type`."""
    if request.mimetype not in takes.of_view():
        sent = brief(request.mimetype) or "a body without Content-Type"
        raise OvsegError("unsupported_media_type", f"send {' or '.join(takes.of_view())}, not {sent}")


def _check_headers() -> None:
    encoding = request.headers.get("Content-Encoding", "")
    if encoding.strip().lower() not in ("", "identity"):
        message = f"send the body uncompressed, not with Content-Encoding: {brief(encoding)}"
        raise OvsegError("unsupported_content_encoding", message)
    check_type()


def _pieces() -> Iterator[bytes]:
    """Yield the body piece by piece. Raises OvsegError `incomplete_body`, RequestTimeout and RequestEntityTooLarge."""
    left = request.content_length  # None if the body is chunked
    try:
        while left is None or left > 0:
            piece = request.stream.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left))
            if not piece:
                break
            left = None if left is None else left - len(piece)
            yield piece
    except TimeoutError as error:
        raise RequestTimeout("the body did not arrive in time") from error
    except HTTPException as error:
        if not isinstance(error, ClientDisconnected):
            raise
        raise _incomplete() from error
    except Exception as error:  # each server has its own exceptions for a client that hangs up and for a bad chunk
        raise _incomplete() from error
    if left:
        raise _incomplete()


def _incomplete() -> OvsegError:
    return OvsegError("incomplete_body", "the body is incomplete, or its chunks do not follow RFC 9112")


def _json(data: bytes) -> Any:
    _check_size(data, services().settings)
    try:
        text = data.decode(json.detect_encoding(data))
        return json.loads(text, parse_int=_integer, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        message = f"not {error.encoding.upper()}: {error.reason} at byte {error.start:,}"
        raise OvsegError("invalid_json", message) from error
    except RecursionError as error:
        raise OvsegError("invalid_json", "the JSON is nested too deeply") from error
    except ValueError as error:
        raise OvsegError("invalid_json", f"not JSON: {error}") from error


def _check_size(data: bytes, settings: Settings) -> None:
    """Refuse JSON with too many values before it is parsed: a megabyte of `[[[],[],...` takes 100 MB as lists."""
    # A box takes 8 of these characters, a point with its label 4, a point of a grid 3; the rest is for metadata and
    # mistakes.
    max_points = settings.max_total_points + settings.max_everything_points
    max_values = 20 * settings.max_prompts + 5 * max_points + 50_000
    if sum(data.count(character) for character in b",[{") > max_values:
        raise OvsegError("body_too_large", f"the JSON has more than {max_values:,} values")


def _integer(digits: str) -> int:
    """Parse an integer, but at most one digit more than is allowed: validation then refuses it and names its field."""
    return int(digits[: MAX_DIGITS + 2])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise OvsegError("invalid_json", f"the name {brief(name)!r} occurs twice in one object")
        found[name] = value
    return found
