"""Parses prompts in PaddleX's forms: a type with its rows, or a mapping of kinds, for every image or one for each.

The library, the command line and the service use this module, so it imports no NumPy.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ovseg_core import family
from ovseg_core.errors import OvsegError
from ovseg_core.everything.options import EverythingOptions
from ovseg_core.found_box import FoundBox
from ovseg_core.paddlex import plain, text_prompt
from ovseg_core.prompts import Prompt, check_within
from ovseg_core.text_prompt import TextPrompt

Prompts = Mapping[str, Any]  # from a kind to its rows: lists, arrays or tensors
KEYS = ("box", "points", "labels", "mask")  # the keys of a mixed prompt
EVERYTHING = f"{family.EVERYTHING}_prompt"  # the kind whose value is no rows but a mapping of options
TEXT = "text_prompt"  # the kind whose value is phrases, see `text_prompt.of`


@dataclass(frozen=True)
class Given:
    """What to segment in one image.

    Attributes:
        plain: what the caller gave, in lists and numbers.
        prompts: the prompts, parsed; none in everything mode. For text, the boxes that were found.
        everything: the options of everything mode that the caller gave, by name; None for prompts.
        text: the phrases to search for; None for other prompts.
        boxes: for text, the boxes that were found: those of `prompts`.
    """

    plain: dict[str, Any]
    prompts: list[Prompt]
    everything: dict[str, Any] | None = None
    text: TextPrompt | None = None
    boxes: tuple[FoundBox, ...] = ()

    @classmethod
    def of(cls, prompts: Any) -> Given:
        """Parse the prompts of one image.

        Raises OvsegError `invalid_prompt` or `invalid_options`, and ValueError for an unknown kind or a row that is not
        a list of numbers.
        """
        if not isinstance(prompts, Mapping):
            example = "{'box_prompt': [...]}"
            raise ValueError(f"prompts must be a mapping like {example}, or one per image, not {plain.shown(prompts)}")
        listed = plain.of(prompts)
        if EVERYTHING in listed:
            options = _everything(listed)
            return cls({EVERYTHING: options}, [], options)
        if TEXT in listed:
            _check_alone(listed, TEXT)
            return cls(listed, [], text=text_prompt.of(listed[TEXT], TEXT))
        return cls(listed, [prompt for kind, rows in listed.items() for prompt in parsed(kind, rows, kind)])

    def with_boxes(self, boxes: Sequence[FoundBox]) -> Given:
        """Return the same with the boxes that were found for its phrases."""
        return replace(self, prompts=[Prompt(box=found.box) for found in boxes], boxes=tuple(boxes))

    def check_within(self, image_hw: tuple[int, int], path: str | None) -> None:
        """Raise OvsegError, with the image's path in the message, if a prompt is outside the image."""
        try:
            check_within(self.prompts, image_hw)
        except OvsegError as error:
            if path is None:
                raise
            raise OvsegError(error.code, f"{path!r}: {error.message}", error.field) from None


def of_row(prompt_type: str, row: Sequence[float]) -> Prompt:
    """Return the prompt for a row of PaddleX's `promptType`: a "box" is [x0, y0, x1, y1], a "point" is [x, y].

    Each point is a prompt of its own. Raises OvsegError `invalid_prompt`, without a field: the whole row is wrong.
    """
    try:
        return Prompt.of(box=row) if prompt_type == "box" else Prompt.of(points=[row])
    except OvsegError as error:
        raise OvsegError(error.code, error.message) from None


def of_images(prompts: Prompts | Iterable[Prompts]) -> Iterator[Given]:
    """Yield the prompts of one image after the other; without end if all images get the same. Raises as `Given.of`."""
    if isinstance(prompts, Mapping) or not isinstance(prompts, Iterable):
        return itertools.repeat(Given.of(prompts))
    return map(Given.of, prompts)


