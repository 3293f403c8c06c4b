"""The headers with which an image is fetched, such as a token. They are stored encrypted, and are never shown."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from configs.settings import Settings
from ovseg_core.errors import OvsegError

# cryptography is imported where it is used: it takes 10 MB, and most services never need it.


def seal(headers: Mapping[str, str], settings: Settings) -> str:
    """Return the headers, encrypted and authenticated (Fernet: AES-128-CBC and HMAC-SHA256), as ASCII text.

    Raises OvsegError `headers_unavailable`: the service has no secret to encrypt them with.
    """
    from cryptography.fernet import Fernet

    if settings.image_headers_secret is None:
        message = "this service has no OVSEG_IMAGE_HEADERS_SECRET to encrypt headers with"
        raise OvsegError("headers_unavailable", message, "image.headers")
    return Fernet(_key(settings.image_headers_secret)).encrypt(json.dumps(dict(headers)).encode()).decode()


def unseal(sealed: str, settings: Settings) -> dict[str, str]:
    """Return the headers again.

    Raises OvsegError `headers_unavailable`: they were encrypted with another secret. No other attempt could read them.
    """
    from cryptography.fernet import Fernet, InvalidToken

    try:
        headers: dict[str, str] = json.loads(Fernet(_key(settings.image_headers_secret or "")).decrypt(sealed))
    except InvalidToken:
        message = "this worker's OVSEG_IMAGE_HEADERS_SECRET is not the one with which the headers were encrypted"
        raise OvsegError("headers_unavailable", message, "image.headers") from None
    return headers


def _key(secret: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest())
