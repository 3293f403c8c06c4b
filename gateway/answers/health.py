"""The answers of the routes for probes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict


class Alive(TypedDict):
    status: Literal["ok"]


class Ready(TypedDict):
    status: Literal["ready", "not ready"]
    checks: Annotated[dict[str, str], Field(description="`ok`, or what is wrong, by the name of the check")]
    workers: Annotated[dict[str, int], Field(description="live workers by kind of device")]
    submissions: Annotated[str, Field(description="`ok`, or why new jobs are refused")]
