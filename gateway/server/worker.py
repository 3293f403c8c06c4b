"""A process of the gateway: its event loop, its connections, and its shutdown."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import Any

from flask import Flask
from gunicorn.glogging import Logger
from gunicorn.workers.gasgi import ASGIWorker

from gateway.server import heap
from gateway.server.bridge import Bridge
from gateway.server.connection import Connection
from gateway.services import GatewayServices

# This is enough for 3,000 held requests, 2,000 event streams and 1,000 other clients.
MAX_CONNECTIONS = 6144
# File descriptors besides the clients' connections: one or two per thread for Redis and storage, and spooled bodies.
OTHER_FILES = 1024


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """Continues to serve for `gateway_drain_seconds` after the signal to stop, while /readyz answers 503."""

    def init_process(self) -> None:
        heap.give_back_large_blocks()
        self.connections: dict[Connection, None] = {}  # in order of arrival
        self._max_connections = _room_for_connections()
        self._stop_at_once = asyncio.Event()
        super().init_process()

    def load_wsgi(self) -> None:
        app: Flask = self.app.wsgi()
        self.services: GatewayServices = app.extensions["ovseg"]
        self.services.waiting.max_holds = self._max_connections // 2
        self.services.live.max_streams = min(self.services.live.max_streams, self._max_connections // 3)
        self.asgi = Bridge(app, self.services.settings)

    def admit(self, connection: Connection) -> None:
        """Add a connection. If there are too many, close the oldest (maybe this) that is still sending a request."""
        self.connections[connection] = None
        if len(self.connections) > self._max_connections:
            next(other for other in self.connections if other.is_reading).abort()

    def forget(self, connection: Connection) -> None:
        self.connections.pop(connection, None)

    def handle_exit_signal(self) -> None:
        if not self.services.leaving.is_set():
            self.services.waiting.leave()
            self.services.live.leave()
            self.loop.call_later(self.services.settings.gateway_drain_seconds, self._stop)

    def handle_quit_signal(self) -> None:
        super().handle_quit_signal()
        self._stop_at_once.set()

    def _stop(self) -> None:
        self.alive = False
        self._stop_at_once.set()

    async def _serve(self) -> None:
        for sock in self.sockets:
            server = await self.loop.create_server(lambda: Connection(self), sock=sock.sock, backlog=self.cfg.backlog)
            self.servers.append(server)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            try:
                await asyncio.wait_for(self._stop_at_once.wait(), 1)
            except TimeoutError:
                continue
        for server in self.servers:
            server.close()
        deadline = self.loop.time() + self.cfg.graceful_timeout
        while not self._quick_shutdown and self.loop.time() < deadline and any(c.is_busy for c in self.connections):
            await asyncio.sleep(0.05)


class LogToRoot(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Sends gunicorn's log lines through the root logger, in the format of all other lines."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def _room_for_connections() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(min(MAX_CONNECTIONS, soft - OTHER_FILES), 16)
