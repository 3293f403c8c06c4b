"""Flask's request with the view that answers it, and with a blueprint even if its method is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import flask
from flask import current_app
from werkzeug.exceptions import MethodNotAllowed


class Request(flask.Request):
    """A request that belongs to its path's blueprint even with a wrong method: the blueprint formats the error.

    Flask finds no route for such a request, and therefore no blueprint.
    """

    @cached_property
    def view(self) -> Callable[..., object] | None:
        """The view that answers the request; None if no view matches its path and method."""
        return None if self.endpoint is None else current_app.view_functions[self.endpoint]

    @property
    def blueprint(self) -> str | None:
        wrong = self.routing_exception
        if not isinstance(wrong, MethodNotAllowed) or not wrong.valid_methods:
            return super().blueprint
        adapter = current_app.create_url_adapter(self)
        assert adapter is not None  # Flask has one for every request
        endpoint, _ = adapter.match(method=next(iter(wrong.valid_methods)))
        return str(endpoint).rpartition(".")[0] or None