def of_rows(prompt_type: str, rows: Sequence[Any] | Mapping[str, Any] | str | None) -> Prompts | list[Prompts]:
    """Convert the pipeline's `prompt` to mappings: rows for every image, or one list of rows per image.

    In everything mode `prompt` is None or a mapping of options for every image, or a list of these. For text it is what
    `text_prompt.of` takes, or a list of lists and mappings. Raises ValueError.
    """
    kind = f"{prompt_type}_prompt"
    if kind == TEXT:
        rows = plain.of(rows)
        is_one_per_image = isinstance(rows, list) and bool(rows) and all(isinstance(row, list | dict) for row in rows)
        return [{kind: row} for row in rows] if is_one_per_image else {kind: rows}
    if kind == EVERYTHING:
        return [{kind: options} for options in rows] if isinstance(rows, list | tuple) else {kind: rows}
    if rows is None:
        raise ValueError(f"prompt_type {prompt_type} needs a prompt")
    listed = plain.rows(plain.of(rows), "prompt")
    if any(map(_is_list_of_rows, listed)):
        return [{kind: plain.rows(one, f"prompt[{i}]")} for i, one in enumerate(listed)]
    return {kind: listed}


def _is_list_of_rows(value: Any) -> bool:
    """Return True for a list of rows, which may be empty; False for a row."""
    return isinstance(value, list) and all(isinstance(item, list | dict) for item in value)


def parsed(kind: str, rows: Any, name: str) -> Iterator[Prompt]:
    """Yield the prompts of one kind, from rows that `plain.of` returned. `name` is that of the rows in messages.

    Raises OvsegError `invalid_prompt`, and ValueError for an unknown kind or a row that is not a list of numbers.
    """
    if kind not in PARSERS:
        kinds = ", ".join((*PARSERS, EVERYTHING, TEXT))
        raise ValueError(f"the kind of prompts must be one of {kinds}, not {kind!r}")
    for i, row in enumerate(plain.rows(rows, name)):
        where = f"{name}[{i}]"
        try:
            yield PARSERS[kind](row, where)
        except OvsegError as error:
            place = f"{where}.{error.field}" if error.field else where
            raise OvsegError(error.code, f"{place}: {error.message}", where) from None


def _everything(listed: dict[str, Any]) -> dict[str, Any]:
    """Check the options of everything mode, and return those that are given."""
    options = {} if listed[EVERYTHING] is None else listed[EVERYTHING]
    if not isinstance(options, dict):
        shown = plain.shown(options)
        raise ValueError(f"everything mode has no prompts: give None or a mapping of its options, not {shown}")
    _check_alone(listed, EVERYTHING)
    try:
        EverythingOptions().changed(options)
    except OvsegError as error:
        where = f"{EVERYTHING}.{error.field}"
        raise OvsegError(error.code, f"{where}: {error.message}", where) from None
    return options


def _check_alone(listed: dict[str, Any], kind: str) -> None:
    if others := sorted(map(str, listed.keys() - {kind})):
        message = f"{kind} stands alone; {', '.join(others)} cannot be in the same request"
        raise OvsegError("invalid_prompt", message, kind)


def _mixed(row: Any, where: str) -> Prompt:
    if not isinstance(row, dict) or not row.keys() <= set(KEYS):
        raise ValueError(f"{where} must be a mapping of box, points, labels and mask, not {plain.shown(row)}")
    box, points, labels, mask = (row.get(key) for key in KEYS)
    rows = plain.rows([] if points is None else points, f"{where}.points")
    return Prompt.of(
        None if box is None else plain.numbers(box, f"{where}.box"),
        [plain.numbers(point, f"{where}.points[{i}]") for i, point in enumerate(rows)],
        None if labels is None else [_label(label) for label in plain.rows(labels, f"{where}.labels")],
        mask,
    )


def _label(value: Any) -> Any:
    """Return True and 1.0 as 1, False and 0.0 as 0. Other values stay as they are, and Prompt refuses them."""
    return int(value) if value in (0, 1) else value


PARSERS: dict[str, Callable[[Any, str], Prompt]] = {
    "box_prompt": lambda row, where: of_row("box", plain.numbers(row, where)),
    "point_prompt": lambda row, where: of_row("point", plain.numbers(row, where)),
    "mixed_prompt": _mixed,
}
