"""Marks for the views of some routes, such as `@access_log.quiet`, written above the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import current_app, request

View = TypeVar("View", bound=Callable[..., object])


class Mark:
    """Decorates views, and reports whether the current request's view is decorated."""

    def __init__(self) -> None:
        self._views: set[Callable[..., object]] = set()

    def __call__(self, view: View) -> View:
        self._views.add(view)
        return view

    def is_on_view(self) -> bool:
        """Return True if the current request's view has this mark; False if no view matches the path and method."""
        return request.endpoint is not None and current_app.view_functions[request.endpoint] in self._views
