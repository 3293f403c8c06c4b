"""Who sends the current request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import g

from worker.access.rates import OF_SETTINGS, Rates
from worker.store import tenant


@dataclass(frozen=True)
class Caller:
    """The holder of an API key; `key_id` is None if the service requires no keys."""

    key_id: str | None
    tenant: str
    rates: Rates = OF_SETTINGS

    def owned(self, shown_id: str) -> str:
        """Return the id inside the service of what the caller names `shown_id`."""
        return tenant.owned(self.tenant, shown_id)


def caller() -> Caller:
    """Return the caller of the current request, whose key `auth` has checked."""
    return cast(Caller, g.caller)


def set_caller(found: Caller) -> None:
    g.caller = found
