"""From coordinates to the small matrices that read maps there. All coordinates are canvas pixels.

A cell i of a map lies at stride * i + `centre` of the canvas: strided convolutions with symmetric padding look at
stride * i + 0.5, cells of a mask cover their stride, so their centre is at stride / 2.
"""

from __future__ import annotations

import numpy as np

LOOKS_AT = 0.5  # the centre of cell 0 of a convolution's map

Filters = tuple[np.ndarray, np.ndarray]  # rows (N, size, h), columns (N, size, w)


def cells(low: np.ndarray, high: np.ndarray, size: int) -> np.ndarray:
    """The centres (N, size) of `size` equal cells between `low` and `high` (N,)."""
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    return low[:, None] + (high - low)[:, None] * steps


def region_filters(
    regions: np.ndarray, size: int, hw: tuple[int, int], stride: int, centre: float = LOOKS_AT
) -> Filters:
    """Matrices that resample maps (h, w) to regions (N, 4): rows @ map @ columns.T is (N, size, size).

    The filter is a triangle, bilinear for small regions and as wide as a cell for large ones, and 0 beyond the map:
    RoIAlign (He et al., 2017) as two matrix products, without aliasing.
    """
    x0, y0, x1, y1 = regions.T
    return _triangles(y0, y1, size, hw[0], stride, centre), _triangles(x0, x1, size, hw[1], stride, centre)


def point_weights(points: np.ndarray, shares: np.ndarray, hw: tuple[int, int], stride: int) -> np.ndarray:
    """Weights (N, h * w) of a map's cells for the bilinear mean over points (N, P, 2) with shares (N, P)."""
    x = _hats((points[..., 0] - LOOKS_AT) / stride, hw[1])
    y = _hats((points[..., 1] - LOOKS_AT) / stride, hw[0])
    both = ((y * shares[..., None])[..., :, None] * x[..., None, :]).sum(1)
    return both.reshape(len(points), -1).astype(np.float32)


def _triangles(low: np.ndarray, high: np.ndarray, size: int, length: int, stride: int, centre: float) -> np.ndarray:
    position = (cells(low, high, size) - centre) / stride
    reach = np.maximum((high - low) / (size * stride), 1.0)[:, None, None]
    away = np.abs(position[:, :, None] - np.arange(length, dtype=np.float32))
    return (np.maximum(1 - away / reach, 0) / reach).astype(np.float32)


def _hats(position: np.ndarray, length: int) -> np.ndarray:
    away = np.abs(np.clip(position, 0, length - 1)[..., None] - np.arange(length, dtype=np.float32))
    return np.maximum(1 - away, 0)
