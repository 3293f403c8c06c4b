"""Draw boxes with their names over a photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ovseg_core import palette

Box = tuple[float, float, float, float]

SHARE_OF_LINE = 1 / 480  # of the longer side of the photo, so that lines look alike in photos of any size
SHARE_OF_FONT = 1 / 45
MIN_FONT, MAX_FONT = 10, 200  # pixels: smaller names are unreadable, larger ones hide the photo
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
LIGHT = 150  # names on colours of this luminance or more, 0 to 255, are black


def draw(image_rgb: np.ndarray, boxes: Sequence[Box], names: Sequence[str], colours: Sequence[int]) -> np.ndarray:
    """Return a copy of the photo with boxes and their names.

    A name is above its box, or inside where there is no room above it.

    Args:
        image_rgb: (H, W, 3) uint8; it is not changed.
        boxes: each x0, y0, x1, y1 in pixels. It may extend beyond the image.
        names: of each box.
        colours: of each box, as an index of `palette.colour`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = Image.fromarray(image_rgb)
    pen = ImageDraw.Draw(picture)
    longer = max(picture.size)
    unit = max(1, round(longer * SHARE_OF_LINE))
    font = ImageFont.load_default(min(max(MIN_FONT, longer * SHARE_OF_FONT), MAX_FONT))
    beyond = [picture.width + unit, picture.height + unit]  # a line there cannot be seen
    for box, name, colour in zip(boxes, names, map(palette.colour, colours), strict=True):
        x0, y0, x1, y1 = np.clip(box, -unit, [*beyond, *beyond]).tolist()
        pen.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colour, width=unit)
        _, _, width, height = pen.textbbox((0, 0), name, font)
        x, y = max(0, min(x0, picture.width - width)), y0 - height - unit
        y = y if y >= 0 else max(0, y0)
        pen.rectangle((x, y, x + width + 2 * unit, y + height + unit), fill=colour)
        luminance = np.dot(colour, (0.299, 0.587, 0.114))
        pen.text((x + unit, y), name, fill=BLACK if luminance >= LIGHT else WHITE, font=font)
    return np.array(picture)
