"""The fields that a request may set on a webhook endpoint. They are checked once, here, when the request arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.job import event_type, url_headers
from worker.job.own_webhook import check_can_sign
from worker.job.validation import validated
from worker.outbound import sealed_headers, web_url

# Headers that describe the message or sign it.
OF_THE_MESSAGE = re.compile(r"content-.*|date|webhook-.*", re.IGNORECASE)


def _checked(headers: dict[str, str]) -> dict[str, str]:
    for name in filter(OF_THE_MESSAGE.fullmatch, headers):
        raise url_headers.refused(name)
    return url_headers.checked(headers)


Headers = Annotated[dict[str, str], AfterValidator(_checked), WithJsonSchema(url_headers.SCHEMA)]


class EndpointFields(BaseModel):
    """None keeps a field as it is; in a new endpoint the field gets its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    url: str | None = Field(default=None, max_length=2048)
    events: event_type.AnyFilter | None = None
    description: str | None = Field(default=None, max_length=256)
    headers: Annotated[Headers | None, Field(description="sent with each webhook; never shown")] = None
    disabled: bool | None = None

    def to_record(self) -> Mapping[str, str]:
        """Return the given fields as a record stores them, without `headers` and `disabled`."""
        events = None if self.events is None else event_type.encode(self.events)
        given = {"url": self.url, "tell": events, "description": self.description}
        return {name: value for name, value in given.items() if value is not None}

    def headers_record(self, url: str, settings: Settings) -> Mapping[str, str]:
        """Return the given headers as the record of an endpoint with this URL stores them: encrypted for its origin.

        Raises OvsegError `headers_unavailable`.
        """
        if self.headers is None:
            return {}
        origin = web_url.origin_of(url)
        sealed = sealed_headers.seal(self.headers, settings, "headers", origin) if self.headers else ""
        return {"headers": sealed, "header_names": " ".join(self.headers)}


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
