"""A short text about the objects that were found: what, where, and how many.

The library and the gateway use this module, so it imports no NumPy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence


def line(name: str, box_xyxy: Sequence[float], score: float | None, image_index: int | None = None) -> str:
    """Return a line about one object.

    Its box has the form in which a text names a box, so that it can be asked about again.

    Args:
        name: what it is.
        box_xyxy: the box around its mask, in whole pixels.
        score: 0 to 1, or None.
        image_index: the image's position from 0, or None if there is only one.
    """
    where = "" if image_index is None else f"image {image_index + 1}: "
    how_sure = "" if score is None else f" ({score:.2f})"
    return f"{where}{name}{how_sure} box: {','.join(f'{side:g}' for side in box_xyxy)}"


def summary(names: Iterable[str]) -> str:
    """Return a sentence about the number of objects of each name."""
    counts = Counter(names)
    total = sum(counts.values())
    if not total:
        return "Found nothing."
    objects = "1 object" if total == 1 else f"{total} objects"
    if set(counts) == {"object"}:
        return f"Found {objects}."
    return f"Found {objects}: {', '.join(f'{count} x {name}' for name, count in counts.items())}."
