"""BMP by Pillow, and by OpenCV where it is packed by run lengths, which Pillow unpacks in Python."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import BmpImagePlugin

from ovseg_core.header import bmp
from ovseg_core.header.head import unreadable, unsupported


def decode(data: bytes) -> np.ndarray:
    """RGB pixels (H, W, 3) uint8. Raises OvsegError `image_unreadable`, `image_format_unsupported`."""
    bitmap = bmp.bitmap(data)
    if bitmap.compression in (bmp.RLE4, bmp.RLE8):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None or pixels.shape[:2] != bitmap.hw:
            raise unreadable("the BMP is corrupt or breaks off")
        rgb: np.ndarray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
        return rgb
    try:
        image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    except OSError as error:
        if "bitfields" in str(error):
            raise unsupported("this BMP has unusual colour masks, which are not supported") from None
        raise
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
