"""The tenants in Redis, and the secrets that sign their jobs' webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from configs import webhook_secret
from configs.settings import Settings
from worker.access.tenant_limits import TenantLimits
from worker.store import clock
from worker.store.clock import moment, moment_of
from worker.store.keyspace import Keyspace, flat
from worker.store.tenant import DEFAULT


@dataclass(frozen=True)
class Tenant:
    """A tenant as its record was when it was read. `default` has no record: its secret is a setting."""

    name: str
    created_at: datetime
    webhook_secret: str
    old_webhook_secret: str | None
    old_secret_until: datetime | None
    limits: TenantLimits

    @classmethod
    def from_record(cls, name: str, record: Mapping[str, str], usual: TenantLimits) -> Tenant:
        """Return the tenant that a record describes; `usual` are the limits of tenants without limits of their own."""
        return cls(
            name=name,
            created_at=moment(record["created_at"]),
            webhook_secret=record["webhook_secret"],
            old_webhook_secret=record.get("old_webhook_secret"),
            old_secret_until=moment_of("old_secret_until", record),
            limits=usual.changed(record),
        )

    def live_secrets(self, now: datetime) -> tuple[str, ...]:
        """Return the secrets that sign a webhook now, newest first."""
        is_old_live = self.old_secret_until is not None and now < self.old_secret_until
        old = (self.old_webhook_secret,) if self.old_webhook_secret and is_old_live else ()
        return (self.webhook_secret, *old)


class Tenants:
    """All tenants except `default`. A tenant exists from its first API key on. Thread-safe."""

    def __init__(self, keyspace: Keyspace, settings: Settings) -> None:
        self._keyspace = keyspace
        self._settings = settings
        self._usual_limits = TenantLimits.of_settings(settings)

    def get(self, name: str) -> Tenant | None:
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"tenant:{name}"))
        return Tenant.from_record(name, record, self._usual_limits) if record else None

    def limits(self, name: str) -> TenantLimits:
        """Return the limits of a tenant. Those of `default`, and of an unknown tenant, are the settings."""
        tenant = self.get(name)
        return tenant.limits if tenant else self._usual_limits

    def change(self, name: str, fields: Mapping[str, int | None]) -> bool:
        """Change a tenant's `max_queued_jobs`, `max_stored_bytes` or `weight`; None is what other tenants have.

        Returns False if there is no such tenant.
        """
        written = {field: "" if value is None else str(value) for field, value in fields.items()}
        return bool(self._keyspace.run("record_change", f"tenant:{name}", *flat(written)))

    def names(self) -> list[str]:
        """Return the names of all tenants, oldest first."""
        names: list[str] = self._keyspace.redis.zrange(self._keyspace.key("tenants"), 0, -1)
        return names

    def list(self) -> list[Tenant]:
        """Return all tenants, oldest first."""
        found = (self.get(name) for name in self.names())
        return [each for each in found if each is not None]

    def delete(self, name: str) -> None:
        """Delete the record of a tenant that is erased."""
        self._keyspace.run("tenant_delete", name)

    def webhook_secrets(self, name: str, now: datetime) -> tuple[str, ...]:
        """Return the secrets that sign the webhooks of a tenant's jobs, newest first; none if the tenant is unknown."""
        if name == DEFAULT:
            secret = self._settings.webhook_secret
            return (secret,) if secret else ()
        tenant = self.get(name)
        return tenant.live_secrets(now) if tenant else ()

    def rotate_webhook_secret(self, name: str) -> Tenant | None:
        """Give a tenant a new secret. The old one also signs for `webhook_old_secret_seconds`.

        Returns None if there is no such tenant.
        """
        overlap = clock.in_microseconds(self._settings.webhook_old_secret_seconds)
        is_found = self._keyspace.run("tenant_rotate", name, webhook_secret.new(), overlap)
        return self.get(name) if is_found else None
