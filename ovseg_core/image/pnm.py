"""Decode PNM with NumPy."""

from __future__ import annotations

import re

import numpy as np

from ovseg_core.header import pnm
from ovseg_core.header.head import unreadable

COMMENT = re.compile(rb"#[^\n\r]*+")
OTHER = re.compile(rb"[^0-9 \t\n\v\f\r]")
BLANKS = b" \t\n\v\f\r"
LONGEST_NUMBER = re.compile(rb"[0-9]{11}")  # including leading zeros


def decode(data: bytes) -> np.ndarray:
    """Decode to RGB pixels (H, W, 3) uint8.

    Values are scaled so that the header's maximum becomes 255; values of more than 8 bits are scaled to 16 bits and
    reduced to their high byte.

    Raises OvsegError `image_unreadable`.
    """
    raster = pnm.raster(data)
    values = _bits(data, raster) if raster.kind in (1, 4) else _numbers(data, raster)
    height, width = raster.hw
    pixels = _scaled(values, raster.maxval).reshape(height, width, raster.bands)
    return np.repeat(pixels, 3, axis=2) if raster.bands == 1 else pixels


def _bits(data: bytes, raster: pnm.Raster) -> np.ndarray:
    """Return (H, W); 0 is black."""
    height, width = raster.hw
    if raster.kind == 1:
        text = COMMENT.sub(b"", data[raster.pixels_at :]).translate(None, BLANKS)
        ink = np.frombuffer(text, np.uint8, count=_enough(len(text), height * width)) - np.uint8(ord("0"))
        if ink.max() > 1:
            raise unreadable("this PBM has something else than 0 and 1 among its pixels")
        return 1 - ink
    row = -(-width // 8)
    packed = np.frombuffer(data, np.uint8, _enough(len(data) - raster.pixels_at, height * row), raster.pixels_at)
    return 1 - np.unpackbits(packed.reshape(height, row), axis=1, count=width)


def _numbers(data: bytes, raster: pnm.Raster) -> np.ndarray:
    """Return (H * W * bands) values."""
    count = raster.hw[0] * raster.hw[1] * raster.bands
    if raster.kind in (5, 6):
        kind = np.dtype(np.uint8 if raster.maxval < 256 else ">u2")
        _enough(len(data) - raster.pixels_at, count * kind.itemsize)
        values = np.frombuffer(data, kind, count, raster.pixels_at)
    else:
        text = COMMENT.sub(b"", data[raster.pixels_at :])
        if other := OTHER.search(text):
            text = text[: other.start()]  # may be an end mark, or text after the picture
        if LONGEST_NUMBER.search(text):
            raise unreadable("this PNM has a number of more than 10 digits among its pixels")
        values = np.fromstring(text, np.int64, sep=" ")
        values = values[: _enough(len(values), count)]
    if values.max() > raster.maxval:
        raise unreadable(f"this PNM has a value of {values.max()}, beyond its largest, {raster.maxval}")
    return values


def _scaled(values: np.ndarray, maxval: int) -> np.ndarray:
    if maxval == 255:
        return values.astype(np.uint8)
    levels = np.arange(maxval + 1)
    wanted = 255 if maxval < 255 else 65535
    table = (levels * wanted * 2 + maxval) // (2 * maxval)  # rounded
    table = table if maxval < 255 else table >> 8
    scaled: np.ndarray = table.astype(np.uint8)[values]
    return scaled


def _enough(there: int, wanted: int) -> int:
    if there < wanted:
        raise unreadable(f"the PNM breaks off: of {wanted:,} values it has {max(0, there):,}")
    return wanted
