"""Fill small holes of a mask, which users rarely want: the face in a mask of a person's hair, a pattern on a coat."""

from __future__ import annotations

import cv2
import numpy as np

JUST_ABOVE = 1e-3  # the distance of a filled hole's logits from the threshold


def filled(logits: np.ndarray, mask_threshold: float, max_share: float) -> np.ndarray:
    """Return the logits (h, w) float32, raised to just above `mask_threshold` in each small hole.

    A hole is small if its area is at most `max_share` of the mask's area. It must be enclosed by the mask. If there are
    no small holes, the same array is returned.
    """
    mask = logits > mask_threshold
    count, parts, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    left, top, width, height, area = stats[1:].T  # without the first, which is the mask
    inside = (left > 0) & (top > 0) & (left + width < logits.shape[1]) & (top + height < logits.shape[0])
    is_hole = np.zeros(count, bool)
    is_hole[1:] = inside & (area <= max_share * np.count_nonzero(mask))
    if not is_hole.any():
        return logits
    return np.where(is_hole[parts], np.float32(mask_threshold + JUST_ABOVE), logits)
