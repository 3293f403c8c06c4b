"""A Redis that accepts connections and never answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


class SilentRedis:
    def __init__(self, listener: socket.socket) -> None:
        self.url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        self._listener = listener
        self._accepted: list[socket.socket] = []

    def calls(self) -> int:
        """Return how many calls have waited for an answer since the last time: each has a connection of its own."""
        before = len(self._accepted)
        while True:
            try:
                self._accepted.append(self._listener.accept()[0])
            except BlockingIOError:
                return len(self._accepted) - before

    def close(self) -> None:
        for connection in self._accepted:
            connection.close()


@contextmanager
def running() -> Iterator[SilentRedis]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        listener.setblocking(False)
        silent = SilentRedis(listener)
        try:
            yield silent
        finally:
            silent.close()
