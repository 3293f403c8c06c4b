"""Draw names on a picture, each on a filled box in the colour of its object, so that it is readable on any photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ovseg_core import name_fonts, palette

Box = tuple[float, float, float, float]

# The font size, as shares of the picture's sides: names look alike in photos of any size, and fit in narrow ones.
SHARE_OF_LONGER, SHARE_OF_SHORTER = 1 / 45, 1 / 5
MIN_FONT, MAX_FONT = 11, 200  # pixels: smaller names are unreadable, larger ones hide the photo
MIN_LETTERS = 12  # about this many fit into a tag, which may be wider than half of a narrow picture for that
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
LIGHT = 150  # names on colours of this luminance or more, 0 to 255, are black


class Tag(NamedTuple):
    """A name for an object.

    Attributes:
        name: any text. If no font has its characters, the number is drawn instead.
        number: of the object's mask or box.
        box: x0, y0, x1, y1 of the object, in pixels. It may extend beyond the picture.
        colour: RGB.
    """

    name: str
    number: int
    box: Box
    colour: palette.RGB


def draw(picture: np.ndarray, tags: Sequence[Tag]) -> None:
    """Draw names into a picture (H, W, 3) uint8 RGB: above their objects, or where they cover no earlier name.

    A name that is too long is cut. If there is no such place for a name, the number is drawn.
    """
    height, width = picture.shape[:2]
    size = round(min(max(height, width) * SHARE_OF_LONGER, min(height, width) * SHARE_OF_SHORTER, MAX_FONT))
    size = max(MIN_FONT, size)
    max_width = min(width, max(width // 2, MIN_LETTERS * size))
    taken = np.zeros((0, 4))
    for tag in tags:
        number = str(tag.number)
        for text in (name_fonts.shown(tag.name) or number, number):
            drawn = _drawn(text, tag.colour, size, max_width)[:height, :width]
            (x, y), is_free = _place(tag.box, drawn.shape[:2], (height, width), taken)
            if is_free:
                break
        picture[y : y + drawn.shape[0], x : x + drawn.shape[1]] = drawn
        taken = np.vstack([taken, (x, y, x + drawn.shape[1], y + drawn.shape[0])])


def _drawn(text: str, colour: palette.RGB, size: int, max_width: int) -> np.ndarray:
    """Return the tag (h, w, 3) uint8 RGB."""
    font, margin = name_fonts.font(text, size), max(1, size // 5)
    text = _cut(text, font, max_width - 2 * margin)
    ascent, descent = font.getmetrics()
    drawn = Image.new("RGB", (round(font.getlength(text)) + 2 * margin, ascent + descent), colour)
    luminance = np.dot(colour, (0.299, 0.587, 0.114))
    ImageDraw.Draw(drawn).text((margin, 0), text, fill=BLACK if luminance >= LIGHT else WHITE, font=font)
    return np.asarray(drawn)


def _cut(text: str, font: name_fonts.Font, max_width: int) -> str:
    """Return the text, or as much of its beginning as fits into `max_width` pixels, with dots."""
    if font.getlength(text) <= max_width:
        return text
    dots = "\N{HORIZONTAL ELLIPSIS}" if name_fonts.has(font, "\N{HORIZONTAL ELLIPSIS}") else "..."
    count = len(text) - 1
    while count > 1 and font.getlength(text[:count] + dots) > max_width:
        count -= 1
    return text[:count].rstrip() + dots


def _place(
    box: Box, tag_hw: tuple[int, int], picture_hw: tuple[int, int], taken: np.ndarray
) -> tuple[tuple[int, int], bool]:
    """Return x and y of the first place where a tag covers no other, and True.

    If there is no such place, return the first of all places, and False.
    """
    places = list(_places(box, tag_hw, picture_hw))
    height, width = tag_hw
    for x, y in places:
        if not ((taken[:, 0] < x + width) & (x < taken[:, 2]) & (taken[:, 1] < y + height) & (y < taken[:, 3])).any():
            return (x, y), True
    return places[0], False


def _places(box: Box, tag_hw: tuple[int, int], picture_hw: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield places above the box, inside it and below it, at its left and its right side, all within the picture."""
    (height, width), (bottom, right) = tag_hw, picture_hw
    x0, y0, x1, y1 = np.clip(box, 0, [right, bottom, right, bottom]).tolist()
    heights = [y for y in (y0 - height, y0, y1 - height, y1) if 0 <= y <= bottom - height]
    for x in (x0, x1 - width):
        for y in heights or [min(max(0, y0), bottom - height)]:
            yield round(min(max(0, x), right - width)), round(y)
