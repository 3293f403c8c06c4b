"""Text prompts: phrases, whose boxes a detector finds in an image.

This module imports no NumPy, so that the gateway may import it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ovseg_core.errors import OvsegError
from ovseg_core.found_box import FoundBox
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.prompts import Box, Prompt

if TYPE_CHECKING:
    import numpy as np

    from ovseg_core.grounding_dino.detections import Searched
    from ovseg_core.grounding_dino.detector import Detector

# An object is inside the prompt's box if at least this share of the object's own box is. The object's centre does not
# decide, because a box around one of two dogs often contains the centre of the sofa on which both lie.
SHARE_INSIDE = 0.5


@dataclass(frozen=True)
class TextPrompt:
    """Phrases to search for in an image. Every TextPrompt is well formed.

    Args:
        phrases: in the caller's words, such as "remote control"; at least one.
        options: how boxes are chosen. `max_objects` is for all phrases together.
        box: x0, y0, x1, y1 in pixels: only objects inside it are found. At least half of the area of an object's box
            must be in it. None for the whole image.

    Raises:
        OvsegError: `phrase_empty` if there is no phrase or one has no character; `invalid_prompt` for a wrong box. Its
            `field` is "phrases", "phrases[i]" or "box".
    """

    phrases: tuple[str, ...]
    options: DetectionOptions = field(default_factory=DetectionOptions)
    box: Box | None = None

    def __post_init__(self) -> None:
        if not self.phrases:
            raise OvsegError("phrase_empty", "there is no phrase to search for", "phrases")
        for i, phrase in enumerate(self.phrases):
            if not phrase.strip():
                raise OvsegError("phrase_empty", "a phrase needs a word", f"phrases[{i}]")
        if self.box is not None:
            Prompt(box=self.box)  # it checks the box

    def within(self, image_hw: tuple[int, int]) -> TextPrompt:
        """Return the prompt with its box clipped to an image of this height and width, in pixels.

        Raises OvsegError `box_outside_image` if the whole box is outside.
        """
        return self if self.box is None else replace(self, box=Prompt(box=self.box).within(image_hw).box)


def found(detector: Detector, image_rgb: np.ndarray, prompt: TextPrompt) -> list[FoundBox]:
    """Return the boxes of the phrases in an image (H, W, 3) uint8, those with the highest scores first.

    Raises:
        OvsegError: `phrase_unreadable` or `phrase_too_long`; its `field` names the phrase. `box_outside_image`.
    """
    height, width = image_rgb.shape[:2]
    asked = prompt.within((height, width))
    phrases = distinct([asked])
    passes, image = detector.passes(phrases), detector.encode(image_rgb)
    return best([detector.search(image, each) for each in passes], asked, phrases)


def distinct(prompts: Sequence[TextPrompt]) -> tuple[str, ...]:
    """Return the phrases of all prompts, each once, so that all prompts of an image share the passes of a detector."""
    return tuple(dict.fromkeys(phrase for prompt in prompts for phrase in prompt.phrases))


def best(several: Sequence[Searched], prompt: TextPrompt, phrases: Sequence[str]) -> list[FoundBox]:
    """Return the prompt's boxes, those with the highest scores first.

    Args:
        several: what each pass found. The passes may have more phrases than the prompt: the others are ignored, as if
            they had not been searched.
        prompt: its box is within the image.
        phrases: the list that was searched, from `distinct`.
    """
    from ovseg_core.grounding_dino import detections

    found = [detections.found(each, prompt.options) for each in _of_prompt(several, prompt, phrases)]
    answer = detections.best([each.rows(_are_inside(each.boxes_xyxy, prompt.box)) for each in found], prompt.options)
    rows = zip(answer.boxes_xyxy.tolist(), answer.scores.tolist(), answer.phrases.tolist(), strict=True)
    return [FoundBox(prompt.phrases[index], index, tuple(box), score) for box, score, index in rows]


def _of_prompt(several: Sequence[Searched], prompt: TextPrompt, phrases: Sequence[str]) -> Iterator[Searched]:
    """Yield the passes with only the prompt's phrases, at their positions in the prompt."""
    for searched in several:
        columns = {phrases[i]: column for column, i in enumerate(searched.phrases)}
        indices = tuple(i for i, phrase in enumerate(prompt.phrases) if phrase in columns)
        if indices:
            scores = searched.scores[:, [columns[prompt.phrases[i]] for i in indices]]
            yield searched._replace(scores=scores, phrases=indices)


def _are_inside(boxes_xyxy: np.ndarray, box: Box | None) -> np.ndarray:
    """Return (N,) bool: True for boxes (N, 4) inside `box` that have an area. Boxes beyond the image have none."""
    x0, y0, x1, y1 = boxes_xyxy.T
    areas = (x1 - x0) * (y1 - y0)
    are_inside: np.ndarray = areas > 0
    if box is not None:
        left, top, right, bottom = box
        widths = (x1.clip(max=right) - x0.clip(min=left)).clip(min=0)
        heights = (y1.clip(max=bottom) - y0.clip(min=top)).clip(min=0)
        are_inside &= widths * heights >= SHARE_INSIDE * areas
    return are_inside
