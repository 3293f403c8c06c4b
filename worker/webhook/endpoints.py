"""The webhook endpoints in Redis. The scripts that move a job read them there, and write an event for each."""

from __future__ import annotations

import secrets

from configs import webhook_secret
from configs.settings import Settings
from worker.job import event_type
from worker.store import clock
from worker.store.keyspace import Keyspace, flat
from worker.webhook.endpoint import Endpoint
from worker.webhook.endpoint_fields import EndpointFields

BY_HAND = "asked for"  # why an endpoint is disabled that did not disable itself


class Endpoints:
    """Thread-safe; every method is one round trip or two."""

    def __init__(self, keyspace: Keyspace, settings: Settings) -> None:
        self._keyspace = keyspace
        self._settings = settings

    def get(self, endpoint_id: str) -> Endpoint | None:
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"endpoint:{endpoint_id}"))
        return Endpoint.from_record(endpoint_id, record) if record else None

    def list(self) -> list[Endpoint]:
        """All of them, oldest first."""
        ids = self._keyspace.redis.zrange(self._keyspace.key("endpoints"), 0, -1)
        with self._keyspace.pipeline() as pipeline:
            for endpoint_id in ids:
                pipeline.hgetall(self._keyspace.key(f"endpoint:{endpoint_id}"))
            records = pipeline.execute()
        return [Endpoint.from_record(*row) for row in zip(ids, records, strict=True) if row[1]]

    def create(self, fields: EndpointFields) -> Endpoint | None:
        """None if there are `max_webhook_endpoints` already."""
        endpoint_id = f"ep_{secrets.token_hex(8)}"
        record = {"description": "", "tell": event_type.encode(event_type.ENDS), "secret": webhook_secret.new()}
        why, limit = BY_HAND if fields.disabled else "", self._settings.max_webhook_endpoints
        parts = flat({**record, **fields.to_record()})
        if not self._keyspace.run("endpoint_create", endpoint_id, limit, why, *parts):
            return None
        return self.get(endpoint_id)

    def change(self, endpoint_id: str, fields: EndpointFields) -> None:
        why = {None: "-", False: "", True: BY_HAND}[fields.disabled]
        self._keyspace.run("endpoint_change", endpoint_id, why, *flat(fields.to_record()))

    def rotate(self, endpoint_id: str) -> None:
        """A new secret; the old one signs too for a while."""
        overlap = clock.in_microseconds(self._settings.webhook_old_secret_seconds)
        self._keyspace.run("endpoint_rotate", endpoint_id, webhook_secret.new(), overlap)

    def delete(self, endpoint_id: str) -> bool:
        """False if there was none."""
        return bool(self._keyspace.run("endpoint_delete", endpoint_id))
