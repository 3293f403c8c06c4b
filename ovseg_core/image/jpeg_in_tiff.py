"""Decode the strips and tiles of a TIFF that are JPEGs (TIFF Technical Note 2)."""

from __future__ import annotations

import numpy as np

from ovseg_core.header import jpeg as jpeg_header
from ovseg_core.header import tiff
from ovseg_core.header.head import unreadable, unsupported
from ovseg_core.header.tiff import Page
from ovseg_core.image import jpeg

# Adobe's segment, which specifies how the components are coded (1: YCbCr, 0: not at all); libjpeg would guess.
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


def samples(page: Page, segments: list[tuple[int, int, memoryview]]) -> np.ndarray:
    """Return (H, W, bands together) uint8, YCbCr converted to RGB. Raises OvsegError `image_unreadable`."""
    (height, width), (rows, columns), bands = page.hw, page.segment_hw, page.bands_together
    is_ycbcr = page.photometric == tiff.YCBCR and bands == 3
    tables = bytes(page.directory.values(tiff.JPEG_TABLES, 1 << 16))[2:-2]
    pixels = np.empty((height, width, bands), np.uint8)
    for y, x, packed in segments:
        if bytes(packed[:2]) != b"\xff\xd8":
            raise unreadable("the TIFF has a strip or tile that is no JPEG, though it says so")
        if bands > 1 and not is_ycbcr and b"JFIF\0" in bytes(packed[:32]):
            raise unsupported("this TIFF has JFIF's JPEGs, but says that they are not YCbCr")
        adobe = ADOBE + bytes([is_ycbcr]) if bands > 1 else b""
        data = b"".join([b"\xff\xd8", adobe, tables, packed[2:]])
        frame = jpeg_header.frame(data)
        jpeg_header.check_scans(data, frame)
        if frame.components != bands or frame.hw not in ((rows, columns), (min(rows, height - y), columns)):
            raise unreadable("the TIFF has a strip or tile of another size than it says")
        colours = {1: "GRAY", 3: "RGB", 4: "CMYK"}[bands]
        part = jpeg.strict(data, np.empty((*frame.hw, bands), np.uint8), colours)
        place = pixels[y : y + rows, x : x + columns]
        place[:] = part[: place.shape[0], : place.shape[1]]
    return pixels
