"""Which part of the canvas the mask head looks at. Boxes and regions are (N, 4), x0 y0 x1 y1 in canvas pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ovseg_core.lite.shape import STRIDES

MARGIN = 1.3  # a region is this much larger than its box
LEAST_HALF = 2.0  # pixels: of the side of a box
FILTER_REACH = STRIDES[-1] + 1  # pixels that filters look beyond a region: a cell of the coarsest map, and half a pixel
WINDOW_STEP = 8 * STRIDES[-1]  # pixels
NO_MASK_SIDE = 96.0  # pixels: around the clicks, where a coarse mask is empty


def around(boxes: np.ndarray) -> np.ndarray:
    """The regions of boxes."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, LEAST_HALF) * MARGIN
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)


def window(regions: np.ndarray, canvas_size: int) -> tuple[int, int, int]:
    """A square of the canvas, left, top and side, with all that the mask head's filters of these regions reach.

    It lies on the coarsest map's cells, and its sides are few: an engine prepares itself for each of them once.
    """
    low, high = regions[:, :2].min(0) - FILTER_REACH, regions[:, 2:].max(0) + FILTER_REACH
    first = np.clip(low // STRIDES[-1] * STRIDES[-1], 0, canvas_size).astype(int)
    needed = float((np.minimum(high, canvas_size) - first).max())
    side = min(canvas_size, max(1, math.ceil(needed / WINDOW_STEP)) * WINDOW_STEP)
    left, top = np.minimum(first, canvas_size - side).tolist()
    return left, top, side


def box_of(coarse: np.ndarray, stride: int, clicks: np.ndarray) -> np.ndarray:
    """The box around those parts of coarse logits (h, w) that the clicks on the object (P, 2) touch; around all of the
    mask where they touch none; around the clicks where there is no mask."""
    found = (coarse > 0).astype(np.uint8)
    if not found.any():
        low, high = clicks.min(0) - NO_MASK_SIDE / 2, clicks.max(0) + NO_MASK_SIDE / 2
        return np.concatenate([low, high]).astype(np.float32)
    count, parts = cv2.connectedComponents(found, connectivity=8)
    rows = np.clip((clicks[:, 1] / stride).astype(int), 0, found.shape[0] - 1)
    columns = np.clip((clicks[:, 0] / stride).astype(int), 0, found.shape[1] - 1)
    touched = np.zeros(count, bool)
    touched[parts[rows, columns]] = True
    touched[0] = False  # where there is no mask
    inside = touched[parts] if touched.any() else found > 0
    x, y = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
    return np.array([x[0], y[0], x[-1] + 1, y[-1] + 1], np.float32) * stride
