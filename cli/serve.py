"""The gateway under gunicorn."""

from __future__ import annotations

import os
import sys
import threading
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from cli.lifeline import die_with_parent
from configs.settings import Settings
from gateway import create_app

# For requests in progress when the gateway is told to stop, a held `wait` among them.
REQUEST_SECONDS = 30


class DrainingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Told to stop, it says so at /readyz, and stops only when whoever sends it requests has had time to see that."""

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        if self.wsgi is None:  # still starting
            super().handle_exit(number, frame)
            return
        services = self.wsgi.extensions["ovseg"]
        if services.leaving.is_set():
            return
        services.leaving.set()
        timer = threading.Timer(services.settings.gateway_drain_seconds, super().handle_exit, [number, frame])
        timer.daemon = True
        timer.start()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with our settings: threads, because a request waits for Redis, storage or a job, and computes little."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": f"{settings.gateway_host}:{settings.gateway_port}",
            "worker_class": DrainingWorker,
            "workers": settings.gateway_processes,
            "threads": settings.gateway_threads,
            "timeout": 60,
            "graceful_timeout": int(settings.gateway_drain_seconds) + REQUEST_SECONDS,
            "keepalive": 5,
            "limit_request_fields": 100,
            "post_fork": _after_fork,
            "control_socket_disable": True,
            "proc_name": "ovseg-gateway",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)


def _after_fork(server: Any, worker: Any) -> None:
    """A master that is killed takes its processes along, so that they do not keep its port."""
    die_with_parent()
    if os.getppid() != worker.ppid:  # it was killed before we could say so
        sys.exit(1)
