"""The canvas: a square with the image, as a network sees it. Its pixels and the image's pixels differ by a scale.

It is the input of the network. If the input is smaller (`Preset.input_size`), prompts and masks still refer to the
canvas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image

PerChannel = tuple[float, float, float]  # red, green, blue
Resize = Literal["area", "pillow", "stretch"]


@dataclass(frozen=True)
class Frame:
    """The position of an image on its canvas.

    It is at the top left, scaled so that its longer side is the canvas's side. If it `is_stretched`, it fills the
    canvas, and its aspect ratio is lost.
    """

    image_hw: tuple[int, int]
    canvas_size: int
    is_stretched: bool = False

    @property
    def resized_hw(self) -> tuple[int, int]:
        """Height and width of the image on the canvas, in canvas pixels. Each is at least 1, even for a thin image."""
        if self.is_stretched:
            return self.canvas_size, self.canvas_size
        scale = self.canvas_size / max(self.image_hw)
        height, width = (max(1, int(side * scale + 0.5)) for side in self.image_hw)
        return height, width

    @property
    def scale_xy(self) -> np.ndarray:
        """The factors (2,) from image to canvas pixels, for x and y. They differ slightly because of rounding."""
        (height, width), (resized_height, resized_width) = self.image_hw, self.resized_hw
        return np.array([resized_width / width, resized_height / height])


def draw(image_rgb: np.ndarray, frame: Frame, mean: PerChannel, std: PerChannel, resize: Resize = "area") -> np.ndarray:
    """Return the normalised canvas (1, 3, S, S) float32 of an image (H, W, 3) uint8; it is zero outside the image.

    `resize` must be the method that the network was trained with. "area" averages the pixels that fall together.
    "pillow" is Pillow's bilinear filter: SAM was trained with it. PaddleX uses it too, and its pixels are equal to the
    last bit. "stretch" is for a frame that `is_stretched`, and filters as "pillow" but does not round: SAM 2 was
    trained with that, which is torchvision's resizing of float32 images.
    """
    if resize == "stretch":
        return _stretched(image_rgb, frame.canvas_size, mean, std)
    height, width = frame.resized_hw
    canvas = np.zeros((1, 3, frame.canvas_size, frame.canvas_size), np.float32)
    resized = _pillow(image_rgb, (width, height)) if resize == "pillow" else _area(image_rgb, (width, height))
    values = np.arange(256, dtype=np.float32)
    for channel, target in enumerate(canvas[0, :, :height, :width]):
        normalised = (values - np.float32(mean[channel])) / np.float32(std[channel])
        cv2.LUT(cv2.extractChannel(resized, channel), normalised, target)
    return canvas


def _stretched(image_rgb: np.ndarray, side: int, mean: PerChannel, std: PerChannel) -> np.ndarray:
    canvas = np.empty((1, 3, side, side), np.float32)
    for channel, target in enumerate(canvas[0]):
        pixels = Image.fromarray(cv2.extractChannel(image_rgb, channel)).convert("F")  # float32
        target[:] = pixels.resize((side, side), Image.Resampling.BILINEAR)
        target -= np.float32(mean[channel])
        target /= np.float32(std[channel])
    return canvas


def _area(image_rgb: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    shrinks = max(wh) < max(image_rgb.shape[:2])
    resized: np.ndarray = cv2.resize(image_rgb, wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized


def _pillow(image_rgb: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(image_rgb).resize(wh, Image.Resampling.BILINEAR))
