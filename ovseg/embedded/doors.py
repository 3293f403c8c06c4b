"""Check that no port serves clients without a certificate.

If SeaweedFS finds no certificates for its ports, it serves every client, and only a line in its log reports that. So
we connect to each port without a certificate.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping

# A server of TLS 1.3 (RFC 8446, section 6.2) refuses a client without a certificate with this alert.
REFUSED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
HUNG_UP = "it hung up"
ANSWER_SECONDS = 2.0  # a port answers within milliseconds, on a busy machine later


class DoorOpen(Exception):
    """A port serves clients without a certificate."""


def are_shut(ports: Mapping[str, int]) -> bool:
    """True if each of these ports of 127.0.0.1 refuses a client without a certificate; False if one does not answer.

    Raises DoorOpen for a port that answers in any other way.
    """
    return all(_is_shut(name, port) for name, port in ports.items())


def _is_shut(name: str, port: int) -> bool:
    answer = _answer(port)
    if answer == HUNG_UP:  # a server that is stopping hangs up once; a server without TLS, every time
        time.sleep(0.1)
        answer = _answer(port)
    if answer in (None, REFUSED):
        return answer == REFUSED
    raise DoorOpen(f"SeaweedFS's {name} port {port} does not demand a certificate ({answer})")


def _answer(port: int) -> str | None:
    """Return how the port answers a client without a certificate, or None if it does not answer."""
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as plain,
            stranger.wrap_socket(plain) as door,
        ):
            door.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return f"it answered {door.recv(20)!r}"
    except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError):
        return HUNG_UP
    except ssl.SSLError as error:
        return error.reason or HUNG_UP
    except OSError:  # no process listens, or it does not answer in time
        return None
