"""What a route does, for the OpenAPI document: the mark `@operation.describes(...)` of each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.answers.problem import Problem
from gateway.mark import Mark


@dataclass(frozen=True)
class Header:
    """A header of a request or of an answer, with its JSON Schema.

    `codes` are those of the problems that the header of a request can cause.
    """

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An answer that is no problem. `body` is the type of its JSON, such as JobObject; None if it is never JSON."""

    description: str
    body: Any = None
    headers: tuple[Header, ...] = ()
    media_types: tuple[str, ...] = ()  # of a body that is not JSON, or not always


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    What other marks of the view contain is not repeated here: the scope, the query, the content types of the body, and
    the codes of the problems that these cause. The document takes the longer description from the view's docstring.
    """

    summary: str
    answers: Mapping[int, Answer]  # by status
    codes: tuple[str, ...] = ()  # of further problems
    body: Any = None  # the type of the JSON in the request's body
    examples: Mapping[str, Any] = field(default_factory=dict)  # bodies of requests, by what they do
    headers: tuple[Header, ...] = ()  # of the request
    problem: Any = Problem  # the type of an error's JSON
    problem_media_type: str = "application/problem+json"
    problem_headers: tuple[Header, ...] = ()  # that any of its problems may have


LOCATION = Header("Location", "The path of what was made.")
ETAG = Header("ETag", "Of the answer: send it as `If-None-Match`.")
IF_NONE_MATCH = Header("If-None-Match", "The `ETag` of an earlier answer: the answer is 304 while nothing has changed.")

RATE_LIMITS = (
    Header("RateLimit", "What is left of each policy (draft-ietf-httpapi-ratelimit-headers). Only with limits."),
    Header("RateLimit-Policy", "The policies that limit the requests of this key. Only with limits."),
)

# None: a page for browsers, which is no part of the API.
describes: Mark[Operation | None] = Mark(None)
