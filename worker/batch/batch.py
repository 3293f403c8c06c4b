"""A batch, as its record in Redis describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.job.record import Status
from worker.store import tenant
from worker.store.clock import moment, moment_of

DELETED = "deleted"  # the count of items whose jobs were erased


class BatchStatus(StrEnum):
    RECEIVING = "receiving"  # its manifest is not complete
    RUNNING = "running"
    CANCELING = "canceling"  # jobs are still being canceled
    CANCELED = "canceled"  # final: all its items have ended
    COMPLETED = "completed"  # all its items have ended; further items open it again


@dataclass(frozen=True)
class Counts:
    """How many items a batch has, in all and in each state. `waiting` items have no job yet."""

    total: int
    waiting: int
    by_status: Mapping[str, int]  # of their jobs, and `deleted`

    @classmethod
    def of(cls, total: int, record: Mapping[str, str]) -> Counts:
        by_status = {name: int(record.get(name, 0)) for name in (*Status, DELETED)}
        return cls(total, total - sum(by_status.values()), by_status)

    @property
    def ended(self) -> int:
        return self.total - self.waiting - self.by_status[Status.QUEUED] - self.by_status[Status.RUNNING]


@dataclass(frozen=True)
class Batch:
    id: str
    created_at: datetime
    sealed_at: datetime | None
    canceled_at: datetime | None
    completed_at: datetime | None
    is_deleted: bool
    is_recovering: bool
    webhook_url: str | None
    recoveries: int  # how often its items were restored after Redis was lost
    counts: Counts

    @classmethod
    def from_record(cls, batch_id: str, record: Mapping[str, str], counts: Counts) -> Batch:
        return cls(
            id=batch_id,
            created_at=moment(record["created_at"]),
            sealed_at=moment_of("sealed_at", record),
            canceled_at=moment_of("canceled_at", record),
            completed_at=moment_of("completed_at", record),
            is_deleted="deleted_at" in record,
            is_recovering="recovering" in record,
            webhook_url=record.get("webhook"),
            recoveries=int(record.get("recoveries", "0")),
            counts=counts,
        )

    @property
    def shown_id(self) -> str:
        """Return the id as the owner sees it."""
        return tenant.shown(self.id)

    @property
    def status(self) -> BatchStatus:
        if self.canceled_at is not None:
            return BatchStatus.CANCELED if self.completed_at is not None else BatchStatus.CANCELING
        if self.completed_at is not None:
            return BatchStatus.COMPLETED
        return BatchStatus.RECEIVING if self.sealed_at is None else BatchStatus.RUNNING

    @property
    def has_ended(self) -> bool:
        return self.completed_at is not None
