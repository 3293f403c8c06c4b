"""Finds the blueprint of a request with a wrong method. Flask finds no route then, and therefore no blueprint."""

from __future__ import annotations

import flask
from flask import current_app
from werkzeug.exceptions import MethodNotAllowed


class Request(flask.Request):
    """A request that belongs to its path's blueprint even with a wrong method: the blueprint formats the error."""

    @property
    def blueprint(self) -> str | None:
        wrong = self.routing_exception
        if not isinstance(wrong, MethodNotAllowed) or not wrong.valid_methods:
            return super().blueprint
        adapter = current_app.create_url_adapter(self)
        assert adapter is not None  # Flask has one for every request
        endpoint, _ = adapter.match(method=next(iter(wrong.valid_methods)))
        return str(endpoint).rpartition(".")[0] or None
