"""Sample maps at coordinates: small matrices for regions, and means for points. All coordinates are canvas pixels.

The position of cell i of a map on the canvas is stride * i + `centre`. For the maps of strided convolutions with
symmetric padding, `centre` is 0.5. The cells of a mask cover their stride, so their `centre` is stride / 2.
"""

from __future__ import annotations

import numpy as np

CONV_CENTRE = 0.5  # of cell 0 of a convolution's map, in canvas pixels

Filters = tuple[np.ndarray, np.ndarray]  # rows and columns, both (N, size, length)


def cells(low: np.ndarray, high: np.ndarray, size: int) -> np.ndarray:
    """Return the centres (N, size) of `size` equal cells between `low` and `high` (N,)."""
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    return low[:, None] + (high - low)[:, None] * steps


def region_filters(regions: np.ndarray, size: int, length: int, stride: int, centre: float = CONV_CENTRE) -> Filters:
    """Return matrices that resample square maps of side `length` to regions (N, 4).

    rows @ map @ columns.T is (N, size, size). The filter is a triangle: bilinear for small regions, as wide as an
    output cell for large regions, and 0 outside the map. This is RoIAlign (He et al., 2017) as two matrix products,
    without aliasing.
    """
    x0, y0, x1, y1 = regions.T
    low, high = np.concatenate([y0, x0]), np.concatenate([y1, x1])
    position = (cells(low, high, size) - centre) / stride
    width = np.maximum((high - low) / (size * stride), 1.0)[:, None, None]
    distance = np.abs(position[:, :, None] - np.arange(length, dtype=np.float32))
    weights = (np.maximum(1 - distance / width, 0) / width).astype(np.float32)
    return weights[: len(regions)], weights[len(regions) :]


def at_points(features: np.ndarray, points: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """Sample a map (C, h, w) bilinearly at points (N, P, 2); return the means (N, C) with weights (N, P)."""
    x, x_part = _cell_and_part(points[..., 0], stride, features.shape[2])
    y, y_part = _cell_and_part(points[..., 1], stride, features.shape[1])
    above = features[:, y, x] * (1 - x_part) + features[:, y, x + 1] * x_part  # C, N, P
    below = features[:, y + 1, x] * (1 - x_part) + features[:, y + 1, x + 1] * x_part
    return ((above * (1 - y_part) + below * y_part) * weights).sum(2).T.astype(np.float32)


def _cell_and_part(coordinates: np.ndarray, stride: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell before each coordinate, and the part of the way from it to the next cell, 0 to 1."""
    position = np.clip((coordinates - CONV_CENTRE) / stride, 0, length - 1)
    cell = np.minimum(position.astype(int), length - 2)
    return cell, position - cell
