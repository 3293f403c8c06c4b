"""A batch's own webhook, which is notified of this batch only. The manifest names it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from configs.settings import Settings
from worker.job import event_type
from worker.job.own_webhook import check_can_sign
from worker.outbound import web_url


def _with_url(value: object) -> object:
    """Return the fields of a webhook that is given as a plain URL."""
    return {"url": value} if isinstance(value, str) else value


class BatchWebhook(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str = Field(max_length=2048)
    events: event_type.BatchFilter = event_type.BATCH_ENDS

    def check(self, settings: Settings) -> None:
        """Check that the webhook can be notified. Raises OvsegError `webhooks_unavailable`, and as `check_url`."""
        check_can_sign(settings, "webhook")
        web_url.check_url(self.url, "webhook.url", settings, https_only=True)

    @property
    def fields(self) -> dict[str, str]:
        """Return the fields of the batch's record."""
        return {"webhook": self.url, "tell": event_type.encode(self.events)}


BatchWebhookOrUrl = Annotated[BatchWebhook, BeforeValidator(_with_url, json_schema_input_type=str | BatchWebhook)]
