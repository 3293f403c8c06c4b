"""Images inside the request: data URLs (RFC 2397) and plain base64 (RFC 4648)."""

from __future__ import annotations

import base64
import binascii
import re

# Up to the first comma that is not inside a quoted parameter. `*+` never backtracks.
_DECLARATION = re.compile(r'data:((?:[^",]|"(?:[^"\\]|\\.)*+")*+),', re.IGNORECASE)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_BASE64 = re.compile(r";\s*base64\s*", re.IGNORECASE)
# No media type with its parameters is longer; this keeps a text without a comma from being searched to its end.
_MOST_DECLARED = 4096


def parse(text: str) -> bytes:
    """Return the content of a data URL: base64, which may itself be percent-encoded, or percent-encoded bytes.

    Scheme and `;base64` may be in upper case. Raises ValueError.
    """
    found = _DECLARATION.match(text[:_MOST_DECLARED])
    declared = found.group(1) if found else text[:_MOST_DECLARED].partition(",")[0]
    payload = text[found.end() :] if found else text.partition(",")[2]
    last = declared.rpartition(";")
    if _BASE64.fullmatch(last[1] + last[2]):
        return from_base64(_unquoted(payload).decode("latin-1") if "%" in payload else payload)
    if "%" not in payload:  # an image is never plain text
        raise ValueError("a data URL must be base64 (data:image/jpeg;base64,...) or percent-encoded bytes")
    return _unquoted(payload)


def _unquoted(text: str) -> bytes:
    """Percent-decode a text. Raises ValueError.

    It uses the decoder of quoted-printable, which is written in C: urllib's creates an object for each escape, half a
    gigabyte for 10 million escapes.
    """
    if not text.isascii():
        raise ValueError("a data URL has only ASCII characters; others are percent-encoded")
    if _BROKEN_ESCAPE.search(text):
        raise ValueError("in a data URL two hexadecimal digits follow each %, and % itself is written %25")
    return binascii.a2b_qp(text.replace("=", "=3D").replace("%", "="))


def from_base64(text: str) -> bytes:
    """Decode base64, with or without line breaks, with or without `=` at its end. Raises ValueError."""
    plain = "".join(text.split())
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError as error:
        raise ValueError(f"neither an http(s) URL nor base64: {error}") from error
