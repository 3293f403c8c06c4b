"""How the polygons of a result are simplified."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_TOLERANCE = 100.0  # pixels; an outline that may move further is no outline of the mask
MAX_AREA = 10**9  # pixels, more than an image may have
MAX_PARTS = 10_000


class PolygonOptions(BaseModel):
    """The options of `ovseg_core.polygons.of`, with its defaults: nothing is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tolerance: Annotated[float, Field(ge=0, le=MAX_TOLERANCE, allow_inf_nan=False)] = 0.0
    min_area: Annotated[int, Field(ge=0, le=MAX_AREA)] = 0
    max_parts: Annotated[int, Field(ge=1, le=MAX_PARTS)] | None = None
