"""Parses and checks the body of a request to segment or to encode an image. The resulting JobRequest is valid."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BeforeValidator, ConfigDict, Field

from configs.settings import Settings
from ovseg_core import models
from ovseg_core.errors import OvsegError
from ovseg_core.models import ModelSpec
from ovseg_core.paddlex import prompting
from ovseg_core.prompts import Prompt
from worker.image.content import ImageSource
from worker.job import (
    body_rules,
    detection,
    earlier_masks,
    ephemeral,
    image_fields,
    image_object,
    paddlex_text,
    prompt_fields,
    prompt_note,
)
from worker.job.detection import DetectionJson
from worker.job.earlier_masks import MasksOf
from worker.job.everything import Everything, EverythingJson, OptionsJson
from worker.job.image_fields import ImageFields
from worker.job.image_object import SentImages
from worker.job.polygon_options import PolygonOptions
from worker.job.prompt_fields import AnyPrompt, Box, Numbers, Point, PromptFields, Text
from worker.job.request import JobRequest, Options, Output, split_texts
from worker.job.text_prompt import StoredTextPrompt
from worker.job.validation import short_list, shown_as, validated

MAX_NAME_CHARACTERS = 256
PromptType = Literal["box", "point", "everything", "text"]

DEFAULT_OUTPUTS: tuple[Output, ...] = ("rle", "overlay")
EPHEMERAL_OUTPUTS: tuple[Output, ...] = ("rle",)  # by default; an overlay is a file


class ModelFields(ImageFields):
    model: str | None = Field(default=None, max_length=MAX_NAME_CHARACTERS)


class EmbeddingFields(Options, ModelFields):
    """The body of a request to encode an image: it has no prompts and no outputs."""


class JobFields(EmbeddingFields):
    """The body of a request to segment an image. It has either `prompts`, or PaddleX's `prompt` and `promptType`."""

    model_config = ConfigDict(json_schema_extra=body_rules.RULES)

    prompts: Annotated[
        list[PromptFields] | None,
        shown_as(Annotated[list[PromptFields], Field(min_length=1)] | EverythingJson | None),
    ] = Field(default=None, description='one object each; or `"everything"`, with or without options')
    prompt: Annotated[
        list[Numbers] | None, shown_as(Annotated[list[Box | Point], Field(min_length=1)] | Text | OptionsJson | None)
    ] = Field(default=None, description="boxes, points or phrases; in everything mode its options")
    promptType: PromptType | None = None
    outputs: Annotated[list[Output], BeforeValidator(short_list)] = Field(default=list(DEFAULT_OUTPUTS), min_length=1)
    multimask: Literal["best", "all"] | None = None
    detector: str | None = Field(
        default=None, max_length=MAX_NAME_CHARACTERS, description="finds the objects of phrases; one of the models"
    )
    detection: Annotated[dict[str, Any] | None, shown_as(DetectionJson | None)] = Field(
        default=None, description="options of the detector"
    )
    polygons: PolygonOptions | None = None
    on_invalid_prompt: Literal["fail", "skip"] | None = None
    ephemeral: bool = Field(default=False, description="true: the job is forgotten a minute after its end")


