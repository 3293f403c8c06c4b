"""Decode a page of a TIFF."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ovseg_core.header import tiff, tiff_directory
from ovseg_core.header.head import unreadable
from ovseg_core.header.tiff import Page
from ovseg_core.image import tiff_samples

# How many bands make a colour; further bands are alpha.
BANDS = {tiff.RGB: 3, tiff.SEPARATED: 4, tiff.YCBCR: 3, tiff.CIELAB: 3}
PILLOW = {tiff.SEPARATED: "CMYK", tiff.YCBCR: "YCbCr", tiff.CIELAB: "LAB"}


def decode(data: bytes) -> np.ndarray:
    """Return RGB pixels (H, W, 3) uint8 of the first page, as stored."""
    return of_page(tiff.page(tiff_directory.first(data)))


def of_page(page: Page) -> np.ndarray:
    """Return RGB pixels (H, W, 3) uint8, as stored; samples of 16 bits are reduced to their high byte.

    Raises OvsegError `image_unreadable`, `image_too_costly`.
    """
    bands = BANDS.get(page.photometric, 1)
    samples = tiff_samples.of(page, bands)[..., :bands]
    if page.bits == 16:
        samples = (samples >> 8).astype(np.uint8)
    if page.photometric == tiff.PALETTE:
        colours: np.ndarray = _palette(page)[samples[..., 0]]
        return colours
    if page.photometric in (tiff.BLACK_IS_ZERO, tiff.WHITE_IS_ZERO):
        grey = samples * np.uint8(255 // ((1 << page.bits) - 1)) if page.bits < 8 else samples
        return np.repeat(255 - grey if page.photometric == tiff.WHITE_IS_ZERO else grey, 3, axis=2)
    if page.photometric == tiff.RGB or (page.photometric == tiff.YCBCR and page.compression == tiff.JPEG):
        return samples
    mode, (height, width) = PILLOW[page.photometric], page.hw
    image = Image.frombytes(mode, (width, height), np.ascontiguousarray(samples).tobytes(), "raw", mode)
    return np.asarray(image.convert("RGB"))


def _palette(page: Page) -> np.ndarray:
    """Return (colours, 3) uint8."""
    count = 1 << page.bits
    values = page.directory.values(tiff.COLOURS, 3 * count)
    if len(values) < 3 * count:
        raise unreadable("this TIFF lacks colours in its palette")
    colours = np.array(values).reshape(3, count).T
    # Some programs write 8 bits, although the standard has 16.
    return (colours if colours.max() < 256 else colours >> 8).astype(np.uint8)
