"""The prompts of a request, from lists and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Array(Protocol):
    """An array of NumPy, or of another library."""

    def tolist(self) -> Any: ...


Numbers = Sequence[Any] | Array


def fields_of(
    boxes: Numbers | None = None,
    points: Numbers | None = None,
    labels: Numbers | None = None,
    text: str | Sequence[str] | None = None,
    everything: bool | Mapping[str, Any] = False,
    prompts: Sequence[Mapping[str, Any]] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return the fields of a job except its image, from the arguments of `Client.segment`.

    Raises:
        ValueError: The prompts are missing or contradict each other.
    """
    given = [*_boxes(boxes), *_points(points, labels), *_text(text), *(dict(prompt) for prompt in prompts or ())]
    if everything is not False:
        if given:
            raise ValueError("everything mode takes no prompts")
        return {"prompts": "everything" if everything is True else {"everything": dict(everything)}, **options}
    if not given:
        raise ValueError("one of boxes, points, text, everything and prompts is needed")
    return {"prompts": given, **options}


def _boxes(boxes: Numbers | None) -> list[dict[str, Any]]:
    rows = _plain(boxes)
    return [{"box": box} for box in ([rows] if _depth(rows) == 1 else rows)]


def _points(points: Numbers | None, labels: Numbers | None) -> list[dict[str, Any]]:
    clicks, signs = _plain(points), _plain(labels)
    if _depth(clicks) == 1:
        clicks = [clicks]
    if _depth(clicks) == 2:  # of one object
        clicks, signs = [clicks], [signs] if signs else []
    if not signs:
        return [{"points": object_clicks} for object_clicks in clicks]
    if [len(row) if isinstance(row, list) else 0 for row in signs] != [len(row) for row in clicks]:
        raise ValueError("labels must have the form of points: one label for each point")
    return [{"points": click, "labels": sign} for click, sign in zip(clicks, signs, strict=True)]


def _text(text: str | Sequence[str] | None) -> list[dict[str, Any]]:
    if text is None:
        return []
    return [{"text": text if isinstance(text, str) else list(text)}]


def _plain(numbers: Any) -> list[Any]:
    """Return nested lists of Python's numbers. Arrays and their scalars have `tolist`."""
    if numbers is None:
        return []
    if hasattr(numbers, "tolist"):
        numbers = numbers.tolist()
    return [_plain(row) if _is_list(row) else row.item() if hasattr(row, "item") else row for row in numbers]


def _is_list(row: Any) -> bool:
    return hasattr(row, "__len__") and not isinstance(row, str)


def _depth(numbers: list[Any]) -> int:
    return 1 + _depth(numbers[0]) if numbers and isinstance(numbers[0], list) else bool(numbers)
