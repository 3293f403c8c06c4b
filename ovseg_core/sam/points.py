"""Prompts in SAM's format: points with labels; a box is two points, its corners."""

from __future__ import annotations

import numpy as np

from ovseg_core.network import PromptBatch

# SAM's labels of points. The label of a click that is not on the object is 0.
NOT_A_POINT, POSITIVE, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT = -1, 1, 2, 3


def of(prompts: PromptBatch, pads_boxes: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, T, 2) in canvas pixels and their labels (N, T), float32.

    First come the clicks, then the two corners of the box. Clicks without a box get one more point with the label
    NOT_A_POINT, as in SAM's training. With `pads_boxes`, prompts with a box get that point too. A prompt that is only a
    mask has no points: T is 0.
    """
    count = prompts.size
    is_padded = pads_boxes if prompts.boxes is not None else prompts.points is not None
    points, labels = [np.zeros((count, 0, 2), np.float32)], [np.zeros((count, 0), np.float32)]
    if prompts.points is not None and prompts.labels is not None:
        points.append(prompts.points)
        labels.append(prompts.labels)
    if prompts.boxes is not None:
        points.append(prompts.boxes.reshape(count, 2, 2))
        labels.append(np.tile(np.array([BOX_TOP_LEFT, BOX_BOTTOM_RIGHT], np.float32), (count, 1)))
    if is_padded:
        points.append(np.zeros((count, 1, 2), np.float32))
        labels.append(np.full((count, 1), NOT_A_POINT, np.float32))
    return np.concatenate(points, 1), np.concatenate(labels, 1)
