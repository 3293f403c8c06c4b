"""The webhook endpoints in Redis. The scripts that move a job read them there, and write an event for each."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from redis import Redis

from configs import webhook_secret
from configs.settings import Settings
from worker.job import event_type
from worker.job.jobs import MICROSECONDS
from worker.store.scripts import Scripts
from worker.webhook.endpoint import Endpoint
from worker.webhook.endpoint_fields import EndpointFields

BY_HAND = "asked for"  # why an endpoint is disabled that did not disable itself


class Endpoints:
    """Thread-safe; every method is one round trip or two."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._prefix = settings.redis_prefix
        self._scripts = Scripts(redis, settings.redis_prefix)

    def get(self, endpoint_id: str) -> Endpoint | None:
        record = self._redis.hgetall(f"{self._prefix}endpoint:{endpoint_id}")
        return Endpoint.from_record(endpoint_id, record) if record else None

    def list(self) -> list[Endpoint]:
        """All of them, oldest first."""
        ids = self._redis.zrange(f"{self._prefix}endpoints", 0, -1)
        with self._redis.pipeline(transaction=False) as pipeline:
            for endpoint_id in ids:
                pipeline.hgetall(f"{self._prefix}endpoint:{endpoint_id}")
            records = pipeline.execute()
        return [Endpoint.from_record(*row) for row in zip(ids, records, strict=True) if row[1]]

    def create(self, fields: EndpointFields) -> Endpoint | None:
        """None where there are as many as there may be."""
        endpoint_id = f"ep_{secrets.token_hex(8)}"
        record = {"description": "", "tell": event_type.told_by(event_type.ENDS), "secret": webhook_secret.new()}
        flat = _flat({**record, **fields.to_record()})
        why = BY_HAND if fields.disabled else ""
        if not self._scripts("endpoint_create", endpoint_id, self._settings.max_webhook_endpoints, why, *flat):
            return None
        return self.get(endpoint_id)

    def change(self, endpoint_id: str, fields: EndpointFields) -> None:
        why = {None: "-", False: "", True: BY_HAND}[fields.disabled]
        self._scripts("endpoint_change", endpoint_id, why, *_flat(fields.to_record()))

    def rotate(self, endpoint_id: str) -> None:
        """A new secret; the old one signs too for a while."""
        overlap = int(self._settings.webhook_old_secret_seconds * MICROSECONDS)
        self._scripts("endpoint_rotate", endpoint_id, webhook_secret.new(), overlap)

    def delete(self, endpoint_id: str) -> bool:
        """False if there was none."""
        return bool(self._scripts("endpoint_delete", endpoint_id))


def _flat(record: Mapping[str, str]) -> list[str]:
    return [part for pair in record.items() for part in pair]
