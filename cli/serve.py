"""The gateway under gunicorn."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from configs.settings import Settings
from gateway import create_app

PR_SET_PDEATHSIG = 1  # prctl(2)


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
            "post_fork": _die_with_parent,
            "control_socket_disable": True,
            "proc_name": "ovseg-gateway",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._settings)


def _die_with_parent(server: Any, worker: Any) -> None:
    """A master that is killed takes its processes along, so that they do not keep its port."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != worker.ppid:  # it was killed before we could say so
            sys.exit(1)
