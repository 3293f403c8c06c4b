"""The fields that a request may set on a webhook endpoint. They are checked once, here, when the request arrives."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.job import event_type
from worker.job.own_webhook import check_can_sign
from worker.job.validation import validated
from worker.outbound import web_url


class EndpointFields(BaseModel):
    """None keeps a field as it is; in a new endpoint the field gets its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str | None = Field(default=None, max_length=2048)
    events: event_type.AnyFilter | None = None
    description: str | None = Field(default=None, max_length=256)
    disabled: bool | None = None

    def to_record(self) -> Mapping[str, str]:
        """Return the given fields as a record stores them, without `disabled`."""
        events = None if self.events is None else event_type.encode(self.events)
        given = {"url": self.url, "tell": events, "description": self.description}
        return {name: value for name, value in given.items() if value is not None}


class NewEndpoint(EndpointFields):
    """The fields of a new endpoint, for the JSON Schema; `parse_new` reads them."""

    url: str = Field(max_length=2048)


def parse_new(body: object, settings: Settings) -> EndpointFields:
    """Return the fields of a new endpoint. Raises OvsegError; it is InvalidRequest if several fields may be wrong."""
    check_can_sign(settings)
    fields = parse_change(body, settings)
    if fields.url is None:
        raise OvsegError("invalid_request", "required: an https URL", "url")
    return fields


def parse_change(body: object, settings: Settings) -> EndpointFields:
    """Return the fields that a request changes. Raises the errors of `parse_new`."""
    fields = validated(EndpointFields, body)
    if fields.url is not None:
        web_url.check_url(fields.url, "url", settings, https_only=True)
    return fields
