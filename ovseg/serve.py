"""The gateway under gunicorn."""

from __future__ import annotations

import os
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from configs.settings import Settings
from gateway import create_app
from gateway.server.worker import LogToRoot, Worker
from worker.lifeline import die_with_parent

# Requests that are in progress when the gateway stops have this long to finish.
REQUEST_SECONDS = 30


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with our settings and our worker; see gateway/server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        host = f"[{settings.gateway_host}]" if ":" in settings.gateway_host else settings.gateway_host
        options: dict[str, Any] = {
            "bind": f"{host}:{settings.gateway_port}",
            "worker_class": Worker,
            "workers": settings.gateway_processes,
            "timeout": 60,
            "graceful_timeout": int(settings.gateway_drain_seconds) + REQUEST_SECONDS,
            "keepalive": 5,
            "limit_request_fields": 100,
            "asgi_loop": "asyncio",
            "http_parser": "python",  # the parser that the tests use, even if a faster one is installed
            # A request is finished although its client has disconnected; a held `wait` notices that by itself.
            "asgi_disconnect_grace_period": 300,
            "post_fork": _after_fork,
            "control_socket_disable": True,
            "logger_class": LogToRoot,
            "proc_name": "ovseg-gateway",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)


def _after_fork(server: Any, worker: Any) -> None:
    """Let the kernel end this process when gunicorn's master is killed; a surviving process would keep the port."""
    die_with_parent()
    if os.getppid() != worker.ppid:  # the master was killed before die_with_parent took effect
        sys.exit(1)
