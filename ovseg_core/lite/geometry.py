"""Sample maps at coordinates: maps of regions, and means for points. All coordinates are canvas pixels.

The position of cell i of a map on the canvas is stride * i + `centre`. For the maps of strided convolutions with
symmetric padding, `centre` is 0.5. The cells of a mask cover their stride, so their `centre` is stride / 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ovseg_core import blas

CONV_CENTRE = 0.5  # of cell 0 of a convolution's map, in canvas pixels

# Cells of a region's side that are computed together: for each block, only the cells of the map in reach are read. Of a
# region as large as the canvas, the map of stride 4 takes 0.5 ms instead of 1.4 with one block.
BLOCK = 16


class Filter(NamedTuple):
    """How a block of the cells along a side of a region is computed from the cells `first` to `last` of a map."""

    block: slice
    first: int
    last: int
    weights: np.ndarray  # BLOCK, last - first


def cells(low: np.ndarray, high: np.ndarray, size: int) -> np.ndarray:
    """Return the centres (N, size) of `size` equal cells between `low` and `high` (N,)."""
    steps = (np.arange(size, dtype=np.float32) + 0.5) / size
    return low[:, None] + (high - low)[:, None] * steps


def sampled(
    features: np.ndarray, regions: np.ndarray, size: int, stride: int, centre: float = CONV_CENTRE
) -> np.ndarray:
    """Resample a square map (C, h, h) to regions (N, 4): (N, C, size, size).

    The filter is a triangle: bilinear for small regions, as wide as an output cell for large regions, and 0 outside the
    map. This is RoIAlign (He et al., 2017) as two matrix products, without aliasing.
    """
    found = np.empty((len(regions), len(features), size, size), np.float32)
    filters = _filters(regions, size, features.shape[1], stride, centre)
    with blas.on_one_thread():
        for of_region, rows, columns in zip(found, filters[: len(regions)], filters[len(regions) :], strict=True):
            top = rows[0].first
            used = features[:, top : rows[-1].last]
            narrow = np.empty((*used.shape[:2], size), np.float32)
            for block, first, last, weights in columns:
                np.matmul(used[..., first:last], weights.T, out=narrow[..., block])
            for block, first, last, weights in rows:
                np.matmul(weights, narrow[:, first - top : last - top], out=of_region[:, block])
    return found


def _filters(regions: np.ndarray, size: int, length: int, stride: int, centre: float) -> list[list[Filter]]:
    """Return the filters of the rows of each region, and then those of the columns of each region."""
    x0, y0, x1, y1 = regions.T
    low, high = np.concatenate([y0, x0]), np.concatenate([y1, x1])
    position = (cells(low, high, size) - centre) / stride
    width = np.maximum((high - low) / (size * stride), 1.0)[:, None]
    distance = np.abs(position[:, :, None] - np.arange(length, dtype=np.float32))
    weights = (np.maximum(1 - distance / width[:, None], 0) / width[:, None]).astype(np.float32)
    first = np.clip(np.ceil(position[:, ::BLOCK] - width), 0, length).astype(int).tolist()
    last = np.clip(np.floor(position[:, BLOCK - 1 :: BLOCK] + width) + 1, 0, length).astype(int).tolist()
    blocks = [slice(start, start + BLOCK) for start in range(0, size, BLOCK)]
    return [
        [Filter(block, a, b, w[block, a:b]) for block, a, b in zip(blocks, firsts, lasts, strict=True)]
        for w, firsts, lasts in zip(weights, first, last, strict=True)
    ]


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
