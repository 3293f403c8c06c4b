"""A prompt of the task `promptable-segmentation`, and how its results are compared."""

from __future__ import annotations

from typing import Any

import numpy as np

BOX = [100, 60, 330, 300]


def array(result: list[dict[str, Any]], i: int = 0) -> np.ndarray:
    return np.asarray(result[i]["mask"])


def same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """True if two results of `promptable-segmentation` are equal."""
    rest = [[{**row, "mask": None} for row in result] for result in (one, other)]
    return rest[0] == rest[1] and all(np.array_equal(array(one, i), array(other, i)) for i in range(len(one)))
