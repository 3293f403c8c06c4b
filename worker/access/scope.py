"""What an API key may do."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    JOBS_WRITE = "jobs:write"  # submit, cancel, retry and delete jobs
    JOBS_READ = "jobs:read"  # show and list jobs, with their results
    WEBHOOKS = "webhooks"  # webhook endpoints, events and their deliveries
    ADMIN = "admin"  # everything, and API keys


ORDINARY = (Scope.JOBS_WRITE, Scope.JOBS_READ, Scope.WEBHOOKS)
