"""Query parameters: each route has a model of the parameters that it takes; any other parameter is refused."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, TypeVar, cast

from flask import Flask, g, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from gateway.mark import Mark
from gateway.operation import Header
from worker.job.validation import validated

Parsed = TypeVar("Parsed", bound="Query")


def once(values: list[str]) -> str:
    """Return the value of a parameter that is given once. Raises ValueError if it is given more often."""
    if len(values) > 1:
        raise ValueError(f"given {len(values)} times; once is allowed")
    return values[0]


class Query(BaseModel):
    """The parameters of a route, each given once, except those of MANY. This base class is for routes without any."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="query parameter")

    MANY: ClassVar[frozenset[str]] = frozenset()  # the parameters that may be given many times
    HEADERS: ClassVar[tuple[Header, ...]] = ()  # of a request, which mean the same as a parameter

    @field_validator("*", mode="before")
    @classmethod
    def _once(cls, values: list[str], field: ValidationInfo) -> str | list[str]:
        return values if field.field_name in cls.MANY else once(values)


# The parameters that a view takes.
takes: Mark[type[Query]] = Mark(Query)
# The parameters that a view takes if the body of the request is an image.
takes_with_image: Mark[type[Query] | None] = Mark(None)


def of(model: type[Parsed]) -> Parsed:
    """Return the parameters of the current request, whose view is decorated with `takes(model)`."""
    return cast(Parsed, g.query)


def guard(app: Flask) -> None:
    """Refuse requests with an unknown parameter, an invalid value, or a parameter that is given twice."""
    app.before_request(_parse)


def whole_number(minimum: int, maximum: int) -> BeforeValidator:
    """Return a validator for a parameter that is a whole number in ASCII digits."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return BeforeValidator(read, json_schema_input_type=Annotated[int, Field(ge=minimum, le=maximum)])


def _parse() -> None:
    if request.endpoint is not None:  # None: no route has this path and method
        model = takes_with_image.of_view() if request.mimetype.startswith("image/") else None
        g.query = validated(model or takes.of_view(), request.args.to_dict(flat=False))
