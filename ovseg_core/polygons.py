"""Masks as outlines."""

from __future__ import annotations

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


def of(mask: Mask) -> list[Polygon]:
    """Return the parts of a mask, each with its holes.

    The outlines pass through the centres of the border pixels, as OpenCV's findContours does. Points are indices of
    image pixels: [0, 0] is the top left pixel.
    """
    if not mask.area:
        return []
    contours, hierarchy = cv2.findContours(
        mask.crop().astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=mask.box_xyxy[:2]
    )
    rings = [_ring(contour[:, 0].tolist()) for contour in contours]
    parents = hierarchy[0][:, 3]  # -1 for an exterior; for a hole, the index of the exterior around it
    return [
        Polygon(exterior=ring, holes=[rings[j] for j in np.flatnonzero(parents == i)])
        for i, ring in enumerate(rings)
        if parents[i] == -1
    ]


def _ring(points: Ring) -> Ring:
    return points if len(points) >= 3 else (points * 3)[:3]
