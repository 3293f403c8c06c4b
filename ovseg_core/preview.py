"""A small copy of an image, for people who look at it."""

from __future__ import annotations

import numpy as np

from ovseg_core import jpeg_file, overlay

MAX_SIDE = 2048  # pixels: enough for a screen, and a few hundred kilobytes


def jpeg(picture: np.ndarray) -> bytes:
    """Return an image, (H, W, 3) uint8 RGB, as a JPEG file whose sides have at most MAX_SIDE pixels."""
    fitted = overlay.fitted(picture, MAX_SIDE)
    return jpeg_file.of(fitted.copy() if fitted is picture else fitted)
