"""The receiver of an event: a job's own webhook, or an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from configs.settings import Settings
from worker.access.tenants import Tenants
from worker.batch.batch import Batch
from worker.job.record import Job
from worker.outbound import sealed_headers, web_url
from worker.store import tenant
from worker.webhook.endpoint import Endpoint


class NoReceiver(Exception):
    """The event has no receiver. The message is the reason."""


@dataclass(frozen=True)
class Receiver:
    """The URL that an event is posted to, the secrets that each sign the post, and encrypted headers for it."""

    url: str
    secrets: tuple[str, ...]
    sealed_headers: str | None = None

    def headers(self, settings: Settings) -> dict[str, str]:
        """Return the headers for the URL, decrypted. Raises OvsegError `headers_unavailable`."""
        if self.sealed_headers is None:
            return {}
        return sealed_headers.unseal(self.sealed_headers, settings, "headers", web_url.origin_of(self.url))

    @classmethod
    def of_webhook(cls, about: Job | Batch | None, tenants: Tenants, now: datetime) -> Receiver:
        """Return the own webhook of a job or a batch as a receiver.

        Raises NoReceiver if the job or batch, or its tenant, was deleted.
        """
        url = _webhook_url(about)
        if about is None or url is None:
            raise NoReceiver("the job or the batch was deleted")
        secrets = tenants.webhook_secrets(tenant.of(about.id), now)
        if not secrets:
            raise NoReceiver("the tenant was deleted")
        return cls(url, secrets)

    @classmethod
    def of_endpoint(cls, endpoint: Endpoint | None, now: datetime) -> Receiver:
        """Return an endpoint as a receiver. Raises NoReceiver if the endpoint was deleted or is disabled."""
        if endpoint is None:
            raise NoReceiver("the endpoint was deleted")
        if endpoint.disabled_at is not None:
            raise NoReceiver(f"the endpoint is disabled: {endpoint.disabled_reason}")
        return cls(endpoint.url, endpoint.live_secrets(now), endpoint.sealed_headers)


def _webhook_url(about: Job | Batch | None) -> str | None:
    if isinstance(about, Job):
        return about.request.webhook.url if about.request.webhook else None
    return about.webhook_url if about else None
