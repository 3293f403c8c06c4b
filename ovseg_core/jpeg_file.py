"""JPEG files of pixels."""

from __future__ import annotations

import cv2
import numpy as np

QUALITY = 90


def of(pixels: np.ndarray, quality: int = QUALITY) -> bytes:
    """Return a JPEG file of pixels, RGB (H, W, 3) uint8. Changes the array, to save memory: a photo may be large."""
    cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR, dst=pixels)
    is_written, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_written:
        raise RuntimeError(f"OpenCV cannot write a JPEG of {pixels.shape}")
    written: bytes = data.tobytes()
    return written
