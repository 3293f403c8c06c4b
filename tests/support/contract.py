"""The OpenAPI document as a contract: every answer that a test gets must be as the document describes it."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import Any

import jsonschema_rs
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from configs.settings import Settings
from gateway import create_app
from gateway.openapi import document

GZIP = b"\x1f\x8b"


@cache
def gateway() -> Flask:
    return create_app(Settings(auth="off"))


@cache
def built() -> dict[str, Any]:
    """Return the document."""
    return document.build(gateway())


@cache
def strict_components() -> dict[str, Any]:
    """Return the components, whose objects may have no field that they do not name: the document allows further ones,
    so that clients accept the answers of later versions."""
    components: dict[str, Any] = json.loads(json.dumps(built()["components"]))
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return components


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**json.loads(schema), "components": strict_components()}, validate_formats=True)


def errors(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what is wrong with a value."""
    found = _validator(json.dumps(schema, sort_keys=True)).iter_errors(value)
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message[:300]}" for error in found]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Return a response, which may be a reference to a component."""
    if "$ref" not in node:
        return node
    found: dict[str, Any] = built()["components"]["responses"][node["$ref"].rpartition("/")[2]]
    return found


@cache
def _operations() -> dict[str, dict[str, Any]]:
    return {each["operationId"]: each for item in built()["paths"].values() for each in item.values()}


def operation(url_map: Map, method: str, path: str) -> dict[str, Any] | None:
    """Return the operation that answers a request; None if the document has none, as for pages and unknown paths."""
    try:
        endpoint, _ = url_map.bind("localhost").match(path, method)
    except HTTPException:
        return None
    return _operations().get(endpoint.replace(".", "_"))


def check(url_map: Map, method: str, path: str, status: int, headers: Any, body: bytes) -> None:
    """Fail if an answer is not as the document describes it."""
    described = None if method in ("HEAD", "OPTIONS") else operation(url_map, method, path)
    if described is None:
        return
    request = f"{method} {path}: {status} {body[:300]!r}"
    responses = described["responses"]
    response = resolved(responses.get(str(status), responses["default"]))
    known = {name.title() for name in (*response.get("headers", ()), *COMMON_HEADERS)}
    unknown = {name.title() for name in dict(headers)} - known
    assert not unknown, f"{request}: the headers {unknown} are not in the document"
    content = response.get("content", {})
    if not content:
        assert not body, f"{request}: the document has no body here"
        return
    media_type = headers["Content-Type"]
    plain = {name.partition(";")[0]: each["schema"] for name, each in content.items()}
    assert media_type.partition(";")[0] in plain, f"{request}: the document has no {media_type} here"
    if "json" in media_type and "ndjson" not in media_type:
        text = gzip.decompress(body) if body.startswith(GZIP) else body  # some clients decompress it themselves
        wrong = errors(plain[media_type], json.loads(text))
        assert not wrong, f"{request}: not as the OpenAPI document describes it: {wrong[:5]}"


# Of HTTP itself and of CORS; the document does not repeat them at every answer.
COMMON_HEADERS = (
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Allow",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Date",
    "RateLimit",
    "RateLimit-Policy",
    "Server",
    "Vary",
    "X-Request-Id",
)
