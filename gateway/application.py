"""Flask's application for plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from gateway.request import Request


class Application(Flask):
    """Flask checks before each call of a view or another function whether it is a coroutine. Ours are none."""

    request_class = Request

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func
