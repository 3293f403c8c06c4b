"""Reads what the current request shows to be let in: an API key, or the cookie of a session."""

from __future__ import annotations

from flask import request

from gateway import own_page, session_cookie
from gateway.known_keys import KnownKeys
from ovseg_core.errors import OvsegError
from worker.access import sessions
from worker.access.api_key import KeyText
from worker.access.credential import Credential
from worker.access.sessions import Session

MAX_HEADER = 512  # characters; a key has 64, and Basic authentication makes them half as long again


def of_request(known: KnownKeys) -> Credential:
    """Return the credential of the current request. If it has both, the header Authorization counts, not the cookie.

    Raises OvsegError `key_required`, `key_invalid`, `session_invalid`, `cross_site`.
    """
    if "Authorization" in request.headers:
        return Credential.of_text(_key())
    if not session_cookie.is_sent():
        raise OvsegError("key_required", "send a key of this service: Authorization: Bearer ovk_...")
    own_page.check(request.method not in own_page.SAFE_METHODS, session_cookie.is_secure())
    session = session_of_cookie(known)
    if session is None:
        raise OvsegError("session_invalid", "there is no such session, or it has ended: sign in again")
    return session.credential


def session_of_cookie(known: KnownKeys) -> Session | None:
    """Return the session whose token the current request has in its cookie; None if there is no such session."""
    token = session_cookie.token()
    return None if token is None else known.session(sessions.digest(token))


def _key() -> KeyText:
    """Return the key that the current request has: as Bearer token, or as the password of Basic authentication."""
    given = request.authorization if len(request.headers["Authorization"]) <= MAX_HEADER else None
    text = None
    if given is not None:
        text = {"bearer": given.token, "basic": given.get("password")}.get(given.type)
    key = KeyText.parse(text or "")
    if key is None:
        message = "Authorization must be Bearer with a key (ovk_...), or Basic with a key as the password"
        raise OvsegError("key_invalid", message)
    return key
