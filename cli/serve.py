"""The gateway under gunicorn."""

from __future__ import annotations

import os
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from cli.lifeline import die_with_parent
from configs.settings import Settings
from gateway import create_app


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with our settings: threads, because a request waits for Redis, storage or a job, and computes little."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": f"{settings.gateway_host}:{settings.gateway_port}",
            "worker_class": "gthread",
            "workers": settings.gateway_processes,
            "threads": settings.gateway_threads,
            "timeout": 60,
            "graceful_timeout": 30,
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
