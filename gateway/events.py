"""The routes of webhook events: show an event with its deliveries, and deliver it again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from gateway import auth, operation
from gateway.answers.event import EventObject
from gateway.caller import caller
from gateway.operation import Answer, Operation
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job.client_text import brief
from worker.store import tenant
from worker.store.clock import timestamp
from worker.webhook.delivery import Delivery
from worker.webhook.events import History

blueprint = Blueprint("events", __name__, url_prefix="/v1/events")


@blueprint.get("/<event_id>")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(Operation("Read an event", {200: Answer("The event.", EventObject)}, ("not_found",)))
def show(event_id: str) -> Response:
    return jsonify(describe(_found(event_id)))


@blueprint.post("/<event_id>/redeliver")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation("Deliver an event again", {202: Answer("It is delivered soon.", EventObject)}, ("not_found",))
)
def redeliver(event_id: str) -> tuple[Response, int]:
    """Deliver the event again, whether it was delivered, is dead, or waits for its next try: 202."""
    services().events.redeliver(caller().owned(event_id))
    return jsonify(describe(_found(event_id))), 202


def describe(history: History) -> dict[str, Any]:
    """Return the event object."""
    event = history.event
    return {
        "id": tenant.shown(event.id),
        "type": event.type,
        "job_id": event.job_id and tenant.shown(event.job_id),
        "batch_id": event.batch_id and tenant.shown(event.batch_id),
        "endpoint_id": event.endpoint_id and tenant.shown(event.endpoint_id),
        "state": event.state,
        "created_at": timestamp(event.created_at),
        "tries": event.tries,
        "outcome": event.outcome,
        "next_try_at": timestamp(history.next_try_at),
        "deliveries": [_describe(delivery) for delivery in history.deliveries],
    }


def _describe(delivery: Delivery) -> dict[str, Any]:
    return {
        "at": timestamp(delivery.at),
        "url": delivery.url,
        "status": delivery.status,
        "error": delivery.error,
        "duration_ms": delivery.duration_ms,
        "answer": delivery.answer,
    }


def _found(event_id: str) -> History:
    history = services().events.get(caller().owned(event_id))
    if history is None:
        raise OvsegError("not_found", f"there is no event {brief(event_id)!r}")
    return history
