"""Which part of the canvas the mask head looks at. Boxes and regions are (N, 4), x0 y0 x1 y1 in canvas pixels."""

from __future__ import annotations

import cv2
import numpy as np

MARGIN = 1.3  # a region is this much larger than its box
LEAST_HALF = 2.0  # pixels: of the side of a box
NO_MASK_SIDE = 96.0  # pixels: around the clicks, where a coarse mask is empty


def around(boxes: np.ndarray) -> np.ndarray:
    """The regions of boxes."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, LEAST_HALF) * MARGIN
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)


def box_of(coarse: np.ndarray, stride: int, clicks: np.ndarray) -> np.ndarray:
    """The box around those parts of coarse logits (h, w) that the clicks on the object (P, 2) touch; around all of the
    mask where they touch none; around the clicks where there is no mask."""
    found = (coarse > 0).astype(np.uint8)
    if not found.any():
        low, high = clicks.min(0) - NO_MASK_SIDE / 2, clicks.max(0) + NO_MASK_SIDE / 2
        return np.concatenate([low, high]).astype(np.float32)
    _, parts = cv2.connectedComponents(found, connectivity=8)
    rows = np.clip((clicks[:, 1] / stride).astype(int), 0, found.shape[0] - 1)
    columns = np.clip((clicks[:, 0] / stride).astype(int), 0, found.shape[1] - 1)
    touched = np.setdiff1d(parts[rows, columns], [0])
    inside = np.isin(parts, touched) if len(touched) else found > 0
    x, y = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
    return np.array([x[0], y[0], x[-1] + 1, y[-1] + 1], np.float32) * stride
