"""Small holes of a mask, which are seldom meant: a face in the hair around it, a pattern on a coat."""

from __future__ import annotations

import cv2
import numpy as np

JUST_POSITIVE = 1e-3


def filled(logits: np.ndarray, mask_threshold: float, share: float) -> np.ndarray:
    """Fill small holes: raise the logits (h, w) float32 of every hole that the mask encloses, and that has at most
    `share` of the mask's cells, to just above `mask_threshold`. The same array where there are none."""
    found = logits > mask_threshold
    count, parts, stats, _ = cv2.connectedComponentsWithStats((~found).astype(np.uint8), connectivity=4)
    left, top, width, height, area = stats[1:].T  # the first is the mask
    inside = (left > 0) & (top > 0) & (left + width < logits.shape[1]) & (top + height < logits.shape[0])
    is_hole = np.zeros(count, bool)
    is_hole[1:] = inside & (area <= share * np.count_nonzero(found))
    if not is_hole.any():
        return logits
    return np.where(is_hole[parts], np.float32(mask_threshold + JUST_POSITIVE), logits)
