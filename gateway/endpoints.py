"""The routes of webhook endpoints, which are notified of every job: create, show, change, delete, test, replay."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, url_for

from gateway import auth, body, events, operation, paging, query
from gateway.answers.endpoint import EndpointList, EndpointObject, EndpointWithSecret, Replayed
from gateway.answers.event import EventObject, EventPage
from gateway.caller import caller
from gateway.operation import LOCATION, Answer, Operation
from gateway.paging import PageQuery
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job.client_text import brief
from worker.outbound import web_url
from worker.store import tenant
from worker.store.clock import microseconds, timestamp
from worker.webhook import endpoint_fields, span
from worker.webhook.endpoint import Endpoint

blueprint = Blueprint("endpoints", __name__, url_prefix="/v1/webhook-endpoints")

CODES_OF_FIELDS = ("headers_unavailable", "url_forbidden", "url_invalid")


@blueprint.post("")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation(
        "Register a webhook endpoint",
        {201: Answer("The endpoint, with its secret.", EndpointWithSecret, (LOCATION,))},
        (*CODES_OF_FIELDS, "too_many_endpoints", "webhooks_unavailable"),
        endpoint_fields.NewEndpoint,
        {"The ends of all jobs": {"url": "https://hooks.example.com/ovseg"}},
    )
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create an endpoint: 201, and the answer has its secret."""
    fields = endpoint_fields.parse_new(body.read_json(), services().settings)
    endpoint = services().endpoints.create(caller().tenant, fields)
    if endpoint is None:
        maximum = services().settings.max_webhook_endpoints
        raise OvsegError("too_many_endpoints", f"there are {maximum} endpoints already, which is the maximum")
    location = url_for("endpoints.show", endpoint_id=tenant.shown(endpoint.id))
    return jsonify({**describe(endpoint), "secret": endpoint.secret}), 201, {"Location": location}


@blueprint.get("")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(Operation("List webhook endpoints", {200: Answer("All endpoints.", EndpointList)}))
def page() -> Response:
    """List all endpoints, oldest first."""
    return jsonify({"endpoints": [describe(endpoint) for endpoint in services().endpoints.list(caller().tenant)]})


@blueprint.get("/<endpoint_id>")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation("Read a webhook endpoint", {200: Answer("The endpoint.", EndpointObject)}, ("not_found",))
)
def show(endpoint_id: str) -> Response:
    return jsonify(describe(_found(endpoint_id)))


@blueprint.get("/<endpoint_id>/events")
@auth.needs(Scope.WEBHOOKS)
@query.takes(PageQuery)
@operation.describes(
    Operation("List the events of an endpoint", {200: Answer("A page of events.", EventPage)}, ("not_found",))
)
def list_events(endpoint_id: str) -> Response:
    """List the events of jobs for this endpoint, newest first; `next_cursor` leads to earlier events."""
    endpoint = _found(endpoint_id)
    wanted = query.of(PageQuery)
    histories, next_cursor = services().events.of_endpoint(endpoint.id, wanted.limit, wanted.cursor)
    items = ((events.describe(history), str(microseconds(history.event.created_at))) for history in histories)
    return paging.answer("events", items, next_cursor)


@blueprint.patch("/<endpoint_id>")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation(
        "Change a webhook endpoint",
        {200: Answer("The endpoint as it is now.", EndpointObject)},
        (*CODES_OF_FIELDS, "not_found"),
        endpoint_fields.EndpointFields,
        {"Stop it": {"disabled": True}},
    )
)
def change(endpoint_id: str) -> Response:
    """Change the fields that the request has, and no others."""
    fields = endpoint_fields.parse_change(body.read_json(), services().settings)
    services().endpoints.change(caller().owned(endpoint_id), fields)
    return show(endpoint_id)


@blueprint.delete("/<endpoint_id>")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(Operation("Delete a webhook endpoint", {204: Answer("The endpoint is deleted.")}, ("not_found",)))
def delete(endpoint_id: str) -> tuple[str, int]:
    if not services().endpoints.delete(caller().owned(endpoint_id)):
        raise _not_found(endpoint_id)
    return "", 204


@blueprint.post("/<endpoint_id>/rotate-secret")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation(
        "Give an endpoint a new secret",
        {200: Answer("The endpoint, with its new secret.", EndpointWithSecret)},
        ("not_found",),
    )
)
def rotate(endpoint_id: str) -> Response:
    """Replace the endpoint's secret, and return the new one. The old secret stays valid for a while."""
    services().endpoints.rotate(caller().owned(endpoint_id))
    endpoint = _found(endpoint_id)
    return jsonify({**describe(endpoint), "secret": endpoint.secret})


@blueprint.post("/<endpoint_id>/test")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation(
        "Send a test event to an endpoint",
        {202: Answer("The event is delivered soon.", EventObject)},
        ("endpoint_disabled", "not_found"),
    )
)
def test(endpoint_id: str) -> tuple[Response, int]:
    """Send a test event: 202, before it is delivered."""
    event_id = services().events.test(_enabled(endpoint_id).id)
    if event_id is None:
        raise _not_found(endpoint_id)
    return events.show(tenant.shown(event_id)), 202


@blueprint.post("/<endpoint_id>/replay")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation(
        "Deliver the events of a span of time again",
        {202: Answer("The number of events, which are delivered soon.", Replayed)},
        ("endpoint_disabled", "not_found"),
        span.SpanFields,
        {"A day": {"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}},
    )
)
def replay(endpoint_id: str) -> tuple[Response, int]:
    """Deliver the stored events of a span of time again, both delivered and dead ones: 202 with their count."""
    within = span.parse(body.read_json())
    endpoint = _enabled(endpoint_id)
    outcome = services().events.replay(endpoint.id, web_url.host_of(endpoint.url), within)
    return jsonify({"replayed": outcome.replayed, "next_since": timestamp(outcome.next_since)}), 202


def describe(endpoint: Endpoint) -> dict[str, Any]:
    """Return the endpoint object, without secrets."""
    now = datetime.now(UTC)
    has_old_secret = len(endpoint.live_secrets(now)) > 1
    return {
        "id": tenant.shown(endpoint.id),
        "url": endpoint.url,
        "events": list(endpoint.events),
        "description": endpoint.description,
        "header_names": list(endpoint.header_names),
        "status": endpoint.status(now),
        "created_at": timestamp(endpoint.created_at),
        "disabled_at": timestamp(endpoint.disabled_at),
        "disabled_reason": endpoint.disabled_reason,
        "last_success_at": timestamp(endpoint.last_success_at),
        "last_failure_at": timestamp(endpoint.last_failure_at),
        "failing_since": timestamp(endpoint.failing_since),
        "old_secret_until": timestamp(endpoint.old_secret_until if has_old_secret else None),
    }


def _found(endpoint_id: str) -> Endpoint:
    endpoint = services().endpoints.get(caller().owned(endpoint_id))
    if endpoint is None:
        raise _not_found(endpoint_id)
    return endpoint


def _enabled(endpoint_id: str) -> Endpoint:
    endpoint = _found(endpoint_id)
    if endpoint.disabled_at is not None:
        raise OvsegError("endpoint_disabled", "the endpoint is disabled; enable it first")
    return endpoint


def _not_found(endpoint_id: str) -> OvsegError:
    return OvsegError("not_found", f"there is no webhook endpoint {brief(endpoint_id)!r}")
