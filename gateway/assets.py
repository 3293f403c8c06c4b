"""The files of the pages: scripts, styles and pictures, as they are in the folder `web`. There is no build step.

A browser asks at each load whether a file has changed, and the answer 304 means no. So no page mixes files of
two versions of the service.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, request

from gateway import auth, breaker, operation

blueprint = Blueprint("assets", __name__)

FOLDER = Path(__file__).with_name("web")
# Stated here, because Python's own table depends on files of the machine.
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
}
PHOTO = "photo.jpg"  # the photo of the demo, which the playground offers

# Only the files of `assets` run, nothing is loaded from another host, and no other page may frame this one. Pictures
# that a person opens are blob: URLs. A script cannot make a text into HTML (Trusted Types).
POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


@blueprint.get("/assets/<path:name>")
@auth.needs(None)
@breaker.needs_redis(False)
@operation.describes(None)
def show(name: str) -> Response:
    return answer(name)


def page(name: str) -> Response:
    """Answer with a page, which runs only the files of this folder."""
    response = answer(name)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def answer(name: str) -> Response:
    """Answer with a file, or with 304 if the client has it. Raises NotFound."""
    file = _files().get(name)
    if file is None:
        abort(404)
    response = Response(file.read_bytes(), mimetype=TYPES[file.suffix])
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.add_etag(weak=True)  # weak, because the answer may be compressed
    response.make_conditional(request)
    return response


@cache
def _files() -> dict[str, Path]:
    """Return all files by their names. A name that is not among them opens nothing, in particular no `..`."""
    files = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.is_file()}
    return {**files, PHOTO: _photo()}


def _photo() -> Path:
    """Return the path of the demo's photo. Its package is not imported: it is a layer above this one."""
    found = importlib.util.find_spec("ovseg")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "photos" / "astronaut.jpg"