def parse(
    body: object,
    image_file: bytes | None,
    settings: Settings,
    masks_of: MasksOf = earlier_masks.none,
    sent_images: SentImages = image_object.NO_IMAGES,
) -> tuple[JobRequest, bytes | None]:
    """Parse a request to segment an image.

    Everything that can be checked without fetching a URL is checked: also that the file of an image is an image, is not
    too large, and that every prompt is inside it.

    Args:
        body: the request's JSON.
        image_file: the image's file, if the request has it as a part of its own.
        settings: the limits, the default model, and the hosts that URLs may name.
        masks_of: reads the masks of earlier jobs that prompts name.
        sent_images: finds the image that the request names by its digest or its upload.

    Returns:
        The request, and the bytes of the image's file; None if the request has the image's URL.

    Raises:
        OvsegError: the request is invalid; InvalidRequest if several fields may be.
    """
    _check_count(body, settings)
    everything, rest = Everything.split(body)
    phrases, rest = paddlex_text.split(rest)
    fields = validated(JobFields, image_fields.without_object(rest))
    source, image = image_fields.read(body, fields, image_file, settings, sent_images)
    _check_suits_text(fields, phrases is not None or any(each.text is not None for each in fields.prompts or ()))
    found = _prompts(fields, phrases, settings, masks_of) if everything is None else []
    request, spec = _request(fields, source, settings)
    name = "prompts" if fields.prompts is not None else "prompt"
    for i, prompt in enumerate(found):
        if isinstance(prompt, Prompt):
            spec.check_prompt(prompt, f"{name}[{i}]")
        elif isinstance(prompt, StoredTextPrompt):
            spec.check_text(f"{name}[{i}]")
    if everything is not None:
        _check_suits_everything(fields)
    request = request.model_copy(update=_of_masks(fields, found, everything, spec, settings))
    return request if source.content is None else request.within(source.content.image_hw, name), image


def parse_embedding(
    body: object, image_file: bytes | None, settings: Settings, sent_images: SentImages = image_object.NO_IMAGES
) -> tuple[JobRequest, bytes | None]:
    """Parse a request to encode an image, as `parse` does. It has no prompts and no outputs."""
    fields = validated(EmbeddingFields, image_fields.without_object(body))
    source, image = image_fields.read(body, fields, image_file, settings, sent_images)
    return _request(fields, source, settings)[0], image


def _request(fields: EmbeddingFields, source: ImageSource, settings: Settings) -> tuple[JobRequest, ModelSpec]:
    """Return a request that makes no masks, and its model."""
    spec = models.find(fields.model or settings.default_model)
    _check_metadata(fields.metadata, settings)
    if fields.webhook is not None:
        fields.webhook.check(settings)
    options = {name: option for name, option in fields if name in Options.model_fields}
    return JobRequest(image=source, model=spec.name, prompts=(), outputs=(), **options), spec


def _of_masks(
    fields: JobFields,
    found: Sequence[AnyPrompt | OvsegError],
    everything: Everything | None,
    spec: ModelSpec,
    settings: Settings,
) -> dict[str, Any]:
    """Return the fields of a request that makes masks, besides those of `_request`."""
    prompts, texts = split_texts([each for each in found if not isinstance(each, OvsegError)])
    return {
        "prompts": prompts,
        "texts": texts,
        **(_detection(fields, settings) if texts else {}),
        "notes": prompt_note.of(found, [(each.id, each.name) for each in fields.prompts or ()]),
        "on_invalid_prompt": "skip" if fields.on_invalid_prompt == "skip" else None,
        "outputs": _outputs(fields),
        "ephemeral": fields.ephemeral or None,
        "everything": None if everything is None else everything.checked(spec, settings),
        "multimask": "all" if fields.multimask == "all" else None,
        "polygons": _polygons(fields),
    }


def _outputs(fields: JobFields) -> tuple[Output, ...]:
    if not fields.ephemeral:
        return tuple(dict.fromkeys(fields.outputs))
    wanted = tuple(dict.fromkeys(fields.outputs)) if "outputs" in fields.model_fields_set else EPHEMERAL_OUTPUTS
    ephemeral.check(wanted, fields.webhook)
    return wanted


def _polygons(fields: JobFields) -> PolygonOptions | None:
    if fields.polygons is not None and "polygons" not in fields.outputs:
        _refuse("invalid_request", "`outputs` lacks polygons, to which this applies", "polygons")
    return None if fields.polygons == PolygonOptions() else fields.polygons


def _check_suits_text(fields: JobFields, has_text: bool) -> None:
    if has_text and fields.multimask == "all":
        _refuse("invalid_request", "each box that a detector finds has one mask; leave it out", "multimask")
    for name in ("detector", "detection"):
        if getattr(fields, name) is not None and not has_text:
            _refuse("invalid_request", "no prompt has a text, which a detector would search for", name)


