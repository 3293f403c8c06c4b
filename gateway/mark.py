"""Marks for the views of some routes, such as `@breaker.needs_redis(False)`, written above the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from flask import request

from gateway.request import Request

Value = TypeVar("Value")
View = TypeVar("View", bound=Callable[..., object])


class Mark(Generic[Value]):
    """Decorates views with a value. A view without the decorator has the default."""

    def __init__(self, default: Value) -> None:
        self._default = default
        self._values: dict[Callable[..., object], Value] = {}

    def __call__(self, value: Value) -> Callable[[View], View]:
        def mark(view: View) -> View:
            self._values[view] = value
            return view

        return mark

    def is_on(self, view: Callable[..., object]) -> bool:
        """Return True if the view is decorated with this mark."""
        return view in self._values

    def of(self, view: Callable[..., object]) -> Value:
        """Return the value of a view."""
        return self._values.get(view, self._default)

    def of_view(self) -> Value:
        """Return the value of the current request's view; the default if no view matches the path and method."""
        view = cast(Request, request).view
        return self._default if view is None else self.of(view)
