"""SAM-Lite's second reading of a prompt: drawn as low-res logits into SAM's mask input.

A small decoder learns a drawn prompt far faster than the tokens of its corners, so SAM-Lite was trained with
both, and its weights need both.
"""

from __future__ import annotations

import numpy as np

INSIDE, EDGE_FLOOR, OUTSIDE = 4.0, -0.42, -8.0
CLICK_LOGIT, CLICK_RADIUS_PX = 8.0, 4.0  # radius in raster pixels, a quarter of the canvas's


def raster(
    boxes: np.ndarray | None,  # N, 4 canvas pixels
    points: np.ndarray | None,  # N, P, 2 canvas pixels
    labels: np.ndarray | None,  # N, P: 1 foreground, 0 background, -1 nothing
    size: int,
) -> np.ndarray:
    """(N, 1, size, size) float32; a box is a dome over its inscribed ellipse, a click a bump or a pit."""
    count = len(boxes) if boxes is not None else len(points) if points is not None else 0
    centre = np.arange(size, dtype=np.float32) + 0.5
    drawn = np.zeros((count, size, size), np.float32)
    if boxes is not None:
        drawn += _domes(boxes / 4, centre)
    if points is not None and labels is not None:
        for xy, label in zip(np.moveaxis(points / 4, 1, 0), labels.T, strict=True):  # one click of each prompt
            dx2 = (centre[None] - xy[:, :1]) ** 2  # N, size
            dy2 = (centre[None] - xy[:, 1:]) ** 2
            sign = np.where(label == 1, 1.0, np.where(label == 0, -1.0, 0.0)).astype(np.float32)
            distance2 = dy2[:, :, None] + dx2[:, None, :]
            drawn += sign[:, None, None] * CLICK_LOGIT / (1 + distance2 / CLICK_RADIUS_PX**2)
    return drawn[:, None]


def _domes(boxes: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """INSIDE at the middle, 0 on the inscribed ellipse, INSIDE * EDGE_FLOOR in the corners, OUTSIDE beyond."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, 0.5)
    dx = np.abs(centre[None] - middle[:, :1])  # N, size
    dy = np.abs(centre[None] - middle[:, 1:])
    radius = np.sqrt((dx / half[:, :1])[:, None, :] ** 2 + (dy / half[:, 1:])[:, :, None] ** 2)
    beyond = np.maximum((dx - half[:, :1])[:, None, :], (dy - half[:, 1:])[:, :, None])
    covered = np.clip(0.5 - beyond, 0, 1)  # 1 inside, a ramp of one pixel at the border
    return covered * INSIDE * np.maximum(1 - radius, EDGE_FLOOR) + OUTSIDE * (1 - covered)
