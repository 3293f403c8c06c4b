"""The square that the network sees, and the scale between its pixels and the image's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image

PerChannel = tuple[float, float, float]  # red, green, blue
Resize = Literal["area", "pillow"]


@dataclass(frozen=True)
class Frame:
    """How an image lies on its canvas: top left, its longer side as long as the canvas."""

    image_hw: tuple[int, int]
    canvas_size: int

    @property
    def resized_hw(self) -> tuple[int, int]:
        """The part of the canvas that the image covers; at least one pixel, however thin the image."""
        scale = self.canvas_size / max(self.image_hw)
        height, width = (max(1, int(side * scale + 0.5)) for side in self.image_hw)
        return height, width

    @property
    def scale_xy(self) -> np.ndarray:
        """Multiply x and y of image pixels by these to get canvas pixels. They differ a little, by rounding."""
        (height, width), (resized_height, resized_width) = self.image_hw, self.resized_hw
        return np.array([resized_width / width, resized_height / height])


def letterbox(
    image_rgb: np.ndarray, frame: Frame, mean: PerChannel, std: PerChannel, resize: Resize = "area"
) -> np.ndarray:
    """Image (H, W, 3) uint8 to a normalised canvas (1, 3, S, S) float32, zero where there is no image.

    `resize` is what the network was trained with: "area" averages the pixels that fall together; "pillow" is Pillow's
    bilinear filter, which SAM was trained with, and PaddleX uses: the same pixels to the last bit.
    """
    height, width = frame.resized_hw
    canvas = np.zeros((1, 3, frame.canvas_size, frame.canvas_size), np.float32)
    resized = _pillow(image_rgb, (width, height)) if resize == "pillow" else _area(image_rgb, (width, height))
    values = np.arange(256, dtype=np.float32)
    for channel, place in enumerate(canvas[0, :, :height, :width]):
        normal = (values - np.float32(mean[channel])) / np.float32(std[channel])
        cv2.LUT(cv2.extractChannel(resized, channel), normal, place)
    return canvas


def _area(image_rgb: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    shrinks = max(wh) < max(image_rgb.shape[:2])
    resized: np.ndarray = cv2.resize(image_rgb, wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized


def _pillow(image_rgb: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(image_rgb).resize(wh, Image.Resampling.BILINEAR))
