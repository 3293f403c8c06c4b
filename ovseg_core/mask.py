"""The mask of one object, in pixels of its image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from ovseg_core import rle


@dataclass(frozen=True, eq=False)
class Mask:
    """The mask of one object. It stores the runs inside its bounding box, not an array as large as the image.

    Attributes:
        image_hw: height and width of the image in pixels.
        box_xyxy: the tightest box around the mask, (x0, y0, x1, y1) in whole pixels, x1 and y1 exclusive; (0, 0, 0, 0)
            for an empty mask.
        borders: where runs begin and end inside the box, column by column; int64, see `rle.borders`.
        area: number of pixels in the mask.
        score: the network's own estimate of the mask's IoU, 0 to 1 (Segment Anything, https://arxiv.org/abs/2304.02643,
            section 3); None if the network predicts none.
    """

    image_hw: tuple[int, int]
    box_xyxy: tuple[int, int, int, int]
    borders: np.ndarray
    area: int
    score: float | None

    @classmethod
    def of_crop(cls, crop: np.ndarray, xy: tuple[int, int], image_hw: tuple[int, int], score: float | None) -> Mask:
        """Make a mask from the pixels of a part of the image. The rest of the image is outside the mask.

        Args:
            crop: (h, w) bool, the pixels of the part.
            xy: x and y of its top left pixel in the image.
            image_hw: height and width of the image in pixels.
            score: predicted IoU of the mask, 0 to 1, or None.

        Returns:
            The mask, with the tightest box around its pixels.
        """
        rows, columns = np.flatnonzero(crop.any(axis=1)), np.flatnonzero(crop.any(axis=0))
        if not len(rows):
            return cls(image_hw, (0, 0, 0, 0), np.empty(0, np.int64), 0, score)
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        tight = crop[top:bottom, left:right]
        box = (int(xy[0] + left), int(xy[1] + top), int(xy[0] + right), int(xy[1] + bottom))
        return cls(image_hw, box, rle.borders(tight), int(np.count_nonzero(tight)), score)

    @classmethod
    def of_borders(
        cls,
        borders: np.ndarray,
        hw: tuple[int, int],
        xy: tuple[int, int],
        image_hw: tuple[int, int],
        score: float | None,
    ) -> Mask:
        """Make a mask from the borders of a part of the image. The rest of the image is outside the mask.

        Args:
            borders: where runs begin and end inside the part, column by column; see `rle.borders`.
            hw: height and width of the part in pixels.
            xy: x and y of its top left pixel in the image.
            image_hw: height and width of the image in pixels.
            score: predicted IoU of the mask, 0 to 1, or None.

        Returns:
            The mask, with the tightest box around its pixels.
        """
        if not len(borders):
            return cls(image_hw, (0, 0, 0, 0), borders, 0, score)
        tight, (x0, y0, x1, y1) = rle.tight(borders, hw[0])
        box = (x0 + xy[0], y0 + xy[1], x1 + xy[0], y1 + xy[1])
        return cls(image_hw, box, tight, int((tight[1::2] - tight[::2]).sum()), score)

    def moved(self, xy: tuple[int, int], image_hw: tuple[int, int]) -> Mask:
        """Return the mask in a larger image, in which the top left pixel of its own image is at `xy`."""
        if not self.area:
            return replace(self, image_hw=image_hw)
        (x0, y0, x1, y1), (x, y) = self.box_xyxy, xy
        return replace(self, image_hw=image_hw, box_xyxy=(x0 + x, y0 + y, x1 + x, y1 + y))

    def crop(self) -> np.ndarray:
        """Return the pixels inside `box_xyxy`: (h, w) bool; (0, 0) for an empty mask."""
        return rle.pixels(self.borders, self._hw) if self.area else np.zeros((0, 0), bool)

    def full(self) -> np.ndarray:
        """Return the mask for all pixels of the image: (H, W) bool, a byte for each pixel. Do not keep many of them."""
        frame = np.zeros(self.image_hw, bool)
        x0, y0, x1, y1 = self.box_xyxy
        frame[y0:y1, x0:x1] = self.crop()
        return frame

    @cached_property
    def counts(self) -> str:
        """COCO's compressed RLE of the mask for the whole image: `counts` in https://cocodataset.org/#format-data."""
        return rle.compressed(self._borders_in_image, self.image_hw)

    @property
    def runs(self) -> list[int]:
        """COCO's uncompressed RLE of the mask for the whole image: lengths of runs, in turn outside and inside it."""
        return rle.runs(self._borders_in_image, self.image_hw)

    @property
    def _borders_in_image(self) -> np.ndarray:
        return rle.placed(self.borders, self._hw, self.box_xyxy[:2], self.image_hw) if self.area else self.borders

    @property
    def _hw(self) -> tuple[int, int]:
        x0, y0, x1, y1 = self.box_xyxy
        return y1 - y0, x1 - x0


def score_of(predicted_iou: float) -> float | None:
    """Return the score of a mask from a network's predicted IoU, which may exceed 1 slightly; None for NaN."""
    return None if np.isnan(predicted_iou) else round(float(np.clip(predicted_iou, 0, 1)), 4)


def centre_of(pixels: np.ndarray) -> tuple[float, float]:
    """Return x and y of the pixel centre that is farthest from the edge of a mask (h, w) bool."""
    depth = cv2.distanceTransform(np.pad(pixels.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return float(x) + 0.5, float(y) + 0.5
