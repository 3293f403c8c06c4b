"""From a network's low-res logits to masks in the frame of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ovseg_core import blas
from ovseg_core.mask import Mask
from ovseg_core.prompts import Box

Window = tuple[int, int, int, int]  # x0, y0, x1, y1 in whole image pixels


@dataclass(frozen=True)
class ByCanvas:
    """SAM's way from logits to an image: to the canvas, cut off where the image ends, and from there to the image."""

    canvas_size: int
    resized_hw: tuple[int, int]


def to_mask(
    logits: np.ndarray,  # h, w
    region: Box,  # what the logits cover, in image pixels; it may reach beyond the image
    image_hw: tuple[int, int],
    mask_threshold: float,
    score: float | None,
    clip_to: Box | None = None,
    by_canvas: ByCanvas | None = None,
) -> Mask:
    """The mask where the logits, resized to their region bilinearly, exceed `mask_threshold`; only within `clip_to`.

    With `by_canvas` the logits cover the canvas and are resized twice, as SAM's own code does; both steps are one
    matrix for each axis.

    Only the part of the image that can exceed `mask_threshold` is resized. That is exact: a bilinear value lies between
    its neighbours, so where none of them exceeds `mask_threshold`, it does not either.
    """
    window = _intersection(
        _reach(logits > mask_threshold, region, cells=1.5 if by_canvas else 0.5), _pixel_centres(region)
    )
    window = _intersection(window, (0, 0, image_hw[1], image_hw[0]))
    if clip_to is not None:
        window = _intersection(window, _whole_pixels(clip_to))
    x0, y0, x1, y1 = window
    if x0 >= x1 or y0 >= y1:
        return Mask.of_crop(np.zeros((0, 0), bool), (0, 0), image_hw, score)
    rows, columns, (height, width) = np.arange(y0, y1), np.arange(x0, x1), logits.shape
    if by_canvas is None:
        down, across = _bilinear(rows, height, region[1], region[3]), _bilinear(columns, width, region[0], region[2])
    else:
        (resized_h, resized_w), side = by_canvas.resized_hw, by_canvas.canvas_size
        down = _bilinear_twice(rows, image_hw[0], _of_canvas(resized_h, side, height))
        across = _bilinear_twice(columns, image_hw[1], _of_canvas(resized_w, side, width))
    ys, xs = _cells(down), _cells(across)
    with blas.on_one_thread():
        resized = down[:, ys] @ logits[ys, xs] @ across[:, xs].T
    return Mask.of_crop(resized > mask_threshold, (x0, y0), image_hw, score)


def _bilinear(pixels: np.ndarray, cells: int, low: float, high: float) -> np.ndarray:
    """Weights (pixels, cells) that interpolate cells between `low` and `high` at the centres of image pixels."""
    first, second, part = _neighbours((pixels + 0.5 - low) * (cells / (high - low)) - 0.5, cells)
    weights = np.zeros((len(pixels), cells), np.float32)
    rows = np.arange(len(pixels))
    weights[rows, first] = 1 - part
    weights[rows, second] += part
    return weights


def _bilinear_twice(pixels: np.ndarray, side: int, of_canvas: np.ndarray) -> np.ndarray:
    """Weights (pixels, cells) for pixels of an image of length `side`, from those of the canvas that shows it."""
    first, second, part = _neighbours((pixels + 0.5) * (len(of_canvas) / side) - 0.5, len(of_canvas))
    weights: np.ndarray = (1 - part)[:, None] * of_canvas[first] + part[:, None] * of_canvas[second]
    return weights


@lru_cache(maxsize=16)  # 1 MB each; images of a size share them
def _of_canvas(resized: int, canvas: int, cells: int) -> np.ndarray:
    """Weights (resized, cells) for the pixels of a canvas that show an image, from cells over the whole canvas."""
    weights = _bilinear(np.arange(resized), cells, 0, canvas)
    weights.flags.writeable = False
    return weights


def _cells(weights: np.ndarray) -> slice:
    """Those that any pixel sees."""
    seen = np.flatnonzero(weights.any(axis=0))
    return slice(seen[0], seen[-1] + 1)


def _neighbours(at: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two cells beside each position, and the share (float32) of the second."""
    at = np.clip(at, 0, cells - 1)
    first = np.minimum(at.astype(np.intp), max(cells - 2, 0))
    return first, np.minimum(first + 1, cells - 1), (at - first).astype(np.float32)


def _reach(positive: np.ndarray, region: Box, cells: float) -> Window:
    """The window of image pixels that a positive cell can reach: those within this number of `cells` of one."""
    rows, columns = np.flatnonzero(positive.any(axis=1)), np.flatnonzero(positive.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    left, top, right, bottom = region
    width, height = (right - left) / positive.shape[1], (bottom - top) / positive.shape[0]  # of a cell
    x0, x1 = left + (columns[0] - cells) * width, left + (columns[-1] + 1 + cells) * width
    y0, y1 = top + (rows[0] - cells) * height, top + (rows[-1] + 1 + cells) * height
    return math.floor(x0 - 0.5), math.floor(y0 - 0.5), math.ceil(x1 + 0.5), math.ceil(y1 + 0.5)


def _pixel_centres(region: Box) -> Window:
    """The pixels whose centres lie in the region."""
    x0, y0, x1, y1 = region
    return math.ceil(x0 - 0.5), math.ceil(y0 - 0.5), math.floor(x1 + 0.5), math.floor(y1 + 0.5)


def _whole_pixels(box: Box) -> Window:
    """Every pixel the box touches."""
    x0, y0, x1, y1 = box
    return math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)


def _intersection(a: Window, b: Window) -> Window:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
