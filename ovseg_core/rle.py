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


class Borders:
    """Collects the borders of a mask, from bands of its columns in their order."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._size, self._last = 0, False

    def add(self, columns: np.ndarray) -> None:
        """Add some columns (columns, h) bool, contiguous."""
        down = columns.ravel()
        if down[0] != self._last:
            self._parts.append(np.array([self._size]))
        self._parts.append(np.flatnonzero(down[1:] != down[:-1]) + (self._size + 1))
        self._size, self._last = self._size + down.size, bool(down[-1])

    def all(self) -> np.ndarray:
        """Return the borders (2 * runs,) int64 of all columns."""
        return np.concatenate([*self._parts, [self._size] * self._last]).astype(np.int64)


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


def tight(borders: np.ndarray, height: int) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Return the borders in the tightest box around a mask, and that box, x0 y0 x1 y1.

    Args:
        borders: of a mask of this height, with at least one run.
        height: in pixels.
    """
    (x0, top), (x1, bottom) = np.divmod(borders[::2], height), np.divmod(borders[1::2] - 1, height)
    if (x0 < x1).any():  # a run that goes over to the next column touches the first and the last row
        y0, y1 = 0, height
    else:
        y0, y1 = int(top.min()), int(bottom.max()) + 1
    left, right = int(x0[0]), int(x1[-1]) + 1
    moved = placed(borders, (height, right), (-left, -y0), (y1 - y0, right - left))
    meets = np.flatnonzero(moved[1:-1:2] == moved[2::2]) * 2 + 1  # runs that continue in the next column of the box
    return np.delete(moved, np.concatenate([meets, meets + 1])), (left, y0, right, y1)


def runs(borders: np.ndarray, image_hw: tuple[int, int]) -> list[int]:
    """Return the lengths of the runs of a mask of the whole image, in turn outside and inside; the first is outside."""
    lengths = np.diff(borders, prepend=0, append=image_hw[0] * image_hw[1])
    if len(borders) and lengths[-1] == 0:
        lengths = lengths[:-1]
    counts: list[int] = lengths.tolist()
    return counts


def compressed(borders: np.ndarray, image_hw: tuple[int, int]) -> str:
    """Return COCO's string of counts for the borders of a mask of the whole image."""
    counts = {"size": list(image_hw), "counts": runs(borders, image_hw)}
    return str(coco.frPyObjects(counts, *image_hw)["counts"], "ascii")


def iou(a: str, b: str, image_hw: tuple[int, int]) -> float:
    """Return the IoU of two masks of one image, from their strings of counts; 1 if both masks are empty."""
    pair = [{"size": list(image_hw), "counts": counts.encode()} for counts in (a, b)]
    union = coco.area(coco.merge(pair))
    return float(coco.iou(pair[:1], pair[1:], [0])[0, 0]) if union else 1.0
