"""Query parameters: each route names those that it takes, and any other is refused instead of ignored."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, request

from ovseg_core.errors import OvsegError
from worker.job.validation import brief

View = TypeVar("View", bound=Callable[..., object])

_TAKEN = "query_parameters"


def takes(*names: str) -> Callable[[View], View]:
    """Decorates a view that reads these parameters."""

    def mark(view: View) -> View:
        setattr(view, _TAKEN, names)
        return view

    return mark


def guard(app: Flask) -> None:
    """Refuse parameters that the route does not take, and one that is given twice."""
    app.before_request(_check)


def number(name: str, most: float) -> float:
    """A parameter in seconds, in ASCII digits. Raises OvsegError."""
    text = request.args[name]
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?", text) or float(text) > most:
        raise OvsegError("invalid_value", f"must be a number of seconds from 0 to {most:g}", name)
    return float(text)


def whole_number(name: str, default: int, least: int, most: int) -> int:
    """A parameter in ASCII digits. Raises OvsegError."""
    text = request.args.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise OvsegError("invalid_value", f"must be a whole number from {least} to {most}", name)
    return int(text)


def _check() -> None:
    if request.endpoint is None:  # there is no such route
        return
    taken = getattr(current_app.view_functions[request.endpoint], _TAKEN, ())
    for name, values in request.args.lists():
        if name not in taken:
            allowed = f"allowed: {', '.join(taken)}" if taken else "this route takes none"
            raise OvsegError("unknown_field", f"unknown query parameter; {allowed}", brief(name))
        if len(values) > 1:
            raise OvsegError("invalid_value", f"given {len(values)} times; once is allowed", name)
