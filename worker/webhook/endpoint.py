"""A webhook endpoint: it receives the events of every job of its tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.job import event_type
from worker.job.event_type import AnyEventType
from worker.store.clock import moment, moment_of

# An endpoint is failing if its tries have failed for longer than this. One bad hour of a receiver is normal; a bad day
# needs an operator.
FAILING_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as its record was when it was read.

    `secret` signs every webhook; `old_secret` signs them too until `old_secret_until`. `sealed_headers` are sent with
    each webhook; they are encrypted, and can be decrypted only for the origin of `url`.
    """

    id: str
    url: str
    events: tuple[AnyEventType, ...]
    description: str
    header_names: tuple[str, ...]
    sealed_headers: str | None
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    failing_since: datetime | None  # the first failure since the last success

    @classmethod
    def from_record(cls, endpoint_id: str, record: Mapping[str, str]) -> Endpoint:
        return cls(
            id=endpoint_id,
            url=record["url"],
            events=event_type.decode(record["tell"]),
            description=record["description"],
            header_names=tuple(record.get("header_names", "").split()),
            sealed_headers=record.get("headers") or None,
            secret=record["secret"],
            old_secret=record.get("old_secret"),
            old_secret_until=moment_of("old_secret_until", record),
            created_at=moment(record["created_at"]),
            disabled_at=moment_of("disabled_at", record),
            disabled_reason=record.get("disabled_reason"),
            last_success_at=moment_of("last_success_at", record),
            last_failure_at=moment_of("last_failure_at", record),
            failing_since=moment_of("failing_since", record),
        )

    def status(self, now: datetime) -> str:
        """Return enabled, failing or disabled."""
        if self.disabled_at is not None:
            return "disabled"
        is_failing = self.failing_since is not None and now - self.failing_since > FAILING_AFTER
        return "failing" if is_failing else "enabled"

    def live_secrets(self, now: datetime) -> tuple[str, ...]:
        """Return the secrets that sign a webhook now, newest first."""
        if self.old_secret is None or self.old_secret_until is None or self.old_secret_until <= now:
            return (self.secret,)
        return (self.secret, self.old_secret)
