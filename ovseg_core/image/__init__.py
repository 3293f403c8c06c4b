"""An image file's bytes to pixels: exactly those of the file, or an error; never half a picture, nor another."""

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

# Makes the array that is filled: of a shape (H, W, 3) and uint8.
Allocate = Callable[[tuple[int, int, int], type[np.uint8]], np.ndarray]

# Each gives the pixels (H, W, 3) uint8 in RGB as they lie in the file.
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
    """RGB pixels (H, W, 3) uint8, upright: the orientation of EXIF, of a TIFF or of a HEIC or AVIF is applied.

    `allocate(shape, dtype)` makes the array that is filled and returned, for instance in memory that two processes
    share; a JPEG that needs no turning is decoded straight into it, other files are copied once.

    Alpha is dropped, not blended, as OpenCV's IMREAD_COLOR does; 16 bits keep their high byte; of an animated or
    many-paged file the first picture is taken.

    Raises OvsegError as `header.read` does, and `image_unreadable` for a file that breaks off or is corrupt.
    """
    head = header.read(data, max_pixels)
    with _errors_told(head.format):
        if head.format == "JPEG" and head.orientation == 1:
            return jpeg.decode(data, allocate)
        return _filled(DECODERS[head.format](data), head, allocate)


def page_count(data: bytes) -> int:
    """How many pages a TIFF has; other files have one. Raises OvsegError `image_unreadable`, `image_too_costly`."""
    if not data.startswith(tiff_header.SIGNATURES):
        return 1
    with _errors_told("TIFF"):
        return sum(1 for _ in tiff_header.pages(data))


def pages(data: bytes, max_pixels: int) -> Iterator[np.ndarray]:
    """The upright pixels of each page of a TIFF, each read when its turn comes; of other files the one picture.

    Raises as `decode` does.
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
    """Turns what a library raises at a broken file into an OvsegError, without its words, which are for programmers."""
    try:
        yield
    except (OvsegError, MemoryError, GeneratorExit):
        raise
    except Exception as error:
        raise unreadable(f"the {name} is corrupt or breaks off") from error
