"""Webhook endpoints, notified of every job: create, look, change, test, replay."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, url_for

from gateway import body, events, paging, query
from gateway.paging import PageQuery
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.job.validation import brief
from worker.outbound import web_url
from worker.store.clock import microseconds, timestamp
from worker.webhook import endpoint_fields, span
from worker.webhook.endpoint import Endpoint

blueprint = Blueprint("endpoints", __name__, url_prefix="/v1/webhook-endpoints")


@blueprint.post("")
def create() -> tuple[Response, int, dict[str, str]]:
    """A new endpoint, with its secret: 201."""
    fields = endpoint_fields.parse_new(body.read_json(), services().settings)
    endpoint = services().endpoints.create(fields)
    if endpoint is None:
        most = services().settings.max_webhook_endpoints
        raise OvsegError("too_many_endpoints", f"there are {most} endpoints already, as many as there may be")
    location = url_for("endpoints.look", endpoint_id=endpoint.id)
    return jsonify({**describe(endpoint), "secret": endpoint.secret}), 201, {"Location": location}


@blueprint.get("")
def page() -> Response:
    """All of them, oldest first."""
    return jsonify({"endpoints": [describe(endpoint) for endpoint in services().endpoints.list()]})


@blueprint.get("/<endpoint_id>")
def look(endpoint_id: str) -> Response:
    return jsonify(describe(_found(endpoint_id)))


@blueprint.get("/<endpoint_id>/events")
@query.takes(PageQuery)
def notified(endpoint_id: str) -> Response:
    """The events of jobs for this endpoint, newest first; `next_cursor` leads to earlier ones."""
    endpoint = _found(endpoint_id)
    asked = query.of(PageQuery)
    histories, next_cursor = services().events.of_endpoint(endpoint.id, asked.limit, asked.cursor)
    shown, next_cursor = paging.page(
        histories, events.describe, lambda n: str(microseconds(histories[n - 1].event.created_at)), next_cursor
    )
    return jsonify({"events": shown, "next_cursor": next_cursor})


@blueprint.patch("/<endpoint_id>")
def change(endpoint_id: str) -> Response:
    """Only what is named is changed."""
    fields = endpoint_fields.parse_change(body.read_json(), services().settings)
    services().endpoints.change(endpoint_id, fields)
    return look(endpoint_id)


@blueprint.delete("/<endpoint_id>")
def delete(endpoint_id: str) -> tuple[str, int]:
    if not services().endpoints.delete(endpoint_id):
        raise _not_found(endpoint_id)
    return "", 204


@blueprint.post("/<endpoint_id>/rotate-secret")
def rotate(endpoint_id: str) -> Response:
    """The endpoint with its new secret; the old one is live for a while yet."""
    services().endpoints.rotate(endpoint_id)
    endpoint = _found(endpoint_id)
    return jsonify({**describe(endpoint), "secret": endpoint.secret})


@blueprint.post("/<endpoint_id>/test")
def test(endpoint_id: str) -> tuple[Response, int]:
    """A test event, on its way: 202."""
    event_id = services().events.test(_enabled(endpoint_id).id)
    if event_id is None:
        raise _not_found(endpoint_id)
    return events.look(event_id), 202


@blueprint.post("/<endpoint_id>/replay")
def replay(endpoint_id: str) -> tuple[Response, int]:
    """Deliver again what happened in a span of time, delivered or dead, if it is still kept: 202, and how many."""
    within = span.parse(body.read_json())
    endpoint = _enabled(endpoint_id)
    outcome = services().events.replay(endpoint.id, web_url.host_of(endpoint.url), within)
    return jsonify({"replayed": outcome.replayed, "next_since": timestamp(outcome.next_since)}), 202


def describe(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint object: everything but its secrets."""
    now = datetime.now(UTC)
    has_old_secret = len(endpoint.live_secrets(now)) > 1
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": list(endpoint.events),
        "description": endpoint.description,
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
    endpoint = services().endpoints.get(endpoint_id)
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
