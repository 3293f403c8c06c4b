"""COCO run-length encoding: a mask's runs down its columns, compressed to a short ASCII string.

The string is what `pycocotools.mask.decode({"size": [H, W], "counts": string.encode()})` reads.
"""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco


def encode(mask: np.ndarray) -> str:
    """A mask (H, W) of bool or 0/1 to its RLE string."""
    return str(coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"], "ascii")


def decode(counts: str, image_hw: tuple[int, int]) -> np.ndarray:
    """An RLE string to its mask (H, W) bool."""
    return np.asarray(coco.decode({"size": list(image_hw), "counts": counts.encode("ascii")}), dtype=bool)


def encode_at(crop: np.ndarray, xy: tuple[int, int], image_hw: tuple[int, int]) -> str:
    """RLE of an image that is empty but for `crop` (h, w) bool with its top left pixel at `xy`.

    The same string as `encode` of the whole frame, without ever making the frame: a small mask on a photo of
    12 megapixels costs what the mask costs.
    """
    (x0, y0), (height, width) = xy, image_hw
    columns = np.zeros((crop.shape[1], crop.shape[0] + 2), np.int8)  # each column between two empty pixels
    columns[:, 1:-1] = crop.T
    edges = np.diff(columns, axis=1)
    x, y = np.nonzero(edges == 1)
    starts = (x + x0) * height + y + y0
    x, y = np.nonzero(edges == -1)
    ends = (x + x0) * height + y + y0
    touching = starts[1:] == ends[:-1]  # a run that reaches the bottom and goes on at the top of the next column
    starts = starts[np.concatenate([[True], ~touching])] if len(starts) else starts
    ends = ends[np.concatenate([~touching, [True]])] if len(ends) else ends
    borders = np.stack([starts, ends], axis=1).ravel()
    runs = np.diff(borders, prepend=0, append=height * width)
    if len(borders) and runs[-1] == 0:
        runs = runs[:-1]
    compressed = coco.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)
    return str(compressed["counts"], "ascii")
