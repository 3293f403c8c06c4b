"""Decode AVIF with Pillow, which uses libavif; samples of 10 and 12 bits are scaled to 8."""

from __future__ import annotations

import io

import numpy as np
from PIL import AvifImagePlugin


def decode(data: bytes) -> np.ndarray:
    """Return RGB pixels (H, W, 3) uint8 as stored, before rotation."""
    image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
