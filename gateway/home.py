"""The playground: the page that a browser shows for the service's root URL."""

from __future__ import annotations

from flask import Blueprint, Response

from gateway import assets, auth, breaker, operation, query

blueprint = Blueprint("home", __name__)

# Only the files of `assets` run, nothing is loaded from another host, and no other page may frame this one. Pictures
# that a person opens are blob: URLs. A script cannot make a text into HTML (Trusted Types).
POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


class PlaygroundQuery(query.Query):
    job: str | None = None  # the page's script opens this job; the view does not read it


@blueprint.get("/")
@auth.needs(None)
@breaker.needs_redis(False)
@query.takes(PlaygroundQuery)
@operation.describes(None)
def home() -> Response:
    response = assets.answer("playground.html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
