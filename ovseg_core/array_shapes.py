"""The names and shapes of the arrays in a file of weights, by which families recognise their networks."""

from __future__ import annotations

import re
from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]  # of the arrays, by their names in the file


def first_side(pattern: str, shapes: Shapes) -> int:
    """Return the first side of the array whose name matches the pattern, or 0 if there is none."""
    return next((shape[0] for name, shape in shapes.items() if re.fullmatch(pattern, name)), 0)


def count(pattern: str, shapes: Shapes) -> int:
    """Return how many different numbers, such as those of blocks, the names that match the pattern contain."""
    return len({match[1] for name in shapes if (match := re.fullmatch(pattern, name))})
