"""COCO run-length encoding: the runs of a mask along its columns, from top to bottom.

`pycocotools.mask.decode({"size": [H, W], "counts": string.encode()})` reads the string that `compressed` returns.

Between the mask and the string there are its borders: the position x * height + y of the start and of the end of each
run, in turn. The cost of working with borders depends on the length of the mask's outline, not on the size of the
image.
"""

from __future__ import annotations

import cv2
import numpy as np
from pycocotools import mask as coco


def borders(mask: np.ndarray) -> np.ndarray:
    """Return the borders (2 * runs,) int64 of a mask (h, w) bool.

    A run that reaches the bottom of a column, and continues at the top of the next column, counts as one run.
    """
    down = cv2.transpose(mask.view(np.uint8)).ravel()
    flips = np.flatnonzero(down[1:] != down[:-1]) + 1
    return np.concatenate([[0] * int(down[0]), flips, [down.size] * int(down[-1])]).astype(np.int64)


def pixels(borders: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """Return the mask (h, w) bool that has these borders; `hw` is its height and width."""
    height, width = hw
    edges = np.zeros(height * width + 1, np.int8)
    edges[borders[::2]] = 1
    edges[borders[1::2]] = -1
    np.cumsum(edges, dtype=np.int8, out=edges)
    mask: np.ndarray = cv2.transpose(edges[:-1].view(np.uint8).reshape(width, height)).view(bool)
    return mask


def placed(borders: np.ndarray, hw: tuple[int, int], xy: tuple[int, int], image_hw: tuple[int, int]) -> np.ndarray:
    """Return the borders in the whole image, from those in a crop of size `hw` whose top left pixel is at `xy`."""
    (crop_height, crop_width), (left, top), height = hw, xy, image_hw[0]
    if crop_height < height:  # the crop's columns do not touch in the image, so split runs that go over two columns
        columns = np.arange(1, crop_width) * crop_height
        before, upto = (np.searchsorted(borders, columns, side) for side in ("left", "right"))
        within = columns[(before == upto) & (before % 2 == 1)]
        borders = np.sort(np.concatenate([borders, within, within]))
    is_end = np.arange(len(borders)) % 2  # an end is one after the run's last pixel, perhaps in the next column
    x, y = np.divmod(borders - is_end, crop_height)
    placed: np.ndarray = (x + left) * height + y + top + is_end
    return placed


def compressed(borders: np.ndarray, image_hw: tuple[int, int]) -> str:
    """Return COCO's string of counts for the borders of a mask of the whole image."""
    height, width = image_hw
    runs = np.diff(borders, prepend=0, append=height * width)
    if len(borders) and runs[-1] == 0:
        runs = runs[:-1]
    return str(coco.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)["counts"], "ascii")
