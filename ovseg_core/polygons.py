"""Masks as outlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import cv2
import numpy as np

from ovseg_core.mask import Mask

Ring = list[list[int]]


class Polygon(TypedDict):
    """One part of a mask: its outline and the outlines of its holes, each a ring of [x, y] pixel indices.

    A ring has at least three points. If a part has one or two pixels, or is as thin as a line, its points are repeated.
    """

    exterior: Ring
    holes: list[Ring]


def of(mask: Mask, tolerance: float = 0.0, min_area: int = 0, max_parts: int | None = None) -> list[Polygon]:
    """Return the parts of a mask, each with its holes.

    The outlines pass through the centres of the border pixels, as OpenCV's findContours does. Points are indices of
    image pixels: [0, 0] is the top left pixel.

    Args:
        mask: the mask.
        tolerance: points are left out while the outline moves by at most this many pixels (Douglas-Peucker).
        min_area: parts and holes of fewer pixels are left out.
        max_parts: at most this many parts are returned, the largest ones; None for all.
    """
    if not mask.area:
        return []
    contours, hierarchy = cv2.findContours(
        mask.crop().astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=mask.box_xyxy[:2]
    )
    parents = hierarchy[0][:, 3]  # -1 for an exterior; for a hole, the index of the exterior around it
    holes: dict[int, list[int]] = {i: [] for i in np.flatnonzero(parents == -1).tolist()}
    for i in np.flatnonzero(parents != -1).tolist():
        holes[int(parents[i])].append(i)
    kept = _large(contours, holes, min_area, max_parts) if min_area or max_parts is not None else holes
    return [
        Polygon(exterior=_ring(contours[i], tolerance), holes=[_ring(contours[j], tolerance) for j in inner])
        for i, inner in kept.items()
    ]


def _large(
    contours: Sequence[np.ndarray], holes: dict[int, list[int]], min_area: int, max_parts: int | None
) -> dict[int, list[int]]:
    """Return the parts (index of the exterior, indices of the holes) that are large enough, in the same order."""
    hole_areas = {j: _area(contours[j], is_hole=True) for inner in holes.values() for j in inner}
    areas = {i: _area(contours[i]) - sum(hole_areas[j] for j in inner) for i, inner in holes.items()}
    large = [i for i in sorted(areas, key=lambda i: -areas[i]) if areas[i] >= min_area][:max_parts]
    return {i: [j for j in holes[i] if hole_areas[j] >= min_area] for i in sorted(large)}


def _area(contour: np.ndarray, is_hole: bool = False) -> int:
    """Return the number of pixels within an outline, by Pick's theorem: area = inner pixels + outline / 2 - 1.

    The outline of a part belongs to the part. The outline of a hole consists of pixels around the hole.
    """
    steps = np.diff(contour[:, 0], axis=0, append=contour[:1, 0])
    outline = int(np.abs(steps).max(axis=1).sum())  # its lines are horizontal, vertical or diagonal
    inner = round(cv2.contourArea(contour) - outline / 2 + 1)
    return inner if is_hole else inner + outline


def _ring(contour: np.ndarray, tolerance: float) -> Ring:
    outline = cv2.approxPolyDP(contour, tolerance, True) if tolerance else contour
    points: Ring = outline[:, 0].tolist()
    return points if len(points) >= 3 else (points * 3)[:3]
