"""Bicubic interpolation as PyTorch does it: along an axis, as a product with a matrix."""

from __future__ import annotations

import numpy as np

A = -0.75  # the parameter of the kernel (Keys, 1981) in PyTorch


def weights(cells: int, side: int) -> np.ndarray:
    """Return weights (side, cells) float32 that interpolate cells at `side` positions.

    Beyond the border, the cells at the border are used.
    """
    positions = (np.arange(side) + 0.5) * (cells / side) - 0.5
    first = np.floor(positions).astype(int) - 1
    found = np.zeros((side, cells))
    for i in range(4):
        distance = np.abs(positions - (first + i))
        near = ((A + 2) * distance - (A + 3)) * distance**2 + 1
        far = A * (((distance - 5) * distance + 8) * distance - 4)
        np.add.at(found, (np.arange(side), np.clip(first + i, 0, cells - 1)), np.where(distance <= 1, near, far))
    return found.astype(np.float32)
