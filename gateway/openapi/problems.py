"""The problems that a route can answer: their codes follow from its marks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway import auth, body, breaker, errors, operation, own_page, problem, query
from gateway.answers.problem import Problem
from gateway.operation import Operation

MAX_SHARED = 3  # codes of a response that is a component: its name consists of them

View = Callable[..., object]

# The server answers these before it looks for a route, or for a fault of the service.
OF_EVERY_ROUTE = (
    "bad_request",
    "body_too_large",
    "internal_error",
    "not_implemented",
    "request_header_fields_too_large",
    "request_timeout",
    "unavailable",
    "uri_too_long",
)


def codes(view: View, method: str) -> list[str]:
    """Return the codes of a view's problems, sorted, without OF_EVERY_ROUTE."""
    return sorted(set(_codes(view, method)))


class Problems:
    """The responses that are problems. Those of many routes are `components`, to which their routes refer."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, view: View, method: str, described: Operation, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the responses of an operation, by status. `schema` is that of an error's JSON."""
        by_status: dict[int, list[str]] = defaultdict(list)
        for code in codes(view, method):
            by_status[problem.status_of(code)].append(code)
        found = {str(int(status)): self._of(each, described, schema) for status, each in sorted(by_status.items())}
        return {**found, "default": self._of(OF_EVERY_ROUTE, described, schema, "of_every_route")}

    def _of(self, codes: Sequence[str], described: Operation, schema: dict[str, Any], name: str = "") -> dict[str, Any]:
        found = _response(codes, described, schema)
        if described.problem is not Problem or (not name and len(codes) > MAX_SHARED):
            return found
        name = name or "-".join(codes)
        self.components[name] = found
        return {"$ref": f"#/components/responses/{name}"}


def _response(codes: Sequence[str], described: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the response for problems of one status, which have these codes."""
    narrowed = schema
    if described.problem is Problem:
        narrowed = {"allOf": [schema, {"properties": {"code": {"enum": list(codes)}}}]}
    headers = {name for code in codes for name in errors.HEADERS_OF_CODE.get(code, {})}
    headers |= {header.name for header in described.problem_headers}
    if "quota_exceeded" in codes:
        headers |= {"Retry-After", *(header.name for header in operation.RATE_LIMITS)}
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        **({"headers": {name: {"schema": {"type": "string"}} for name in sorted(headers)}} if headers else {}),
        "content": {described.problem_media_type: {"schema": narrowed}},
    }


def _codes(view: View, method: str) -> Iterator[str]:
    described = operation.describes.of(view)
    assert described is not None
    yield from described.codes
    yield from ("host_not_allowed", "invalid_value", "unknown_field")  # the last two for parameters
    if method not in own_page.SAFE_METHODS:
        yield from ("cross_site", "unsupported_media_type")
    if auth.needs.of(view) is not None:
        yield from ("cross_site", "key_invalid", "key_required", "quota_exceeded", "session_invalid", "unavailable")
    if auth.needs.of(view) not in (None, auth.ANY):
        yield "scope_missing"
    if auth.is_off_without_keys.of(view):
        yield "auth_off"
    if breaker.needs_redis.of(view):
        yield "unavailable"
        if method not in own_page.SAFE_METHODS:
            yield "queue_full"  # Redis has no memory for what the request would write
    for header in (*described.headers, *query.takes.of(view).HEADERS):
        yield from header.codes
    if described.body is not None:
        yield from ("body_too_large", "incomplete_body", "invalid_json", "invalid_request")
        yield "unsupported_content_encoding"
    if body.FORM in body.takes.of(view):
        yield "invalid_multipart"
