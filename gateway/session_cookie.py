"""The cookie that holds the token of a session.

No script can read it (HttpOnly), and browsers send it only with requests of the service's own site (SameSite=Strict).
Over https it has the prefix `__Host-` and is Secure. Browsers take such a cookie only from the host itself, so the
server of a subdomain cannot plant the cookie of another session.
"""

from __future__ import annotations

from flask import Response, request

NAME = "ovseg_session"
SECURE_NAME = f"__Host-{NAME}"


def is_sent() -> bool:
    """Return True if the current request has the cookie."""
    return bool(request.cookies.keys() & {NAME, SECURE_NAME})


def token() -> str | None:
    """Return the token that the current request has. Over https, only the Secure cookie counts."""
    return request.cookies.get(SECURE_NAME) or (None if _is_https() else request.cookies.get(NAME))


def is_secure() -> bool:
    """Return True if the token of the current request comes from the Secure cookie."""
    return SECURE_NAME in request.cookies


def keep(response: Response, token: str, seconds: int) -> None:
    """Make the browser keep a token."""
    response.set_cookie(_name(), token, max_age=seconds, path="/", secure=_is_https(), httponly=True, samesite="Strict")


def forget(response: Response) -> None:
    """Make the browser delete the token that it has."""
    response.delete_cookie(_name(), path="/", secure=_is_https(), httponly=True, samesite="Strict")


def _name() -> str:
    return SECURE_NAME if _is_https() else NAME


def _is_https() -> bool:
    """Return True if the browser uses https, also through a proxy that terminates TLS.

    Each client can send these headers, but then only its own cookie is Secure.
    """
    origin, forwarded = request.headers.get("Origin", ""), request.headers.get("X-Forwarded-Proto", "")
    return request.is_secure or origin.startswith("https://") or forwarded == "https"
