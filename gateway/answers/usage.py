"""The usage object, which `gateway.usage` makes."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict


class Counts(TypedDict):
    """How many jobs were accepted, how many ended in each status, and the work of those that stored a result."""

    accepted: int
    succeeded: int
    failed: int
    canceled: int
    expired: int
    prompts: int
    encodes: Annotated[int, Field(description="runs of the image encoder")]
    network_ms: Annotated[float, Field(description="milliseconds that the networks ran")]


class DayCounts(Counts):
    day: Annotated[date, Field(description="in UTC")]


class TenantLimits(TypedDict):
    """What a tenant may have at a time; null: any number."""

    max_queued_jobs: int | None
    max_stored_bytes: int | None


class Limits(TenantLimits):
    """The limits of the tenant, and those of the key that asks."""

    requests_per_minute: int | None
    prompts_per_minute: int | None


class TenantUsage(TypedDict):
    tenant: str
    since: date
    until: date
    total: Counts
    days: Annotated[list[DayCounts] | None, Field(description="on which something was counted; null in lists")]
    queued_jobs: Annotated[int, Field(description="now")]
    running_jobs: Annotated[int, Field(description="now")]
    stored_bytes: Annotated[int, Field(description="of images, requests and results that are stored now")]
    limits: TenantLimits


class OwnUsage(TenantUsage):
    limits: Limits  # type: ignore[misc]  # it has more fields than that of other tenants


class UsagePage(TypedDict):
    tenants: list[TenantUsage]
    next_cursor: str | None
