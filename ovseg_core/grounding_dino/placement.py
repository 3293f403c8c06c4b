"""How an image is placed on a canvas.

It is scaled as in the training: to a shorter side of 800 pixels, or less if the longer side would exceed 1,333. Then it
is put at the top left of the smallest canvas that contains it. There are few canvases, because engines prepare
themselves for each size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of red, green and blue from 0 to 1


@dataclass(frozen=True)
class Placement:
    """The sizes, in pixels. Sides of canvases are multiples of 32, and a canvas contains every image of its shape.

    Two canvases are for images up to 4:3, and two for longer ones, which need a quarter more work.
    """

    short_side: int = 800
    long_side: int = 1333
    canvases: tuple[tuple[int, int], ...] = ((800, 1088), (1088, 800), (800, 1344), (1344, 800))

    def resized_hw(self, image_hw: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width of an image on its canvas. Each is at least 1, even for a thin image."""
        height, width = scaled_hw(image_hw, self.short_side, self.long_side)
        return min(self.long_side, height), min(self.long_side, width)

    def canvas_hw(self, resized_hw: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width of the smallest canvas that contains an image of this size."""
        height, width = resized_hw
        fitting = [hw for hw in self.canvases if hw[0] >= height and hw[1] >= width]
        return min(fitting, key=lambda hw: hw[0] * hw[1])


def scaled_hw(image_hw: tuple[int, int], short_side: int, long_side: int) -> tuple[int, int]:
    """Return the height and width to which the training scales an image.

    Because of rounding, the longer side of a long image can be larger than `long_side`.
    """
    shorter, longer = min(image_hw), max(image_hw)
    side = min(short_side, max(1, round(long_side * shorter / longer)))
    other = int(side * longer / shorter)
    return (side, other) if image_hw[0] <= image_hw[1] else (other, side)


def drawn(image_rgb: np.ndarray, resized_hw: tuple[int, int], canvas_hw: tuple[int, int]) -> np.ndarray:
    """Return the normalised canvas (1, 3, H, W) float32 with an image (h, w, 3) uint8; it is zero beyond the image."""
    height, width = resized_hw
    resized = np.asarray(Image.fromarray(image_rgb).resize((width, height), Image.Resampling.BILINEAR))
    canvas = np.zeros((1, 3, *canvas_hw), np.float32)
    values = np.arange(256, dtype=np.float32) / np.float32(255)  # the steps and rounding of torchvision and PaddleX
    for channel, target in enumerate(canvas[0, :, :height, :width]):
        normalised = (values - np.float32(MEAN[channel])) / np.float32(STD[channel])
        cv2.LUT(cv2.extractChannel(resized, channel), normalised, target)
    return canvas
