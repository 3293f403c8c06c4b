"""From coordinates to the small matrices that read maps there. All coordinates are canvas pixels.

A cell i of a map lies at stride * i + `centre` of the canvas: strided convolutions with symmetric padding look at
stride * i + 0.5, cells of a mask cover their stride, so their centre is at stride / 2.
"""

from __future__ import annotations

import numpy as np

LOOKS_AT = 0.5  # the centre of cell 0 of a convolution's map

Filters = tuple[np.ndarray, np.ndarray]  # rows and columns, both (N, size, length)


def cells(low: np.ndarray, high: np.ndarray, size: int) -> np.ndarray:
    """The centres (N, size) of `size` equal cells between `low` and `high` (N,)."""
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    return low[:, None] + (high - low)[:, None] * steps


def region_filters(regions: np.ndarray, size: int, length: int, stride: int, centre: float = LOOKS_AT) -> Filters:
    """Matrices that resample square maps of `length` to regions (N, 4): rows @ map @ columns.T is (N, size, size).

    The filter is a triangle, bilinear for small regions and as wide as a cell for large ones, and 0 beyond the map:
    RoIAlign (He et al., 2017) as two matrix products, without aliasing.
    """
    x0, y0, x1, y1 = regions.T
    low, high = np.concatenate([y0, x0]), np.concatenate([y1, x1])
    position = (cells(low, high, size) - centre) / stride
    reach = np.maximum((high - low) / (size * stride), 1.0)[:, None, None]
    away = np.abs(position[:, :, None] - np.arange(length, dtype=np.float32))
    both = (np.maximum(1 - away / reach, 0) / reach).astype(np.float32)
    return both[: len(regions)], both[len(regions) :]


def at_points(known: np.ndarray, points: np.ndarray, shares: np.ndarray, stride: int) -> np.ndarray:
    """A map (C, h, w), bilinear, at points (N, P, 2), and of these the mean with shares (N, P): (N, C)."""
    x, right = _cell_and_rest(points[..., 0], stride, known.shape[2])
    y, below = _cell_and_rest(points[..., 1], stride, known.shape[1])
    above = known[:, y, x] * (1 - right) + known[:, y, x + 1] * right  # C, N, P
    under = known[:, y + 1, x] * (1 - right) + known[:, y + 1, x + 1] * right
    return ((above * (1 - below) + under * below) * shares).sum(2).T.astype(np.float32)


def _cell_and_rest(along: np.ndarray, stride: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The cell before each coordinate, and how far it is from there to the next one, 0 to 1."""
    position = np.clip((along - LOOKS_AT) / stride, 0, length - 1)
    cell = np.minimum(position.astype(int), length - 2)
    return cell, position - cell
