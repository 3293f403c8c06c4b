"""HEIC by pillow-heif, that is by libheif, which turns and crops as the file says; 10 and 12 bits are scaled to 8."""

from __future__ import annotations

import io

import numpy as np


def decode(data: bytes) -> np.ndarray:
    """RGB pixels (H, W, 3) uint8, upright."""
    import pillow_heif  # an extra

    image = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True).to_pillow()
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
