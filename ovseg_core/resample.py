"""From a network's low-res logits to masks in pixels of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ovseg_core import blas, rle
from ovseg_core.canvas import Frame
from ovseg_core.mask import Mask
from ovseg_core.prompts import Box

BAND_PIXELS = 2**17  # of a band of resized logits: 0.5 MB, which the CPU's cache holds
CACHED_SIDE = 2**14  # pixels: the weights of longer sides are not cached

Window = tuple[int, int, int, int]  # x0, y0, x1, y1 in whole image pixels


def to_mask(
    logits: np.ndarray,  # h, w
    region: Box,  # what the logits cover, in image pixels; it may reach beyond the image
    image_hw: tuple[int, int],
    mask_threshold: float,
    score: float | None,
    clip_to: Box | None = None,
    via_canvas: Frame | None = None,
) -> Mask:
    """Resize the logits bilinearly to their region, and return the mask of the pixels that exceed `mask_threshold`.

    With `clip_to`, the mask is cut off at the pixels that this box touches. With `via_canvas`, which is the position of
    the image on the canvas, the logits cover the canvas and are resized twice, as in SAM's own code: to the canvas,
    which is cut off where the image ends on it, and then to the image. Both steps are one matrix for each axis.

    Only the part of the image where a pixel can exceed `mask_threshold` is resized. The result is exact: a bilinear
    value lies between its neighbours, so it cannot exceed `mask_threshold` if none of them does.
    """
    window = _window(logits > mask_threshold, region, image_hw, via_canvas)
    if clip_to is not None:
        window = _intersection(window, _whole_pixels(clip_to))
    x0, y0, x1, y1 = window
    if x0 >= x1 or y0 >= y1:
        return Mask.of_crop(np.zeros((0, 0), bool), (0, 0), image_hw, score)
    down, across = _axes(window, logits.shape, region, image_hw, via_canvas)
    ys, xs = _cells(down), _cells(across)
    with blas.on_one_thread():
        resized = down[:, ys] @ logits[ys, xs] @ across[:, xs].T
    return Mask.of_crop(resized > mask_threshold, (x0, y0), image_hw, score)


def to_mask_and_counts(
    logits: np.ndarray,  # h, w
    region: Box,  # what the logits cover, in image pixels; it may reach beyond the image
    image_hw: tuple[int, int],
    mask_threshold: float,
    others: Sequence[float],
    via_canvas: Frame | None = None,
) -> tuple[Mask, list[int]]:
    """Return the mask of `to_mask`, without a score, and how many pixels exceed each of the other thresholds.

    The image is resized a band of columns at a time, so no array as large as the image is made.
    """
    x0, y0, x1, y1 = _window(logits > min([mask_threshold, *others]), region, image_hw, via_canvas)
    borders, counts = rle.Borders(), [0] * len(others)
    if x0 >= x1 or y0 >= y1:
        return Mask.of_borders(borders.all(), (0, 0), (0, 0), image_hw, None), counts
    down, across = _axes((x0, y0, x1, y1), logits.shape, region, image_hw, via_canvas)
    ys = _cells(down)
    step = max(8, BAND_PIXELS // (y1 - y0))
    with blas.on_one_thread():
        rows = logits[ys].T @ down[:, ys].T  # cells of a row, pixels of a column
        for start in range(0, x1 - x0, step):
            weights = across[start : start + step]
            xs = _cells(weights)
            band = weights[:, xs] @ rows[xs]  # columns of the image: each is contiguous, as RLE needs it
            counts = [count + int(np.count_nonzero(band > t)) for count, t in zip(counts, others, strict=True)]
            borders.add(band > mask_threshold)
    return Mask.of_borders(borders.all(), (y1 - y0, x1 - x0), (x0, y0), image_hw, None), counts


def _window(positive: np.ndarray, region: Box, image_hw: tuple[int, int], via_canvas: Frame | None) -> Window:
    """Return the part of the image where a pixel can be positive, from the positive cells (h, w) bool."""
    window = _intersection(_reach(positive, region, cells=1.5 if via_canvas else 0.5), _pixel_centres(region))
    return _intersection(window, (0, 0, image_hw[1], image_hw[0]))


def _axes(
    window: Window, shape: tuple[int, ...], region: Box, image_hw: tuple[int, int], via_canvas: Frame | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the window's rows (rows, h) and of its columns (columns, w), for logits of this shape."""
    (x0, y0, x1, y1), (height, width) = window, shape
    if via_canvas is None:
        rows, columns = np.arange(y0, y1), np.arange(x0, x1)
        return _bilinear(rows, height, region[1], region[3]), _bilinear(columns, width, region[0], region[2])
    (resized_h, resized_w), side = via_canvas.resized_hw, via_canvas.canvas_size
    down = _via_canvas_weights(y0, y1, image_hw[0], resized_h, side, height)
    across = _via_canvas_weights(x0, x1, image_hw[1], resized_w, side, width)
    return down, across


