"""The request of a job, as its record stores it. It is checked when the job is accepted, and valid from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, WrapSerializer

from ovseg_core import outputs
from ovseg_core.prompts import Prompt
from worker.image.content import ImageSource
from worker.job.own_webhook import Webhook

Device = Literal["auto", "cpu", "gpu"]
if TYPE_CHECKING:
    Output = str
else:
    Output = Literal[outputs.names()]  # mypy supports no computed literals

MAX_DEADLINE_SECONDS = 7 * 24 * 3600


def _without_absent_mask(prompt: Prompt, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Leave out the mask of a prompt without one: the records and fingerprints of older requests stay the same."""
    return {name: value for name, value in fields(prompt).items() if name != "mask" or value is not None}


StoredPrompt = Annotated[Prompt, WrapSerializer(_without_absent_mask)]
Seconds = Annotated[float, Field(gt=0, le=MAX_DEADLINE_SECONDS)]


class Deadline(BaseModel):
    """How long a job may wait for its first start, and how long each attempt may run, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    start_within_s: Seconds | None = None
    run_within_s: Seconds | None = None


class Options(BaseModel):
    """The parts of a request besides its image, its model, its prompts and its outputs.

    A new option needs only a field of this class: the body of a request may then have it, the job's record stores it,
    the fingerprint of an idempotent request covers it, the job object shows it, and a retry repeats it. A new field
    must be None by default: then older records can be read, and the fingerprints of older requests stay the same.
    """

    model_config = ConfigDict(frozen=True)

    device: Device = "auto"
    metadata: dict[str, Any] = Field(default={})
    webhook: Webhook | None = None
    deadline: Deadline | None = None


class JobRequest(Options):
    """What a client asks of a job. The job's record stores it as JSON."""

    image: ImageSource
    model: str
    prompts: tuple[StoredPrompt, ...]
    outputs: tuple[Output, ...]

    @property
    def options(self) -> dict[str, Any]:
        """The options by name, as values for JSON."""
        return self.model_dump(include=set(Options.model_fields))
