"""Pixels to PNG files."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from ovseg_core import longest_sides
from ovseg_core.mask import Mask


def of(pixels: np.ndarray) -> bytes:
    """A PNG file of grey (H, W) or RGB (H, W, 3) uint8, with sides of any length. May change the array."""
    if max(pixels.shape[:2]) > longest_sides.PNG_BY_OPENCV:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)  # OpenCV's level
        return buffer.getvalue()
    if pixels.ndim == 3:
        cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=pixels)
    is_written, data = cv2.imencode(".png", pixels)
    if not is_written:
        raise RuntimeError(f"OpenCV cannot write a PNG of {pixels.shape}")
    written: bytes = data.tobytes()
    return written


def of_mask(mask: Mask) -> bytes:
    """The whole frame, 255 on the object and 0 elsewhere."""
    return of(mask.full().view(np.uint8) * np.uint8(255))
