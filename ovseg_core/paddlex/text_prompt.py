"""Text prompts of `open_vocabulary_segmentation`, which PaddleX lacks: a detector finds the boxes of phrases.

This module imports no NumPy, so that the gateway may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.paddlex import plain
from ovseg_core.prompts import Box

if TYPE_CHECKING:
    import numpy as np

    from ovseg_core.grounding_dino.detector import Detector

OPTIONS = tuple(field.name for field in fields(DetectionOptions))


class FoundBox(NamedTuple):
    """A box that a detector found: the phrase, its position in the caller's list, the box, and its score, 0 to 1."""

    phrase: str
    phrase_index: int
    box: Box
    score: float


@dataclass(frozen=True)
class TextPrompt:
    """Phrases, in the caller's words, and the options of the detector."""

    phrases: tuple[str, ...]
    options: DetectionOptions

    @classmethod
    def of(cls, given: Any, where: str) -> TextPrompt:
        """Parse phrases, or a mapping of phrases and options.

        Args:
            given: a list of phrases; or a string of phrases, which is split at full stops; or {"phrases": one of
                these, "box_threshold": 0.3, ...} with options of `DetectionOptions`.
            where: the name of `given` in messages.

        Raises:
            ValueError: `given` has another type.
            OvsegError: `phrase_empty` if there is no phrase, or one is empty; `invalid_options` for an unknown or wrong
                option. Its `field` names the place.
        """
        options = {}
        if isinstance(given, Mapping):
            options = {name: value for name, value in given.items() if name != "phrases"}
            given, where = given.get("phrases"), f"{where}.phrases"
        return cls(_phrases(given, where), _options(options, where.removesuffix(".phrases")))


def found(detector: Detector | None, image_rgb: np.ndarray, prompt: TextPrompt) -> list[FoundBox]:
    """Return the boxes of the phrases in an image (H, W, 3) uint8, those with the highest scores first.

    Raises:
        ValueError: there is no detector.
        OvsegError: `phrase_unreadable` or `phrase_too_long`; its `field` names the phrase.
    """
    if detector is None:
        raise ValueError("text prompts need a detector: use create_pipeline with prompt_type='text'")
    answer = detector.detect(detector.encode(image_rgb), prompt.phrases, prompt.options)
    rows = zip(answer.boxes_xyxy.tolist(), answer.scores.tolist(), answer.phrases.tolist(), strict=True)
    return [
        FoundBox(prompt.phrases[index], index, (x0, y0, x1, y1), score)
        for (x0, y0, x1, y1), score, index in rows
        if x0 < x1 and y0 < y1  # not a box that is beyond the image
    ]


def _phrases(given: Any, where: str) -> tuple[str, ...]:
    if isinstance(given, str):
        given = [phrase.strip() for phrase in given.split(".") if phrase.strip()]
    for i, phrase in enumerate(plain.rows(given, where)):
        if not isinstance(phrase, str):
            raise ValueError(f"{where}[{i}] must be a string, not {plain.shown(phrase)}")
        if not phrase.strip():
            raise OvsegError("phrase_empty", f"{where}[{i}]: a phrase needs a word", f"{where}[{i}]")
    if not given:
        raise OvsegError("phrase_empty", f"{where}: there is no phrase to search for", where)
    return tuple(given)


def _options(given: dict[str, Any], where: str) -> DetectionOptions:
    if unknown := sorted(map(str, given.keys() - set(OPTIONS))):
        message = f"{where}: unknown {', '.join(unknown)}; known: phrases, {', '.join(OPTIONS)}"
        raise OvsegError("invalid_options", message, f"{where}.{unknown[0]}")
    return DetectionOptions.at(where, given)
