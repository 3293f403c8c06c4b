"""Non-maximum suppression: of masks of the same object, keep one."""

from __future__ import annotations

import numpy as np


def kept(boxes_xyxy: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Return the indices of the boxes to keep, the highest score first; equal scores stay in their order.

    A box is dropped if its IoU with a kept box of a higher score exceeds `iou_threshold`. The result equals that of
    `torchvision.ops.nms`.

    Args:
        boxes_xyxy: (N, 4), x0 y0 x1 y1. Two boxes without area do not overlap.
        scores: (N,).
        iou_threshold: 0 to 1.
    """
    order = np.argsort(-scores, kind="stable")
    x0, y0, x1, y1 = boxes_xyxy[order].astype(np.float32).T
    areas = (x1 - x0) * (y1 - y0)
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if not alive[i]:
            continue
        later = i + 1 + np.flatnonzero(alive[i + 1 :])
        width = np.minimum(x1[i], x1[later]) - np.maximum(x0[i], x0[later])
        height = np.minimum(y1[i], y1[later]) - np.maximum(y0[i], y0[later])
        common = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore"):  # 0 / 0 for two boxes without area
            iou = common / (areas[i] + areas[later] - common)
        alive[later] = ~(iou.astype(float) > iou_threshold)  # torchvision compares in float64, too
    return order[alive]
