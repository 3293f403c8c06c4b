"""A guarded client, and servers for it that speak bytes and not HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from configs.settings import Settings
from worker.outbound.client import GuardedClient

LIMIT = 1_000_000
SLACK_SECONDS = 10  # for slow machines; the servers of these tests would hold a client up for ever


def client(*trusted: str) -> GuardedClient:
    """One that may go to these private hosts."""
    return GuardedClient(Settings(allowed_private_hosts=trusted))


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that runs `talk` on each connection; it speaks HTTP only if `talk` does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=run, args=[connection], daemon=True).start()

        def run(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):  # the client hung up
                talk(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        request += piece
    return request


def says_nothing(connection: socket.socket) -> None:
    connection.recv(1)
    time.sleep(600)


@contextmanager
def taking_at_most(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds
