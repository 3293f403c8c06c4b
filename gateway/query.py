"""Query parameters: each route names a model of those that it takes, and any other is refused instead of ignored."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar, cast

from flask import Flask, current_app, g, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from worker.job.validation import validated

Parsed = TypeVar("Parsed", bound="Query")
View = TypeVar("View", bound=Callable[..., object])

_MODEL = "query_model"


class Query(BaseModel):
    """The parameters of a route, each given once; this one is that of routes that take none."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="query parameter")

    @field_validator("*", mode="before")
    @classmethod
    def _once(cls, values: list[str]) -> str:
        if len(values) > 1:
            raise ValueError(f"given {len(values)} times; once is allowed")
        return values[0]


def takes(model: type[Query]) -> Callable[[View], View]:
    """Decorates a view that reads these parameters."""

    def mark(view: View) -> View:
        setattr(view, _MODEL, model)
        return view

    return mark


def of(model: type[Parsed]) -> Parsed:
    """The parameters of the current request, whose view is decorated with `takes(model)`."""
    return cast(Parsed, g.query)


def guard(app: Flask) -> None:
    """Refuse parameters that the route does not take, or whose value it does not take, and one that is given twice."""
    app.before_request(_parse)


def whole_number(least: int, most: int) -> BeforeValidator:
    """The type of a parameter in ASCII digits."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return BeforeValidator(read)


def _parse() -> None:
    if request.endpoint is not None:  # else there is no such route
        model = getattr(current_app.view_functions[request.endpoint], _MODEL, Query)
        g.query = validated(model, request.args.to_dict(flat=False))
