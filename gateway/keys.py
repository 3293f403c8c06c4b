"""The routes of API keys, for admins: create, show, list, change, rotate, revoke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, url_for
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateway import audit, auth, body, operation, paging, query
from gateway.answers.key import KeyObject, KeyPage, KeyWithText
from gateway.operation import LOCATION, Answer, Operation
from gateway.paging import PageQuery
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access import rates
from worker.access.api_key import MAX_NAME, ApiKey
from worker.access.rates import Rates
from worker.access.scope import ORDINARY, Scope
from worker.job.client_text import brief
from worker.job.rfc3339 import Time
from worker.job.validation import short_list, validated
from worker.store import tenant
from worker.store.clock import microseconds, timestamp

blueprint = Blueprint("keys", __name__, url_prefix="/v1/keys")


Rate = Annotated[int | None, Field(gt=0, le=rates.MAXIMUM, strict=True)]


class KeyFields(BaseModel):
    """The fields of a new key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str = Field(default=tenant.DEFAULT, pattern=f"^{tenant.NAME.pattern}$", strict=True)
    name: str = Field(default="", max_length=MAX_NAME, strict=True)
    scopes: Annotated[tuple[Scope, ...], BeforeValidator(short_list), Field(min_length=1)] = ORDINARY
    expires_at: Time = None
    requests_per_minute: Rate = None
    prompts_per_minute: Rate = None


class KeyChange(BaseModel):
    """The fields of a key that can be changed. A rate that is null is that of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: Rate = None
    prompts_per_minute: Rate = None


@blueprint.post("")
@auth.needs(Scope.ADMIN)
@auth.is_off_without_keys(True)
@operation.describes(
    Operation(
        "Make an API key",
        {201: Answer("The key, with its text.", KeyWithText, (LOCATION,))},
        body=KeyFields,
        examples={"For a program that submits jobs": {"name": "camera 7", "scopes": ["jobs:write", "jobs:read"]}},
    )
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create a key: 201, and only this answer has its text."""
    fields = validated(KeyFields, body.read_json())
    if fields.expires_at is not None and fields.expires_at <= datetime.now(UTC):
        raise OvsegError("invalid_value", "must be in the future", "expires_at")
    if Scope.ADMIN in fields.scopes and fields.tenant != tenant.DEFAULT:
        message = f"admin is only for keys of the tenant {tenant.DEFAULT}: an admin manages the keys of all tenants"
        raise OvsegError("invalid_value", message, "scopes")
    scopes = [scope for scope in Scope if scope in fields.scopes]
    allowed = Rates(fields.requests_per_minute, fields.prompts_per_minute)
    text = services().keys.create(fields.name, scopes, fields.expires_at, fields.tenant, allowed)
    audit.record(f"created key {text.id} of tenant {fields.tenant} ({' '.join(scopes)})")
    location = url_for("keys.show", key_id=text.id)
    return jsonify({**describe(_found(text.id)), "key": str(text)}), 201, {"Location": location}


@blueprint.get("")
@auth.needs(Scope.ADMIN)
@auth.is_off_without_keys(True)
@query.takes(PageQuery)
@operation.describes(Operation("List API keys", {200: Answer("A page of keys.", KeyPage)}))
def page() -> Response:
    """List all keys, newest first; `next_cursor` leads to older keys."""
    wanted = query.of(PageQuery)
    keys, next_cursor = services().keys.page(wanted.limit, wanted.cursor)
    items = ((describe(key), str(microseconds(key.created_at))) for key in keys)
    return paging.answer("keys", items, next_cursor)


@blueprint.get("/<key_id>")
@auth.needs(Scope.ADMIN)
@auth.is_off_without_keys(True)
@operation.describes(Operation("Read an API key", {200: Answer("The key.", KeyObject)}, ("not_found",)))
def show(key_id: str) -> Response:
    return jsonify(describe(_found(key_id)))


@blueprint.patch("/<key_id>")
@auth.needs(Scope.ADMIN)
@auth.is_off_without_keys(True)
@operation.describes(
    Operation(
        "Change the limits of an API key",
        {200: Answer("The key as it is now.", KeyObject)},
        ("not_found",),
        KeyChange,
        {"Allow more requests": {"requests_per_minute": 6000}},
    )
)
def change(key_id: str) -> Response:
    """Change the rates that the request has, and no others."""
    rates = validated(KeyChange, body.read_json()).model_dump(exclude_unset=True)
    if not services().keys.change(key_id, rates):
        raise _not_found(key_id)
    written = ", ".join(f"{name} {rate or 'default'}" for name, rate in rates.items())
    audit.record(f"changed key {key_id}: {written}")
    return show(key_id)


@blueprint.post("/<key_id>/rotate")
@auth.needs(Scope.ADMIN)
@auth.is_off_without_keys(True)
@operation.describes(
    Operation(
        "Give an API key a new secret",
        {200: Answer("The key, with its new text.", KeyWithText)},
        ("key_revoked", "not_found"),
    )
)
def rotate(key_id: str) -> Response:
    """Give a key a new secret: only this answer has the new text. The old secret stays live for a while."""
    text = services().keys.rotate(key_id, services().settings.old_key_seconds)
    key = _found(key_id)
    if text is None:
        raise OvsegError("key_revoked", f"the key {key.id} is revoked")
    audit.record(f"rotated key {key.id}")
    return jsonify({**describe(key), "key": str(text)})


@blueprint.post("/<key_id>/revoke")
@auth.needs(Scope.ADMIN)
@auth.is_off_without_keys(True)
@operation.describes(Operation("Revoke an API key", {200: Answer("The key.", KeyObject)}, ("not_found",)))
def revoke(key_id: str) -> Response:
    """Revoke a key, which every gateway refuses within a second. To revoke it again changes nothing."""
    if not services().keys.revoke(key_id):
        raise _not_found(key_id)
    audit.record(f"revoked key {key_id}")
    return show(key_id)


def describe(key: ApiKey) -> dict[str, Any]:
    """Return the key object, without secrets."""
    now = datetime.now(UTC)
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "scopes": list(key.scopes),
        "status": key.status(now),
        "created_at": timestamp(key.created_at),
        "expires_at": timestamp(key.expires_at),
        "last_used_at": timestamp(key.last_used_at),
        "revoked_at": timestamp(key.revoked_at),
        "old_secret_until": timestamp(key.old_secret_until if key.has_old_secret(now) else None),
        "requests_per_minute": key.rates.requests_per_minute,
        "prompts_per_minute": key.rates.prompts_per_minute,
    }


def _found(key_id: str) -> ApiKey:
    key = services().keys.get(key_id)
    if key is None:
        raise _not_found(key_id)
    return key


def _not_found(key_id: str) -> OvsegError:
    return OvsegError("not_found", f"there is no key {brief(key_id)!r}")
