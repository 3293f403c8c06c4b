"""The console: the page with which a person follows jobs, and looks after the service."""

from __future__ import annotations

from flask import Blueprint, Response
from pydantic import ConfigDict

from gateway import assets, auth, breaker, operation, query

blueprint = Blueprint("console", __name__)


class ConsoleQuery(query.Query):
    """Any parameters: the page's script reads them."""

    model_config = ConfigDict(extra="ignore")


@blueprint.get("/console", strict_slashes=False)
@blueprint.get("/console/<path:view>")
@auth.needs(None)
@breaker.needs_redis(False)
@query.takes(ConsoleQuery)
@operation.describes(None)
def show(view: str = "") -> Response:
    """Return the page. Its script finds out from the address what to show, so that a person can reload any address."""
    return assets.page("console.html")
