"""Draw boxes with their names over a photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ovseg_core import name_tags, palette
from ovseg_core.name_tags import Box, Tag

SHARE_OF_LINE = 1 / 480  # of the longer side of the photo, so that lines look alike in photos of any size


def draw(image_rgb: np.ndarray, boxes: Sequence[Box], names: Sequence[str], colours: Sequence[int]) -> np.ndarray:
    """Return a copy of the photo with boxes and their names, as `name_tags` draws them.

    Args:
        image_rgb: (H, W, 3) uint8; it is not changed.
        boxes: each x0, y0, x1, y1 in pixels. It may extend beyond the image.
        names: of each box.
        colours: of each box, as an index of `palette.colour`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    photo = Image.fromarray(image_rgb)
    pen = ImageDraw.Draw(photo)
    unit = max(1, round(max(photo.size) * SHARE_OF_LINE))
    beyond = [photo.width + unit, photo.height + unit]  # a line there cannot be seen
    tags = []
    for i, (box, name, colour) in enumerate(zip(boxes, names, map(palette.colour, colours), strict=True)):
        x0, y0, x1, y1 = np.clip(box, -unit, [*beyond, *beyond]).tolist()
        pen.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=colour, width=unit)
        tags.append(Tag(name, i, box, colour))
    picture = np.array(photo)
    name_tags.draw(picture, tags)
    return picture
