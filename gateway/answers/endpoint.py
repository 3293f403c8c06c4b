"""The webhook endpoint object, which `gateway.endpoints` makes, and the answers about secrets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from worker.job.event_type import AnyEventType


class EndpointObject(TypedDict):
    id: str
    url: str
    events: list[AnyEventType]
    description: str
    header_names: Annotated[list[str], Field(description="of `headers`, whose values are never shown")]
    status: Literal["enabled", "failing", "disabled"]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    failing_since: datetime | None
    old_secret_until: datetime | None


class EndpointWithSecret(EndpointObject):
    """The endpoint with its secret, which no other answer has."""

    secret: str


class EndpointList(TypedDict):
    endpoints: list[EndpointObject]


class Replayed(TypedDict):
    """How many events are delivered again, and where the next call must begin if there are more."""

    replayed: int
    next_since: datetime | None


class NewSecret(TypedDict):
    secret: str
    old_secret_until: datetime | None
