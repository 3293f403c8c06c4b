"""Clients that send a request slowly or incompletely, or do not wait for its answer."""

from __future__ import annotations

import resource
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEAD = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
# What each kind sends immediately. Those that drip then send one more byte each second.
BEGINNINGS = {
    "silent": b"",
    "half a header": HEAD,
    "a dripping header": HEAD + b"X: ",
    "half a body": HEAD + b"Content-Length: 100000\r\n\r\n{",
    "a dripping body": HEAD + b"Content-Length: 100000\r\n\r\n",
    "dripping chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n",
}


class Crowd:
    """`each` clients of each kind, until `close`."""

    def __init__(self, port: int, each: int) -> None:
        allow_files(len(BEGINNINGS) * each + 500)
        self.sockets: dict[str, list[socket.socket]] = {}
        self._closing = threading.Event()
        for kind, beginning in BEGINNINGS.items():
            self.sockets[kind] = [_connect(port, beginning) for _ in range(each)]
        self._dripping = threading.Thread(target=self._drip)
        self._dripping.start()

    def close(self) -> None:
        self._closing.set()
        self._dripping.join()
        for client in self._all():
            client.close()

    def ends(self, seconds: float) -> dict[str, set[bytes]]:
        """Return how the server ended the connections of each kind: with which status, or with none (b"").

        Raises TimeoutError if it has not ended all of them in this time.
        """
        deadline = time.monotonic() + seconds
        return {kind: {_end(client, deadline) for client in clients} for kind, clients in self.sockets.items()}

    def _all(self) -> Iterator[socket.socket]:
        for clients in self.sockets.values():
            yield from clients

    def _drip(self) -> None:
        dripping = [c for kind, clients in self.sockets.items() if "dripping" in kind for c in clients]
        while not self._closing.wait(1):
            for client in dripping:
                try:
                    client.send(b"x")
                except OSError:  # the server has closed the connection
                    continue


@contextmanager
def crowd(port: int, each: int) -> Iterator[Crowd]:
    clients = Crowd(port, each)
    try:
        yield clients
    finally:
        clients.close()


def hang_up(port: int, target: str, count: int) -> None:
    """Let `count` clients send this request and hang up."""
    clients = [_connect(port, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) for _ in range(count)]
    for client in clients:
        client.close()


def allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _connect(port: int, data: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(data)
    return client


def _end(client: socket.socket, deadline: float) -> bytes:
    answer = b""
    poll = select.poll()
    poll.register(client, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left < 0 or not poll.poll(left * 1000):
            raise TimeoutError("the server lets a client send without limit")
        try:
            data = client.recv(65536)
        except ConnectionError:
            return answer[9:12]
        if not data:
            return answer[9:12]
        answer += data
