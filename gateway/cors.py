"""Lets pages of chosen origins read answers (CORS, the Fetch standard).

Without the setting, no page of another site can. A page sends an API key, or the service requires none: the cookie of a
session counts only for pages of the service itself (`own_page`), and no answer allows credentials.
"""

from __future__ import annotations

from flask import Flask, Response, request

METHODS = "GET, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, Prefer, If-None-Match, If-Range, Range, Last-Event-ID, X-Request-Id"
)
ANSWER_HEADERS = (
    "Accept-Ranges, Content-Disposition, Content-Range, Location, ETag, Retry-After, Idempotency-Replayed, "
    "Preference-Applied, RateLimit, RateLimit-Policy, WWW-Authenticate, X-Request-Id"
)
PREFLIGHT_SECONDS = 600  # for which a browser remembers the answer to its question


def open_to(app: Flask, origins: tuple[str, ...]) -> None:
    """Add the headers of CORS to every answer for a page of one of `origins`, also to errors."""
    if not origins:
        return

    @app.after_request
    def allow(response: Response) -> Response:
        response.vary.add("Origin")
        if request.headers.get("Origin") not in origins:
            return response
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = ANSWER_HEADERS
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response
