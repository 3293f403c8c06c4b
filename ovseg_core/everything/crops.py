"""The crops of an image that everything mode runs on, and the clicks in each of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from ovseg_core.everything.options import EverythingOptions

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of the image, or the whole image.

    Attributes:
        box_xyxy: x0, y0, x1, y1 in whole pixels of the image, x1 and y1 exclusive.
        image_hw: height and width of the image in pixels.
        points: (P, 2) float64, x and y of its clicks, in pixels of the crop.
    """

    box_xyxy: Box
    image_hw: tuple[int, int]
    points: np.ndarray

    @property
    def is_whole(self) -> bool:
        """True if the crop is the whole image."""
        return self.box_xyxy == (0, 0, self.image_hw[1], self.image_hw[0])

    @property
    def area(self) -> int:
        """Number of its pixels."""
        x0, y0, x1, y1 = self.box_xyxy
        return (x1 - x0) * (y1 - y0)

    def pixels(self, image_rgb: np.ndarray) -> np.ndarray:
        """Return its pixels (h, w, 3), from those of the image (H, W, 3)."""
        x0, y0, x1, y1 = self.box_xyxy
        return image_rgb[y0:y1, x0:x1]


def of(image_hw: tuple[int, int], options: EverythingOptions) -> list[Crop]:
    """Return the whole image, and then the crops of each layer.

    Crops without pixels are left out (very thin images have them), and so are crops without clicks.
    """
    crops = []
    for layer in range(options.crop_n_layers + 1):
        grid = _grid(options, layer)
        for box in _boxes(image_hw, layer, options.crop_overlap_ratio):
            x0, y0, x1, y1 = box
            if x0 < x1 and y0 < y1 and len(grid):
                crops.append(Crop(box, image_hw, grid * (x1 - x0, y1 - y0)))
    return crops


def _grid(options: EverythingOptions, layer: int) -> np.ndarray:
    """Return the clicks (P, 2) of each crop of a layer, as shares of its sides."""
    if options.point_grids is not None:
        return np.array(options.point_grids[layer], float).reshape(-1, 2)
    side = options.side_of(layer)
    if not side:
        return np.empty((0, 2))
    along = np.linspace(1 / (2 * side), 1 - 1 / (2 * side), side)
    return np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)


def _boxes(image_hw: tuple[int, int], layer: int, overlap_ratio: float) -> list[Box]:
    height, width = image_hw
    count = 2**layer  # of crops along a side
    overlap = int(overlap_ratio * min(image_hw) * (2 / count)) if layer else 0
    crop_height, crop_width = (math.ceil((overlap * (count - 1) + side) / count) for side in image_hw)
    starts = (range(count), range(count))
    corners = ((i * (crop_width - overlap), j * (crop_height - overlap)) for i, j in product(*starts))
    return [(x, y, min(x + crop_width, width), min(y + crop_height, height)) for x, y in corners]
