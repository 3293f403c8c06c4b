"""AVIF by Pillow, that is by libavif; 10 and 12 bits are scaled to 8."""

from __future__ import annotations

import io

import numpy as np
from PIL import AvifImagePlugin


def decode(data: bytes) -> np.ndarray:
    """RGB pixels (H, W, 3) uint8 as stored, before they are turned."""
    image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
