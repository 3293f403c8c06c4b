"""What an image file says of itself, read without decoding a pixel."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from ovseg_core.errors import OvsegError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM")  # as Pillow names them
BEGINNINGS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"RIFF": "WEBP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"GIF8": "GIF",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"<!DOCTYPE": "HTML",
    b"<!doctype": "HTML",
    b"<html": "HTML",
}
PILLOW_MAX_PIXELS = 178_956_970
ORIENTATION_TAG = 0x0112
ORIENTATIONS_ON_THEIR_SIDE = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Header:
    """`image_hw` is (height, width) in pixels with the EXIF orientation applied; `format` one of FORMATS."""

    format: str
    image_hw: tuple[int, int]


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """The image with nothing but its header read.

    The pixel count is checked here, before anything is allocated for it: a PNG of 50 kB can promise 400 megapixels.

    Raises OvsegError `image_empty`, `image_unreadable`, `image_format_unsupported` or `image_too_many_pixels`.
    """
    if not data:
        raise OvsegError("image_empty", "the image has no bytes", "image")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise _unidentified(data) from None
    except Image.DecompressionBombError:  # Pillow's own limit, which no setting can exceed
        message = f"the image has more than {PILLOW_MAX_PIXELS:,} pixels; at most {max_pixels:,} are allowed"
        raise OvsegError("image_too_many_pixels", message, "image") from None
    except Exception as error:  # a header may break a parser in more ways than Pillow has names for
        raise OvsegError("image_unreadable", f"the image's header cannot be read: {error}", "image") from error
    width, height = image.size
    if width * height > max_pixels:
        message = f"the image has {width} x {height} = {width * height:,} pixels; at most {max_pixels:,} are allowed"
        raise OvsegError("image_too_many_pixels", message, "image")
    return image


def read(data: bytes, max_pixels: int) -> Header:
    """The header of an image file. Raises as `open_image` does."""
    image = open_image(data, max_pixels)
    width, height = image.size
    if image.format != "TIFF" and orientation(image) in ORIENTATIONS_ON_THEIR_SIDE:  # Pillow's TIFFs are upright
        width, height = height, width
    return Header(format="JPEG" if image.format == "MPO" else str(image.format), image_hw=(height, width))


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 (upright) where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # a broken EXIF block says nothing; the pixels are still good
        return 1


def _unidentified(data: bytes) -> OvsegError:
    """What to say of bytes that Pillow makes nothing of."""
    start = data.lstrip()[:15]
    for signature, name in BEGINNINGS.items():
        if not start.startswith(signature):
            continue
        if name in FORMATS:
            return OvsegError("image_unreadable", f"this begins like a {name} file, but its header is broken", "image")
        return OvsegError(
            "image_format_unsupported", f"{name} is not supported; allowed: {', '.join(FORMATS)}", "image"
        )
    message = f"this is not an image of a known format; allowed: {', '.join(FORMATS)}"
    return OvsegError("image_format_unsupported", message, "image")
