"""Webhook events: what became of them, and once more."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.delivery import Delivery
from worker.events import History
from worker.job_object import timestamp

blueprint = Blueprint("events", __name__, url_prefix="/v1")


@blueprint.get("/jobs/<job_id>/webhook-deliveries")
def of_job(job_id: str) -> Response:
    """Every event of a job, oldest first, each with its last tries."""
    if services().jobs.get(job_id) is None:
        raise OvsegError("not_found", f"there is no job {job_id!r}")
    return jsonify({"events": [describe(history) for history in services().events.of_job(job_id)]})


@blueprint.get("/events/<event_id>")
def look(event_id: str) -> Response:
    return jsonify(describe(_found(event_id)))


@blueprint.post("/events/<event_id>/redeliver")
def redeliver(event_id: str) -> tuple[Response, int]:
    """Tell it again, whether it was delivered, is dead, or waits for its next try: 202."""
    services().events.redeliver(event_id)
    return jsonify(describe(_found(event_id))), 202


def describe(history: History) -> dict[str, Any]:
    """The event object."""
    event = history.event
    return {
        "id": event.id,
        "type": event.type,
        "job_id": event.job_id,
        "endpoint_id": event.endpoint_id,
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
    history = services().events.get(event_id)
    if history is None:
        raise OvsegError("not_found", f"there is no event {event_id!r}")
    return history
