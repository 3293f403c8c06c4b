"""Converts an ASGI scope to a WSGI environ (PEP 3333)."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import BadRequest

# Headers that describe how the body was sent. The server has read the body by now, with or without chunks, and sets
# its length itself.
BODY_HEADERS = ("HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH")


def of(scope: dict[str, Any]) -> dict[str, Any]:
    """Return the environ, without the body. Raises BadRequest if the target is neither a path nor an http(s) URL."""
    path, authority = _split(scope["raw_path"])
    query = scope["query_string"].decode("latin-1")
    server, client = scope["server"] or ("localhost", 80), scope["client"] or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": path.decode("latin-1") + (f"?{query}" if query else ""),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        if key not in BODY_HEADERS:
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}" if key in environ else text
    if authority is not None:  # the target's authority takes precedence over Host (RFC 9112, section 3.2.2)
        environ["HTTP_HOST"] = authority.decode("latin-1")
    return environ


def _split(target: bytes) -> tuple[bytes, bytes | None]:
    """Return the path, and the authority if the target is a URL."""
    if target.startswith(b"/") or target == b"*":
        return target, None
    scheme, separator, rest = target.partition(b"://")
    authority, slash, path = rest.partition(b"/")
    if not separator or scheme.lower() not in (b"http", b"https") or not authority:
        raise BadRequest("the target of a request must be a path, or an http or https URL")
    return slash + path or b"/", authority
