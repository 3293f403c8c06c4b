"""The address of a server that speaks HTTP: of object storage, or of a mirror of models."""

from __future__ import annotations

import re
from urllib.parse import urlsplit


def checked(url: str) -> str:
    """The URL. Raises ValueError, in one line that repeats nothing of it but its scheme: the rest may be secret."""
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        named = f"{scheme}:// is" if found and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}", scheme) else "this is"
        raise ValueError(f"{named} not supported; allowed are http://host and https://host, with a port and a path")
    if not rest.isprintable() or " " in rest:
        raise ValueError("it has a space or a control character in it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # whose text may hold a part of a password
        raise ValueError("its host or port cannot be read; a port is a number from 1 to 65535") from None
    if not host or port == 0:
        raise ValueError("it names no host" if not host else "its port is no number from 1 to 65535")
    if "@" in parts.netloc:
        raise ValueError("a name and password do not belong in it, since addresses are logged")
    if "?" in url or "#" in url:
        raise ValueError("nothing may follow its path: no ? and no #")
    return url
