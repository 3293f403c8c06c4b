"""The session object, which `gateway.sessions` makes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from worker.access.scope import Scope


class SessionObject(TypedDict):
    object: Literal["session"]
    required: Annotated[bool, Field(description="whether the service requires a key or a session")]
    tenant: str
    key_id: Annotated[str | None, Field(description="the key that signed in; null if none is required")]
    scopes: list[Scope]
    expires_at: Annotated[
        datetime | None,
        Field(description="when the session ends; null for a key that does not expire, or if none is required"),
    ]
