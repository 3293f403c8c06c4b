"""The square the network sees, and the way between its pixels and the image's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """How an image lies on its canvas: top left, its longer side as long as the canvas.

    Multiply image pixels by `scale` to get canvas pixels.
    """

    image_hw: tuple[int, int]
    canvas_size: int

    @property
    def scale(self) -> float:
        return self.canvas_size / max(self.image_hw)

    @property
    def resized_hw(self) -> tuple[int, int]:
        """The part of the canvas that the image covers; at least one pixel, however thin the image."""
        height, width = self.image_hw
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))


def letterbox(image_rgb: np.ndarray, frame: Frame, mean: RGB, std: RGB) -> np.ndarray:
    """Image (H, W, 3) uint8 to a normalised canvas (1, 3, S, S) float32, zero where there is no image."""
    height, width = frame.resized_hw
    shrinks = frame.scale < 1
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR  # area: no aliasing of fine texture
    resized = cv2.resize(image_rgb, (width, height), interpolation=interpolation)
    canvas = np.zeros((1, 3, frame.canvas_size, frame.canvas_size), np.float32)
    normal = (resized.astype(np.float32) - np.array(mean, np.float32)) / np.array(std, np.float32)
    canvas[0, :, :height, :width] = normal.transpose(2, 0, 1)
    return canvas
