"""The model object, which `gateway.models` makes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict


class ModelWorker(TypedDict):
    worker: str
    device: str
    is_loaded: bool
    engine: str | None
    precision: str | None


class ModelObject(TypedDict):
    id: Annotated[str, Field(description="what `model` or `detector` of a request names")]
    object: Literal["model"]
    created: int
    owned_by: str
    is_default: bool
    prompts: Annotated[list[str], Field(description="the kinds of prompts that it takes; a detector takes only text")]
    licence: str
    bytes: int | None
    input_size: Annotated[int | None, Field(description="pixels; null for a detector")]
    engines: list[str]
    installed: Annotated[bool | None, Field(description="null if no worker is alive")]
    workers: Annotated[list[ModelWorker], Field(description="live workers that can run it")]


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[ModelObject]
