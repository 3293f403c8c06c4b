"""What a tenant has used on each day, and what it has now. The scripts that accept, end and erase jobs count it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from worker.store import tenant
from worker.store.keyspace import Keyspace

# A quarter of a year. The scripts keep each day for one day more, so that the first of 90 is complete.
DAYS_KEPT = 90
EPOCH = date(1970, 1, 1)


class Work(NamedTuple):
    """What an attempt did that stored a result."""

    prompts: int = 0
    encodes: int = 0  # runs of the image encoder
    network_ms: float = 0.0  # milliseconds that the networks ran
    stored_bytes: int = 0  # of the result

    def to_json(self) -> str:
        """Return the JSON for the record: integers, which the scripts add up by name."""
        return json.dumps(
            {"prompts": self.prompts, "encodes": self.encodes, "network_us": round(self.network_ms * 1000)}
        )


@dataclass(frozen=True)
class Counts:
    """How many jobs were accepted, how many ended in each status, and the work of those that stored a result."""

    accepted: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0
    expired: int = 0
    prompts: int = 0
    encodes: int = 0
    network_ms: float = 0.0

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Counts:
        numbers = {name: int(value) for name, value in record.items()}
        return cls(network_ms=numbers.pop("network_us", 0) / 1000, **numbers)

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class Usage:
    """The usage of a tenant. `days` has those days (UTC) on which something was counted, oldest first."""

    tenant: str
    days: Mapping[date, Counts]
    queued_jobs: int
    running_jobs: int
    stored_bytes: int

    @property
    def total(self) -> Counts:
        return sum(self.days.values(), Counts())


def today() -> date:
    return datetime.now(UTC).date()


def read(keyspace: Keyspace, owner: str, first: date, last: date) -> Usage:
    """Return what a tenant has used from the day `first` to the day `last`, and what it has now. Raises RedisError."""
    prefix = tenant.prefix(owner)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    with keyspace.pipeline() as pipeline:
        for day in days:
            pipeline.hgetall(keyspace.key(f"{prefix}usage:{(day - EPOCH).days}"))
        for index in ("jobs:queued", "ephemeral:queued", "jobs:running", "ephemeral:running"):
            pipeline.zcard(keyspace.key(prefix + index))
        pipeline.get(keyspace.key(f"{prefix}stored_bytes"))
        *records, queued, queued_ephemeral, running, running_ephemeral, stored_bytes = pipeline.execute()
    counted = {day: Counts.from_record(record) for day, record in zip(days, records, strict=True) if record}
    return Usage(owner, counted, queued + queued_ephemeral, running + running_ephemeral, int(stored_bytes or 0))
