"""The routes of sessions: a person signs in to the pages with an API key, sees who is signed in, and signs out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from gateway import audit, auth, body, credentials, operation, own_page, session_cookie
from gateway.answers.session import SessionObject
from gateway.caller import Caller, caller, set_caller
from gateway.operation import Answer, Header, Operation
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.api_key import ApiKey, KeyText
from worker.access.credential import Credential
from worker.access.scope import Scope
from worker.access.sessions import LIFETIME_SECONDS
from worker.job.validation import validated
from worker.store.clock import timestamp
from worker.store.tenant import DEFAULT

blueprint = Blueprint("sessions", __name__, url_prefix="/v1/session")

MAX_BODY_BYTES = 4096  # everyone may send it, and a key has 64 characters
SET_COOKIE = Header("Set-Cookie", "The token of the session, which scripts cannot read.")


class SignIn(BaseModel):
    """The fields of a sign-in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(max_length=MAX_BODY_BYTES, strict=True, description="an API key, `ovk_...`")


@blueprint.post("")
@auth.needs(None)
@auth.is_off_without_keys(True)
@operation.describes(
    Operation(
        "Sign in with an API key",
        {200: Answer("The session, whose token is in a cookie.", SessionObject, (SET_COOKIE,))},
        ("key_invalid", "quota_exceeded"),
        SignIn,
        {"Sign in": {"key": "ovk_26de503988651cdc_4fJk0yVt2mQm3dU5cXv8zB1nH7rT6wE9aKsLpQgYiZo"}},
    )
)
def sign_in() -> Response:
    """Start a session that stands for a key, for pages of this service; programs send the key itself.

    The session ends after 12 hours, and with the key: when it is revoked or expires, and when a rotation ends the
    secret that signed in. Of more than 64 sessions of a key, the oldest ones end.
    """
    own_page.check(must_prove=False)
    text = KeyText.parse(_fields().key)
    if text is None:
        raise OvsegError("key_invalid", "this is not a key: keys begin with ovk_")
    credential, known = Credential.of_text(text), services().known_keys
    key = known.checked(credential)
    set_caller(Caller(key.tenant, credential, key.rates))
    services().rate_limits.count_request()
    known.mark_used(key)
    _end_session()
    seconds = _seconds(key)
    token, session = services().sessions.create(credential, seconds)
    audit.record("signed in")
    response = _answer(describe(key, session.expires_at))
    session_cookie.keep(response, token, seconds)
    return response


@blueprint.get("")
@auth.needs(auth.ANY)
@operation.describes(
    Operation("Who is signed in?", {200: Answer("The session, or the key of the request.", SessionObject)})
)
def show() -> Response:
    """Return whose session or key the request has, and what it may do. If the service requires none: everything."""
    sent, known = caller().credential, services().known_keys
    if sent is None:
        return _answer(describe(None, None))
    key = known.checked(sent)
    session = None if sent.session is None else known.session(sent.session)
    return _answer(describe(key, key.expires_at if session is None else session.expires_at))


@blueprint.delete("")
@auth.needs(None)
@operation.describes(Operation("Sign out", {204: Answer("There is no session now.", None, (SET_COOKIE,))}))
def sign_out() -> Response:
    """End the session whose cookie the request has. The browser deletes the cookie."""
    own_page.check(session_cookie.is_sent(), session_cookie.is_secure())
    _end_session()
    response = Response(status=204)
    session_cookie.forget(response)
    return response


def describe(key: ApiKey | None, expires_at: datetime | None) -> dict[str, Any]:
    """Return the session object; `key` is None if the service requires none."""
    return {
        "object": "session",
        "required": key is not None,
        "tenant": DEFAULT if key is None else key.tenant,
        "key_id": None if key is None else key.id,
        "scopes": list(Scope if key is None else key.scopes),
        "expires_at": timestamp(expires_at),
    }


def _fields() -> SignIn:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise OvsegError("body_too_large", f"a sign-in has at most {MAX_BODY_BYTES:,} bytes")
    return validated(SignIn, body.read_json())


def _seconds(key: ApiKey) -> int:
    """Return for how long a session of a key lasts."""
    if key.expires_at is None:
        return LIFETIME_SECONDS
    return max(min(LIFETIME_SECONDS, int((key.expires_at - datetime.now(UTC)).total_seconds())), 1)


def _end_session() -> None:
    """End the session whose cookie the request has, if any."""
    session = credentials.session_of_cookie(services().known_keys)
    if session is not None:
        services().sessions.delete(session)
        audit.record("signed out", session.key_id)


def _answer(described: dict[str, Any]) -> Response:
    response = jsonify(described)
    response.headers["Cache-Control"] = "no-store"
    return response
