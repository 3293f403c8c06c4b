"""Headers that a client gives for its own URL, such as a token. They are stored encrypted, and are never shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from configs.settings import Settings
from ovseg_core.errors import OvsegError

# cryptography is imported where it is used: it takes 10 MB, and most services never need it.


def seal(headers: Mapping[str, str], settings: Settings, field: str, origin: str = "") -> str:
    """Return the headers, encrypted and authenticated (Fernet: AES-128-CBC and HMAC-SHA256), as ASCII text.

    Only a call of `unseal` with the same `origin` can read them. `field` is the field of the request, for errors.
    Raises OvsegError `headers_unavailable`: the service has no secret to encrypt them with.
    """
    from cryptography.fernet import Fernet

    if settings.image_headers_secret is None:
        message = "this service has no OVSEG_IMAGE_HEADERS_SECRET to encrypt headers with"
        raise OvsegError("headers_unavailable", message, field)
    key = _key(settings.image_headers_secret, origin)
    return Fernet(key).encrypt(json.dumps(dict(headers)).encode()).decode()


def unseal(sealed: str, settings: Settings, field: str, origin: str = "") -> dict[str, str]:
    """Return the headers again.

    Raises OvsegError `headers_unavailable`: they were encrypted with another secret, or for another origin. No other
    attempt could read them.
    """
    from cryptography.fernet import Fernet, InvalidToken

    try:
        key = _key(settings.image_headers_secret or "", origin)
        headers: dict[str, str] = json.loads(Fernet(key).decrypt(sealed))
    except InvalidToken:
        message = "this process's OVSEG_IMAGE_HEADERS_SECRET is not the one with which the headers were encrypted"
        other = f", or they were given for another host than {origin}" if origin else ""
        raise OvsegError("headers_unavailable", message + other, field) from None
    return headers


def _key(secret: str, origin: str) -> bytes:
    if origin:
        return base64.urlsafe_b64encode(hmac.digest(secret.encode(), origin.encode(), "sha256"))
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest())
