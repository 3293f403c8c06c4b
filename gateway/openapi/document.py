"""The OpenAPI 3.1 document of an application: its routes, as Flask and the marks of the views describe them."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from gateway import auth, body, event_stream, operation, request_id, session_cookie
from gateway.openapi import bodies, parameters, webhooks
from gateway.openapi.problems import Problems, View
from gateway.openapi.schemas import Schemas
from gateway.operation import Answer, Header, Operation

DESCRIPTION = """\
Promptable image segmentation: send an image with boxes or clicks, and get masks.

The pages of the documentation explain every field; this document has their types. Errors are problem details
(RFC 9457) with a `code`, except on PaddleX's and OpenAI's routes. Every answer has an `X-Request-Id`. Unknown fields
and parameters are refused, except fields on these routes. The limits of sizes and counts are settings of the service.
If the service requires no API keys, they are ignored.
"""
SECURITY_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "ovk_<id>_<secret>",
        "description": "An API key. The names in a route's requirement are the scopes that the key needs.",
    },
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "An API key as the password of Basic authentication, with any user name.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": session_cookie.NAME,
        "description": (
            "The session of a browser, for the pages of this service: see `POST /v1/session`. "
            f"Over https the cookie is `{session_cookie.SECURE_NAME}`."
        ),
    },
}


class Route(NamedTuple):
    rule: Rule
    method: str
    view: View
    described: Operation

    @property
    def path(self) -> str:
        return re.sub("<(?:[^:>]+:)?([^>]+)>", r"{\1}", self.rule.rule)


def build(app: Flask) -> dict[str, Any]:
    """Return the document. It depends on the code only, not on the settings of the service."""
    routes = sorted(_routes(app), key=lambda route: (route.path, route.method))
    schemas = _schemas(routes)
    problems, paths = Problems(), dict[str, Any]()
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, problems)
    used = {route.rule.endpoint.partition(".")[0] for route in routes}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ovseg",
            "version": version("ovseg"),
            "description": DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": _about(app, name)} for name in app.blueprints if name in used],
        "paths": paths,
        "webhooks": webhooks.of(schemas),
        "components": {
            "schemas": schemas.components,
            "headers": {header.name: _header(header) for header in (*operation.RATE_LIMITS, request_id.ANSWERED)},
            "responses": dict(sorted(problems.components.items())),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _routes(app: Flask) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        described = operation.describes.of(view)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if described is not None:
                yield Route(rule, method, view, described)


def _schemas(routes: list[Route]) -> Schemas:
    requests = [route.described.body for route in routes if route.described.body is not None]
    answers = [
        answer.body for route in routes for answer in route.described.answers.values() if answer.body is not None
    ]
    return Schemas(requests, [*answers, *(route.described.problem for route in routes), *webhooks.MESSAGES])


def _about(app: Flask, blueprint: str) -> str:
    """Return the first line of the docstring of the module that has a blueprint."""
    return (sys.modules[app.blueprints[blueprint].import_name].__doc__ or "").partition("\n")[0]


def _operation(route: Route, schemas: Schemas, problems: Problems) -> dict[str, Any]:
    described, view = route.described, route.view
    fields = {} if described.body is None else schemas.fields_of_request(described.body)
    found: dict[str, Any] = {
        "operationId": route.rule.endpoint.replace(".", "_"),
        "tags": [route.rule.endpoint.partition(".")[0]],
        "summary": described.summary,
        "description": inspect.getdoc(view) or "",
        "security": _security(view),
        "parameters": parameters.of(route.rule, view, described, fields),
    }
    if described.body is not None:
        found["requestBody"] = bodies.of(view, described, schemas.of_request(described.body), fields)
    is_limited = auth.needs.of(view) is not None
    answers = {str(status): _answer(answer, schemas, is_limited) for status, answer in described.answers.items()}
    others = problems.of(view, route.method, described, schemas.of_answer(described.problem))
    assert answers.keys().isdisjoint(others), route.path  # one status would need both media types
    found["responses"] = {**answers, **others}
    return found


def _security(view: View) -> list[dict[str, list[str]]]:
    scope = auth.needs.of(view)
    scopes = [] if scope == auth.ANY else [str(scope)]
    return [] if scope is None else [{name: scopes} for name in SECURITY_SCHEMES]


def _answer(answer: Answer, schemas: Schemas, is_limited: bool) -> dict[str, Any]:
    common = [request_id.ANSWERED, *(operation.RATE_LIMITS if is_limited else ())]
    headers: dict[str, Any] = {header.name: _header(header) for header in answer.headers}
    headers |= {header.name: {"$ref": f"#/components/headers/{header.name}"} for header in common}
    found: dict[str, Any] = {"description": answer.description, "headers": headers}
    content: dict[str, Any] = {} if answer.body is None else {body.JSON: {"schema": schemas.of_answer(answer.body)}}
    for media_type in answer.media_types:
        # OpenAPI 3.1 cannot describe an event of a stream, and tools apply the schema to each event: any value fits.
        content[media_type] = {"schema": {} if media_type == event_stream.MEDIA_TYPE else {"type": "string"}}
    if content:
        found["content"] = content
    return found


def _header(header: Header) -> dict[str, Any]:
    return {"description": header.description, "schema": dict(header.schema)}
