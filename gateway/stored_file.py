"""Answers with a file in storage: all of it or a range, as fast as the client reads it (RFC 9110, section 14)."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain

from flask import Response, request
from werkzeug.datastructures import ContentRange, Range
from werkzeug.http import unquote_etag

from gateway import handover
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.job.job_file import JobFile
from worker.store.storage import Head

# The bytes may come from a client. A browser must not take them for a page with scripts.
CLOSED = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
REDIRECT_SECONDS = 60  # for which a cache may repeat a redirect; the link works longer


def answer(file: JobFile, head: Head, download_as: str) -> Response:
    """Answer with a file that is stored like this.

    The bytes are not kept in memory, and the answer takes no thread between two pieces.
    Raises OvsegError `range_not_satisfiable`; ObjectMissing if the file is gone now.
    """
    response = Response(headers=CLOSED, mimetype=file.content_type)
    etag, is_weak = unquote_etag(head.etag)
    response.set_etag(str(etag), bool(is_weak))
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, no-cache"  # a cache may keep it, and must ask before it uses it again
    response.headers["Content-Disposition"] = f'inline; filename="{download_as}"'
    if request.if_none_match.contains_weak(str(etag)):
        response.status_code = HTTPStatus.NOT_MODIFIED
        return response
    first, last = _range(head, str(etag), response)
    response.content_length = last - first + 1
    if request.method != "HEAD" and head.size:
        pieces = services().storage.stream(file.key, head.etag, first, last)
        response.response = _begun(pieces)
        handover.mark_long()
    return response


def to_storage(file: JobFile) -> Response:
    """Answer with a redirect to a signed link to the file."""
    headers = {
        "Location": services().storage.links.sign(file.key),
        "Cache-Control": f"private, max-age={REDIRECT_SECONDS}",
    }
    return Response(status=HTTPStatus.FOUND, headers=headers)


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the pieces after the first one was read: an error before that is answered as usual."""
    return chain([next(pieces, b"")], pieces)


def _range(head: Head, etag: str, response: Response) -> tuple[int, int]:
    """Return the positions of the first and the last byte that the client wants, and describe a range."""
    wanted: Range | None = request.range
    condition = request.if_range
    is_current = condition.etag == etag or (condition.etag is None and condition.date is None)
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1 or not is_current:
        return 0, head.size - 1
    found = wanted.range_for_length(head.size)
    if found is None:
        raise OvsegError("range_not_satisfiable", f"the file has {head.size:,} bytes")
    response.status_code = HTTPStatus.PARTIAL_CONTENT
    response.content_range = ContentRange("bytes", *found, head.size)
    return found[0], found[1] - 1
