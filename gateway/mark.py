"""What holds for some routes only, said where the route is: `@access_log.quiet` above its view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import current_app, request

View = TypeVar("View", bound=Callable[..., object])


class Mark:
    """A decorator of views, and the question whether the current request's view has it."""

    def __init__(self) -> None:
        self._views: set[Callable[..., object]] = set()

    def __call__(self, view: View) -> View:
        self._views.add(view)
        return view

    def is_on_view(self) -> bool:
        """False also where the path or the method has no view."""
        return request.endpoint is not None and current_app.view_functions[request.endpoint] in self._views
