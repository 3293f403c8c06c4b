"""An image file's bytes to pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from ovseg_core import header
from ovseg_core.errors import OvsegError


def decode(data: bytes, max_pixels: int) -> np.ndarray:
    """RGB pixels (H, W, 3) uint8, upright: the EXIF orientation is applied.

    Alpha is dropped, not blended, as OpenCV's IMREAD_COLOR does; 16-bit greyscale keeps its high byte; of an
    animated or many-paged file the first picture is taken.
    Pillow decodes, not OpenCV: OpenCV returns a truncated JPEG with grey where pixels are missing and says nothing.

    Raises OvsegError as `header.open_image` does, and `image_unreadable` for a file that breaks off.
    """
    image = header.open_image(data, max_pixels)
    try:
        image.load()
        upright = ImageOps.exif_transpose(image) if header.orientation(image) != 1 else image
        return np.asarray(_as_rgb(upright))
    except Exception as error:
        raise OvsegError("image_unreadable", f"the image cannot be decoded: {error}", "image") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow's own conversion would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")
