"""Remove small holes and small islands from masks. Pixels that touch at a corner belong to the same region."""

from __future__ import annotations

import cv2
import numpy as np

from ovseg_core.mask import Mask


def removed(mask: Mask, min_area: int) -> Mask | None:
    """Return the mask without holes and islands of fewer than `min_area` pixels, or None if it has none of them.

    If all islands are small, the largest stays.
    """
    (height, width), (x0, y0, x1, y1) = mask.image_hw, mask.box_xyxy
    outside = ((y0, height - y1), (x0, width - x1))  # lines of pixels above, below, left and right of the box
    # A part of the image outside the box is a hole too if it is small. One line of a large part is enough.
    margin = [
        tuple(lines if lines * length < min_area else min(lines, 1) for lines in sides)
        for sides, length in zip(outside, (width, height), strict=True)
    ]
    pixels = np.pad(mask.crop(), margin)
    filled = _without_holes(pixels, min_area, np.array(margin) < outside)
    cleaned = _without_islands(filled, min_area)
    if cleaned is pixels:
        return None
    return Mask.of_crop(cleaned, (x0 - margin[1][0], y0 - margin[0][0]), mask.image_hw, mask.score)


def _without_holes(pixels: np.ndarray, min_area: int, continues: np.ndarray) -> np.ndarray:
    """Return the pixels (h, w) bool with small holes filled; the same array if there are none.

    `continues` (2, 2) bool: if the image continues above, below, left and right of the pixels; a hole at such a side is
    not small.
    """
    _, regions, stats, _ = cv2.connectedComponentsWithStats((~pixels).view(np.uint8), connectivity=8)
    is_small = stats[:, cv2.CC_STAT_AREA] < min_area
    is_small[0] = False  # region 0 is the mask
    for line, at_side in zip((regions[0], regions[-1], regions[:, 0], regions[:, -1]), continues.flat, strict=True):
        if at_side:
            is_small[line] = False
    return pixels | is_small[regions] if is_small.any() else pixels


def _without_islands(pixels: np.ndarray, min_area: int) -> np.ndarray:
    """Return the pixels (h, w) bool without small islands; the same array if there are none."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(pixels.view(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # region 0 is outside the mask
    is_kept = areas >= min_area
    if is_kept[1:].all():
        return pixels
    if not is_kept.any():
        is_kept[np.argmax(areas)] = True
    kept: np.ndarray = is_kept[regions]
    return kept
