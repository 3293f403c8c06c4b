"""Reads a request's body: JSON, a form with the image as a file part, or the image itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestTimeout

from gateway import multipart, strict_json, text_fields
from gateway.mark import Mark
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.job.client_text import brief

PIECE_BYTES = 64 * 1024
JSON, NDJSON, FORM, IMAGE = "application/json", "application/x-ndjson", "multipart/form-data", "image/*"
WITH_IMAGE = (JSON, FORM, IMAGE)
MAIN_PARTS = ("image", "request")  # of a form

# The content types that a view takes.
takes: Mark[tuple[str, ...]] = Mark((JSON,))


def read_json() -> Any:
    """Return the JSON of the current request.

    Raises OvsegError `unsupported_media_type`, `unsupported_content_encoding`, `incomplete_body`, `invalid_json`,
    `body_too_large`.
    """
    check_headers()
    return strict_json.read(b"".join(pieces()), services().settings)


def read() -> tuple[Any, bytes | None]:
    """Return the fields of the current request, and the image file if the request has one.

    The view is marked with `query.takes_with_image`. The body is JSON; or a form, with the JSON in a part or each field
    in a part of its own; or the image, with the fields in the query.

    Raises OvsegError as `read_json` does; for a form also `invalid_multipart`, `invalid_request`, `unknown_field`.
    """
    check_headers()
    if request.mimetype == FORM:
        return _form()
    data = b"".join(pieces())
    if request.mimetype == JSON:
        return strict_json.read(data, services().settings), None
    return text_fields.parse(text_fields.of_query(), services().settings), data


def _form() -> tuple[Any, bytes | None]:
    """Read the file `image`, and either `request`, the JSON that is otherwise the body, or a part for each field."""
    allowed = multipart.Allowed(MAIN_PARTS, *text_fields.of_view())
    found = multipart.parts(pieces(), request.mimetype_params.get("boundary"), allowed)
    texts = {name: [bytes(part.data) for part in parts] for name, parts in found.items() if name not in MAIN_PARTS}
    [image], [fields] = (found.get(name, [None]) for name in MAIN_PARTS)
    if image is not None and not image.is_file:
        raise OvsegError("invalid_value", "must be a file part; put a URL or base64 into the request's JSON", "image")
    if fields is None and image is None and not texts:
        raise OvsegError("invalid_request", "the part `request`, which holds the JSON, is missing", "request")
    if fields is not None and texts:
        raise OvsegError("invalid_request", "the part `request` has all fields; leave this part out", next(iter(texts)))
    file, settings = None if image is None else bytes(image.data), services().settings
    if fields is None:
        return text_fields.parse(texts, settings), file
    return strict_json.read(bytes(fields.data), settings), file


def check_type() -> None:
    """Check the content type of the current request. Raises OvsegError `unsupported_media_type`."""
    is_image = IMAGE in takes.of_view() and request.mimetype.startswith("image/")
    if request.mimetype not in takes.of_view() and not is_image:
        sent = brief(request.mimetype) or "a body without Content-Type"
        raise OvsegError("unsupported_media_type", f"send {' or '.join(takes.of_view())}, not {sent}")


def check_headers() -> None:
    """Check the current request. Raises OvsegError `unsupported_media_type`, `unsupported_content_encoding`."""
    encoding = request.headers.get("Content-Encoding", "")
    if encoding.strip().lower() not in ("", "identity"):
        message = f"send the body uncompressed, not with Content-Encoding: {brief(encoding)}"
        raise OvsegError("unsupported_content_encoding", message)
    check_type()


def pieces() -> Iterator[bytes]:
    """Yield the body of the current request piece by piece.

    Raises OvsegError `incomplete_body`, RequestTimeout and RequestEntityTooLarge.
    """
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
