"""The request of a job, as its record stores it. It is checked when the job is accepted, and valid from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, WrapSerializer, model_serializer

from ovseg_core import models, outputs
from ovseg_core.errors import OvsegError
from ovseg_core.prompts import Prompt, check_within
from worker.image.content import ImageSource
from worker.job.own_webhook import WebhookOrUrl
from worker.job.polygon_options import PolygonOptions
from worker.job.prompt_note import PromptNote, Skipped
from worker.job.validation import InvalidRequest

Device = Literal["auto", "cpu", "gpu"]
Priority = Literal["interactive", "normal", "bulk"]
PRIORITIES: Sequence[Priority] = get_args(Priority)
if TYPE_CHECKING:
    Output = str
else:
    Output = Literal[outputs.names()]  # mypy supports no computed literals

# The fields of JobRequest that records of version 0.1 lack, and their values for such a record.
ADDED_LATER: Mapping[str, object] = {
    "ephemeral": None,
    "everything": None,
    "multimask": None,
    "notes": None,
    "on_invalid_prompt": None,
    "polygons": None,
    "priority": "normal",
}
# With SAM-Lite an encode takes as long as 24 prompts, with larger models it takes as long as more of them.
ENCODE_COST = 20
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
    must have a default, and be in ADDED_LATER with that value: then the records and fingerprints of older requests stay
    the same.
    """

    model_config = ConfigDict(frozen=True)

    device: Device = "auto"
    priority: Priority = "normal"
    metadata: dict[str, Any] = Field(default={})
    webhook: WebhookOrUrl | None = None
    deadline: Deadline | None = None


class Cost(NamedTuple):
    """How much work a request is, for limits, logs and the fair share of its tenant."""

    encodes: int  # runs of the image encoder, if no embedding is known
    prompts: int  # that the mask decoder decodes

    @property
    def total(self) -> int:
        """Return the cost in prompts."""
        return ENCODE_COST * self.encodes + self.prompts


class JobRequest(Options):
    """What a client asks of a job. The job's record stores it as JSON.

    `everything` has the given options of everything mode; then there are no `prompts`. A request without both only
    encodes its image.
    """

    image: ImageSource
    model: str
    prompts: tuple[StoredPrompt, ...]
    outputs: tuple[Output, ...]
    everything: dict[str, Any] | None = None
    multimask: Literal["all"] | None = None  # None: the best mask of each prompt
    polygons: PolygonOptions | None = None
    on_invalid_prompt: Literal["skip"] | None = None  # None: it fails the job
    ephemeral: Literal[True] | None = None  # Redis forgets the job soon after its end, see `ephemeral`
    notes: tuple[PromptNote, ...] | None = None  # one for each prompt that the client sent, also for skipped ones

    @model_serializer(mode="wrap")
    def _without_unused_fields(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the fields of later versions that this request does not use: its record stays the same."""
        return {name: value for name, value in write(self).items() if value != ADDED_LATER.get(name, ...)}

    @property
    def positions(self) -> Sequence[int]:
        """The position of each of `prompts` among the prompts that the client sent: those with an error are skipped."""
        if self.notes is None:
            return range(len(self.prompts))
        return [i for i, note in enumerate(self.notes) if note.error is None]

    def within(self, image_hw: tuple[int, int], field: str = "prompts") -> JobRequest:
        """Check the prompts against the size of the image, and return the request, without those that are skipped.

        Raises OvsegError as `check_within`; if invalid prompts are skipped, only if no prompt is left.
        """
        if self.on_invalid_prompt is None:
            check_within(self.prompts, image_hw, field)
            return self
        errors = {}
        for i, prompt in zip(self.positions, self.prompts, strict=True):
            try:
                prompt.within(image_hw)
            except OvsegError as error:
                errors[i] = error.at(f"{field}[{i}].{error.field}")
        return self._without(errors) if errors else self

    def _without(self, errors: Mapping[int, OvsegError]) -> JobRequest:
        """Return the request without the prompts at these positions; their notes have the errors."""
        kept = [prompt for i, prompt in zip(self.positions, self.prompts, strict=True) if i not in errors]
        if not kept:
            raise InvalidRequest(list(errors.values()))
        notes = list(self.notes or [PromptNote()] * len(self.prompts))
        for i, error in errors.items():
            notes[i] = notes[i].model_copy(update={"error": Skipped.of(error)})
        return self.model_copy(update={"prompts": tuple(kept), "notes": tuple(notes)})

    @property
    def only_encodes(self) -> bool:
        """True if the job makes no masks: its purpose is that the image's embedding is known."""
        return not self.prompts and self.everything is None

    @property
    def cost(self) -> Cost:
        """The work that the request is. In everything mode each click is a prompt, also in the crops."""
        if self.everything is None:
            return Cost(1, len(self.prompts))
        options = models.find(self.model).preset.everything.changed(self.everything)
        return Cost(options.encode_count, options.point_count)

    @property
    def light_cost(self) -> int | None:
        """The cost in prompts if the image's embedding is known; None for everything mode, which is never light."""
        return None if self.everything is not None else max(1, len(self.prompts))

    @property
    def options(self) -> dict[str, Any]:
        """The options by name, as values for JSON."""
        return {**self.model_dump(include=set(Options.model_fields)), "priority": self.priority}
