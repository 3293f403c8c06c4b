"""Who sends the current request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import g

from worker.access.credential import Credential
from worker.access.rates import OF_SETTINGS, Rates
from worker.store import tenant


@dataclass(frozen=True)
class Caller:
    """The holder of an API key; without a credential if the service or the view requires no key."""

    tenant: str
    credential: Credential | None = None
    rates: Rates = OF_SETTINGS

    @property
    def key_id(self) -> str | None:
        return None if self.credential is None else self.credential.key_id

    def owned(self, shown_id: str) -> str:
        """Return the id inside the service of what the caller names `shown_id`."""
        return tenant.owned(self.tenant, shown_id)


def caller() -> Caller:
    """Return the caller of the current request, whose key `auth` has checked."""
    return cast(Caller, g.caller)


def set_caller(found: Caller) -> None:
    g.caller = found
