"""The request of a job, as its record stores it. It is checked when the job is accepted, and valid from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, WrapSerializer, model_serializer

from ovseg_core import models, outputs
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.prompts import Prompt
from worker.image.content import ImageSource
from worker.job import paddlex_text
from worker.job.own_webhook import WebhookOrUrl
from worker.job.polygon_options import PolygonOptions
from worker.job.prompt_note import PromptNote, Skipped
from worker.job.text_prompt import StoredTextPrompt
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
    "detect": None,
    "detection": None,
    "detector": None,
    "ephemeral": None,
    "everything": None,
    "multimask": None,
    "notes": None,
    "on_invalid_prompt": None,
    "polygons": None,
    "priority": "normal",
    "texts": None,
}
# With SAM-Lite an encode takes as long as 24 prompts, with larger models it takes as long as more of them.
ENCODE_COST = 20
# On a CPU an image takes GroundingDINO-T 2.2 CPU seconds, and each list of phrases 6 to 8. That is 14 and 40 encodes of
# SAM-Lite, and less than one of the largest SAMs; the costs are between these.
DETECTOR_COST = 5 * ENCODE_COST
PASS_COST = 15 * ENCODE_COST
PHRASES_PER_PASS = 64  # about: a text has room for 254 tokens, and COCO's 80 names take 200
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
    prompts: int  # that the mask decoder decodes, and phrases
    detection: int = 0  # the runs of the detector, in prompts

    @property
    def total(self) -> int:
        """Return the cost in prompts."""
        return ENCODE_COST * self.encodes + self.prompts + self.detection


class JobRequest(Options):
    """What a client asks of a job. The job's record stores it as JSON.

    `everything` has the given options of everything mode; then there are no `prompts`. `texts` are the prompts with
    phrases, which `prompts` lacks. With `detect`, a prompt in PaddleX's words, the job only finds boxes, and `model` is
    the detector too. A request without any of these only encodes its image.
    """

    image: ImageSource
    model: str
    prompts: tuple[StoredPrompt, ...]
    outputs: tuple[Output, ...]
    texts: tuple[StoredTextPrompt, ...] | None = None
    detect: str | None = None
    detector: str | None = None  # of a request with `texts` or `detect`
    detection: dict[str, Any] | None = None  # the given options of the detector
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
        """The position of each of `prompts` among the prompts that the client sent: `texts` and prompts with an error
        are left out.
        """
        if self.notes is None and self.texts is None:
            return range(len(self.prompts))
        texts = {text.position for text in self.texts or ()}
        notes = self.notes or [PromptNote()] * (len(self.prompts) + len(texts))
        return [i for i, note in enumerate(notes) if note.error is None and i not in texts]

    @property
    def prompts_by_position(self) -> dict[int, Prompt | StoredTextPrompt]:
        """All prompts without an error, by their positions among the prompts that the client sent, in that order."""
        found: dict[int, Prompt | StoredTextPrompt] = dict(zip(self.positions, self.prompts, strict=True))
        found |= {text.position: text for text in self.texts or ()}
        return dict(sorted(found.items()))

    def within(self, image_hw: tuple[int, int], field: str = "prompts") -> JobRequest:
        """Check the prompts against the size of the image, and return the request, without those that are skipped.

        Raises OvsegError as `Prompt.within`, at `field[i].box`; if invalid prompts are skipped, only if no prompt is
        left.
        """
        errors = {}
        for i, prompt in self.prompts_by_position.items():
            try:
                prompt.within(image_hw)
            except OvsegError as error:
                errors[i] = error.at(f"{field}[{i}].{error.field}")
                if self.on_invalid_prompt is None:
                    raise errors[i] from None
        return self._without(errors) if errors else self

    def _without(self, errors: Mapping[int, OvsegError]) -> JobRequest:
        """Return the request without the prompts at these positions; their notes have the errors."""
        given = self.prompts_by_position
        kept = [prompt for i, prompt in given.items() if i not in errors]
        if not kept:
            raise InvalidRequest(list(errors.values()))
        notes = list(self.notes or [PromptNote()] * len(given))
        for i, error in errors.items():
            notes[i] = notes[i].model_copy(update={"error": Skipped.of(error)})
        prompts, texts = split_texts(kept)
        return self.model_copy(update={"prompts": prompts, "texts": texts, "notes": tuple(notes)})

    @property
    def only_encodes(self) -> bool:
        """True if the job makes no masks: its purpose is that the image's embedding is known."""
        return not self.prompts and self.everything is None and not self.uses_detector

    @property
    def uses_detector(self) -> bool:
        """True if a detector runs: for the phrases of `texts`, or for `detect`."""
        return self.texts is not None or self.detect is not None

    @property
    def phrases(self) -> Sequence[str]:
        """The phrases of all `texts`, each once."""
        return list(dict.fromkeys(phrase for text in self.texts or () for phrase in text.phrases))

    @property
    def detection_options(self) -> DetectionOptions:
        """The options of the detector, with the defaults of those that are not given."""
        return DetectionOptions(**(self.detection or {}))

    @property
    def cost(self) -> Cost:
        """The work that the request is. In everything mode each click is a prompt, also in the crops."""
        if self.everything is not None:
            options = models.find(self.model).preset.everything.changed(self.everything)
            return Cost(options.encode_count, options.point_count)
        if self.detect is not None:
            return Cost(0, max(1, len(paddlex_text.at_stops(self.detect))), DETECTOR_COST + PASS_COST)
        if self.texts is None:
            return Cost(1, len(self.prompts))
        prompts = len(self.prompts) + sum(len(text.phrases) for text in self.texts)
        return Cost(1, prompts, DETECTOR_COST + PASS_COST * -(-len(self.phrases) // PHRASES_PER_PASS))

    @property
    def light_cost(self) -> int | None:
        """The cost in prompts if the image's embedding is known; None for everything mode and text prompts, which are
        never light.
        """
        return None if self.everything is not None or self.uses_detector else max(1, len(self.prompts))

    @property
    def options(self) -> dict[str, Any]:
        """The options by name, as values for JSON."""
        return {**self.model_dump(include=set(Options.model_fields)), "priority": self.priority}


def split_texts(
    found: Sequence[Prompt | StoredTextPrompt],
) -> tuple[tuple[Prompt, ...], tuple[StoredTextPrompt, ...] | None]:
    """Return the prompts without a text, and those with one: the `prompts` and `texts` of a request."""
    texts = tuple(each for each in found if isinstance(each, StoredTextPrompt))
    return tuple(each for each in found if isinstance(each, Prompt)), texts or None
