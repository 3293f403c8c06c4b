"""Decode BMP: 16 and 32 bits with NumPy, run lengths with OpenCV (Pillow does them in Python), others with Pillow."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import BmpImagePlugin

from ovseg_core.header import bmp
from ovseg_core.header.bmp import Bitmap
from ovseg_core.header.head import unreadable, unsupported


def decode(data: bytes) -> np.ndarray:
    """Return RGB pixels (H, W, 3) uint8. Raises OvsegError `image_unreadable`, `image_format_unsupported`."""
    bitmap = bmp.bitmap(data)
    if bitmap.masks is not None:
        return _by_masks(data, bitmap, bitmap.masks)
    if bitmap.compression in (bmp.RLE4, bmp.RLE8):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None or pixels.shape[:2] != bitmap.hw:
            raise unreadable("the BMP is corrupt or breaks off")
        rgb: np.ndarray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
        return rgb
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _by_masks(data: bytes, bitmap: Bitmap, masks: tuple[int, int, int]) -> np.ndarray:
    height, width = bitmap.hw
    each = bitmap.bits // 8
    row_bytes = -(-width * each // 4) * 4
    if len(data) < bitmap.pixels_at + (height - 1) * row_bytes + width * each:
        raise unreadable("the BMP breaks off")
    rows = np.ndarray((height, width), f"<u{each}", data, bitmap.pixels_at, (row_bytes, each))
    if not bitmap.is_top_down:
        rows = rows[::-1]
    pixels = np.empty((height, width, 3), np.uint8)
    for band, mask in enumerate(masks):
        pixels[..., band] = _scaled(rows, mask)
    return pixels


def _scaled(rows: np.ndarray, mask: int) -> np.ndarray:
    """Return the bits of each pixel that the mask selects, scaled to 0 to 255."""
    low = (mask & -mask).bit_length() - 1
    most = mask >> max(low, 0)
    if not mask or most & (most + 1) or mask > np.iinfo(rows.dtype).max:
        raise unsupported(f"this BMP has the colour mask {mask:#x}; supported are masks of one run of bits")
    if most == 255 and low % 8 == 0:
        return rows.view(np.uint8)[:, low // 8 :: rows.itemsize]
    values = rows & mask
    values >>= low
    if most > 255:
        values >>= most.bit_length() - 8
    elif most < 255:
        values = (values * 255 + most // 2) // most
    return values
