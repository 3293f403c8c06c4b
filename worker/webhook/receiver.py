"""The receiver of an event: a job's own webhook, or an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from worker.access.tenants import Tenants
from worker.job.record import Job
from worker.webhook.endpoint import Endpoint


class NoReceiver(Exception):
    """The event has no receiver. The message is the reason."""


@dataclass(frozen=True)
class Receiver:
    """The URL that an event is posted to, and the secrets that each sign the post."""

    url: str
    secrets: tuple[str, ...]

    @classmethod
    def of_job(cls, job: Job | None, tenants: Tenants, now: datetime) -> Receiver:
        """Return a job's own webhook as a receiver. Raises NoReceiver if the job or its tenant was deleted."""
        if job is None or job.request.webhook is None:
            raise NoReceiver("the job was deleted")
        secrets = tenants.webhook_secrets(job.tenant, now)
        if not secrets:
            raise NoReceiver("the tenant was deleted")
        return cls(job.request.webhook.url, secrets)

    @classmethod
    def of_endpoint(cls, endpoint: Endpoint | None, now: datetime) -> Receiver:
        """Return an endpoint as a receiver. Raises NoReceiver if the endpoint was deleted or is disabled."""
        if endpoint is None:
            raise NoReceiver("the endpoint was deleted")
        if endpoint.disabled_at is not None:
            raise NoReceiver(f"the endpoint is disabled: {endpoint.disabled_reason}")
        return cls(endpoint.url, endpoint.live_secrets(now))
