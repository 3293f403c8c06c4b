"""The routes of usage: of the caller's tenant, and, for admins, of every tenant."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify
from pydantic import BeforeValidator

from gateway import auth, operation, paging, query
from gateway.answers.usage import OwnUsage, TenantUsage, UsagePage
from gateway.caller import caller
from gateway.operation import Answer, Operation
from gateway.paging import PageQuery
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job import usage
from worker.job.client_text import brief
from worker.job.rfc3339 import day
from worker.job.usage import DAYS_KEPT, Usage
from worker.store.tenant import DEFAULT

blueprint = Blueprint("usage", __name__, url_prefix="/v1/usage")

DEFAULT_DAYS = 30

Day = Annotated[date | None, BeforeValidator(day)]


class UsageQuery(query.Query):
    """The first and the last day, in UTC."""

    since: Day = None
    until: Day = None

    def days(self) -> tuple[date, date]:
        """Return the first and the last day. Raises OvsegError `invalid_value`."""
        last = self.until or usage.today()
        first = self.since or date.fromordinal(max(last.toordinal() - DEFAULT_DAYS + 1, 1))  # no day is before day 1
        if not 0 <= (last - first).days < DAYS_KEPT:
            raise OvsegError("invalid_value", f"must be 0 to {DAYS_KEPT - 1} days before until", "since")
        return first, last


class UsagePageQuery(UsageQuery, PageQuery):
    """Which tenants, and which days."""


@blueprint.get("")
@auth.needs(Scope.JOBS_READ)
@query.takes(UsageQuery)
@operation.describes(Operation("Read what your tenant has used", {200: Answer("The usage.", OwnUsage)}))
def own() -> Response:
    """Return what the caller's tenant has used, what it has now, and its limits and those of the key."""
    described = describe(caller().tenant, *query.of(UsageQuery).days())
    described["limits"] |= services().rate_limits.of_caller()
    return jsonify(described)


@blueprint.get("/tenants")
@auth.needs(Scope.ADMIN)
@query.takes(UsagePageQuery)
@operation.describes(Operation("List what all tenants have used", {200: Answer("A page of tenants.", UsagePage)}))
def page() -> Response:
    """List the usage of all tenants, the oldest tenant first, without the single days."""
    wanted = query.of(UsagePageQuery)
    first = int(wanted.cursor or 0)
    names = [DEFAULT, *services().tenants.names()]
    days = wanted.days()
    found = (
        ({**describe(name, *days), "days": None}, str(n))
        for n, name in enumerate(names[first : first + wanted.limit], first + 1)
    )
    has_more = len(names) > first + wanted.limit
    return paging.answer("tenants", found, str(first + wanted.limit) if has_more else None)


@blueprint.get("/tenants/<tenant>")
@auth.needs(Scope.ADMIN)
@query.takes(UsageQuery)
@operation.describes(Operation("Read what a tenant has used", {200: Answer("The usage.", TenantUsage)}, ("not_found",)))
def show(tenant: str) -> Response:
    """Return the usage of a tenant."""
    if tenant != DEFAULT and services().tenants.get(tenant) is None:
        raise OvsegError("not_found", f"there is no tenant {brief(tenant)!r}")
    return jsonify(describe(tenant, *query.of(UsageQuery).days()))


def describe(name: str, first: date, last: date) -> dict[str, Any]:
    """Return the usage object of a tenant, without the limits of a key."""
    found: Usage = usage.read(services().keyspace, name, first, last)
    limits = services().tenants.limits(name)
    return {
        "tenant": name,
        "since": first.isoformat(),
        "until": last.isoformat(),
        "total": asdict(found.total),
        "days": [{"day": day.isoformat(), **asdict(counts)} for day, counts in found.days.items()],
        "queued_jobs": found.queued_jobs,
        "running_jobs": found.running_jobs,
        "stored_bytes": found.stored_bytes,
        "limits": asdict(limits),
    }
