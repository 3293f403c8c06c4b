"""PNG files of pixels and of masks."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from ovseg_core import longest_sides
from ovseg_core.mask import Mask


def of(pixels: np.ndarray) -> bytes:
    """Return a PNG file of pixels, grey (H, W) or RGB (H, W, 3) uint8, of any size. May change the array."""
    if max(pixels.shape[:2]) > longest_sides.PNG_BY_OPENCV:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)  # the level that OpenCV uses
        return buffer.getvalue()
    if pixels.ndim == 3:
        cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=pixels)
    is_written, data = cv2.imencode(".png", pixels)
    if not is_written:
        raise RuntimeError(f"OpenCV cannot write a PNG of {pixels.shape}")
    written: bytes = data.tobytes()
    return written


def of_mask(mask: Mask) -> bytes:
    """Return a grey PNG file as large as the image: 255 on the object and 0 elsewhere."""
    pixels = mask.full().view(np.uint8)
    pixels *= 255  # in place, to save memory: an image may be large, and a worker writes several files at a time
    return of(pixels)
