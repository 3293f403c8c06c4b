"""Certificate files. They are loaded when a process starts, so that a wrong file is reported then, not later."""

from __future__ import annotations

import ssl
from pathlib import Path


def check_authorities(path: Path) -> None:
    """Raise ValueError, with a message of one line, if the file contains no certificate in PEM."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # SSLError too
        raise ValueError(f"{str(path)!r} {_why(error)}: it must contain certificates in PEM") from None


def check_pair(certificate: Path, key: Path | None) -> None:
    """Raise ValueError, with a message of one line, if the files are not a certificate and its key.

    The key may be in the certificate's file; then `key` is None.
    """
    try:
        ssl.create_default_context().load_cert_chain(
            certificate, key, password=""
        )  # without a password, OpenSSL would ask on the terminal
    except OSError as error:  # SSLError too
        files = repr(str(certificate)) + (f" with {str(key)!r}" if key else "")
        raise ValueError(f"{files} {_why(error)}: it must be a certificate and its key in PEM, not encrypted") from None


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be used ({(error.reason or 'no PEM').lower().replace('_', ' ')})"
    return f"cannot be read ({error.strerror})"
