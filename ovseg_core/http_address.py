"""The URL of an HTTP server: of object storage, or of a mirror of models."""

from __future__ import annotations

import re
from urllib.parse import urlsplit


def checked(url: str) -> str:
    """Return the URL.

    Raises ValueError. Its message is one line and repeats only the scheme of the URL, because the rest may be secret.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        named = f"{scheme}:// is" if found and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}", scheme) else "this is"
        raise ValueError(f"{named} not supported; allowed are http://host and https://host, with a port and a path")
    if not rest.isprintable() or " " in rest:
        raise ValueError("it contains a space or a control character")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # its message may contain a part of a password
        raise ValueError("its host or port cannot be parsed; a port is a number from 1 to 65535") from None
    if not host or port == 0:
        raise ValueError("it names no host" if not host else "its port is not a number from 1 to 65535")
    if "@" in parts.netloc:
        raise ValueError("a name and a password are not allowed in it, because addresses are logged")
    if "?" in url or "#" in url:
        raise ValueError("it contains a ? or a #; nothing may follow its path")
    return url
