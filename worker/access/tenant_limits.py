"""How much a tenant may have at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from configs.settings import Settings

QUEUED_JOBS, STORED_BYTES = "queued-jobs", "stored-bytes"  # the names of the policies

# Of the weight of a tenant. A job moves the turn of its tenant by its cost divided by the weight. A turn is a double:
# after billions of jobs it would not move by a much smaller part, and the tenant would take all turns.
MAX_WEIGHT = 1000


@dataclass(frozen=True)
class TenantLimits:
    """The maximum number of queued jobs, and of bytes of inputs and results in storage. None: no limit."""

    max_queued_jobs: int | None
    max_stored_bytes: int | None

    @classmethod
    def of_settings(cls, settings: Settings) -> TenantLimits:
        """Return the limits of a tenant without limits of its own."""
        jobs = settings.max_queued_jobs_per_tenant
        if jobs is None and settings.auth == "required":
            jobs = max(settings.max_queued_jobs // 2, 1)
        return cls(jobs, settings.max_stored_bytes_per_tenant)

    def changed(self, record: Mapping[str, str]) -> TenantLimits:
        """Return these limits, except those that the record of a tenant has."""
        return TenantLimits(
            int(record["max_queued_jobs"]) if "max_queued_jobs" in record else self.max_queued_jobs,
            int(record["max_stored_bytes"]) if "max_stored_bytes" in record else self.max_stored_bytes,
        )


class Exceeded(NamedTuple):
    """A limit of a tenant that does not allow a job: its name, the limit, and what is left of it.

    `stored_bytes` is how many bytes of the job would be stored: those of its image and its request.
    """

    policy: str
    quota: int
    left: int
    stored_bytes: int
