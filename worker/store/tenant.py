"""Tenants: the owners of jobs, endpoints, events and API keys.

Inside the service, the id of everything that a tenant owns begins with the tenant's name and a dot: `acme.car-1`. So
two tenants can choose the same id, each id has one owner, and Redis keys, messages and object names need no second
part. A client sees its ids without that beginning. Ids of the tenant `default`, which also owns everything that was
made without a key, are the same inside and outside.
"""

from __future__ import annotations

import re

DEFAULT = "default"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")  # all ids outside the service: of jobs, events and endpoints
_OF_NOBODY = "."  # nothing has this id


def prefix(tenant: str) -> str:
    """Return the beginning of this tenant's ids and of the names of its indexes in Redis."""
    return "" if tenant == DEFAULT else f"{tenant}."


def owned(tenant: str, shown_id: str) -> str:
    """Return the id inside the service of what a tenant calls `shown_id`.

    A text that cannot be an id, such as `acme.car-1`, becomes an id that nothing has, so that no client can name what
    another tenant owns.
    """
    return prefix(tenant) + shown_id if _ID.fullmatch(shown_id) else _OF_NOBODY


def shown(owned_id: str) -> str:
    """Return an id as its owner sees it."""
    return owned_id.rpartition(".")[2]


def of(owned_id: str) -> str:
    """Return the owner of an id."""
    return owned_id.rpartition(".")[0] or DEFAULT
