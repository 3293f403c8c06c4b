"""The routes of the OpenAPI document, and of the page that shows it: Swagger UI, from the files of a package."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, current_app, render_template, request

from gateway import auth, breaker, operation
from gateway.openapi import document
from gateway.operation import Answer, Operation

blueprint = Blueprint("openapi", __name__)

# Nothing is loaded from another host, and no script or style in the page itself runs. Swagger UI's style sheet has
# small pictures as data: URLs.
POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
OUR_SCRIPT = Path(__file__).with_name("docs.js")


@blueprint.get("/openapi.json")
@auth.needs(None)
@breaker.needs_redis(False)
@operation.describes(
    Operation(
        "This document",
        {
            200: Answer("The OpenAPI document.", dict[str, object], (operation.ETAG,)),
            304: Answer("It has not changed.", None, (operation.ETAG,)),
        },
        headers=(operation.IF_NONE_MATCH,),
    )
)
def show() -> Response:
    """Return the OpenAPI document of this version of the service."""
    return _cached(Response(_document(), mimetype="application/json"))


@blueprint.get("/docs")
@auth.needs(None)
@breaker.needs_redis(False)
@operation.describes(None)
def docs() -> Response:
    response = Response(render_template("docs.html"))
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.get("/docs/docs.js")
@auth.needs(None)
@breaker.needs_redis(False)
@operation.describes(None)
def script() -> Response:
    return _file(OUR_SCRIPT, "text/javascript")


@blueprint.get("/docs/swagger-ui.css")
@auth.needs(None)
@breaker.needs_redis(False)
@operation.describes(None)
def style() -> Response:
    return _file(_swagger_ui() / "css" / "swagger-ui.css", "text/css")


@blueprint.get("/docs/swagger-ui-bundle.js")
@auth.needs(None)
@breaker.needs_redis(False)
@operation.describes(None)
def bundle() -> Response:
    return _file(_swagger_ui() / "js" / "swagger-ui-bundle.js", "text/javascript")


def _file(path: Path, mimetype: str) -> Response:
    return _cached(Response(path.read_bytes(), mimetype=mimetype))


def _cached(response: Response) -> Response:
    """Return the response with an ETag; with 304 if the client has it already."""
    response.headers["Cache-Control"] = "no-cache"  # a cache asks before it uses what a version before had
    response.add_etag(weak=True)  # weak, because the answer may be compressed
    response.make_conditional(request)
    return response


@cache
def _swagger_ui() -> Path:
    """Return the folder of Swagger UI's files. The package is not imported: it would load another framework."""
    found = importlib.util.find_spec("flask_openapi3_swagger")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "templates" / "swagger"


@cache
def _document() -> bytes:
    """Return the document as JSON. It is made once, at the first request for it: that takes 0.1 s."""
    return json.dumps(document.build(current_app), separators=(",", ":")).encode()
