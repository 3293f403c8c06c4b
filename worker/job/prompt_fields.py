"""The prompts of a request, as its body has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from ovseg_core.prompts import Prompt
from worker.job import earlier_masks
from worker.job.earlier_masks import MasksOf
from worker.job.mask_fields import MaskFields, RleFields
from worker.job.prompt_note import PromptId, PromptName
from worker.job.text_prompt import StoredTextPrompt
from worker.job.validation import InvalidRequest, shown_as

Item = TypeVar("Item")
Parsed = TypeVar("Parsed")
AnyPrompt = Prompt | StoredTextPrompt

Number = Annotated[float, Field(allow_inf_nan=False)]
Numbers = Annotated[list[Number], FailFast()]  # one error for a list: it may have a million wrong numbers
# In the JSON Schema. The parser leaves the lengths to `Prompt.of`: a request may ask to skip invalid prompts.
Box = Annotated[list[Number], Field(min_length=4, max_length=4)]
Point = Annotated[list[Number], Field(min_length=2, max_length=2)]
Text = str | Annotated[list[str], Field(min_length=1)]


def _text(value: object) -> object:
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if value is not None and not isinstance(value, str) and not is_list:
        raise ValueError("must be a phrase, or a list of phrases")
    return value


class PromptFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    box: Annotated[list[Number] | None, shown_as(Box | None)] = Field(
        default=None, fail_fast=True, description="x0, y0, x1, y1 in pixels, with x0 < x1 and y0 < y1"
    )
    points: Annotated[list[Numbers] | None, shown_as(list[Point] | None)] = Field(
        default=None, fail_fast=True, description="x, y of each in pixels"
    )
    labels: Annotated[list[int] | None, shown_as(list[Literal[0, 1]] | None)] = Field(
        default=None,
        fail_fast=True,
        description="for each point 1 if it is on the object, else 0; 1 by default",
    )
    mask: MaskFields | None = None
    text: Annotated[Any, BeforeValidator(_text, json_schema_input_type=Text | None)] = Field(
        default=None, description="a phrase, or several, whose objects a detector finds; with a `box` only those in it"
    )
    id: PromptId | None = None
    name: PromptName | None = None


def parse(
    given: Sequence[PromptFields], settings: Settings, masks_of: MasksOf, skips: bool
) -> Sequence[AnyPrompt | OvsegError]:
    """Parse our spelling of prompts. The masks are read first, and their size is checked before their content.

    A prompt without a `name` that refines a mask of an earlier job gets that mask's name.

    Returns:
        A prompt for each of `given`; if `skips`, the error of an invalid one instead.

    Raises:
        InvalidRequest: with the errors of all prompts, unless `skips`.
        OvsegError: `masks_too_large`.
    """
    masks_of = earlier_masks.of_few_jobs(masks_of)

    def mask_of(prompt: PromptFields) -> RleFields | None:
        if prompt.mask is None:
            return None
        mask, name = prompt.mask.resolved(masks_of)
        prompt.name = name if prompt.name is None else prompt.name
        return mask

    masks = _each(given, mask_of)
    if not skips:
        _located(masks, "prompts", skips)
    size = sum(len(mask.counts) for mask in masks if isinstance(mask, RleFields))
    if size > settings.max_mask_bytes:
        message = f"{size:,} bytes of RLE in masks; at most {settings.max_mask_bytes:,} are allowed in one job"
        raise OvsegError("masks_too_large", message, "prompts")
    numbered = [(i, *both) for i, both in enumerate(zip(given, masks, strict=True))]
    return _located(_each(numbered, lambda each: _prompt(*each, settings.max_points)), "prompts", skips)


def parse_rows(rows: Sequence[Item], of_row: Callable[[Item], Parsed], skips: bool) -> Sequence[Parsed | OvsegError]:
    """Parse PaddleX's spelling of prompts, as `parse` does; `of_row` parses one row."""
    return _located(_each(rows, of_row), "prompt", skips)


def _each(items: Sequence[Item], parse_item: Callable[[Item], Parsed]) -> list[Parsed | OvsegError]:
    """Return each item parsed, or its error."""
    found: list[Parsed | OvsegError] = []
    for item in items:
        try:
            found.append(parse_item(item))
        except OvsegError as error:
            found.append(error)
    return found


def _located(found: Sequence[Parsed | OvsegError], name: str, skips: bool) -> Sequence[Parsed | OvsegError]:
    """Return the same with the place of each error in the request; `name` is the field of the list.

    Raises InvalidRequest with all errors, unless `skips` and one item is valid.
    """
    located = [
        each.at(_place(name, i, each.field)) if isinstance(each, OvsegError) else each for i, each in enumerate(found)
    ]
    errors = [each for each in located if isinstance(each, OvsegError)]
    if errors and (not skips or len(errors) == len(located)):
        raise InvalidRequest(errors)
    return located


def _place(name: str, index: int, field: str | None) -> str:
    return f"{name}[{index}]" + (f".{field}" if field else "")


def _prompt(position: int, fields: PromptFields, mask: RleFields | OvsegError | None, max_points: int) -> AnyPrompt:
    if isinstance(mask, OvsegError):
        raise mask
    points = fields.points or []
    if len(points) > max_points:
        raise OvsegError("invalid_prompt", f"{len(points)} points; at most {max_points} are allowed", "points")
    if fields.text is None:
        return Prompt.of(fields.box, points, fields.labels, None if mask is None else mask.parsed)
    if points or fields.labels or mask is not None:
        message = "a prompt with a text may have a box, and neither points nor a mask; refine its masks in a later job"
        raise OvsegError("invalid_prompt", message, "text")
    box = None if fields.box is None else Prompt.of(fields.box).box
    return StoredTextPrompt.of(position, fields.text, box)