def _detection(fields: JobFields, settings: Settings) -> dict[str, Any]:
    spec = models.find_detector(fields.detector or settings.default_detector)
    return {"detector": spec.name, "detection": detection.checked(fields.detection or {}) or None}


def _check_suits_everything(fields: JobFields) -> None:
    if fields.multimask is not None:
        _refuse("invalid_request", "everything mode has no candidates to choose from; leave it out", "multimask")
    if fields.on_invalid_prompt is not None:
        _refuse("invalid_request", "everything mode has no prompts that could be invalid", "on_invalid_prompt")


def _check_count(body: object, settings: Settings) -> None:
    """Check the number of prompts and points before anything else visits each of a million."""
    if not isinstance(body, Mapping):
        return
    for name in ("prompts", "prompt"):
        prompts = body.get(name)
        if isinstance(prompts, list) and len(prompts) > settings.max_prompts:
            _refuse("too_many_prompts", f"{len(prompts):,} prompts; at most {settings.max_prompts:,} are allowed", name)
        if isinstance(prompts, list) and not prompts:
            _refuse("prompts_missing", "at least one prompt is required", name)
        points = sum(_points_of(prompt) for prompt in prompts) if isinstance(prompts, list) else 0
        if points > settings.max_total_points:
            message = f"{points:,} points in total; at most {settings.max_total_points:,} are allowed in one job"
            _refuse("too_many_points", message, name)
        phrases = _phrase_count(prompts)
        if phrases > settings.max_phrases:
            message = f"{phrases:,} phrases in total; at most {settings.max_phrases:,} are allowed in one job"
            _refuse("too_many_phrases", message, name)


def _points_of(prompt: object) -> int:
    points = prompt.get("points") if isinstance(prompt, Mapping) else None
    return len(points) if isinstance(points, list) else 0


def _phrase_count(prompts: object) -> int:
    """Return the number of phrases in `prompts`, or in `prompt` in PaddleX's spelling."""
    if isinstance(prompts, str):
        return len(paddlex_text.at_stops(prompts))
    if not isinstance(prompts, list):
        return 0
    texts = [each.get("text") if isinstance(each, Mapping) else each for each in prompts]
    return sum(len(text) if isinstance(text, list) else isinstance(text, str) for text in texts)


def _prompts(
    fields: JobFields, phrases: list[str] | None, settings: Settings, masks_of: MasksOf
) -> Sequence[AnyPrompt | OvsegError]:
    skips = fields.on_invalid_prompt == "skip"
    if phrases is not None:
        return prompt_fields.parse_rows(list(enumerate(phrases)), lambda row: paddlex_text.prompt(*row), skips)
    if fields.prompts is not None:
        if fields.prompt is not None or fields.promptType is not None:
            _refuse("invalid_request", "give either prompts, or prompt and promptType", "prompts")
        return prompt_fields.parse(fields.prompts, settings, masks_of, skips)
    if fields.prompt is None:
        message = "required: prompts (a list, or everything), or PaddleX's prompt and promptType"
        _refuse("prompts_missing", message, "prompts")
    if fields.promptType is None:
        _refuse("invalid_request", "required with prompt: box or point", "promptType")
    prompt_type = fields.promptType
    return prompt_fields.parse_rows(fields.prompt, lambda row: prompting.of_row(prompt_type, row), skips)


def _check_metadata(metadata: dict[str, Any], settings: Settings) -> None:
    try:
        size = len(json.dumps(metadata, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode())
    except ValueError:
        _refuse("invalid_value", "its numbers must be finite and fit into a double (64 bits)", "metadata")
    if size > settings.max_metadata_bytes:
        _refuse("metadata_too_large", f"{size:,} bytes of JSON; at most {settings.max_metadata_bytes:,}", "metadata")


def _refuse(code: str, message: str, field: str) -> NoReturn:
    raise OvsegError(code, message, field)
