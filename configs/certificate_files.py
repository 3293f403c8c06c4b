"""Files of certificates, tried when a process starts, so that a wrong one is said then and not at the first call."""

from __future__ import annotations

import ssl
from pathlib import Path


def check_authorities(path: Path) -> None:
    """Raises ValueError, in one line, if the file holds no certificate in PEM."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError too
        raise ValueError(f"{str(path)!r} {_why(error)}: it must hold certificates in PEM") from None


def check_pair(certificate: Path, key: Path | None) -> None:
    """Raises ValueError, in one line, if these are no certificate and its key, which may lie in one file."""
    try:
        ssl.create_default_context().load_cert_chain(certificate, key, password="")  # never ask the terminal for one
    except OSError as error:  # SSLError too
        files = repr(str(certificate)) + (f" with {str(key)!r}" if key else "")
        raise ValueError(f"{files} {_why(error)}: a certificate and its key in PEM, not encrypted") from None


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be used ({(error.reason or 'no PEM').lower().replace('_', ' ')})"
    return f"cannot be read ({error.strerror})"
