"""What the server and the application pass to each other about a request, in its WSGI environ.

The server passes a refusal for a request that it could not read. The application passes a hold for an answer that comes
later; when the hold is over, the server calls the application again. It also marks an answer that the server must take
piece by piece, and passes the stream of an answer that has no end yet.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from gateway.hold import Hold
from gateway.live.stream import Stream

CAN_HOLD = "ovseg.can_hold"  # set by a server that supports holds
HOLD = "ovseg.hold"
RESUMED = "ovseg.resumed"
BEGUN = "ovseg.begun"
REFUSAL = "ovseg.refusal"
LONG = "ovseg.long"
STREAM = "ovseg.stream"


def attend(app: Flask) -> None:
    """Register the check for refusals and holds. Call this last: other checks of a request must come first."""

    @app.before_request
    def refuse_or_resume() -> ResponseReturnValue | None:
        if REFUSAL in request.environ:
            raise request.environ[REFUSAL]
        hold: Hold | None = request.environ.get(RESUMED)
        return hold.answer() if hold else None


def can_hold() -> bool:
    """Return True if the server can call again for the answer to the current request, False if it needs it now."""
    return CAN_HOLD in request.environ and not is_resumed()


def is_resumed() -> bool:
    """Return True if the server calls again, because the hold of the current request is over."""
    return RESUMED in request.environ


def hold(hold: Hold, head: Response | None = None) -> Response:
    """Make the server call again for `hold.answer()` when the hold is over.

    The response is for Flask and is not sent, with one exception: the server may send the status and the headers of
    `head`, which is that of an event stream, before it calls again.
    """
    request.environ[HOLD] = hold
    return head or Response()


def mark_long() -> None:
    """Mark the answer to the current request as one that is longer than memory."""
    request.environ[LONG] = True


def is_long(environ: dict[str, Any]) -> bool:
    """Return True if the server must take the answer piece by piece."""
    return LONG in environ


def stream(stream: Stream) -> None:
    """Make the server send a stream after the head of the answer to the current request, and close it afterwards."""
    request.environ[STREAM] = stream


def stream_of(environ: dict[str, Any]) -> Stream | None:
    """Return the stream that the server must send."""
    found: Stream | None = environ.get(STREAM)
    return found


def is_held() -> bool:
    return HOLD in request.environ


def has_begun() -> bool:
    """Return True if the client of the current request has the head of its answer already: that of an event stream."""
    return BEGUN in request.environ


def begin(environ: dict[str, Any]) -> None:
    """Note that the client gets the head of its answer now."""
    environ[BEGUN] = True


def refuse(environ: dict[str, Any], refusal: HTTPException) -> None:
    """Mark a request that the server could not read: the application answers this error in the route's format."""
    environ[REFUSAL] = refusal


def taken_hold(environ: dict[str, Any]) -> Hold | None:
    """Return the hold that the application left, if any, and allow the application to answer it from now on."""
    hold: Hold | None = environ.pop(HOLD, None)
    if hold is not None:
        environ[RESUMED] = hold
    return hold
