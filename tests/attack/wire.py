"""One request on one connection, byte for byte as given."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

ANSWER_SECONDS = 20.0  # on two cores with everything running; only a request that hangs takes longer
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """An answer. `status` is None if the server closed the connection without one; `body` is its first megabyte."""

    status: int | None
    body: bytes
    seconds: float
    is_late: bool


def send(port: int, request: bytes, is_all: bool = False) -> Answer:
    """Send the bytes and read the whole answer. If `is_all`, signal that no more bytes will follow.

    A gateway considers this signal a client that hangs up, and ends what it holds for the client.
    """
    start = time.monotonic()
    data, is_late = bytearray(), False
    try:
        with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as wire:
            _push(wire, request, is_all)
            while len(data) < READ_BYTES and (chunk := wire.recv(65_536)):
                data += chunk
    except TimeoutError:
        is_late = True
    except OSError:
        pass  # the server hung up while we were still sending, which it may do for some of these requests
    status = re.match(rb"HTTP/1\.[01] (\d{3})", data)
    return Answer(int(status[1]) if status else None, bytes(data), time.monotonic() - start, is_late)


def _push(wire: socket.socket, request: bytes, is_all: bool) -> None:
    try:
        wire.sendall(request)
        if is_all:
            wire.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # an answer may still have arrived


def build(method: str, target: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """Return a request as bytes. `Host`, `Content-Length` and `Connection: close` are added unless given."""
    given = {name.lower() for name, _ in headers}
    added = [("Host", "127.0.0.1"), ("Content-Length", str(len(body))), ("Connection", "close")]
    lines = [*headers, *((name, value) for name, value in added if name.lower() not in given)]
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
    return head.encode("utf-8", "surrogatepass") + b"\r\n" + body
