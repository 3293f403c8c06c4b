"""The route of the public keys with which a receiver verifies webhooks."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from pydantic import Field

from gateway import auth, breaker, operation, query
from gateway.answers.webhook_keys import WebhookKeys
from gateway.operation import Answer, Operation
from gateway.services import services
from worker.store import tenant
from worker.webhook import signing_keys

blueprint = Blueprint("webhook_keys", __name__, url_prefix="/.well-known")

# A rotation must keep the old key for at least this time: until then, caches may lack the new one.
CACHED_SECONDS = 300


class KeysQuery(query.Query):
    """The tenant whose webhooks are verified."""

    tenant: str = Field(default=tenant.DEFAULT, pattern=f"^{tenant.NAME.pattern}$")


@blueprint.get("/ovseg-webhook-keys.json")
@auth.needs(None)
@breaker.needs_redis(False)
@query.takes(KeysQuery)
@operation.describes(
    Operation(
        "Read the public keys of webhooks",
        {
            200: Answer("The keys that sign now; none if the service has no such key.", WebhookKeys, (operation.ETAG,)),
            304: Answer("They have not changed.", None, (operation.ETAG,)),
        },
        headers=(operation.IF_NONE_MATCH,),
    )
)
def show() -> Response:
    """Return the public keys of a tenant's webhooks as a JSON Web Key Set.

    The answer does not show whether the tenant exists: any name has keys.
    """
    keys = signing_keys.of_tenant(query.of(KeysQuery).tenant, services().settings)
    response = jsonify({"keys": [key.jwk for key in keys]})
    response.headers["Cache-Control"] = f"public, max-age={CACHED_SECONDS}"
    response.add_etag(weak=True)  # weak, because the answer may be compressed
    response.make_conditional(request)
    return response
