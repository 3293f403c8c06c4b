"""Prompts as PaddleX spells them: a mapping of kinds, the same for every image or one for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ovseg_core.prompts import Prompt, fit

Prompts = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Given:
    """What was asked of one image: as it was given, in lists and numbers, and as prompts."""

    plain: dict[str, Any]
    prompts: list[Prompt]

    @classmethod
    def of(cls, prompts: Prompts) -> Given:
        """Raises OvsegError `invalid_prompt`, and ValueError for an unknown kind or a row of another length."""
        return cls({kind: _plain(list(values)) for kind, values in prompts.items()}, _parsed(prompts))

    def within(self, image_hw: tuple[int, int]) -> list[Prompt]:
        """Raises OvsegError for a prompt that lies outside the image."""
        return fit(self.prompts, image_hw, field="prompts")


def of_images(prompts: Prompts | Iterable[Prompts]) -> Iterator[Given]:
    """One for each image, without end where all images get the same. Raises as `Given.of`."""
    if isinstance(prompts, Mapping):
        return itertools.repeat(Given.of(prompts))
    return map(Given.of, prompts)


def of_rows(prompt_type: str, rows: Sequence[Any]) -> Prompts | list[Prompts]:
    """The pipeline's `prompt`: rows for every image, or lists of rows, one list for each image."""
    is_row_of_mixed = len(rows) > 0 and isinstance(rows[0], Mapping)
    is_nested = len(rows) > 0 and not is_row_of_mixed and len(_sized(rows[0])) > 0 and _is_row(rows[0][0])
    kind = f"{prompt_type}_prompt"
    return [{kind: one} for one in rows] if is_nested else {kind: rows}


def _is_row(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def _sized(value: Any) -> Any:
    return value if _is_row(value) else ()


def _parsed(prompts: Prompts) -> list[Prompt]:
    found = []
    for kind, values in prompts.items():
        if kind == "box_prompt":
            found += [Prompt.of_box(*map(float, value)) for value in _rows(values, 4, kind)]
        elif kind == "point_prompt":
            found += [Prompt.of_point(*map(float, value)) for value in _rows(values, 2, kind)]
        elif kind == "mixed_prompt":
            found += [_mixed(value) for value in values]
        else:
            raise ValueError(f"prompts are of kind box_prompt, point_prompt or mixed_prompt, not {kind!r}")
    return found


def _mixed(value: Mapping[str, Any]) -> Prompt:
    box = value.get("box")
    points = tuple((float(x), float(y)) for x, y in value.get("points", ()))
    labels = tuple(value.get("labels", (1,) * len(points)))
    return Prompt(tuple(map(float, box)) if box is not None else None, points, labels)  # type: ignore[arg-type]


def _rows(values: Sequence[Any], length: int, kind: str) -> Sequence[Any]:
    for i, value in enumerate(values):
        if not hasattr(value, "__len__") or len(value) != length:
            raise ValueError(f"{kind}[{i}] must be a list of {length} numbers, not {value!r}")
    return values


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
