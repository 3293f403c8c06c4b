"""Decode JPEG with libjpeg-turbo. Its warnings are errors, except those that change no pixel."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
import simplejpeg
from PIL import Image, JpegImagePlugin

from ovseg_core.header import jpeg
from ovseg_core.header.head import unreadable, unsupported

# Warnings of libjpeg about files whose pixels are correct. It reports only the first warning, so such a file is decoded
# again without the bytes that caused it.
HARMLESS = (
    "extraneous bytes before marker",
    "unknown JFIF revision",
    "Unknown Adobe color transform",
    "Invalid SOS parameters",
    "bad ICC marker",
)
# A few bytes after the last code, such as a line break, are no sign of damage. More bytes are, unless they are zeros.
STRAY = re.compile(r"data: [1-4] extraneous bytes before marker 0xd9$")
UNKNOWN_SAMPLING = "Could not determine subsampling"
OTHER_DATA = bytes(range(1, 255))  # contains no markers
FEW = 4  # bytes at the end of the data
ADOBE_TRANSFORM_AT = 15  # offset in the segment, from its marker
Allocate = Callable[[tuple[int, int, int], type[np.uint8]], np.ndarray]


def decode(data: bytes, allocate: Allocate = np.empty) -> np.ndarray:
    """Decode to RGB pixels (H, W, 3) uint8 as stored, in an array that `allocate(shape, dtype)` makes.

    Raises OvsegError `image_unreadable` if the file is truncated or corrupt.
    """
    frame = jpeg.frame(data)
    pixels = allocate((*frame.hw, 3), np.uint8)
    if frame.components == 4:
        cmyk = strict(data, np.empty((*frame.hw, 4), np.uint8), "CMYK")
        # Adobe stores CMYK inverted, and other programs follow it; Pillow and OpenCV read every such file that way.
        np.subtract(255, cmyk, out=cmyk)
        pixels[:] = np.asarray(Image.frombuffer("CMYK", frame.hw[::-1], cmyk, "raw", "CMYK", 0, 1).convert("RGB"))
        return pixels
    return strict(data, pixels, "RGB")


def strict(data: bytes, pixels: np.ndarray, colours: str) -> np.ndarray:
    """Fill and return `pixels`. Raises OvsegError `image_unreadable`."""
    for clean in (bytes, plain, _without_padding):
        try:
            simplejpeg.decode_jpeg(clean(data), colours, buffer=pixels)
            return pixels
        except ValueError as error:
            warning = str(error)
            if STRAY.search(warning):  # no other warning can follow: the rest would be after the picture
                return pixels
            if UNKNOWN_SAMPLING in warning:
                return _of_unusual_sampling(_without_padding(data), pixels)
            if not any(words in warning for words in HARMLESS):
                break
    raise unreadable(f"the JPEG is corrupt or breaks off: {warning}")


def plain(data: bytes, has_padding: bool = True) -> bytes:
    """Return the same file with only the segments and scans that make its pixels, in the form of the standard."""
    parts = [data[:2]]
    coding, scan_at = 0, 0
    for code, at, length in jpeg.segments(data):
        if scan_at:
            scan = data[scan_at:at]
            if not has_padding:
                scan = scan.rstrip(b"\xff")
                scan = scan[: len(scan.rstrip(b"\0")) + 1]  # a zero after 0xFF is part of it
            parts.append(scan)
            scan_at = 0
        segment = bytearray(data[at : at + 2 + length])
        if code in jpeg.FRAMES:
            coding = code
        elif code == jpeg.APP0 and segment[4:9] == b"JFIF\0":
            segment[9:11] = 1, 1  # revision
        elif code == jpeg.APP14 and segment[4:9] == b"Adobe" and len(segment) > ADOBE_TRANSFORM_AT:
            # libjpeg assumes the usual value for what it does not know.
            segment[ADOBE_TRANSFORM_AT] = min(segment[ADOBE_TRANSFORM_AT], 2)
        elif jpeg.APP0 <= code <= 0xEF or code == 0xFE:  # other programs' segments, and comments
            continue
        elif code == jpeg.SOS:
            if coding in jpeg.SEQUENTIAL:
                segment[-3:] = 0, 63, 0
            scan_at = at + 2 + length
        parts.append(bytes(segment))
    return b"".join(parts)


def _without_padding(data: bytes) -> bytes:
    """Remove zeros and 0xFF after the end of a scan, which some cameras write to fill a block."""
    return plain(data, has_padding=False)


def _of_unusual_sampling(data: bytes, pixels: np.ndarray) -> np.ndarray:
    """Fill and return `pixels` for chroma samplings that libjpeg-turbo's own interface refuses.

    ImageMagick's CMYK files have such samplings.

    Pillow reads such files, but hides libjpeg's warnings. So the data is decoded once more with other bytes after it,
    and once with other bytes at its end. The first must change no pixel, or the data is truncated; the second must
    change some, or the data is too long.
    """
    codes = [code for code, _, _ in jpeg.segments(data)]
    if codes.count(jpeg.SOS) > 1 or jpeg.DRI in codes:
        raise unsupported("this JPEG has an unusual sampling of its colours, and several scans or restarts")
    end = data.rfind(b"\xff\xd9")
    if end < 0:
        raise unreadable("the JPEG breaks off")
    whole = _by_pillow(data[:end])
    longer, altered = data[:end] + OTHER_DATA, data[: end - FEW].rstrip(b"\xff") + OTHER_DATA[:FEW]
    if not np.array_equal(whole, _by_pillow(longer)) or np.array_equal(whole, _by_pillow(altered)):
        raise unreadable("the JPEG is corrupt or breaks off")
    pixels[:] = whole
    if pixels.shape[2] == 4:
        np.subtract(255, pixels, out=pixels)  # Pillow inverts CMYK, libjpeg does not
    return pixels


def _by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(JpegImagePlugin.JpegImageFile(io.BytesIO(data + b"\xff\xd9")))
