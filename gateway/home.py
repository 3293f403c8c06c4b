"""The playground: the page that a browser shows for the service's root URL."""

from __future__ import annotations

from flask import Blueprint, Response

from gateway import assets, auth, breaker, operation, query

blueprint = Blueprint("home", __name__)


class PlaygroundQuery(query.Query):
    job: str | None = None  # the page's script opens this job; the view does not read it


@blueprint.get("/")
@auth.needs(None)
@breaker.needs_redis(False)
@query.takes(PlaygroundQuery)
@operation.describes(None)
def home() -> Response:
    return assets.page("playground.html")
