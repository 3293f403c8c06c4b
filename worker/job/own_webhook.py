"""A job's own webhook, which is notified of this job only. The request names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.job import event_type
from worker.outbound import web_url


def _with_url(value: object) -> object:
    """Return the fields of a webhook that is given as a plain URL."""
    if isinstance(value, str):
        return {"url": value}
    if not isinstance(value, (Mapping, Webhook)):
        raise ValueError('must be a URL, or {"url": "https://...", "events": [...]}')
    return value


class Webhook(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str = Field(max_length=2048)
    events: event_type.Filter = event_type.ENDS

    def check(self, settings: Settings) -> None:
        """Check that the webhook can be notified. Raises OvsegError `webhooks_unavailable`, and as `check_url`."""
        check_can_sign(settings, "webhook")
        web_url.check_url(self.url, "webhook.url", settings, https_only=True)


WebhookOrUrl = Annotated[Webhook, BeforeValidator(_with_url, json_schema_input_type=str | Webhook)]


def check_can_sign(settings: Settings, field: str | None = None) -> None:
    """Check that webhooks can be signed. Raises OvsegError `webhooks_unavailable`."""
    if settings.webhook_secret is None:
        message = "this service has no OVSEG_WEBHOOK_SECRET to sign webhooks with"
        raise OvsegError("webhooks_unavailable", message, field)
