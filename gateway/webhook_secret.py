"""The route of the secret that signs the webhooks of a tenant's jobs."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from gateway import auth, operation
from gateway.answers.endpoint import NewSecret
from gateway.caller import caller
from gateway.operation import Answer, Operation
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.store.clock import timestamp

blueprint = Blueprint("webhook_secret", __name__, url_prefix="/v1/webhook-secret")


@blueprint.post("/rotate")
@auth.needs(Scope.WEBHOOKS)
@operation.describes(
    Operation(
        "Give a tenant a new secret for the webhooks of its jobs",
        {200: Answer("The new secret.", NewSecret)},
        ("secret_is_a_setting",),
    )
)
def rotate() -> Response:
    """Replace the secret of the caller's tenant, and return the new one. The old secret also signs for a while."""
    changed = services().tenants.rotate_webhook_secret(caller().tenant)
    if changed is None:
        raise OvsegError(
            "secret_is_a_setting", "OVSEG_WEBHOOK_SECRET signs these webhooks; only the operator can change it"
        )
    return jsonify({"secret": changed.webhook_secret, "old_secret_until": timestamp(changed.old_secret_until)})
