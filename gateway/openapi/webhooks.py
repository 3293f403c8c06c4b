"""The events that the service sends: OpenAPI 3.1's section `webhooks`."""

from __future__ import annotations

from typing import Any

from gateway.answers.event import BatchMessage, JobMessage, TestMessage
from gateway.openapi.schemas import Schemas
from worker.job import event_type

# Standard Webhooks 1.0.0
HEADERS = {
    "webhook-id": "The id of the event: the same in all deliveries.",
    "webhook-timestamp": "Of this delivery, in seconds since 1970.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body; `v1a,` and the base64 of an "
    "ed25519 signature over the same, if the service has a key for it. There are spaces between them, and several of a "
    "kind during a rotation.",
}
ANSWERS = {
    "2XX": {"description": "The event is delivered."},
    "410": {"description": "The receiver no longer exists. The event is not sent again, and an endpoint is disabled."},
    "default": {"description": "Everything else is a failure: the event is sent again later."},
}
MESSAGES = (JobMessage, BatchMessage, TestMessage)


def of(schemas: Schemas) -> dict[str, Any]:
    """Return a path item for each type of event."""
    of_job, of_batch, test = map(schemas.of_answer, MESSAGES)
    found: dict[str, Any] = {name: _event(name, f"The event `{name}` of a job", of_job) for name in event_type.ALL}
    found |= {name: _event(name, f"The event `{name}` of a batch", of_batch) for name in event_type.OF_BATCHES}
    return {**found, event_type.TEST: _event(event_type.TEST, "A test of an endpoint", test)}


def _event(name: str, summary: str, message: dict[str, Any]) -> dict[str, Any]:
    schema = {"allOf": [message, {"properties": {"type": {"const": name}}}]}
    return {
        "post": {
            "operationId": name.replace(".", "_"),
            "summary": summary,
            "description": "Sent to webhooks and endpoints, signed as Standard Webhooks 1.0.0 specifies.",
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
                for name, text in HEADERS.items()
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": ANSWERS,
        }
    }
