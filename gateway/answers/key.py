"""The API key object, which `gateway.keys` makes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from worker.access.scope import Scope


class KeyObject(TypedDict):
    id: str
    tenant: str
    name: str
    scopes: list[Scope]
    status: Literal["live", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    old_secret_until: datetime | None
    requests_per_minute: Annotated[int | None, Field(description="null: the setting applies")]
    prompts_per_minute: int | None


class KeyWithText(KeyObject):
    """The key object with the key's text, which no other answer has."""

    key: str


class KeyPage(TypedDict):
    keys: list[KeyObject]
    next_cursor: str | None
