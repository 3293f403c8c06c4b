"""Decode HEIC with pillow-heif; libheif applies rotation and crop, and samples of 10 and 12 bits are scaled to 8."""

from __future__ import annotations

import io

import numpy as np


def decode(data: bytes) -> np.ndarray:
    """Return upright RGB pixels (H, W, 3) uint8."""
    import pillow_heif  # an optional extra

    image = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True).to_pillow()
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
