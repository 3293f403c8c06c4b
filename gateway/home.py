"""The page that a browser shows for the service's root URL."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from gateway import auth, breaker, operation
from gateway.services import services
from ovseg_core import models

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@auth.needs(None)
@breaker.needs_redis(False)
@operation.describes(None)
def home() -> str:
    return render_template(
        "home.html", url=request.host_url.rstrip("/"), models=models.all_models(), settings=services().settings
    )
