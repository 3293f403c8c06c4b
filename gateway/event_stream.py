"""An answer that is an event stream: server-sent events, as the HTML standard specifies them."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response

from gateway.operation import Header

MEDIA_TYPE = "text/event-stream"
NO_BUFFER = Header("X-Accel-Buffering", "`no`, for nginx: it would keep events until it has several kilobytes.")


def response(events: str | bytes | Iterator[bytes] = b"") -> Response:
    """Return an event stream that begins with these events."""
    return Response(events, mimetype=MEDIA_TYPE, headers={"Cache-Control": "no-store", NO_BUFFER.name: "no"})
