"""An image file's bytes to pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from ovseg_core import header
from ovseg_core.errors import OvsegError

Allocate = Callable[[tuple[int, int, int], type[np.uint8]], np.ndarray]


def decode(data: bytes, max_pixels: int, allocate: Allocate = np.empty) -> np.ndarray:
    """RGB pixels (H, W, 3) uint8, upright: the EXIF orientation is applied.

    `allocate(shape, dtype)` makes the array that is filled and returned, for instance in memory that two processes
    share; a JPEG that needs no turning is decoded straight into it.

    Raises OvsegError as `header.open_image` does, and `image_unreadable` for a file that breaks off.
    """
    image = header.open_image(data, max_pixels)
    turn = header.orientation(image)
    try:
        if image.format == "JPEG" and image.mode in ("L", "RGB") and turn == 1:
            pixels = allocate((image.height, image.width, 3), np.uint8)
            simplejpeg.decode_jpeg(data, buffer=pixels)
            return pixels
        image.load()
        upright = _as_rgb(ImageOps.exif_transpose(image) if turn != 1 else image)
        pixels = allocate((upright.height, upright.width, 3), np.uint8)
        pixels[:] = np.asarray(upright)
        return pixels
    except Exception as error:
        raise OvsegError("image_unreadable", f"the image cannot be decoded: {error}", "image") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow's own conversion would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")
