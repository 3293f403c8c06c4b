"""Settings: who may use the service, and how much."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from configs.host_list import Origins


class Callers(BaseModel):
    auth: Literal["required", "off"] | None = Field(
        default=None,
        description="required: every request needs an API key, except for health checks. off: every client that "
        "reaches the gateway may do everything. Unset: off if the gateway listens on loopback; elsewhere it refuses to "
        "start until this is decided.",
    )
    old_key_seconds: float = Field(
        default=24 * 3600.0,
        ge=0,
        description="How long the old secret of an API key also works after a rotation, in seconds (0 or more). A day "
        "is time to give the new key to every client. 0: not at all.",
    )
    requests_per_minute: int | None = Field(
        default=None,
        gt=0,
        description="Maximum number of requests of an API key in a minute (> 0), if the key has no limit of its own. "
        "A wait counts as one, health checks do not count. Without keys, all clients together have this limit. Unset: "
        "no limit, because an honest client may send hundreds of requests per second, and to count one takes two calls "
        "of Redis. For people who click, 600 is generous.",
    )
    prompts_per_minute: int | None = Field(
        default=None,
        gt=0,
        description="Maximum number of prompts that an API key may submit in a minute (> 0), if the key has no limit "
        "of its own; in everything mode each point of the grid is a prompt, usually 1,024. Without keys, all clients "
        "together have this limit. Unset: no limit, because how many prompts a service can answer depends on its "
        "workers and models.",
    )
    metrics_without_key: bool = Field(
        default=False,
        description="Whether /metrics needs no API key while OVSEG_AUTH is required. If not, it needs an admin's key, "
        "because its numbers are about all callers.",
    )
    cors_origins: Origins = Field(
        default=(),
        description="Origins of web pages, separated by commas, that may use the API from a browser (CORS): "
        "`https://app.example.com`, with a port if it is not the usual one. Empty: a page of another site can read "
        "nothing. Without API keys, such a page may do everything.",
    )
