"""What the server and the application pass to each other about a request, in its WSGI environ."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from gateway.hold import Hold

CAN_HOLD = "ovseg.can_hold"  # set by a server that knows holds
HOLD = "ovseg.hold"
RESUMED = "ovseg.resumed"
REFUSAL = "ovseg.refusal"


def attend(app: Flask) -> None:
    """To be called after all others that look at a request before its view."""

    @app.before_request
    def refuse_or_resume() -> ResponseReturnValue | None:
        if REFUSAL in request.environ:
            raise request.environ[REFUSAL]
        hold: Hold | None = request.environ.get(RESUMED)
        return hold.answer() if hold else None


def can_hold() -> bool:
    """Whether the server will call again for the answer to the current request; others need it at once."""
    return CAN_HOLD in request.environ and RESUMED not in request.environ


def hold(hold: Hold) -> Response:
    """Has the server ask for `hold.answer()` when the hold is over; the response is for Flask, and is not sent."""
    request.environ[HOLD] = hold
    return Response()


def is_held() -> bool:
    return HOLD in request.environ


def refuse(environ: dict[str, Any], refusal: HTTPException) -> None:
    """The server could not read the request; the application answers with this error in the form of the route."""
    environ[REFUSAL] = refusal


def taken_hold(environ: dict[str, Any]) -> Hold | None:
    """The hold that the application left, which it can answer from now on."""
    hold: Hold | None = environ.pop(HOLD, None)
    if hold is not None:
        environ[RESUMED] = hold
    return hold
