"""The webhook endpoints in Redis. The scripts that change a job's status read them and write an event for each one."""

from __future__ import annotations

import secrets

from configs import webhook_secret
from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.job import event_type
from worker.outbound import web_url
from worker.store import clock, tenant
from worker.store.keyspace import Keyspace, flat
from worker.webhook.endpoint import Endpoint
from worker.webhook.endpoint_fields import EndpointFields

BY_REQUEST = "asked for"  # the `disabled_reason` of an endpoint that a request disabled


class Endpoints:
    """All webhook endpoints. Thread-safe. Each method takes one or two round trips to Redis."""

    def __init__(self, keyspace: Keyspace, settings: Settings) -> None:
        self._keyspace = keyspace
        self._settings = settings

    def get(self, endpoint_id: str) -> Endpoint | None:
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"endpoint:{endpoint_id}"))
        return Endpoint.from_record(endpoint_id, record) if record else None

    def list(self, owner: str) -> list[Endpoint]:
        """Return all endpoints of a tenant, oldest first."""
        ids = self._keyspace.redis.zrange(self._keyspace.key(tenant.prefix(owner) + "endpoints"), 0, -1)
        with self._keyspace.pipeline() as pipeline:
            for endpoint_id in ids:
                pipeline.hgetall(self._keyspace.key(f"endpoint:{endpoint_id}"))
            records = pipeline.execute()
        return [Endpoint.from_record(*row) for row in zip(ids, records, strict=True) if row[1]]

    def create(self, owner: str, fields: EndpointFields) -> Endpoint | None:
        """Create an endpoint, whose URL is given. Returns None if its tenant has `max_webhook_endpoints` already.

        Raises OvsegError `headers_unavailable`.
        """
        endpoint_id = tenant.owned(owner, f"ep_{secrets.token_hex(8)}")
        defaults = {"description": "", "tell": event_type.encode(event_type.ENDS), "secret": webhook_secret.new()}
        disabled_reason, limit = BY_REQUEST if fields.disabled else "", self._settings.max_webhook_endpoints
        sealed = fields.headers_record(str(fields.url), self._settings)
        record = flat({**defaults, **fields.to_record(), **sealed})
        if not self._keyspace.run("endpoint_create", endpoint_id, limit, disabled_reason, *record):
            return None
        return self.get(endpoint_id)

    def change(self, endpoint_id: str, fields: EndpointFields) -> None:
        """Change the given fields. Does nothing if there is no such endpoint.

        Raises OvsegError `headers_unavailable`, and `url_forbidden` if the endpoint's headers would be sent to another
        host than they were given for.
        """
        endpoint = self.get(endpoint_id)
        if endpoint is None:
            return
        url = fields.url or endpoint.url
        if (
            endpoint.header_names
            and fields.headers is None
            and web_url.origin_of(url) != web_url.origin_of(endpoint.url)
        ):
            message = "the endpoint has headers for another host: give `headers` for this one too, or {} for none"
            raise OvsegError("url_forbidden", message, "url")
        record = {**fields.to_record(), **fields.headers_record(url, self._settings)}
        disabled_reason = {None: "-", False: "", True: BY_REQUEST}[fields.disabled]  # "-" changes nothing, "" enables
        self._keyspace.run("endpoint_change", endpoint_id, disabled_reason, *flat(record))

    def rotate(self, endpoint_id: str) -> None:
        """Give an endpoint a new secret. The old one also signs for `webhook_old_secret_seconds`."""
        overlap = clock.in_microseconds(self._settings.webhook_old_secret_seconds)
        self._keyspace.run("endpoint_rotate", endpoint_id, webhook_secret.new(), overlap)

    def delete(self, endpoint_id: str) -> bool:
        """Delete an endpoint. Returns False if there was none."""
        return bool(self._keyspace.run("endpoint_delete", endpoint_id))
