"""Read the header of an image file, without decoding a pixel and without a library that could decode one.

Each format's reader looks at a bounded number of segments. So no file of a size that the service accepts costs more
than a fraction of a second, or more than a little memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from ovseg_core.errors import OvsegError
from ovseg_core.header import bmp, heif, jpeg, png, pnm, tiff, webp
from ovseg_core.header.head import Header, unreadable, unsupported

__all__ = ["FORMATS", "MOST_PIXELS", "Header", "read"]

READERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "WEBP": webp.read,
    "BMP": bmp.read,
    "TIFF": tiff.read,
    "PPM": pnm.read,
    "AVIF": heif.read_avif,
    "HEIC": heif.read_heic,
}
FORMATS = tuple(READERS)
MOST_PIXELS = 178_956_970  # three bytes each, together an eighth of 4 GiB; no setting allows more
# The first bytes of formats that are not supported, so that an error can name the format.
OTHERS = {
    b"GIF8": "GIF",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"<?xml": "XML",
    b"<!DOCTYPE": "HTML",
    b"<!doctype": "HTML",
    b"<html": "HTML",
    b"8BPS": "PSD",
    b"Pf": "PFM",
    b"PF": "PFM",
    b"P7": "PAM",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "HDR",
    b"\0\0\1\0": "ICO",
}


def read(data: bytes, max_pixels: int) -> Header:
    """Read the header of an image file.

    The pixel count is checked here, before anything is allocated for it: a PNG of 50 kB can declare 400 megapixels.

    Raises OvsegError `image_empty`, `image_unreadable`, `image_format_unsupported`, `image_too_many_pixels` or
    `image_too_costly`.
    """
    if not data:
        raise OvsegError("image_empty", "the image has no bytes", "image")
    name = format_of(data)
    try:
        header = READERS[name](data)
    except (struct.error, IndexError):  # the file ends within its header
        raise unreadable(f"this begins like a {name} file, but its header is broken") from None
    check_pixels(header, max_pixels)
    return header


def check_pixels(header: Header, max_pixels: int) -> None:
    """Raise OvsegError `image_unreadable` for no pixels, `image_too_many_pixels` for more than `max_pixels`."""
    (height, width), most = header.image_hw, min(max_pixels, MOST_PIXELS)
    if width <= 0 or height <= 0:
        raise unreadable(f"the image has {width} x {height} pixels")
    if width * height > most:
        message = f"the image has {width} x {height} = {width * height:,} pixels; at most {most:,} are allowed"
        raise OvsegError("image_too_many_pixels", message, "image")


def format_of(data: bytes) -> str:
    """Return one of FORMATS by the file's first bytes. Raises OvsegError `image_format_unsupported` for other files."""
    allowed = f"allowed: {', '.join(FORMATS)}"
    if data.startswith(b"\xff\xd8"):
        return "JPEG"
    if data.startswith(b"\x89PNG"):
        return "PNG"
    if data.startswith(b"RIFF"):
        if data[8:12] == b"WEBP":
            return "WEBP"
        raise unsupported(f"this RIFF file is no WebP image; {allowed}")
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith(tiff.SIGNATURES):
        return "TIFF"
    if data.startswith(pnm.SIGNATURES):
        return "PPM"
    if data[4:8] == b"ftyp":
        return heif.format_of(data, allowed)
    start = data[:1024].lstrip()
    for signature, name in OTHERS.items():
        if start.startswith(signature):
            raise unsupported(f"{name} is not supported; {allowed}")
    raise unsupported(f"this is not an image of a known format; {allowed}")
