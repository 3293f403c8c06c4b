"""How well a mask fits, and how sure a mean over photos is."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.things import Mask

BOUNDARY = 0.02  # of the photo's diagonal: the width of the band that counts for the boundary IoU
DRAWS = 1000  # of the bootstrap


def iou(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def boundary_iou(a: Mask, b: Mask) -> float:
    """Return the IoU of the parts of two masks that are near their own outlines (Cheng et al., 2021)."""
    width = max(1, round(BOUNDARY * float(np.hypot(*a.shape))))
    return iou(_band(a, width), _band(b, width))


def _band(mask: Mask, width: int) -> Mask:
    """Return the pixels of a mask within `width` of its outline; the photo's edge counts as outline."""
    padded = np.pad(mask.astype(np.uint8), 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return mask & (inner == 0)


def mean_and_error(values: ArrayLike, photos: Sequence[str]) -> tuple[float, float]:
    """Return the mean of values of things, and its standard error: the bootstrap over the photos that show them.

    The things of a photo resemble each other, so that the error is larger than that of as many things on their own.
    """
    each = np.asarray(values, np.float64)
    names, of = np.unique(np.asarray(photos), return_inverse=True)
    sums, counts = np.bincount(of, each), np.bincount(of)
    drawn: NDArray[np.int64] = np.random.default_rng(0).multinomial(len(names), [1 / len(names)] * len(names), DRAWS)
    return float(each.mean()), float(((drawn @ sums) / (drawn @ counts)).std())
