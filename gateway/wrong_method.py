"""Whose path it is when the method is wrong: Flask finds no route then, and so no blueprint."""

from __future__ import annotations

import flask
from flask import current_app
from werkzeug.exceptions import MethodNotAllowed


class Request(flask.Request):
    """With a wrong method, belongs to the blueprint of its path, which answers this error in its own form."""

    @property
    def blueprint(self) -> str | None:
        wrong = self.routing_exception
        if not isinstance(wrong, MethodNotAllowed) or not wrong.valid_methods:
            return super().blueprint
        adapter = current_app.create_url_adapter(self)
        assert adapter is not None  # Flask has one for every request
        endpoint, _ = adapter.match(method=next(iter(wrong.valid_methods)))
        return str(endpoint).rpartition(".")[0] or None
