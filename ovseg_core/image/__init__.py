"""Decode an image file: either exactly the pixels of the file or an error, never half a picture or a different one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from ovseg_core import header
from ovseg_core.errors import OvsegError
from ovseg_core.header import Header
from ovseg_core.header import tiff as tiff_header
from ovseg_core.header.head import unreadable
from ovseg_core.image import avif, bmp, heic, jpeg, png, pnm, tiff, webp
from ovseg_core.image.orientation import upright

__all__ = ["Allocate", "decode", "page_count", "pages"]

# Makes the array that a decoder fills: shape (H, W, 3), uint8.
Allocate = Callable[[tuple[int, int, int], type[np.uint8]], np.ndarray]

# Each returns RGB pixels (H, W, 3) uint8 as stored in the file.
DECODERS: dict[str, Callable[[bytes], np.ndarray]] = {
    "JPEG": jpeg.decode,
    "PNG": png.decode,
    "WEBP": webp.decode,
    "BMP": bmp.decode,
    "TIFF": tiff.decode,
    "PPM": pnm.decode,
    "AVIF": avif.decode,
    "HEIC": heic.decode,
}


def decode(data: bytes, max_pixels: int, allocate: Allocate = np.empty) -> np.ndarray:
    """Decode to upright RGB pixels (H, W, 3) uint8. The orientation of EXIF, TIFF, HEIC and AVIF is applied.

    `allocate(shape, dtype)` makes the array that is filled and returned, for instance in memory that two processes
    share. A JPEG that needs no rotation is decoded directly into it; other files are copied once.

    Alpha is dropped, not blended, as OpenCV's IMREAD_COLOR does. Samples of 16 bits are reduced to their high byte.
    From an animation or a file of several pages, the first picture is decoded.

    Raises OvsegError as `header.read` does, and `image_unreadable` for a file that breaks off or is corrupt.
    """
    head = header.read(data, max_pixels)
    with _errors_told(head.format):
        if head.format == "JPEG" and head.orientation == 1:
            return jpeg.decode(data, allocate)
        return _filled(DECODERS[head.format](data), head, allocate)


def page_count(data: bytes) -> int:
    """Return the number of pages of a TIFF, or 1. Raises OvsegError `image_unreadable`, `image_too_costly`."""
    if not data.startswith(tiff_header.SIGNATURES):
        return 1
    with _errors_told("TIFF"):
        return sum(1 for _ in tiff_header.pages(data))


def pages(data: bytes, max_pixels: int) -> Iterator[np.ndarray]:
    """Yield the upright pixels of each page of a TIFF, reading one page at a time; for other files the only picture.

    Raises the same errors as `decode`.
    """
    head = header.read(data, max_pixels)
    if head.format != "TIFF":
        yield decode(data, max_pixels)
        return
    with _errors_told("TIFF"):
        for directory in tiff_header.pages(data):
            page = tiff_header.page(directory)
            head = tiff_header.header_of(page)
            header.check_pixels(head, max_pixels)
            yield _filled(tiff.of_page(page), head, np.empty)


def _filled(stored: np.ndarray, head: Header, allocate: Allocate) -> np.ndarray:
    if stored.shape != (*head.stored_hw, 3):
        raise unreadable(f"the {head.format} has another size than its header says")
    pixels = allocate((*head.image_hw, 3), np.uint8)
    pixels[:] = upright(stored, head.orientation)
    return pixels


@contextmanager
def _errors_told(name: str) -> Iterator[None]:
    """Turn a library's error about a broken file into an OvsegError, without its message, which is for programmers."""
    try:
        yield
    except (OvsegError, MemoryError, GeneratorExit):
        raise
    except Exception as error:
        raise unreadable(f"the {name} is corrupt or breaks off") from error
