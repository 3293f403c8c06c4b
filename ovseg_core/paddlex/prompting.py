"""Prompts as PaddleX spells them: a mapping of kinds, the same for every image or one for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ovseg_core.errors import OvsegError
from ovseg_core.paddlex import plain
from ovseg_core.prompts import Prompt, fit

Prompts = Mapping[str, Any]  # of a kind, its rows: lists, arrays or tensors
KEYS = ("box", "points", "labels")  # of a mixed prompt


@dataclass(frozen=True)
class Given:
    """The prompts of one image: `plain` as they were given, in lists and numbers, and parsed."""

    plain: dict[str, Any]
    prompts: list[Prompt]

    @classmethod
    def of(cls, prompts: Any) -> Given:
        """Raises OvsegError `invalid_prompt`, and ValueError for an unknown kind, a row of a wrong length and a value
        that is no number."""
        if not isinstance(prompts, Mapping):
            form = "{'box_prompt': [...]}"
            raise ValueError(f"prompts are a mapping as {form}, or one for each image, not {plain.shown(prompts)}")
        listed = plain.of(prompts)
        return cls(listed, [prompt for kind, rows in listed.items() for prompt in _parsed(kind, rows)])

    def within(self, image_hw: tuple[int, int], path: str | None) -> list[Prompt]:
        """The prompts, clipped to the image. Raises OvsegError, with the image's path, for one that lies outside."""
        try:
            return fit(self.prompts, image_hw, field="prompts")
        except OvsegError as error:
            if path is None:
                raise
            raise OvsegError(error.code, f"{path!r}: {error.message}", error.field) from None


def of_images(prompts: Prompts | Iterable[Prompts]) -> Iterator[Given]:
    """Prompts for image after image; endless where all images get the same. Raises as `Given.of`."""
    if isinstance(prompts, Mapping) or not isinstance(prompts, Iterable):
        return itertools.repeat(Given.of(prompts))
    return map(Given.of, prompts)


def of_rows(prompt_type: str, rows: Sequence[Any]) -> Prompts | list[Prompts]:
    """The pipeline's `prompt`: rows for every image, or lists of rows, one list for each image. Raises ValueError."""
    kind = f"{prompt_type}_prompt"
    listed = plain.rows(plain.of(rows), "prompt")
    if any(map(_is_of_an_image, listed)):
        return [{kind: plain.rows(one, f"prompt[{i}]")} for i, one in enumerate(listed)]
    return {kind: listed}


def _is_of_an_image(value: Any) -> bool:
    """Whether it is a list of rows, which may be empty, and not a row."""
    return isinstance(value, list) and all(isinstance(one, list | dict) for one in value)


def _parsed(kind: str, rows: Any) -> Iterator[Prompt]:
    if kind not in PARSERS:
        raise ValueError(f"prompts are of kind {', '.join(PARSERS)}, not {kind!r}")
    for i, row in enumerate(plain.rows(rows, kind)):
        where = f"{kind}[{i}]"
        try:
            yield PARSERS[kind](row, where)
        except OvsegError as error:
            raise OvsegError(error.code, f"{where}: {error.message}", where) from None


def _box(row: Any, where: str) -> Prompt:
    return Prompt.of_box(*plain.numbers(row, 4, where))


def _point(row: Any, where: str) -> Prompt:
    return Prompt.of_point(*plain.numbers(row, 2, where))


def _mixed(row: Any, where: str) -> Prompt:
    if not isinstance(row, dict) or not row.keys() <= set(KEYS):
        raise ValueError(f"{where} must be a mapping of box, points and labels, not {plain.shown(row)}")
    box, points, labels = (row.get(key) for key in KEYS)
    boxed = None if box is None else plain.numbers(box, 4, f"{where}.box")
    rows = plain.rows([] if points is None else points, f"{where}.points")
    placed = [plain.numbers(one, 2, f"{where}.points[{i}]") for i, one in enumerate(rows)]
    signs = [1] * len(rows) if labels is None else plain.rows(labels, f"{where}.labels")
    known = tuple(int(sign) if sign in (0, 1) else sign for sign in signs)  # True and 1.0 are 1
    return Prompt(tuple(boxed) if boxed else None, tuple(map(tuple, placed)), known)  # type: ignore[arg-type]


PARSERS = {"box_prompt": _box, "point_prompt": _point, "mixed_prompt": _mixed}
