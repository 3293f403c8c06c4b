"""The request of PaddleX's route for detection: a job that only finds the boxes of a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from configs.settings import Settings
from ovseg_core import models
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.readable import ENDS
from ovseg_core.paddlex.thresholds import Thresholds
from worker.job import image_fields, image_object
from worker.job.detection import ThresholdsJson
from worker.job.image_fields import ImageFields
from worker.job.request import JobRequest, Output
from worker.job.validation import shown_as, validated

# A text has 256 tokens, and the longest token of the vocabulary 18 characters. The worker counts the tokens.
MAX_CHARACTERS = 256 * 18
FIELDS = ("image", "prompt", "thresholds")


class DetectFields(ImageFields):
    """PaddleX's request without `visualize`. Other fields are ignored, as PaddleX does."""

    prompt: str = Field(description="phrases with a full stop after each")
    thresholds: Annotated[dict[str, Any] | None, shown_as(ThresholdsJson | None)] = None


def parse(body: object, visualize: bool, settings: Settings) -> tuple[JobRequest, bytes | None]:
    """Parse a request; return the job, and the bytes of the image's file as `parsing.parse` does.

    The job is interactive, because the client waits on its connection. With `visualize` it has an overlay.

    Raises OvsegError `phrase_empty`, `phrase_too_long`, `invalid_options`, and those of a wrong image.
    """
    known = {name: body[name] for name in FIELDS if name in body} if isinstance(body, Mapping) else body
    fields = validated(DetectFields, image_fields.without_object(known))
    if not fields.prompt.strip(f"{ENDS} \t\r\n"):
        raise OvsegError("phrase_empty", "the prompt needs a word", "prompt")
    if len(fields.prompt) > MAX_CHARACTERS:
        message = f"{len(fields.prompt):,} characters; a prompt has at most {MAX_CHARACTERS:,}"
        raise OvsegError("phrase_too_long", message, "prompt")
    limits = asdict(Thresholds().changed(fields.thresholds))
    source, image = image_fields.read(body, fields, None, settings, image_object.NO_IMAGES)
    detector = models.find_detector(settings.default_detector).name
    outputs: tuple[Output, ...] = ("overlay",) if visualize else ()
    request = JobRequest(
        image=source,
        model=detector,
        prompts=(),
        outputs=outputs,
        priority="interactive",
        detect=fields.prompt,
        detector=detector,
        detection={name: float(value) for name, value in limits.items()},
    )
    return request, image