def _bilinear(pixels: np.ndarray, cells: int, low: float, high: float) -> np.ndarray:
    """Return weights (pixels, cells) that interpolate the cells between `low` and `high` at the centres of pixels.

    A cell is one value of the logits along an axis. `low` and `high` are positions in the image.
    """
    first, second, part = _neighbours((pixels + 0.5 - low) * (cells / (high - low)) - 0.5, cells)
    weights = np.zeros((len(pixels), cells), np.float32)
    rows = np.arange(len(pixels))
    weights[rows, first] = 1 - part
    weights[rows, second] += part
    return weights


def _via_canvas_weights(low: int, high: int, side: int, resized: int, canvas: int, cells: int) -> np.ndarray:
    """Return weights (high - low, cells) for the pixels from `low` to `high` of a side of the image, which has
    `resized` pixels on the canvas."""
    if side > CACHED_SIDE:
        return _bilinear_twice(np.arange(low, high), side, _canvas_weights(resized, canvas, cells))
    return _side_weights(side, resized, canvas, cells)[low:high]


@lru_cache(maxsize=4)  # at up to 16 MB each; all masks of an image use the same two
def _side_weights(side: int, resized: int, canvas: int, cells: int) -> np.ndarray:
    """Return weights (side, cells) for all pixels of a side of the image, which has `resized` pixels on the canvas."""
    weights = _bilinear_twice(np.arange(side), side, _canvas_weights(resized, canvas, cells))
    weights.flags.writeable = False
    return weights


def _bilinear_twice(pixels: np.ndarray, side: int, canvas_weights: np.ndarray) -> np.ndarray:
    """Return weights (pixels, cells) for pixels of an image of length `side`, from the weights of its canvas pixels."""
    first, second, part = _neighbours((pixels + 0.5) * (len(canvas_weights) / side) - 0.5, len(canvas_weights))
    weights: np.ndarray = (1 - part)[:, None] * canvas_weights[first] + part[:, None] * canvas_weights[second]
    return weights


@lru_cache(maxsize=16)  # at 1 MB each; images of the same size use the same weights
def _canvas_weights(resized: int, canvas: int, cells: int) -> np.ndarray:
    """Return weights (resized, cells) for the canvas pixels that the image covers; the cells cover the whole canvas."""
    weights = _bilinear(np.arange(resized), cells, 0, canvas)
    weights.flags.writeable = False
    return weights


def _cells(weights: np.ndarray) -> slice:
    """Return the range of the cells with a weight for any pixel."""
    used = np.flatnonzero(weights.any(axis=0))
    return slice(used[0], used[-1] + 1)


def _neighbours(positions: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the indices of the two cells next to each position, and the weight (float32) of the second."""
    positions = np.clip(positions, 0, cells - 1)
    first = np.minimum(positions.astype(np.intp), max(cells - 2, 0))
    return first, np.minimum(first + 1, cells - 1), (positions - first).astype(np.float32)


def _reach(positive: np.ndarray, region: Box, cells: float) -> Window:
    """Return the window of the image pixels that are within `cells` cells of a positive cell. No other pixel can be in
    the mask."""
    rows, columns = np.flatnonzero(positive.any(axis=1)), np.flatnonzero(positive.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    left, top, right, bottom = region
    width, height = (right - left) / positive.shape[1], (bottom - top) / positive.shape[0]  # of a cell
    x0, x1 = left + (columns[0] - cells) * width, left + (columns[-1] + 1 + cells) * width
    y0, y1 = top + (rows[0] - cells) * height, top + (rows[-1] + 1 + cells) * height
    return math.floor(x0 - 0.5), math.floor(y0 - 0.5), math.ceil(x1 + 0.5), math.ceil(y1 + 0.5)


def _pixel_centres(region: Box) -> Window:
    """Return the window of the pixels whose centres are in the region."""
    x0, y0, x1, y1 = region
    return math.ceil(x0 - 0.5), math.ceil(y0 - 0.5), math.floor(x1 + 0.5), math.floor(y1 + 0.5)


def _whole_pixels(box: Box) -> Window:
    """Return the window of all pixels that the box touches."""
    x0, y0, x1, y1 = box
    return math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)


def _intersection(a: Window, b: Window) -> Window:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
