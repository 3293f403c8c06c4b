"""COCO run-length encoding: a mask's runs down its columns.

The string that `compressed` writes is what `pycocotools.mask.decode({"size": [H, W], "counts": string.encode()})`
reads. Between mask and string there are borders: where each run begins and where it ends, in turn, as positions
x * height + y. What is done with them costs what the mask's outline costs, however large the photo.
"""

from __future__ import annotations

import cv2
import numpy as np
from pycocotools import mask as coco


def borders(mask: np.ndarray) -> np.ndarray:
    """The borders (2 * runs) int64 of a mask (h, w) bool; runs that touch from column to column are one."""
    down = cv2.transpose(mask.view(np.uint8)).ravel()
    flips = np.flatnonzero(down[1:] != down[:-1]) + 1
    return np.concatenate([[0] * int(down[0]), flips, [down.size] * int(down[-1])]).astype(np.int64)


def pixels(borders: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """The mask (h, w) bool of these borders."""
    height, width = hw
    edges = np.zeros(height * width + 1, np.int8)
    edges[borders[::2]] = 1
    edges[borders[1::2]] = -1
    np.cumsum(edges, dtype=np.int8, out=edges)
    mask: np.ndarray = cv2.transpose(edges[:-1].view(np.uint8).reshape(width, height)).view(bool)
    return mask


def placed(borders: np.ndarray, hw: tuple[int, int], xy: tuple[int, int], image_hw: tuple[int, int]) -> np.ndarray:
    """The borders of an image that is empty but for a crop of `hw`, whose top left pixel is at `xy`."""
    (crop_height, crop_width), (left, top), height = hw, xy, image_hw[0]
    if crop_height < height:  # the columns are apart now
        columns = np.arange(1, crop_width) * crop_height
        before, upto = (np.searchsorted(borders, columns, side) for side in ("left", "right"))
        within = columns[(before == upto) & (before % 2 == 1)]
        borders = np.sort(np.concatenate([borders, within, within]))
    is_end = np.arange(len(borders)) % 2  # an end is the place after a run's last pixel, maybe of the next column
    x, y = np.divmod(borders - is_end, crop_height)
    placed: np.ndarray = (x + left) * height + y + top + is_end
    return placed


def compressed(borders: np.ndarray, image_hw: tuple[int, int]) -> str:
    """COCO's string of counts."""
    height, width = image_hw
    runs = np.diff(borders, prepend=0, append=height * width)
    if len(borders) and runs[-1] == 0:
        runs = runs[:-1]
    return str(coco.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)["counts"], "ascii")
