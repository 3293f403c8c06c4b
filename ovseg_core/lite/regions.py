"""The regions of the canvas that the mask head reads. Boxes and regions are (N, 4), x0 y0 x1 y1 in canvas pixels."""

from __future__ import annotations

import cv2
import numpy as np

MARGIN = 1.3  # the sides of a region relative to those of its box
MIN_HALF = 2.0  # pixels: minimum of half the side of a box
NO_MASK_SIDE = 96.0  # pixels: the side of the box around the clicks if the coarse mask is empty


def around(boxes: np.ndarray) -> np.ndarray:
    """Return the regions around boxes: (N, 4) to (N, 4)."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, MIN_HALF) * MARGIN
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32)


def box_of(coarse: np.ndarray, stride: int, clicks: np.ndarray) -> np.ndarray:
    """Return the box (4,) of a coarse mask, given as logits (h, w), around the parts that contain a click (P, 2).

    The clicks are those on the object. If no part contains one, it is the box around the whole mask; if the mask is
    empty, it is a box around the clicks.
    """
    mask = (coarse > 0).astype(np.uint8)
    if not mask.any():
        low, high = clicks.min(0) - NO_MASK_SIDE / 2, clicks.max(0) + NO_MASK_SIDE / 2
        return np.concatenate([low, high]).astype(np.float32)
    count, parts = cv2.connectedComponents(mask, connectivity=8)
    rows = np.clip((clicks[:, 1] / stride).astype(int), 0, mask.shape[0] - 1)
    columns = np.clip((clicks[:, 0] / stride).astype(int), 0, mask.shape[1] - 1)
    is_clicked = np.zeros(count, bool)
    is_clicked[parts[rows, columns]] = True
    is_clicked[0] = False  # part 0 is outside the mask
    inside = is_clicked[parts] if is_clicked.any() else mask > 0
    x, y = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
    return np.array([x[0], y[0], x[-1] + 1, y[-1] + 1], np.float32) * stride


def boxes_of_masks(
    logits: np.ndarray, canvas_size: int, points: np.ndarray | None, labels: np.ndarray | None
) -> np.ndarray:
    """Return the boxes (N, 4) around masks, logits (N, h, w) over the canvas, and their clicks with label 1, if any.

    A click may lie outside its mask: the mask then lacks that part of the object.
    """
    boxes = []
    for n, of_mask in enumerate(logits):
        mask = of_mask > min(0.0, float(of_mask.max()) - 1)  # a mask thinner than a cell has no logit above 0
        x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        around = np.array([[x[0], y[0]], [x[-1] + 1, y[-1] + 1]], np.float32) * (canvas_size / len(of_mask))
        if points is not None and labels is not None:
            around = np.concatenate([around, points[n][labels[n] == 1]])
        boxes.append(np.concatenate([around.min(0), around.max(0)]))
    return np.stack(boxes).astype(np.float32)


def box_in(logits: np.ndarray, region: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    """Return the box (4,) of `box_of` for logits (h, w) that cover a region (4,); clicks (P, 2) in canvas pixels."""
    cell = (region[2:] - region[:2]) / logits.shape[::-1]
    box = box_of(logits, 1, (clicks - region[:2]) / cell)
    return (box * np.tile(cell, 2) + np.tile(region[:2], 2)).astype(np.float32)


def moved(probability: np.ndarray, region: np.ndarray, to: np.ndarray, side: int) -> np.ndarray:
    """Return probabilities (h, w) of a region (4,), resampled bilinearly to another region: (side, side).

    Outside the first region they are 0.
    """
    height, width = probability.shape
    centres = (np.arange(side) + 0.5) / side
    x = (to[0] + centres * (to[2] - to[0]) - region[0]) * (width / (region[2] - region[0])) - 0.5
    y = (to[1] + centres * (to[3] - to[1]) - region[1]) * (height / (region[3] - region[1])) - 0.5
    columns, rows = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    found: np.ndarray = cv2.remap(probability, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return found
