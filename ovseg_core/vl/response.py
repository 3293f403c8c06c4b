"""What a pipeline answers: a text, and the objects that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ovseg_core.mask import Mask
from ovseg_core.paddlex.result import Masks
from ovseg_core.prompts import Box

OBJECT = "object"  # the name of objects that were not found by a phrase


@dataclass(frozen=True, eq=False)
class FoundObject:
    """One object.

    Attributes:
        name: the phrase that it fits, in the caller's words, or "object".
        mask: its mask, in pixels of the image.
        score: 0 to 1. For a phrase, how well its box fits the phrase; otherwise the model's estimate of the mask's IoU,
            which may be None.
        image_index: position of its image among those of the prompt, from 0.
        prompt: what it answers, in the JSON of the API: {"text": phrase}, {"box": ...} or {"points": ..., "labels":
            ...}; {} in everything mode.
        detected_box: for a phrase, the box that the detector found, (x0, y0, x1, y1) in pixels; None otherwise.
    """

    name: str
    mask: Mask
    score: float | None
    image_index: int
    prompt: Mapping[str, Any]
    detected_box: Box | None = None

    @property
    def is_searched(self) -> bool:
        """True if a phrase or everything mode found it, so that `max_objects` counts it."""
        return not self.prompt or "text" in self.prompt

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """The tightest box around the mask, in whole pixels, x1 and y1 exclusive; (0, 0, 0, 0) for an empty mask."""
        return self.mask.box_xyxy


@dataclass(frozen=True, eq=False)
class Response:
    """The answer to a prompt, or a part of it from `stream_infer`.

    Attributes:
        text: a line for each object and a last one that counts them. The texts of all parts of an answer together are
            the text of the whole answer.
        objects: the objects, in the order of the prompt's images and phrases.
        index: position of the prompt among those of the call, from 0.
        finish_reason: "length" if an image has `max_objects` objects, so that there may be more; "stop" otherwise.
            None for a part that is not the last one of its prompt.
    """

    text: str
    objects: list[FoundObject] = field(default_factory=list)
    index: int = 0
    finish_reason: Literal["stop", "length"] | None = None

    @property
    def masks(self) -> Masks:
        """The masks of the objects, (H, W) int8, 1 on the object and 0 elsewhere, each unpacked when it is read."""
        return Masks([found.mask for found in self.objects])

    def __str__(self) -> str:
        return self.text
