"""What a job is asked to do, as its record keeps it: valid since the door, and for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ovseg_core import outputs
from ovseg_core.prompts import Prompt
from worker.image.content import ImageSource
from worker.job import event_type

Device = Literal["auto", "cpu", "gpu"]
if TYPE_CHECKING:
    Output = str
else:
    Output = Literal[outputs.names()]  # mypy knows no literal that is computed

MAX_DEADLINE_SECONDS = 7 * 24 * 3600


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number")
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


class Webhook(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str = Field(max_length=2048)
    events: event_type.Filter = event_type.ENDS


Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=MAX_DEADLINE_SECONDS, allow_inf_nan=False)]


class Deadline(BaseModel):
    """How long a job may wait for its first start, and how long each attempt may run."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    start_within_s: Seconds | None = None
    run_within_s: Seconds | None = None


class JobRequest(BaseModel):
    """What a job is asked to do; kept in its record as JSON."""

    model_config = ConfigDict(frozen=True)

    image: ImageSource
    model: str
    prompts: tuple[Prompt, ...]
    device: Device
    outputs: tuple[Output, ...]
    metadata: dict[str, Any]
    webhook: Webhook | None
    deadline: Deadline | None = None
