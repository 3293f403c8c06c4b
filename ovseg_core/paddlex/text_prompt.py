"""Text prompts of `open_vocabulary_segmentation`, which PaddleX lacks, in the forms that its pipeline accepts.

This module imports no NumPy, so that the gateway may import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.paddlex import plain
from ovseg_core.prompts import Box
from ovseg_core.text_prompt import TextPrompt

OPTIONS = tuple(field.name for field in fields(DetectionOptions))
KEYS = ("phrases", "box", *OPTIONS)


def of(given: Any, where: str) -> TextPrompt:
    """Parse phrases, or a mapping of phrases, a box and options.

    Args:
        given: a list of phrases; or a string of phrases, which is split at full stops; or {"phrases": one of these,
            "box": [x0, y0, x1, y1], "box_threshold": 0.3, ...} with options of `DetectionOptions`.
        where: the name of `given` in messages.

    Raises:
        ValueError: `given` has another type.
        OvsegError: `phrase_empty` if there is no phrase, or one is empty; `invalid_options` for an unknown or wrong
            option; `invalid_prompt` for a wrong box. Its `field` names the place.
    """
    if not isinstance(given, Mapping):
        return _checked(_phrases(given, where), DetectionOptions(), None, where, where)
    if unknown := sorted(map(str, given.keys() - set(KEYS))):
        message = f"{where}: unknown {', '.join(unknown)}; known: {', '.join(KEYS)}"
        raise OvsegError("invalid_options", message, f"{where}.{unknown[0]}")
    in_phrases = f"{where}.phrases"
    phrases = _phrases(given.get("phrases"), in_phrases)
    options = DetectionOptions.at(where, {name: given[name] for name in OPTIONS if name in given})
    box = given.get("box")
    return _checked(phrases, options, None if box is None else _box(box, f"{where}.box"), where, in_phrases)


def _phrases(given: Any, where: str) -> tuple[str, ...]:
    if isinstance(given, str):
        given = [phrase.strip() for phrase in given.split(".") if phrase.strip()]
    for i, phrase in enumerate(plain.rows(given, where)):
        if not isinstance(phrase, str):
            raise ValueError(f"{where}[{i}] must be a string, not {plain.shown(phrase)}")
    return tuple(given)


def _box(given: Any, where: str) -> Box:
    numbers = plain.numbers(given, where)
    if len(numbers) != 4:
        raise OvsegError("invalid_prompt", f"{where}: a box is four numbers, [x0, y0, x1, y1]", where)
    x0, y0, x1, y1 = numbers
    return x0, y0, x1, y1


def _checked(
    phrases: tuple[str, ...], options: DetectionOptions, box: Box | None, where: str, in_phrases: str
) -> TextPrompt:
    try:
        return TextPrompt(phrases, options, box)
    except OvsegError as error:
        field = error.field or ""
        place = f"{where}.box" if field == "box" else in_phrases + field.removeprefix("phrases")
        raise OvsegError(error.code, f"{place}: {error.message}", place) from None
