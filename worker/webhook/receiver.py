"""Where an event is delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from configs.settings import Settings
from worker.job.record import Job
from worker.webhook.endpoint import Endpoint


class Nobody(Exception):
    """The event has no receiver; the message says why."""


@dataclass(frozen=True)
class Receiver:
    """Each of `secrets` signs what is posted to `url`."""

    url: str
    secrets: tuple[str, ...]

    @classmethod
    def of_job(cls, job: Job | None, settings: Settings) -> Receiver:
        """Raises Nobody."""
        if job is None or job.request.webhook is None:
            raise Nobody("the job was deleted")
        assert settings.webhook_secret is not None  # without it no job with a webhook is accepted
        return cls(job.request.webhook.url, (settings.webhook_secret,))

    @classmethod
    def of_endpoint(cls, endpoint: Endpoint | None, now: datetime) -> Receiver:
        """Raises Nobody."""
        if endpoint is None:
            raise Nobody("the endpoint was deleted")
        if endpoint.disabled_at is not None:
            raise Nobody(f"the endpoint is disabled: {endpoint.disabled_reason}")
        return cls(endpoint.url, endpoint.live_secrets(now))
