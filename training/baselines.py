"""Simple methods that make a mask from a box, with which a model is compared."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.things import Mask, Thing


def filled_box(pixels: NDArray[np.uint8], thing: Thing) -> Mask:
    mask = np.zeros(thing.mask.shape, bool)
    x0, y0, x1, y1 = map(int, thing.box)
    mask[y0:y1, x0:x1] = True
    return mask


def ellipse(pixels: NDArray[np.uint8], thing: Thing) -> Mask:
    x0, y0, x1, y1 = thing.box
    y, x = np.mgrid[: thing.mask.shape[0], : thing.mask.shape[1]] + 0.5
    inside: Mask = ((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2 < 1
    return inside


def grabcut(pixels: NDArray[np.uint8], thing: Thing) -> Mask:
    x0, y0, x1, y1 = map(int, thing.box)
    height, width = thing.mask.shape
    labels = np.zeros((height, width), np.uint8)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    rectangle = (x0, y0, max(1, x1 - x0), max(1, y1 - y0))
    if rectangle[2] >= width and rectangle[3] >= height:
        return filled_box(pixels, thing)  # GrabCut needs a border of background
    try:
        cv2.grabCut(pixels, labels, rectangle, background, foreground, 5, cv2.GC_INIT_WITH_RECT)
    except cv2.error:
        return filled_box(pixels, thing)
    return (labels & 1).astype(bool)


BASELINES: dict[str, Callable[[NDArray[np.uint8], Thing], Mask]] = {
    "filled box": filled_box,
    "ellipse": ellipse,
    "GrabCut": grabcut,
}
